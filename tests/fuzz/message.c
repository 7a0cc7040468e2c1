// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Any DNS message to our zones, and what comes back. The first byte chooses: bit 0 TCP, bit 1 from
// a port that gets no error, bits 2 and 3 the set of zones, bits 4 and 5 the server's settings, bit
// 6 the client's family, bit 7 how the rest is read (as the message itself, or as choices that
// question.c makes one of, or, with bit 14 of the room, a burst). Two bytes of room for the reply
// follow, of which bit 13 adds four to the set.

#include "ask.h"
#include "cursor.h"
#include "question.h"
#include "zoo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// What is left, as questions of a few bytes each, asked in one burst.
static void burst(struct ask ask, struct cursor *c)
{
	static uint8_t made[ASK_BURST_MAX][QUESTION_MAX];
	struct ask asks[ASK_BURST_MAX];
	unsigned count = 0;

	while (count < ASK_BURST_MAX && c->left > 0) {
		uint8_t some[12];
		struct cursor one = {some, cursor_bytes(c, some, sizeof(some))};

		asks[count] = ask;
		asks[count].len = (uint16_t)question_make(&one, NULL, made[count]);
		asks[count].msg = made[count];
		count++;
	}
	if (count > 0)
		ask_burst(asks, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t made[QUESTION_MAX], reply[DNS_TCP_MAX];
	struct cursor c = {data, size};
	const unsigned choice = cursor_u8(&c);
	const unsigned room = cursor_u16(&c);
	uint16_t reply_len;

	if (size < 3 || size > 3 + DNS_TCP_MAX)
		return 0;
	struct ask ask = {.msg = c.at,
	    .len = (uint16_t)c.left,
	    .transport = (choice & 1) != 0 ? DNS_TCP : DNS_UDP,
	    .client = ask_client,
	    .client_len = (choice & 0x40) != 0 ? 16 : 4,
	    .no_error_reply = (choice & 2) != 0,
	    .table = zoo_table((enum zoo_set)(((choice >> 2 & 3) + (room >> 11 & 4)) % ZOO_SETS)),
	    .server = &ask_servers[choice >> 4 & 3]};
	// Most of the time there is room for any reply of these zones.
	if ((choice & 1) != 0)
		ask.cap = room < 0xff00 ? 16384 : DNS_TCP_MAX;
	else
		ask.cap = (uint16_t)(room < 0x8000 ? 4096 : room % 4097);
	if ((choice & 0x80) != 0 && (room & 0x4000) != 0) {
		burst(ask, &c);
		return 0;
	}
	if ((choice & 0x80) != 0) {
		ask.len = (uint16_t)question_make(&c, NULL, made);
		ask.msg = made;
	}
	(void)ask_all(&ask, reply, &reply_len);
	return 0;
}
