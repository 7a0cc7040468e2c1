// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zone text to words. The file is read, not mapped: a file that shrinks under a mapping kills its
// reader, and zone files are edited while we read them. A NUL behind the last byte in the buffer
// ends every inner loop, so the common byte costs one table look-up.

#include "zonefile_lexer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE (512 * 1024)
_Static_assert(BUFFER_SIZE > LEXER_WORD_MAX, "a longest word fits the buffer");

enum char_class {
	PLAIN,
	BLANK,
	NEWLINE,
	COMMENT,
	OPEN,
	CLOSE,
	QUOTE,
	ESCAPE,
	NUL,
};

static const uint8_t classes[256] = {
    ['\0'] = NUL,
    [' '] = BLANK,
    ['\t'] = BLANK,
    ['\r'] = BLANK, // of Windows line ends
    ['\n'] = NEWLINE,
    [';'] = COMMENT,
    ['('] = OPEN,
    [')'] = CLOSE,
    ['"'] = QUOTE,
    ['\\'] = ESCAPE,
};

static inline enum char_class class_of(char c)
{
	return classes[(uint8_t)c];
}

static int lexer_open(struct lexer *lexer, int fd, const char *text, size_t len, size_t buffer_size)
{
	*lexer = (struct lexer){
	    .fd = fd,
	    .text = text,
	    .text_left = len,
	    .line = 1,
	    .token_line = 1,
	    .cap = buffer_size,
	    .again = -1,
	};
	lexer->buf = malloc(buffer_size + 1);
	if (lexer->buf == NULL)
		return -ENOMEM;
	lexer->pos = lexer->end = lexer->buf;
	*lexer->end = '\0';
	return 0;
}

int lexer_open_fd(struct lexer *lexer, int fd)
{
	return lexer_open(lexer, fd, NULL, 0, BUFFER_SIZE);
}

int lexer_open_text(struct lexer *lexer, const char *text, size_t len)
{
	return lexer_open(lexer, -1, text, len, len < BUFFER_SIZE ? len + 1 : BUFFER_SIZE);
}

void lexer_close(struct lexer *lexer)
{
	free(lexer->buf);
	lexer->buf = NULL;
}

static int fail(struct lexer *lexer, const char *why)
{
	lexer->why = why;
	return -EINVAL;
}

// Bytes read into `to`, 0 at the end of the text, or -errno.
static ssize_t source_read(struct lexer *lexer, char *to, size_t room)
{
	if (lexer->fd < 0) {
		size_t n = lexer->text_left < room ? lexer->text_left : room;

		if (n > 0)
			memcpy(to, lexer->text, n);
		lexer->text += n;
		lexer->text_left -= n;
		return (ssize_t)n;
	}

	ssize_t n;

	do
		n = read(lexer->fd, to, room);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

// Called when a loop met the NUL at lexer->end. Moves the bytes from `*keep` to the front, reads
// behind them. Post: 1 and *keep moved; 0 when there is nothing more; or -errno.
static int refill(struct lexer *lexer, char **keep)
{
	size_t kept = (size_t)(lexer->end - *keep);

	if (lexer->drained)
		return 0;
	if (kept > LEXER_WORD_MAX)
		return fail(lexer, "a word is too long");
	if (kept > 0)
		memmove(lexer->buf, *keep, kept);
	lexer->base += (uint64_t)(*keep - lexer->buf);
	*keep = lexer->buf;
	lexer->end = lexer->buf + kept;
	*lexer->end = '\0';

	ssize_t n = source_read(lexer, lexer->end, lexer->cap - kept);

	if (n < 0) {
		lexer->why = "the file could not be read";
		return (int)n;
	}
	if (n == 0) {
		lexer->drained = true;
		return 0;
	}
	lexer->end += n;
	*lexer->end = '\0';
	return 1;
}

// Makes sure a byte stands at *p, where *p may be the end. `*start` is kept; both move alike.
static int refill_at(struct lexer *lexer, char **start, char **p)
{
	size_t ahead = (size_t)(*p - *start);
	int ret = refill(lexer, start);

	*p = *start + ahead;
	return ret;
}

static void line_begins(struct lexer *lexer, const char *p)
{
	lexer->line++;
	lexer->line_at = lexer->base + (uint64_t)(p - lexer->buf);
}

static void token_begins(struct lexer *lexer, const char *p)
{
	lexer->token_line = lexer->line;
	lexer->token_at = lexer->base + (uint64_t)(p - lexer->buf);
	lexer->token_line_at = lexer->line_at;
}

// From behind the opening quote at *p to behind the closing one; `*start` is kept.
static int quoted_skip(struct lexer *lexer, char **start, char **p, bool *escaped)
{
	for (;;) {
		switch (class_of(**p)) {
		case QUOTE:
			++*p;
			return 0;
		case NEWLINE:
			return fail(lexer, "the line ends inside quotes");
		case ESCAPE:
			*escaped = true;
			++*p;
			if (*p == lexer->end) {
				int ret = refill_at(lexer, start, p);

				if (ret <= 0)
					return ret < 0 ? ret
					               : fail(lexer, "the text ends inside quotes");
			}
			if (**p == '\n')
				return fail(lexer, "a line ends with a backslash");
			if (**p == '\0')
				return fail(lexer, "there is a NUL byte in the text");
			++*p;
			break;
		case NUL:
			if (*p != lexer->end)
				return fail(lexer, "there is a NUL byte in the text");

			int ret = refill_at(lexer, start, p);

			if (ret <= 0)
				return ret < 0 ? ret : fail(lexer, "the text ends inside quotes");
			break;
		default:
			++*p;
		}
	}
}

static int quoted_read(struct lexer *lexer, char *start)
{
	char *p = start + 1;
	bool escaped = false;
	int ret = quoted_skip(lexer, &start, &p, &escaped);

	if (ret < 0)
		return ret;
	lexer->pos = p;
	lexer->token = (struct lexer_token){
	    .text = start + 1, .len = (size_t)(p - start) - 2, .quoted = true, .escaped = escaped};
	return LEXER_QUOTED;
}

static int word_read(struct lexer *lexer, char *start, bool pairs)
{
	char *p = start;
	bool escaped = false;

	for (;;) {
		int ret;

		while (class_of(*p) == PLAIN)
			p++;
		if (*p == '\0' && p == lexer->end) {
			ret = refill_at(lexer, &start, &p);
			if (ret < 0)
				return ret;
			if (ret == 0)
				break;
			continue;
		}
		if (*p == '\0')
			return fail(lexer, "there is a NUL byte in the text");
		if (*p == '\\') {
			escaped = true;
			if (++p == lexer->end) {
				ret = refill_at(lexer, &start, &p);
				if (ret < 0)
					return ret;
			}
			if (*p == '\n' || (*p == '\0' && p == lexer->end))
				return fail(lexer, "a line ends with a backslash");
			if (*p == '\0')
				return fail(lexer, "there is a NUL byte in the text");
			p++;
			continue;
		}
		if (pairs && *p == '"' && p > start && p[-1] == '=') {
			p++;
			ret = quoted_skip(lexer, &start, &p, &escaped);
			if (ret < 0)
				return ret;
		}
		break;
	}
	lexer->pos = p;
	lexer->token =
	    (struct lexer_token){.text = start, .len = (size_t)(p - start), .escaped = escaped};
	return LEXER_WORD;
}

// From a semicolon to the line's end, which is left to be read.
static int comment_skip(struct lexer *lexer, char **p)
{
	for (;;) {
		char *newline = memchr(*p, '\n', (size_t)(lexer->end - *p));

		if (newline != NULL) {
			*p = newline;
			return 0;
		}
		*p = lexer->end;

		int ret = refill(lexer, p);

		if (ret <= 0)
			return ret;
	}
}

static int end_of_text(struct lexer *lexer, char *p)
{
	lexer->pos = p;
	token_begins(lexer, p);
	lexer->token = (struct lexer_token){.text = p};
	if (lexer->depth > 0)
		return fail(lexer, "the text ends inside parentheses");
	return LEXER_EOF;
}

static int token_read(struct lexer *lexer, bool pairs)
{
	char *p = lexer->pos;
	int ret;

	if (lexer->again >= 0) {
		ret = lexer->again;
		lexer->again = -1;
		return ret;
	}
	for (;;) {
		switch (class_of(*p)) {
		case BLANK:
			p++;
			break;
		case PLAIN:
		case ESCAPE:
			token_begins(lexer, p);
			return word_read(lexer, p, pairs);
		case QUOTE:
			token_begins(lexer, p);
			return quoted_read(lexer, p);
		case NEWLINE:
			token_begins(lexer, p);
			p++;
			line_begins(lexer, p);
			if (lexer->depth > 0)
				break;
			lexer->pos = p;
			lexer->token = (struct lexer_token){.text = p};
			return LEXER_END;
		case COMMENT:
			ret = comment_skip(lexer, &p);
			if (ret < 0)
				return ret;
			break;
		case OPEN:
			lexer->depth++;
			p++;
			break;
		case CLOSE:
			token_begins(lexer, p);
			if (lexer->depth == 0)
				return fail(lexer, "a parenthesis is closed that was not opened");
			lexer->depth--;
			p++;
			break;
		case NUL:
			token_begins(lexer, p);
			if (p != lexer->end)
				return fail(lexer, "there is a NUL byte in the text");
			ret = refill(lexer, &p);
			if (ret < 0)
				return ret;
			if (ret == 0)
				return end_of_text(lexer, p);
			break;
		}
	}
}

int lexer_next(struct lexer *lexer)
{
	return token_read(lexer, false);
}

int lexer_next_pair(struct lexer *lexer)
{
	return token_read(lexer, true);
}

void lexer_again(struct lexer *lexer, int kind)
{
	lexer->again = kind;
}

int lexer_begins_blank(struct lexer *lexer)
{
	if (lexer->pos == lexer->end) {
		int ret = refill(lexer, &lexer->pos);

		if (ret < 0)
			return ret;
	}
	return class_of(*lexer->pos) == BLANK;
}

unsigned lexer_column(const struct lexer *lexer)
{
	return (unsigned)(lexer->token_at - lexer->token_line_at) + 1;
}

int lexer_unescape(const char *text, size_t len, uint8_t *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < len;) {
		unsigned c = (uint8_t)text[i++];

		if (c == '\\') {
			if (i >= len)
				return -EINVAL;
			c = (uint8_t)text[i++];
			if (c >= '0' && c <= '9') {
				if (len - i < 2 || text[i] < '0' || text[i] > '9' ||
				    text[i + 1] < '0' || text[i + 1] > '9')
					return -EINVAL;
				c = (c - '0') * 100 + (unsigned)(text[i] - '0') * 10 +
				    (unsigned)(text[i + 1] - '0');
				if (c > 255)
					return -EINVAL;
				i += 2;
			}
		}
		if (n == cap)
			return -E2BIG;
		out[n++] = (uint8_t)c;
	}
	return (int)n;
}
