// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Resource record types and classes by number and by name (IANA registry; TYPEnnn and CLASSnnn of
// RFC 3597 5).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RRTYPE_A = 1,
	RRTYPE_NS = 2,
	RRTYPE_MD = 3,
	RRTYPE_MF = 4,
	RRTYPE_CNAME = 5,
	RRTYPE_SOA = 6,
	RRTYPE_MB = 7,
	RRTYPE_MG = 8,
	RRTYPE_MR = 9,
	RRTYPE_NULL = 10,
	RRTYPE_WKS = 11,
	RRTYPE_PTR = 12,
	RRTYPE_HINFO = 13,
	RRTYPE_MINFO = 14,
	RRTYPE_MX = 15,
	RRTYPE_TXT = 16,
	RRTYPE_RP = 17,
	RRTYPE_AFSDB = 18,
	RRTYPE_X25 = 19,
	RRTYPE_ISDN = 20,
	RRTYPE_RT = 21,
	RRTYPE_NSAP = 22,
	RRTYPE_NSAP_PTR = 23,
	RRTYPE_SIG = 24,
	RRTYPE_KEY = 25,
	RRTYPE_PX = 26,
	RRTYPE_GPOS = 27,
	RRTYPE_AAAA = 28,
	RRTYPE_LOC = 29,
	RRTYPE_NXT = 30,
	RRTYPE_EID = 31,
	RRTYPE_NIMLOC = 32,
	RRTYPE_SRV = 33,
	RRTYPE_ATMA = 34,
	RRTYPE_NAPTR = 35,
	RRTYPE_KX = 36,
	RRTYPE_CERT = 37,
	RRTYPE_A6 = 38,
	RRTYPE_DNAME = 39,
	RRTYPE_SINK = 40,
	RRTYPE_OPT = 41,
	RRTYPE_APL = 42,
	RRTYPE_DS = 43,
	RRTYPE_SSHFP = 44,
	RRTYPE_IPSECKEY = 45,
	RRTYPE_RRSIG = 46,
	RRTYPE_NSEC = 47,
	RRTYPE_DNSKEY = 48,
	RRTYPE_DHCID = 49,
	RRTYPE_NSEC3 = 50,
	RRTYPE_NSEC3PARAM = 51,
	RRTYPE_TLSA = 52,
	RRTYPE_SMIMEA = 53,
	RRTYPE_HIP = 55,
	RRTYPE_NINFO = 56,
	RRTYPE_RKEY = 57,
	RRTYPE_TALINK = 58,
	RRTYPE_CDS = 59,
	RRTYPE_CDNSKEY = 60,
	RRTYPE_OPENPGPKEY = 61,
	RRTYPE_CSYNC = 62,
	RRTYPE_ZONEMD = 63,
	RRTYPE_SVCB = 64,
	RRTYPE_HTTPS = 65,
	RRTYPE_DSYNC = 66,
	RRTYPE_SPF = 99,
	RRTYPE_NID = 104,
	RRTYPE_L32 = 105,
	RRTYPE_L64 = 106,
	RRTYPE_LP = 107,
	RRTYPE_EUI48 = 108,
	RRTYPE_EUI64 = 109,
	RRTYPE_NXNAME = 128,
	RRTYPE_TKEY = 249,
	RRTYPE_TSIG = 250,
	RRTYPE_IXFR = 251,
	RRTYPE_AXFR = 252,
	RRTYPE_MAILB = 253,
	RRTYPE_MAILA = 254,
	RRTYPE_ANY = 255,
	RRTYPE_URI = 256,
	RRTYPE_CAA = 257,
	RRTYPE_AVC = 258,
	RRTYPE_DOA = 259,
	RRTYPE_AMTRELAY = 260,
	RRTYPE_RESINFO = 261,
	RRTYPE_WALLET = 262,
	RRTYPE_CLA = 263,
	RRTYPE_TA = 32768,
	RRTYPE_DLV = 32769,
};

enum {
	RRCLASS_IN = 1,
	RRCLASS_CH = 3,
	RRCLASS_HS = 4,
	RRCLASS_NONE = 254,
	RRCLASS_ANY = 255,
};

// Mnemonic or TYPEnnn into `out` (at least 16 bytes); returns out.
const char *rrtype_to_text(uint16_t type, char out[16]);

// Type number of a mnemonic or TYPEnnn (case ignored), or -EINVAL.
int rrtype_from_text(const char *text, size_t len);

// Class number of IN, CH, HS, NONE, ANY or CLASSnnn, or -EINVAL.
int rrclass_from_text(const char *text, size_t len);
const char *rrclass_to_text(uint16_t rrclass, char out[16]);

// True for types that exist only in queries or messages and may not be zone data (RFC 6895 3.1:
// OPT, NXNAME and 128..255, 0).
bool rrtype_is_meta(uint16_t type);
