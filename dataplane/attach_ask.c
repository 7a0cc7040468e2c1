// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// ASK: which serial do the workers answer? The answer function itself is asked, with a SOA
// question, out of the table the workers use. Attach thread, which is the one that frees versions:
// so it needs no read side.

#include "attach_private.h"

#include <errno.h>
#include <string.h>

#include "dataplane.h"

#define RCODE_NONE 0xffff // the answer function gave no reply at all
#define TYPE_SOA   6

// Skips a name, compressed or not. Post: the offset behind it, or 0.
static size_t name_skip(const uint8_t *msg, size_t at, size_t len)
{
	while (at < len) {
		if (msg[at] == 0)
			return at + 1;
		if (msg[at] >= 0xc0)
			return at + 2 <= len ? at + 2 : 0;
		at += 1u + msg[at];
	}
	return 0;
}

// The serial of the first record of the answer section. Post: 0 or -EINVAL.
static int serial_read(const uint8_t *msg, size_t len, uint32_t *serial)
{
	size_t at = name_skip(msg, DNS_HEADER_LEN, len);

	if (at == 0 || (msg[6] | msg[7]) == 0)
		return -EINVAL;
	at = name_skip(msg, at + 4, len);
	if (at == 0 || at + 10 > len || msg[at] != 0 || msg[at + 1] != TYPE_SOA)
		return -EINVAL;
	at = name_skip(msg, at + 10, len); // MNAME
	if (at != 0)
		at = name_skip(msg, at, len); // RNAME
	if (at == 0 || at + 4 > len)
		return -EINVAL;
	*serial = (uint32_t)msg[at] << 24 | (uint32_t)msg[at + 1] << 16 |
	          (uint32_t)msg[at + 2] << 8 | msg[at + 3];
	return 0;
}

static uint32_t soa_ask(
    struct attach *attach, const uint8_t *apex, size_t apex_len, uint32_t *serial)
{
	static const uint8_t header[DNS_HEADER_LEN] = {0x4e, 0x50, 0, 0, 0, 1};
	static const uint8_t type_class[4] = {0, TYPE_SOA, 0, 1};
	struct dns_context context = {.server = &attach->dataplane->server,
	    .table = attach->served.table,
	    .counters = &attach->ask_counters};
	struct dns_query query = {.msg = attach->ask_buffer,
	    .len = (uint16_t)(sizeof(header) + apex_len + sizeof(type_class)),
	    .cap = DNS_TCP_MAX,
	    .transport = DNS_TCP};
	uint8_t *at = query.msg;

	at = memcpy(at, header, sizeof(header));
	at = memcpy(at + sizeof(header), apex, apex_len);
	memcpy(at + apex_len, type_class, sizeof(type_class));
	dns_answer(&context, &query);
	if (query.verdict != DNS_REPLY || query.len < DNS_HEADER_LEN)
		return RCODE_NONE;

	uint32_t rcode = query.msg[3] & 0x0f;

	if (rcode == 0 && serial_read(query.msg, query.len, serial) != 0)
		return RCODE_NONE;
	return rcode;
}

static void item_fill(struct attach *attach, struct seam_message *message, const uint8_t *apex,
    size_t apex_len, uint64_t generation)
{
	unsigned i = message->serials.count++;
	uint32_t serial = 0;

	message->serials.item[i].name.len = (uint8_t)apex_len;
	memcpy(message->serials.item[i].name.wire, apex, apex_len);
	message->serials.item[i].rcode = soa_ask(attach, apex, apex_len, &serial);
	message->serials.item[i].serial = serial;
	message->serials.item[i].generation = generation;
}

int ask_message(struct attach *attach, const struct seam_message *message)
{
	const struct seam_name *name = &message->zone.name;

	if (name->len == 0) {
		if (attach->asks == SEAM_ASKS_MAX)
			return -EPROTO; // so many unanswered: that is no control plane of ours
		attach->ask_generation[attach->asks++] = message->generation;
		return 0;
	}

	struct seam_message *answer = link_put(&attach->link, SEAM_SERIALS);
	struct served_zone *zone = served_get(&attach->served, name->wire);

	answer->generation = message->generation;
	answer->serials.last = 1;
	item_fill(attach, answer, name->wire, name->len,
	    zone != NULL ? served_version(zone)->generation : 0);
	return 0;
}

bool ask_advance(struct attach *attach)
{
	struct served *served = &attach->served;

	// A burst at a time; publications come in between. The cursor survives them (gap_close()).
	for (unsigned burst = 0; attach->asks > 0 && burst < 32; burst++) {
		struct seam_message *message;

		if (link_room(&attach->link) < LINK_QUEUE / 2)
			return false;
		message = link_put(&attach->link, SEAM_SERIALS);
		message->generation = attach->ask_generation[0];
		while (
		    message->serials.count < SEAM_SERIALS_MAX && served->cursor < served->count) {
			struct served_zone *zone = &served->zones[served->cursor++];

			item_fill(attach, message, zone->entry->apex, zone->entry->apex_len,
			    served_version(zone)->generation);
		}
		if (served->cursor < served->count)
			continue;
		message->serials.last = 1;
		served->cursor = 0;
		attach->asks--;
		memmove(&attach->ask_generation[0], &attach->ask_generation[1],
		    attach->asks * sizeof(attach->ask_generation[0]));
	}
	return attach->asks > 0;
}
