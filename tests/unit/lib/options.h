// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone, a server and one question at a time, with what EDNS options it may have; the reply is
// taken apart. Included after cmocka.h.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	NSID = 3,
	EXPIRE = 9,
	COOKIE = 10,
	KEEPALIVE = 11,
	PADDING = 12,
	EDE = 15,
	ZONEVERSION = 19
};

static const uint8_t apex[] = "\7example\3com";
static const uint8_t client4[4] = {192, 0, 2, 77};

extern struct dns_server server;
extern struct dns_counters counters;
extern struct dns_context context;
extern struct zone_table *table;
extern bool render_only; // no compiled answers

// The zone of all cases of a program.
int zone_setup(void **state);
int zone_teardown(void **state);
// The server each case starts from: identity "edge", 10 s of TCP, one secret, live zone.
int server_reset(void **state);
#define CASE(f) cmocka_unit_test_setup(f, server_reset)

// --- queries

struct message {
	uint8_t bytes[2048];
	size_t len, rdlen_at; // rdlen_at 0: no OPT yet
};

void put16be(uint8_t *at, unsigned v);
// name NULL: no question.
void message_begin(struct message *m, const char *name, uint16_t type);
void message_opt(struct message *m, unsigned size, uint8_t edns_version);
void message_option(struct message *m, unsigned code, const void *data, size_t len);

// --- replies: of the last question

extern struct dns_query query;
extern uint8_t reply[DNS_TCP_MAX + DNS_WRITE_SLACK];
struct got {
	unsigned rcode; // with OPT's bits
	bool opt;
	struct {
		const uint8_t *data;
		int len; // -1: not there
	} option[32];
	uint8_t option_count;
};
extern struct got got;

// Takes the reply apart, down to its last byte: `got`.
void reply_read(void);

unsigned get16be(const uint8_t *at);
uint32_t get32be(const uint8_t *at);

// Post: the verdict; the sum is right; `got` is filled.
enum dns_verdict ask_from(const struct message *m, enum dns_transport transport,
    const uint8_t *client, uint8_t client_len, bool low_port);
// The same from client4, to be answered.
void ask(const struct message *m, enum dns_transport transport);

size_t hex(const char *text, uint8_t *out);
