// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zone text to records: entries, directives, inheritance of owner, TTL and class, included files.
// Called by the control plane and tools; one parse per call, on the caller's thread.

#include "zonefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "name.h"
#include "rdata.h"
#include "rdata_code.h"
#include "rdata_scan.h"
#include "rrtype.h"
#include "zonefile_lexer.h"

#define INCLUDE_DEPTH_MAX 10         // files inside files; deeper is a loop
#define TTL_MAX           0x7fffffff // RFC 2181 8
#define TTL_NONE_GIVEN    3600       // what NSD and Knot take when the text says nothing

struct parser {
	zonefile_record_fn fn;
	void *ctx;
	struct zonefile_error *err;
	uint8_t *rdata; // RDATA_LEN_MAX bytes, owned
	uint8_t origin[NAME_LEN_MAX];
	uint8_t owner[NAME_LEN_MAX];
	bool have_owner;
	bool have_default_ttl; // $TTL was given
	bool have_last_ttl;
	uint32_t default_ttl;
	uint32_t last_ttl;
	uint16_t rrclass;
	unsigned depth; // of $INCLUDE
};

// One entry's head. `type` is -1 until it was read.
struct head {
	int type;
	bool have_ttl;
	bool have_class;
	uint32_t ttl;
};

static int parse_path(struct parser *parser, const char *path);

static int fail(struct lexer *lexer, const char *why)
{
	lexer->why = why;
	return -EINVAL;
}

// "`what` `word` `rest`" with the word escaped and cut to a readable length.
static int fail_word(struct parser *parser, struct lexer *lexer, const char *what, const char *rest)
{
	char word[100];
	struct text_out t = {.out = word, .cap = sizeof(word) - 1};
	size_t len = lexer->token.len < 64 ? lexer->token.len : 64;

	for (size_t i = 0; i < len; i++)
		text_put_escaped(&t, (uint8_t)lexer->token.text[i]);
	word[t.len] = '\0';
	snprintf(
	    parser->err->message, sizeof(parser->err->message), "%s \"%s\" %s", what, word, rest);
	return -EINVAL;
}

static bool token_is(const struct lexer_token *token, const char *word)
{
	return token->len == strlen(word) && strncasecmp(token->text, word, token->len) == 0;
}

// The name of the word just read, @ and relative names taken from the origin.
static int name_read(struct parser *parser, struct lexer *lexer, uint8_t out[NAME_LEN_MAX])
{
	const struct lexer_token *token = &lexer->token;

	if (token->len == 1 && token->text[0] == '@' && !token->quoted) {
		memcpy(out, parser->origin, name_len(parser->origin));
		return 0;
	}

	int len = name_from_text(token->text, token->len, parser->origin, out);

	if (len == -ENAMETOOLONG)
		return fail(lexer, "the domain name is over 255 bytes");
	return len < 0 ? fail(lexer, "the domain name is malformed") : 0;
}

static bool is_end(int kind)
{
	return kind == LEXER_END || kind == LEXER_EOF;
}

// The word a directive needs. Post: 0 with the token, or -errno.
static int argument(struct lexer *lexer, const char *missing)
{
	int kind = lexer_next(lexer);

	if (kind < 0)
		return kind;
	return is_end(kind) ? fail(lexer, missing) : 0;
}

static int line_end(struct lexer *lexer)
{
	int kind = lexer_next(lexer);

	if (kind < 0)
		return kind;
	return is_end(kind) ? 0 : fail(lexer, "there is more on the line than the directive takes");
}

static int ttl_read(struct lexer *lexer, uint32_t *ttl)
{
	if (code_period(lexer->token.text, lexer->token.len, ttl) < 0)
		return fail(lexer, "the TTL is malformed");
	return *ttl > TTL_MAX ? fail(lexer, "the TTL is over 2147483647") : 0;
}

// An included file is looked for beside the file that names it. Post: 0 or -ENAMETOOLONG.
static int include_path(const char *includer, const char *name, char *path, size_t cap)
{
	const char *slash = name[0] == '/' ? NULL : strrchr(includer, '/');
	int dir_len = slash == NULL ? 0 : (int)(slash - includer) + 1;
	int len = snprintf(path, cap, "%.*s%s", dir_len, includer, name);

	return len < 0 || (size_t)len >= cap ? -ENAMETOOLONG : 0;
}

static int include_read(struct parser *parser, struct lexer *lexer, char *name, size_t cap)
{
	int ret = argument(lexer, "$INCLUDE needs a file name");

	if (ret < 0)
		return ret;

	int len = lexer_unescape(lexer->token.text, lexer->token.len, (uint8_t *)name, cap - 1);

	if (len <= 0 || memchr(name, '\0', (size_t)len) != NULL)
		return fail(lexer, "the file name is malformed");
	name[len] = '\0';
	return 0;
}

// $INCLUDE file [origin]: the owner and the origin of this file are as before afterwards
// (RFC 1035 5.1).
static int directive_include(struct parser *parser, struct lexer *lexer)
{
	char name[sizeof(parser->err->file)], path[sizeof(parser->err->file)];
	struct {
		uint8_t origin[NAME_LEN_MAX], owner[NAME_LEN_MAX];
		bool have_owner;
	} before;
	int ret = include_read(parser, lexer, name, sizeof(name));

	if (ret < 0)
		return ret;
	if (parser->err->file[0] == '\0')
		return fail(lexer, "text in memory cannot include files");
	if (parser->depth == INCLUDE_DEPTH_MAX)
		return fail(lexer, "files include each other too deeply");
	if (include_path(parser->err->file, name, path, sizeof(path)) < 0)
		return fail(lexer, "the file name is too long");
	parser->err->includes++;
	memcpy(before.origin, parser->origin, NAME_LEN_MAX);
	memcpy(before.owner, parser->owner, NAME_LEN_MAX);
	before.have_owner = parser->have_owner;

	int kind = lexer_next(lexer);

	if (kind < 0)
		return kind;
	if (!is_end(kind)) {
		uint8_t origin[NAME_LEN_MAX];

		ret = name_read(parser, lexer, origin);
		if (ret == 0)
			ret = line_end(lexer);
		if (ret < 0)
			return ret;
		memcpy(parser->origin, origin, NAME_LEN_MAX);
	}

	char includer[sizeof(parser->err->file)];

	memcpy(includer, parser->err->file, sizeof(includer));
	parser->depth++;
	ret = parse_path(parser, path);
	parser->depth--;
	if (ret < 0)
		return ret;
	memcpy(parser->err->file, includer, sizeof(includer));
	memcpy(parser->origin, before.origin, NAME_LEN_MAX);
	memcpy(parser->owner, before.owner, NAME_LEN_MAX);
	parser->have_owner = before.have_owner;
	return 0;
}

static int directive_origin(struct parser *parser, struct lexer *lexer)
{
	uint8_t origin[NAME_LEN_MAX];
	int ret = argument(lexer, "$ORIGIN needs a name");

	if (ret == 0)
		ret = name_read(parser, lexer, origin);
	if (ret == 0)
		ret = line_end(lexer);
	if (ret == 0)
		memcpy(parser->origin, origin, name_len(origin));
	return ret;
}

static int directive_ttl(struct parser *parser, struct lexer *lexer)
{
	int ret = argument(lexer, "$TTL needs a time");

	if (ret == 0)
		ret = ttl_read(lexer, &parser->default_ttl);
	if (ret == 0)
		ret = line_end(lexer);
	parser->have_default_ttl = true;
	return ret;
}

static int directive(struct parser *parser, struct lexer *lexer)
{
	if (token_is(&lexer->token, "$ORIGIN"))
		return directive_origin(parser, lexer);
	if (token_is(&lexer->token, "$TTL"))
		return directive_ttl(parser, lexer);
	if (token_is(&lexer->token, "$INCLUDE"))
		return directive_include(parser, lexer);
	return fail_word(parser, lexer, "the directive", "is not known");
}

// [TTL] [class] type, or [class] [TTL] type (RFC 1035 5.1).
static int head_read(struct parser *parser, struct lexer *lexer, struct head *head)
{
	while (head->type < 0) {
		int kind = lexer_next(lexer), ret;

		if (kind < 0)
			return kind;
		if (is_end(kind))
			return fail(lexer, "the record has no type");

		const struct lexer_token *token = &lexer->token;

		if (token->len > 0 && token->text[0] >= '0' && token->text[0] <= '9' &&
		    !token->quoted) {
			if (head->have_ttl)
				return fail(lexer, "a TTL is given twice");
			ret = ttl_read(lexer, &head->ttl);
			if (ret < 0)
				return ret;
			head->have_ttl = true;
			continue;
		}
		head->type = rrtype_from_text(token->text, token->len);
		if (head->type >= 0)
			continue;

		int rrclass = rrclass_from_text(token->text, token->len);

		if (rrclass < 0 || head->have_class)
			return fail_word(parser, lexer, "the type", "is not known");
		parser->rrclass = (uint16_t)rrclass;
		head->have_class = true;
	}
	if (rrtype_is_meta((uint16_t)head->type))
		return fail_word(
		    parser, lexer, "the type", "is for queries and messages, not for zones");
	return 0;
}

// Without a TTL of its own a record takes $TTL, else the TTL before it, else, as an SOA, its
// MINIMUM.
static uint32_t ttl_choose(struct parser *parser, const struct head *head, size_t rdlen)
{
	const uint8_t *minimum = parser->rdata + rdlen - 4;

	if (head->have_ttl)
		return head->ttl;
	if (parser->have_default_ttl)
		return parser->default_ttl;
	if (parser->have_last_ttl)
		return parser->last_ttl;
	if (head->type != RRTYPE_SOA)
		return TTL_NONE_GIVEN;

	uint32_t ttl = (uint32_t)minimum[0] << 24 | (uint32_t)minimum[1] << 16 |
	               (uint32_t)minimum[2] << 8 | minimum[3];

	return ttl <= TTL_MAX ? ttl : 0;
}

static int record(struct parser *parser, struct lexer *lexer)
{
	struct head head = {.type = -1};
	int ret = head_read(parser, lexer, &head);

	if (ret < 0)
		return ret;

	// The callee's refusal is about the record, so it is shown at its type.
	unsigned line = lexer->token_line, column = lexer_column(lexer);
	int rdlen = rdata_scan((uint16_t)head.type, lexer, parser->origin, parser->rdata);

	if (rdlen < 0)
		return rdlen;

	uint32_t ttl = ttl_choose(parser, &head, (size_t)rdlen);

	parser->have_last_ttl = true;
	parser->last_ttl = ttl;
	ret = parser->fn(parser->ctx, parser->owner, (uint16_t)head.type, parser->rrclass, ttl,
	    parser->rdata, (uint16_t)rdlen, parser->err);
	if (ret != 0) {
		parser->err->line = line;
		parser->err->column = column;
		lexer->why = "the record was refused";
	}
	return ret;
}

// Post: 1 after an entry, 0 at the end of the text, or an error.
static int entry(struct parser *parser, struct lexer *lexer)
{
	int blank = lexer_begins_blank(lexer);

	if (blank < 0)
		return blank;

	int kind = lexer_next(lexer), ret;

	if (kind < 0 || kind == LEXER_EOF)
		return kind < 0 ? kind : 0;
	if (kind == LEXER_END)
		return 1;
	if (!blank) {
		if (kind == LEXER_WORD && lexer->token.text[0] == '$') {
			ret = directive(parser, lexer);
			return ret == 0 ? 1 : ret;
		}
		ret = name_read(parser, lexer, parser->owner);
		if (ret < 0)
			return ret;
		parser->have_owner = true;
	} else if (!parser->have_owner) {
		return fail(lexer, "the first record has no owner name");
	} else {
		lexer_again(lexer, kind);
	}
	ret = record(parser, lexer);
	return ret == 0 ? 1 : ret;
}

static int parse(struct parser *parser, struct lexer *lexer)
{
	int ret;

	while ((ret = entry(parser, lexer)) == 1)
		;
	if (ret == 0)
		return 0;
	// An error inside an included file, or of the callee, has told its place already.
	if (parser->err->line == 0) {
		parser->err->line = lexer->token_line;
		parser->err->column = lexer_column(lexer);
	}
	if (parser->err->message[0] == '\0')
		snprintf(parser->err->message, sizeof(parser->err->message), "%s",
		    lexer->why != NULL ? lexer->why : "out of memory");
	return ret;
}

// A zone may be read from a pipe when the operator says so, but not because the zone does.
static int file_check(const struct parser *parser, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return parser->depth > 0 && !S_ISREG(st.st_mode) ? -EINVAL : 0;
}

// Post: as zonefile_parse_file; err->file is `path` afterwards unless an inner file failed. A file
// that cannot be opened is an error of the line that includes it.
static int parse_path(struct parser *parser, const char *path)
{
	struct lexer lexer;
	int flags = O_RDONLY | O_CLOEXEC | (parser->depth > 0 ? O_NONBLOCK : 0);
	int fd = open(path, flags), ret = fd < 0 ? -errno : file_check(parser, fd);

	if (ret < 0) {
		snprintf(parser->err->message, sizeof(parser->err->message), "%.180s: %s", path,
		    ret == -EINVAL ? "is not a regular file" : strerror(-ret));
		goto out;
	}
	snprintf(parser->err->file, sizeof(parser->err->file), "%s", path);
	ret = lexer_open_fd(&lexer, fd);
	if (ret < 0) {
		snprintf(parser->err->message, sizeof(parser->err->message), "out of memory");
		goto out;
	}
	ret = parse(parser, &lexer);
	lexer_close(&lexer);
out:
	if (fd >= 0)
		close(fd);
	return ret;
}

static struct parser *parser_new(
    const uint8_t *origin, zonefile_record_fn fn, void *ctx, struct zonefile_error *err)
{
	struct parser *parser = calloc(1, sizeof(*parser));

	memset(err, 0, sizeof(*err));
	if (parser == NULL)
		return NULL;
	parser->rdata = malloc(RDATA_LEN_MAX);
	if (parser->rdata == NULL) {
		free(parser);
		return NULL;
	}
	parser->fn = fn;
	parser->ctx = ctx;
	parser->err = err;
	parser->rrclass = RRCLASS_IN;
	memcpy(parser->origin, origin, name_len(origin));
	return parser;
}

static void parser_free(struct parser *parser)
{
	free(parser->rdata);
	free(parser);
}

int zonefile_parse_file(const char *path, const uint8_t *origin, zonefile_record_fn fn, void *ctx,
    struct zonefile_error *err)
{
	struct parser *parser = parser_new(origin, fn, ctx, err);

	if (parser == NULL) {
		snprintf(err->message, sizeof(err->message), "out of memory");
		return -ENOMEM;
	}
	snprintf(err->file, sizeof(err->file), "%s", path);

	int ret = parse_path(parser, path);

	parser_free(parser);
	return ret;
}

int zonefile_parse_text(const char *text, size_t len, const uint8_t *origin, zonefile_record_fn fn,
    void *ctx, struct zonefile_error *err)
{
	struct parser *parser = parser_new(origin, fn, ctx, err);
	struct lexer lexer;
	int ret = parser == NULL ? -ENOMEM : lexer_open_text(&lexer, text, len);

	if (ret < 0) {
		snprintf(err->message, sizeof(err->message), "out of memory");
	} else {
		ret = parse(parser, &lexer);
		lexer_close(&lexer);
	}
	if (parser != NULL)
		parser_free(parser);
	return ret;
}
