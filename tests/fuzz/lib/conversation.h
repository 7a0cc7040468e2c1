// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a primary says in one transfer, made of a fuzzer's choices: records, where messages end,
// what is wrong with each header and each signature. It can be said as it stands, one record a
// message, or all in one, so that the same content in other messages can be held against it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cursor.h"
#include "session.h"

#define CONVERSATION_RECORDS  600
#define CONVERSATION_MESSAGES 400

enum signature {
	SIGNED,
	UNSIGNED,
	SIGNED_WRONG, // a bit of the MAC
	SIGNED_LATE,  // 301 s
	SIGNED_BY_OTHER,
	SIGNED_SHORT, // a truncated MAC
	SIGNATURES
};

struct conversation {
	struct {
		uint32_t at, len; // in bytes[]
	} records[CONVERSATION_RECORDS];
	struct {
		uint16_t records; // up to this one
		uint8_t signature;
		bool questioned;
		uint8_t edit_at, edit; // of the header: xor
	} messages[CONVERSATION_MESSAGES];
	size_t record_count, message_count;
	bool edited; // some header, or bytes that the program took as they came
	size_t used;
	uint8_t bytes[128 * 1024];
};

#define CONVERSATION_APEX \
	"\x07"            \
	"example\x03"     \
	"com"

// Post: *c is what the cursor's bytes say, for a secondary that holds serial `ours`.
void conversation_read(struct conversation *c, struct cursor *cursor, uint32_t ours);

enum split { AS_IT_STANDS, ONE_EACH, ALL_TOGETHER };

// Says it to the session, signed when `sign`, and checks what a session must keep with each
// message. Post: what message ended it or was the last; *sound: it was signed as it must be so far.
size_t conversation_play(const struct conversation *c, struct session *session, enum split split,
    bool sign, const uint8_t *request_mac, size_t request_mac_len, uint64_t now_s, bool *sound);

// The secret of every key of these conversations, and its name.
#define CONVERSATION_KEY    "\x01k"
#define CONVERSATION_SECRET "s"
