// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See proof.h. Called by the compiler and by the verifier, for each NSEC and NSEC3.

#include "proof.h"

#include <endian.h>

#include "checksum.h"

#define RR_FIXED_LEN 10 // type, class, TTL, rdata length
#define POINTER      0xc0u

struct draft {
	uint8_t bytes[IMAGE_ANSWER_MAX];
	uint16_t pointer[PROOF_POINTERS_MAX];
	unsigned size, pointers, records;
	const uint8_t *owner;
	unsigned labels_len; // of the owner, in front of the apex
	bool apex_is_root;
};

static bool pointer_put(struct draft *d, uint16_t *weight, uint8_t *count)
{
	if (d->pointers == PROOF_POINTERS_MAX || d->size + 2 > sizeof d->bytes)
		return false;
	d->pointer[d->pointers++] = (uint16_t)d->size;
	*weight += d->size % 2 == 0 ? 1 : 256;
	++*count;
	d->bytes[d->size++] = POINTER;
	d->bytes[d->size++] = 0;
	return true;
}

// The first has its labels, and a pointer to the apex; the others one to the first. Those of the
// apex itself have one to the apex.
static bool owner_put(struct draft *d, struct image_proof *proof)
{
	if (d->labels_len != 0 && d->records > 0)
		return pointer_put(d, &proof->own_weight, &proof->own_count);
	if (d->size + d->labels_len + 1 > sizeof d->bytes)
		return false;
	memcpy(d->bytes + d->size, d->owner, d->labels_len);
	d->size += d->labels_len;
	if (!d->apex_is_root)
		return pointer_put(d, &proof->apex_weight, &proof->apex_count);
	d->bytes[d->size++] = 0;
	return true;
}

static bool records_put(
    struct draft *d, struct image_proof *proof, uint16_t type, uint32_t ttl, struct rdata_iter iter)
{
	const uint32_t ttl_be = htobe32(ttl);
	const uint8_t *rdata;
	uint16_t rdlen;

	while ((rdata = rdata_next(&iter, &rdlen)) != NULL) { // the room left bounds it
		if (!owner_put(d, proof) || d->size + RR_FIXED_LEN + rdlen > sizeof d->bytes)
			return false;

		uint8_t *at = d->bytes + d->size;

		memcpy(
		    at, (const uint8_t[4]){(uint8_t)(type >> 8), (uint8_t)type, 0, RRCLASS_IN}, 4);
		memcpy(at + 4, &ttl_be, 4);
		memcpy(at + 8, (const uint8_t[2]){(uint8_t)(rdlen >> 8), (uint8_t)rdlen}, 2);
		memcpy(at + RR_FIXED_LEN, rdata, rdlen);
		d->size += RR_FIXED_LEN + (unsigned)rdlen;
		d->records++;
	}
	return true;
}

size_t proof_make(
    struct node_ref node, const struct image_rrset *rrset, unsigned apex_len, union proof_room *out)
{
	struct image_proof *proof = &out->proof;
	struct draft d;
	uint32_t sigs_ttl = 0;
	const uint32_t ttl = rrset_ttl(node, rrset);
	struct rdata_iter sigs = rrset_sigs(node, rrset, &sigs_ttl);

	d.size = d.pointers = d.records = 0;
	d.owner = node_owner(node);
	d.labels_len = node.node->name_len - apex_len;
	d.apex_is_root = apex_len == 1;
	*proof = (struct image_proof){.size = 0};
	// Their own TTL: RFC 9077 lowers it where the zone is signed, and the peers send it as it
	// is.
	if (!records_put(&d, proof, rrset->type, ttl, rrset_rdata(node, rrset)) ||
	    !records_put(&d, proof, RRTYPE_RRSIG, sigs_ttl < ttl ? sigs_ttl : ttl, sigs))
		return 0;
	proof->size = (uint16_t)d.size;
	proof->rr_count = (uint16_t)d.records;
	proof->sum = checksum_fold(checksum_sum(d.bytes, d.size, 0));
	memcpy(out->bytes + sizeof *proof, d.pointer, d.pointers * sizeof d.pointer[0]);
	memcpy(out->bytes + sizeof *proof + d.pointers * sizeof d.pointer[0], d.bytes, d.size);
	return sizeof *proof + d.pointers * sizeof d.pointer[0] + d.size;
}
