// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone out of any text: what records_check() lets pass must compile, or be refused with a reason;
// what compiles must be accepted by the verifier; and every name of it, asked for itself and for a
// name below, must get the same answer from compiled bytes and from the renderer. SOA and NS are
// put in front, so that the fuzzer need not find them.
//
// Input: a byte of choices, then text with the origin "example.".

#include "ask.h"
#include "compile.h"
#include "must.h"
#include "rrtype.h"
#include "zonefile.h"
#include "zoo.h"

#define TEXT_MAX 6000
#define ASKS_MAX 320 // questions to a zone

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t apex[] = "\7example";

static int collect(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass, uint32_t ttl,
    const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	(void)records_add(
	    ctx, owner, type, ttl, rdata, rdlen); // what is out of the zone is left out
	return 0;
}

static size_t query_put(
    uint8_t *msg, const uint8_t *below, const uint8_t *name, uint16_t type, bool do_bit)
{
	static const uint8_t header[12] = {0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1};
	static const uint8_t opt[11] = {0, 0, 41, 4, 0xd0};
	size_t len = sizeof(header);
	const size_t below_len = below != NULL ? below[0] + 1u : 0, name_bytes = name_len(name);

	if (below_len + name_bytes > NAME_LEN_MAX)
		return 0;
	memcpy(msg, header, sizeof(header));
	if (below_len > 0)
		memcpy(msg + len, below, below_len);
	memcpy(msg + len + below_len, name, name_bytes);
	len += below_len + name_bytes;
	msg[len++] = (uint8_t)(type >> 8);
	msg[len++] = (uint8_t)type;
	msg[len++] = 0;
	msg[len++] = RRCLASS_IN;
	memcpy(msg + len, opt, sizeof(opt));
	msg[len + 7] = do_bit ? 0x80 : 0;
	return len + sizeof(opt);
}

// Asks for the record, and with `all` for other types of its owner, and for a name below. Post: the
// number of questions.
static unsigned name_ask(
    const struct zone_table *table, const struct record *record, bool all, bool tcp)
{
	static const uint16_t types[] = {RRTYPE_A, RRTYPE_DS, RRTYPE_ANY};
	static uint8_t reply[DNS_TCP_MAX];
	const unsigned count = all ? 16 : 2;
	uint8_t msg[512];
	uint16_t len;

	// Bit 0: DO, bit 1: below, the rest: the type.
	for (unsigned i = 0; i < count; i++) {
		const struct ask ask = {.msg = msg,
		    .len = (uint16_t)query_put(msg, (i & 2) != 0 ? (const uint8_t *)"\1x" : NULL,
		        record->owner, i < 4 ? record->type : types[(i >> 2) - 1], (i & 1) != 0),
		    .cap = tcp ? 16384 : 1232,
		    .transport = tcp ? DNS_TCP : DNS_UDP,
		    .table = table,
		    .server = &ask_servers[0]};

		if (ask.len > 0)
			(void)ask_all(&ask, reply, &len);
	}
	return count;
}

static void image_ask(const struct records *records, uint8_t *mem, size_t size, bool tcp)
{
	struct zone_version version = {.layer_count = 1};
	struct zone_table *table = zone_table_new(&zoo_key);
	struct zone_retired retired;
	char error[IMAGE_ERROR_MAX];
	unsigned asked = 0;

	must(image_verify(mem, size, error) == 0);
	must(image_open(&version.layer[0], mem, size) == 0);
	must(table != NULL && zone_table_set(table, apex, &version, &retired) == 0);
	for (size_t i = 0; i < records->count && asked < ASKS_MAX; i++) {
		const struct record *record = &records->items[i];
		const bool first = i == 0 || !name_equal(record->owner, record[-1].owner);

		asked += name_ask(table, record, first, tcp);
	}
	must(zone_table_remove(table, apex, &retired));
	free(retired.entry);
	free(retired.slots);
	zone_table_free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char begin[] = "@ 60 SOA ns x 1 2 3 4 5\n@ NS ns\n";
	char text[sizeof(begin) + TEXT_MAX], error[COMPILE_ERROR_MAX];
	struct records *records;
	struct zonefile_error parse_error;
	size_t image_size;

	if (size < 1 || size > TEXT_MAX)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if (data[i - 1] == '$' && (data[i] | 0x20) == 'i')
			return 0; // $INCLUDE: no files
	}
	memcpy(text, begin, sizeof(begin) - 1);
	memcpy(text + sizeof(begin) - 1, data + 1, size - 1);
	records = records_new(apex);
	must(records != NULL);
	// Records before an error stay: a zone all the same.
	(void)zonefile_parse_text(
	    text, sizeof(begin) - 1 + size - 1, apex, collect, records, &parse_error);
	must(records_sort(records) == 0);
	error[0] = '\0';
	uint8_t *mem = zoo_compile(records, &zoo_key, 1, &image_size, error);
	if (mem != NULL)
		image_ask(records, mem, image_size, (data[0] & 1) != 0);
	else
		must(error[0] != '\0');
	free(mem);
	records_free(records);
	return 0;
}
