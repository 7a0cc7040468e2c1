// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Inside zones/ only: the small codes of presentation form (hex, base32hex, base64, times,
// addresses, escaped strings), written to and read from bounded buffers. Pure, any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Text under construction. What does not fit is dropped and remembered.
struct text_out {
	char *out;
	size_t cap;
	size_t len;
	bool full;
};

void text_put(struct text_out *t, const char *bytes, size_t len);
void text_put_char(struct text_out *t, char c);
void text_put_words(struct text_out *t, const char *words);
void text_put_uint(struct text_out *t, uint32_t value);
void text_put_hex(struct text_out *t, const uint8_t *bytes, size_t len); // upper case, as dig
void text_put_hex_lower(struct text_out *t, const uint8_t *bytes, size_t len);
void text_put_base32hex(struct text_out *t, const uint8_t *bytes, size_t len);
void text_put_base64(struct text_out *t, const uint8_t *bytes, size_t len);
void text_put_time(struct text_out *t, uint32_t seconds);
void text_put_name(struct text_out *t, const uint8_t *name);
void text_put_ipv4(struct text_out *t, const uint8_t address[4]);
void text_put_ipv6(struct text_out *t, const uint8_t address[16]);
void text_put_quoted(struct text_out *t, const uint8_t *bytes, size_t len);
// A byte of a quoted string, escaped where it must be.
void text_put_escaped(struct text_out *t, uint8_t byte);

// Codes that may be split over several words. `len` bytes were written to out so far; nothing past
// `cap` is written.
struct code_in {
	uint8_t *out;
	size_t cap;
	size_t len;
	uint32_t bits;
	unsigned digits; // in `bits`
	bool closed;     // padding was seen
};

// 0, or -EINVAL (a character that does not belong), or -E2BIG.
int code_hex(struct code_in *in, const char *text, size_t len);
int code_base64(struct code_in *in, const char *text, size_t len);
// 0 when nothing is left over, else -EINVAL.
int code_hex_end(const struct code_in *in);
int code_base64_end(const struct code_in *in);
int code_base32hex(struct code_in *in, const char *text, size_t len); // one word, no padding

// Pre: none of these read past text[len). 0 or -EINVAL.
int code_uint(const char *text, size_t len, uint32_t max, uint32_t *value);
int code_period(const char *text, size_t len, uint32_t *seconds); // 1h30m or plain seconds
int code_time(const char *text, size_t len, uint32_t *seconds);   // YYYYMMDDHHMMSS or plain seconds
int code_ipv4(const char *text, size_t len, uint8_t address[4]);
int code_ipv6(const char *text, size_t len, uint8_t address[16]);
