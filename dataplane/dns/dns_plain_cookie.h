// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A query that is plain (dns_plain.h) but for one COOKIE option, as most resolvers send it: the
// option is taken off, what is left goes the plain way, and the reply gets the server's. It is
// found from the message's end; that it stands where the question ends is for the plain way to see.
#pragma once

#include "dns.h"
#include "dns_plain.h"

// What was taken off. Scratch.
struct plain_cookie {
	uint32_t at; // in the message: where the OPT stands
	uint32_t cap;
	uint16_t rdlen; // 0: nothing was
	enum dns_cookie verdict;
	uint64_t sum; // of the length and the option, as they stood
	uint8_t made[DNS_COOKIE_LEN];
	uint8_t was[48]; // the OPT and what is behind it
};

// Pre: `client` is the address that asks, as on the wire; `len` bytes of `msg` are there, where it
// is not above UINT16_MAX. Post: the length of what is left, and a reply to that has as much less
// room (at_hand->cap); 0: there is no such option, and nothing is changed.
unsigned plain_cookie_off(struct dns_plain *at_hand, struct plain_cookie *cookie, uint8_t *msg,
    unsigned len, const uint8_t *client, unsigned client_len);

// Puts the server's into the reply that stands in `msg`, and counts it.
void plain_cookie_on(const struct dns_plain *at_hand, const struct plain_cookie *cookie,
    uint8_t *msg, struct plain_reply *reply);

// The query is to be as it was. Behind its question may stand what there was no room for as a
// whole.
void plain_cookie_back(const struct plain_cookie *cookie, uint8_t *msg);
