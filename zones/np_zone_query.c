// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-zone query: one question, answered by the code that answers in the data plane, shown as dig
// does.

#include "np_zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns.h"
#include "rdata.h"

static const char *const rcodes[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
    "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint8_t *put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
	return p + 2;
}

// The question, with an OPT (RFC 6891 6.1.2) unless `edns_size` is 0. Post: bytes at `msg`.
static size_t question_write(
    uint8_t *msg, const uint8_t *name, uint16_t type, unsigned edns_size, bool edns_do)
{
	uint8_t *p = msg;

	p = put16(p, 0);
	p = put16(p, 0);
	p = put16(p, 1);
	p = put16(p, 0);
	p = put16(p, 0);
	p = put16(p, edns_size > 0);
	memcpy(p, name, name_len(name));
	p = put16(put16(p + name_len(name), type), RRCLASS_IN);
	if (edns_size > 0) {
		*p++ = 0;
		p = put16(put16(p, RRTYPE_OPT), edns_size);
		p = put16(put16(p, 0), edns_do ? 0x8000 : 0);
		p = put16(p, 0);
	}
	return (size_t)(p - msg);
}

static void header_put(const uint8_t *msg)
{
	static const struct {
		uint16_t bit;
		const char *name;
	} flags[] = {{0x8000, "qr"}, {0x0400, "aa"}, {0x0200, "tc"}, {0x0100, "rd"}, {0x0080, "ra"},
	    {0x0020, "ad"}, {0x0010, "cd"}};
	unsigned word = get16(msg + 2), rcode = word & 15;
	char number[16];

	snprintf(number, sizeof(number), "RCODE%u", rcode);
	printf(";; ->>HEADER<<- opcode: QUERY, status: %s, id: %u\n;; flags:",
	    rcode < sizeof(rcodes) / sizeof(rcodes[0]) ? rcodes[rcode] : number, get16(msg));
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if ((word & flags[i].bit) != 0)
			printf(" %s", flags[i].name);
	printf("; QUERY: %u, ANSWER: %u, AUTHORITY: %u, ADDITIONAL: %u\n", get16(msg + 4),
	    get16(msg + 6), get16(msg + 8), get16(msg + 10));
}

static int question_put(const uint8_t *msg, size_t len, size_t *pos)
{
	uint8_t name[NAME_LEN_MAX];
	char text[NAME_TEXT_MAX], type[16], rrclass[16];
	size_t expanded;
	int taken = name_from_wire(msg, len, *pos, len, name, &expanded);

	if (taken < 0 || len - *pos - (size_t)taken < 4)
		return -EINVAL;
	*pos += (size_t)taken;
	name_to_text(name, text);
	printf("\n;; QUESTION SECTION:\n;%s\t\t%s\t%s\n", text,
	    rrclass_to_text(get16(msg + *pos + 2), rrclass),
	    rrtype_to_text(get16(msg + *pos), type));
	*pos += 4;
	return 0;
}

static void opt_put(const uint8_t *fixed)
{
	printf("; EDNS: version: %u, flags:%s; udp: %u\n", fixed[5],
	    (fixed[6] & 0x80) != 0 ? " do" : "", get16(fixed + 2));
}

// One record of a section; an OPT is shown in dig's words. Post: *pos behind it or -EINVAL.
static int reply_record_put(const uint8_t *msg, size_t len, size_t *pos)
{
	static uint8_t rdata[RDATA_LEN_MAX];
	uint8_t owner[NAME_LEN_MAX];
	size_t owner_len;
	int taken = name_from_wire(msg, len, *pos, len, owner, &owner_len);

	if (taken < 0 || len - *pos - (size_t)taken < 10)
		return -EINVAL;

	const uint8_t *fixed = msg + *pos + taken;
	size_t at = *pos + (size_t)taken + 10;
	uint16_t type = get16(fixed), rdlen = get16(fixed + 8);

	if (len - at < rdlen)
		return -EINVAL;
	*pos = at + rdlen;
	if (type == RRTYPE_OPT) {
		opt_put(fixed);
		return 0;
	}

	int expanded = rdata_from_wire(type, msg, len, at, rdlen, rdata, sizeof(rdata));

	if (expanded < 0)
		return expanded;
	record_put("", &(struct record){.owner = owner,
	                   .owner_len = (uint8_t)owner_len,
	                   .type = type,
	                   .ttl = get32(fixed + 4),
	                   .rdata = rdata,
	                   .rdlen = (uint16_t)expanded});
	return 0;
}

static int reply_put(const uint8_t *msg, size_t len)
{
	static const char *const sections[] = {"ANSWER", "AUTHORITY", "ADDITIONAL"};
	size_t pos = DNS_HEADER_LEN;

	if (len < DNS_HEADER_LEN)
		return -EINVAL;
	header_put(msg);
	for (unsigned i = get16(msg + 4); i > 0; i--)
		if (question_put(msg, len, &pos) < 0)
			return -EINVAL;
	for (unsigned section = 0; section < 3; section++) {
		unsigned count = get16(msg + 6 + 2 * section);

		if (count > 0)
			printf("\n;; %s SECTION:\n", sections[section]);
		for (; count > 0; count--)
			if (reply_record_put(msg, len, &pos) < 0)
				return -EINVAL;
	}
	printf("\n;; MSG SIZE  rcvd: %zu\n", len);
	return pos == len ? 0 : -EINVAL;
}

struct question {
	uint8_t name[NAME_LEN_MAX];
	uint16_t type;
	unsigned edns_size;
	bool edns_do;
	bool tcp;
};

static int question_ask(struct zone_source *source, const struct question *question)
{
	static uint8_t msg[DNS_TCP_MAX + DNS_WRITE_SLACK];
	static struct dns_counters counters;
	static const struct dns_server server = {.udp_payload_max = 1232};
	struct hash_key key;
	struct zone_retired retired;

	memcpy(&key, version_header(&source->version)->hash_key, sizeof(key));

	struct zone_table *table = zone_table_new(&key);

	if (table == NULL || zone_table_set(table, source->apex, &source->version, &retired) < 0) {
		zone_table_free(table);
		complain("out of memory");
		return EXIT_TROUBLE;
	}

	const struct dns_context context = {
	    .server = &server, .table = table, .counters = &counters};
	struct dns_query query = {
	    .msg = msg,
	    .len = (uint16_t)question_write(
	        msg, question->name, question->type, question->edns_size, question->edns_do),
	    .cap = DNS_TCP_MAX,
	    .transport = question->tcp ? DNS_TCP : DNS_UDP,
	};
	int code = EXIT_OK;

	dns_answer(&context, &query);
	if (query.verdict != DNS_REPLY) {
		complain("no reply: the data plane would %s this question",
		    query.verdict == DNS_DROP ? "drop" : "hand on");
		code = EXIT_BAD;
	} else if (reply_put(msg, query.len) < 0) {
		complain("the reply is malformed");
		code = EXIT_TROUBLE;
	}

	struct zone_entry *entry = zone_table_get(table, source->apex);

	if (entry != NULL && zone_table_remove(table, source->apex, &retired)) {
		free(retired.entry);
		free(retired.slots);
	}
	zone_table_free(table);
	return code;
}

static int words_read(int argc, char **argv, struct question *question)
{
	const char *type = argc > 2 ? argv[2] : "A";
	int number = rrtype_from_text(type, strlen(type));

	if (argc < 2 || argc > 3) {
		complain("query needs a file, a name and at most a type");
		return EXIT_TROUBLE;
	}
	if (name_from_text(argv[1], strlen(argv[1]), NULL, question->name) < 0) {
		complain("%s is not a domain name", argv[1]);
		return EXIT_TROUBLE;
	}
	if (number < 0) {
		complain("%s is not a record type", type);
		return EXIT_TROUBLE;
	}
	question->type = (uint16_t)number;
	return EXIT_OK;
}

int zone_query(int argc, char **argv)
{
	const char *origin = NULL;
	struct question question = {.edns_size = 1232};
	struct zone_source source;
	int option;

	while ((option = getopt(argc, argv, "b:dtz:")) != -1) {
		if (option == '?')
			return EXIT_TROUBLE;
		if (option == 'z')
			origin = optarg;
		else if (option == 'd')
			question.edns_do = true;
		else if (option == 't')
			question.tcp = true;
		else
			question.edns_size = (unsigned)strtoul(optarg, NULL, 10) & UINT16_MAX;
	}

	int code = words_read(argc - optind, argv + optind, &question);

	if (code != EXIT_OK)
		return code;
	code = source_open(&source, argv[optind], origin);
	if (code == EXIT_OK)
		code = source_image(&source, 1);
	if (code == EXIT_OK)
		code = question_ask(&source, &question);
	source_close(&source);
	return code;
}
