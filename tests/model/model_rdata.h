// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the model knows of rdata: where names stand, which of them are compressed (RFC 3597 4: the
// types of RFC 1035) and which have their addresses added (RFC 1034 4.3.2 step 6 and the RFC of
// each type). And the type numbers, from the IANA registry.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	T_A = 1,
	T_NS = 2,
	T_MD = 3,
	T_MF = 4,
	T_CNAME = 5,
	T_SOA = 6,
	T_MB = 7,
	T_MG = 8,
	T_MR = 9,
	T_PTR = 12,
	T_HINFO = 13,
	T_MINFO = 14,
	T_MX = 15,
	T_TXT = 16,
	T_RP = 17,
	T_AFSDB = 18,
	T_RT = 21,
	T_AAAA = 28,
	T_SRV = 33,
	T_NAPTR = 35,
	T_KX = 36,
	T_DNAME = 39,
	T_OPT = 41,
	T_DS = 43,
	T_RRSIG = 46,
	T_NSEC = 47,
	T_DNSKEY = 48,
	T_NSEC3 = 50,
	T_NSEC3PARAM = 51,
	T_SVCB = 64,
	T_HTTPS = 65,
	T_NXNAME = 128,
	T_TKEY = 249,
	T_TSIG = 250,
	T_IXFR = 251,
	T_AXFR = 252,
	T_MAILB = 253,
	T_MAILA = 254,
	T_ANY = 255,
	T_CAA = 257,
};

struct mrdata_names {
	unsigned count;
	size_t at[2];    // offsets in the rdata
	bool compressed; // in messages
	bool additional; // their addresses go into the additional section
};

void mrdata_names(uint16_t type, const uint8_t *rdata, size_t rdlen, struct mrdata_names *out);

// The same record as DNS data: names in the rdata of the types of RFC 1035 and of those that RFC
// 4034 6.2 lists compare without case.
bool mrdata_equal(uint16_t type, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
