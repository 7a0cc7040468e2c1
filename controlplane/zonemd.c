// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Digests over a whole zone (see zonemd.h; RFC 8976 3.3 and 4). What is hashed: each record once,
// owners and names in rdata in lower case, in canonical order, but for the apex's ZONEMD records
// and the signatures over them.
#include "zonemd.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "name.h"
#include "rdata.h"
#include "wire.h"

#define SCHEME_SIMPLE 1
#define HASH_SHA384   1
#define HASH_SHA512   2
#define RDATA_FIXED   6 // serial, scheme, hash algorithm

// Records of one RRset, in canonical order of their rdata (RFC 4034 6.3).
static int by_rdata(const void *left, const void *right)
{
	const struct record *a = left, *b = right;
	const size_t least = a->rdlen < b->rdlen ? a->rdlen : b->rdlen;
	const int order = least > 0 ? memcmp(a->rdata, b->rdata, least) : 0;

	return order != 0 ? order : a->rdlen - b->rdlen;
}

static bool is_left_out(const struct records *records, const struct record *record)
{
	if (!name_equal(record->owner, records->apex))
		return false;
	return record->type == RRTYPE_ZONEMD ||
	       (record->type == RRTYPE_RRSIG && record->rdlen >= 2 &&
	           wire_get16(record->rdata) == RRTYPE_ZONEMD);
}

static bool record_hash(EVP_MD_CTX *context, const struct record *record)
{
	uint8_t head[NAME_LEN_MAX + 10];
	uint8_t *at = head + record->owner_len;

	name_lower(head, record->owner, record->owner_len);
	wire_put16(at, record->type);
	wire_put16(at + 2, RRCLASS_IN);
	wire_put32(at + 4, record->ttl);
	wire_put16(at + 8, record->rdlen);
	return EVP_DigestUpdate(context, head, record->owner_len + 10u) == 1 &&
	       EVP_DigestUpdate(context, record->rdata, record->rdlen) == 1;
}

// The records items[0 .. n) of one owner and type.
static int rrset_hash(
    EVP_MD_CTX *context, const struct records *records, const struct record *items, size_t n)
{
	struct record *canonical = reallocarray(NULL, n, sizeof(*canonical));
	size_t bytes = 0, count = 0;
	uint8_t *rdata, *at;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		bytes += items[i].rdlen;
	rdata = malloc(bytes + 1);
	if (canonical == NULL || rdata == NULL) {
		rc = -ENOMEM;
		goto free;
	}
	at = rdata;
	for (size_t i = 0; i < n; i++) {
		if (is_left_out(records, &items[i]))
			continue;
		canonical[count] = items[i];
		canonical[count].rdata = at;
		if (items[i].rdlen > 0)
			memcpy(at, items[i].rdata, items[i].rdlen);
		rdata_canonical(items[i].type, at, items[i].rdlen);
		at += items[i].rdlen;
		count++;
	}
	qsort(canonical, count, sizeof(*canonical), by_rdata);
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (i > 0 && by_rdata(&canonical[i - 1], &canonical[i]) == 0)
			continue; // RFC 8976 3.3.1: once
		if (!record_hash(context, &canonical[i]))
			rc = -ENOMEM;
	}
free:
	free(canonical);
	free(rdata);
	return rc;
}

static int zone_hash(const struct records *records, const EVP_MD *algorithm, uint8_t *digest)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int rc = context != NULL && EVP_DigestInit_ex(context, algorithm, NULL) == 1 ? 0 : -ENOMEM;

	for (size_t begin = 0, end; rc == 0 && begin < records->count; begin = end) {
		const struct record *first = &records->items[begin];

		for (end = begin + 1; end < records->count; end++) {
			const struct record *next = &records->items[end];

			if (next->type != first->type ||
			    (next->owner != first->owner && !name_equal(next->owner, first->owner)))
				break;
		}
		rc = rrset_hash(context, records, first, end - begin);
	}
	if (rc == 0 && EVP_DigestFinal_ex(context, digest, NULL) != 1)
		rc = -ENOMEM;
	EVP_MD_CTX_free(context);
	return rc;
}

// The apex's ZONEMD records are items[0 .. n).
struct digests {
	const struct record *items;
	size_t n;
};

static struct digests digests_find(const struct records *records)
{
	struct digests found = {0};

	for (size_t i = 0; i < records->count; i++) {
		const struct record *record = &records->items[i];

		if (!name_equal(record->owner, records->apex))
			break; // the apex comes first
		if (record->type != RRTYPE_ZONEMD)
			continue;
		if (found.n == 0)
			found.items = record;
		found.n++;
	}
	return found;
}

static const EVP_MD *algorithm_of(const struct record *record, size_t *len)
{
	const EVP_MD *algorithm = record->rdlen < RDATA_FIXED || record->rdata[4] != SCHEME_SIMPLE
	                              ? NULL
	                          : record->rdata[5] == HASH_SHA384 ? EVP_sha384()
	                          : record->rdata[5] == HASH_SHA512 ? EVP_sha512()
	                                                            : NULL;

	*len = algorithm != NULL ? (size_t)EVP_MD_get_size(algorithm) : 0;
	return algorithm;
}

// RFC 8976 2.2.3: two of one scheme and algorithm are both worth nothing.
static bool is_repeated(const struct digests *digests, const struct record *record)
{
	for (size_t i = 0; i < digests->n; i++) {
		const struct record *other = &digests->items[i];

		if (other != record && other->rdlen >= RDATA_FIXED &&
		    memcmp(other->rdata + 4, record->rdata + 4, 2) == 0)
			return true;
	}
	return false;
}

int zonemd_verify(const struct records *records, char error[ZONEMD_ERROR_MAX])
{
	const struct digests digests = digests_find(records);
	const uint32_t serial = records_serial(records);
	int verdict = ZONEMD_OTHER;

	if (digests.n == 0) {
		snprintf(error, ZONEMD_ERROR_MAX, "The zone has no ZONEMD record.");
		return ZONEMD_ABSENT;
	}
	snprintf(error, ZONEMD_ERROR_MAX,
	    "The zone's ZONEMD records are of schemes or algorithms that are not known here.");
	for (size_t i = 0; i < digests.n; i++) {
		const struct record *record = &digests.items[i];
		uint8_t digest[ZONEMD_DIGEST_MAX];
		size_t len;
		const EVP_MD *algorithm = algorithm_of(record, &len);
		int rc;

		if (algorithm == NULL)
			continue;
		verdict = ZONEMD_WRONG;
		if (wire_get32(record->rdata) != serial) {
			snprintf(error, ZONEMD_ERROR_MAX,
			    "The ZONEMD record is of serial %u, the zone of %u.",
			    wire_get32(record->rdata), serial);
		} else if (is_repeated(&digests, record)) {
			snprintf(error, ZONEMD_ERROR_MAX,
			    "Two ZONEMD records have the same scheme and algorithm.");
		} else if (record->rdlen != RDATA_FIXED + len) {
			snprintf(error, ZONEMD_ERROR_MAX,
			    "The ZONEMD record's digest has a wrong length.");
		} else {
			rc = zone_hash(records, algorithm, digest);
			if (rc < 0)
				return rc;
			if (memcmp(digest, record->rdata + RDATA_FIXED, len) == 0)
				return ZONEMD_GOOD;
			snprintf(error, ZONEMD_ERROR_MAX,
			    "The zone does not have the digest that its ZONEMD record (%s) says.",
			    record->rdata[5] == HASH_SHA384 ? "SHA-384" : "SHA-512");
		}
	}
	return verdict;
}
