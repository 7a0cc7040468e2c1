// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Inside zones/ only: zone text to words (RFC 1035 5.1). Reads a file or a piece of memory through
// one buffer of bounded size; parentheses, comments and line ends are settled here. One lexer per
// file, used by one thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A word may be this long: the hex of the largest rdata is 131,070 characters, the escaped text of
// the largest URI 262,124.
#define LEXER_WORD_MAX (300 * 1024)

enum lexer_kind {
	LEXER_EOF,    // end of the text; comes again and again
	LEXER_END,    // end of an entry
	LEXER_WORD,   // contiguous characters, escapes still in it
	LEXER_QUOTED, // what stood between quotes, escapes still in it
};

struct lexer_token {
	const char *text; // valid until the next call
	size_t len;
	bool quoted;
	bool escaped; // there is a backslash in it
};

struct lexer {
	struct lexer_token token; // the last one read
	const char *why;          // one sentence after an error
	unsigned line;            // where reading stands, from 1
	unsigned depth;           // open parentheses
	unsigned token_line;      // where the token begins
	uint64_t token_at;        // its offset in the text
	uint64_t token_line_at;   // the offset of its line

	char *buf; // owned; *end is a NUL that no text holds unnoticed
	size_t cap;
	char *pos;
	char *end;
	uint64_t base;    // offset in the text of buf[0]
	uint64_t line_at; // offset in the text of the current line
	const char *text; // memory still to be read; borrowed
	size_t text_left;
	int fd;       // or -1; borrowed
	int again;    // kind of a token that was given back, or -1
	bool drained; // nothing follows what is in the buffer
};

// Post: 0 or -ENOMEM. `fd` and `text` must live until lexer_close.
int lexer_open_fd(struct lexer *lexer, int fd) __attribute__((warn_unused_result));
int lexer_open_text(struct lexer *lexer, const char *text, size_t len)
    __attribute__((warn_unused_result));
void lexer_close(struct lexer *lexer);

// Post: enum lexer_kind with the token filled, or -EINVAL with `why` set, or the errno of a read.
int lexer_next(struct lexer *lexer);

// The same where key="value" is one word (RFC 9460 2.1); the quotes stay in it.
int lexer_next_pair(struct lexer *lexer);

// The token just read will be read again. Once between two reads.
void lexer_again(struct lexer *lexer, int kind);

// Pre: at the start of an entry. 1 when it begins with a blank, 0 when not, or -errno.
int lexer_begins_blank(struct lexer *lexer);

// Column of the last token, from 1.
unsigned lexer_column(const struct lexer *lexer);

// The bytes that a character-string's text means (\X, \DDD).
// Post: their number, or -EINVAL; -E2BIG when they are more than `cap`.
int lexer_unescape(const char *text, size_t len, uint8_t *out, size_t cap);
