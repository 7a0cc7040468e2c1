// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Type and class numbers and their mnemonics, as IANA lists them. Called by the text parser for
// nearly every record and by whatever prints; any thread.

#include "rrtype.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct mnemonic {
	uint16_t number;
	char text[12];
};

// Ascending by number (a unit test holds it to that): from number is a binary search.
static const struct mnemonic types[] = {
    {1, "A"},
    {2, "NS"},
    {3, "MD"},
    {4, "MF"},
    {5, "CNAME"},
    {6, "SOA"},
    {7, "MB"},
    {8, "MG"},
    {9, "MR"},
    {10, "NULL"},
    {11, "WKS"},
    {12, "PTR"},
    {13, "HINFO"},
    {14, "MINFO"},
    {15, "MX"},
    {16, "TXT"},
    {17, "RP"},
    {18, "AFSDB"},
    {19, "X25"},
    {20, "ISDN"},
    {21, "RT"},
    {22, "NSAP"},
    {23, "NSAP-PTR"},
    {24, "SIG"},
    {25, "KEY"},
    {26, "PX"},
    {27, "GPOS"},
    {28, "AAAA"},
    {29, "LOC"},
    {30, "NXT"},
    {31, "EID"},
    {32, "NIMLOC"},
    {33, "SRV"},
    {34, "ATMA"},
    {35, "NAPTR"},
    {36, "KX"},
    {37, "CERT"},
    {38, "A6"},
    {39, "DNAME"},
    {40, "SINK"},
    {41, "OPT"},
    {42, "APL"},
    {43, "DS"},
    {44, "SSHFP"},
    {45, "IPSECKEY"},
    {46, "RRSIG"},
    {47, "NSEC"},
    {48, "DNSKEY"},
    {49, "DHCID"},
    {50, "NSEC3"},
    {51, "NSEC3PARAM"},
    {52, "TLSA"},
    {53, "SMIMEA"},
    {55, "HIP"},
    {56, "NINFO"},
    {57, "RKEY"},
    {58, "TALINK"},
    {59, "CDS"},
    {60, "CDNSKEY"},
    {61, "OPENPGPKEY"},
    {62, "CSYNC"},
    {63, "ZONEMD"},
    {64, "SVCB"},
    {65, "HTTPS"},
    {66, "DSYNC"},
    {99, "SPF"},
    {100, "UINFO"},
    {101, "UID"},
    {102, "GID"},
    {103, "UNSPEC"},
    {104, "NID"},
    {105, "L32"},
    {106, "L64"},
    {107, "LP"},
    {108, "EUI48"},
    {109, "EUI64"},
    {128, "NXNAME"},
    {249, "TKEY"},
    {250, "TSIG"},
    {251, "IXFR"},
    {252, "AXFR"},
    {253, "MAILB"},
    {254, "MAILA"},
    {255, "ANY"},
    {256, "URI"},
    {257, "CAA"},
    {258, "AVC"},
    {259, "DOA"},
    {260, "AMTRELAY"},
    {261, "RESINFO"},
    {262, "WALLET"},
    {263, "CLA"},
    {264, "IPN"},
    {32768, "TA"},
    {32769, "DLV"},
};

static const struct mnemonic classes[] = {
    {RRCLASS_IN, "IN"},
    {RRCLASS_CH, "CH"},
    {RRCLASS_HS, "HS"},
    {RRCLASS_NONE, "NONE"},
    {RRCLASS_ANY, "ANY"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *number_to_text(
    const struct mnemonic *table, size_t count, uint16_t number, const char *generic, char out[16])
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (table[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < count && table[low].number == number)
		snprintf(out, 16, "%s", table[low].text);
	else
		snprintf(out, 16, "%s%u", generic, number);
	return out;
}

static int generic_from_text(const char *text, size_t len, const char *generic)
{
	size_t prefix = strlen(generic);
	unsigned value = 0;

	if (len <= prefix || len > prefix + 5 || strncasecmp(text, generic, prefix) != 0)
		return -EINVAL;
	for (size_t i = prefix; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	return value <= UINT16_MAX ? (int)value : -EINVAL;
}

static int number_from_text(
    const struct mnemonic *table, size_t count, const char *text, size_t len, const char *generic)
{
	if (len == 0 || len >= sizeof(table[0].text))
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		const char *name = table[i].text;

		// The first letter settles nearly all, without a call.
		if ((text[0] & ~0x20) == name[0] && strncasecmp(name, text, len) == 0 &&
		    name[len] == '\0')
			return table[i].number;
	}
	return generic_from_text(text, len, generic);
}

const char *rrtype_to_text(uint16_t type, char out[16])
{
	return number_to_text(types, COUNT(types), type, "TYPE", out);
}

int rrtype_from_text(const char *text, size_t len)
{
	// Most records of most zones are of these; the table is for the others.
	if (len == 1 && (text[0] & ~0x20) == 'A')
		return RRTYPE_A;
	if (len == 2 && (text[0] & ~0x20) == 'N' && (text[1] & ~0x20) == 'S')
		return RRTYPE_NS;
	return number_from_text(types, COUNT(types), text, len, "TYPE");
}

int rrclass_from_text(const char *text, size_t len)
{
	if (len == 2 && (text[0] & ~0x20) == 'I' && (text[1] & ~0x20) == 'N')
		return RRCLASS_IN;
	return number_from_text(classes, COUNT(classes), text, len, "CLASS");
}

const char *rrclass_to_text(uint16_t rrclass, char out[16])
{
	return number_to_text(classes, COUNT(classes), rrclass, "CLASS", out);
}

bool rrtype_is_meta(uint16_t type)
{
	return type == 0 || type == RRTYPE_OPT || (type >= RRTYPE_NXNAME && type <= RRTYPE_ANY);
}
