// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The messages of NOTIFY out: one that tells of a zone's version, and what the reply to it means.
// Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "records.h"
#include "tsig.h"

#define NOTICE_MESSAGE_MAX 2048
#define NOTICE_ERROR_MAX   128

// What has been sent, to know the reply by.
struct notice_sent {
	uint16_t id;
	size_t mac_len;
	uint8_t mac[TSIG_MAC_MAX];
};

// Pre: out holds NOTICE_MESSAGE_MAX bytes. `soa` NULL: it is not at hand, and need not be there
// (RFC 1996 3.7). Post: the length, or 0 when OpenSSL failed.
size_t notice_write(const uint8_t *apex, const struct record *soa, const struct tsig_key *key,
    uint16_t id, uint64_t now_s, uint8_t *out, struct notice_sent *sent);

enum notice_verdict {
	NOTICE_NOT_OURS,  // no reply to this
	NOTICE_CONFIRMED, // verified where there is a key
	NOTICE_REFUSED,   // `error` says why; it may be asked again
};
enum notice_verdict notice_reply(const uint8_t *apex, const struct tsig_key *key,
    const struct notice_sent *sent, uint64_t now_s, const uint8_t *msg, size_t len,
    char error[NOTICE_ERROR_MAX]);
