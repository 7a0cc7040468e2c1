// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Proofs of denial into a rendered message; see dns_denial.h. Compiled answers take the compiled
// form (struct image_proof) of the same bytes. The names in these records are never compressed (RFC
// 4034 3.1.7, RFC 3597 4).
#include "dns_denial.h"

#include "writer.h"

#define POINTER 0xc000u

// The records of one owner on their way into the message.
struct proof {
	uint8_t *msg;
	size_t at, cap;
	const uint8_t *owner; // as written in the zone
	unsigned labels_len;  // its bytes in front of the apex
	size_t apex_at;       // 0: the apex is the root
	size_t first_at;      // where the owner stands already; 0: nowhere
	unsigned count;
};

static size_t owner_size(const struct proof *proof)
{
	if (proof->labels_len != 0 && proof->first_at != 0)
		return 2;
	return proof->labels_len + (proof->apex_at != 0 ? 2u : 1u);
}

// Pre: there is room.
static void owner_put(struct proof *proof)
{
	uint8_t *at = proof->msg + proof->at;
	size_t pointer = proof->apex_at;

	if (proof->labels_len != 0 && proof->first_at != 0) {
		pointer = proof->first_at;
	} else if (proof->labels_len != 0) {
		memcpy(at, proof->owner, proof->labels_len);
		at += proof->labels_len;
		if (proof->at < WRITER_OFFSET_END)
			proof->first_at = proof->at;
	}
	if (pointer != 0)
		put16(at, (uint16_t)(POINTER | pointer));
	else
		*at = 0;
	proof->at = (size_t)(at - proof->msg) + (pointer != 0 ? 2 : 1);
}

// Post: false when they do not all fit.
static bool records_put(struct proof *proof, uint16_t type, uint32_t ttl, struct rdata_iter iter)
{
	const uint32_t ttl_be = __builtin_bswap32(ttl);
	const uint8_t *rdata;
	uint16_t rdlen;

	while ((rdata = rdata_next(&iter, &rdlen)) != NULL) { // the room left bounds it
		if (owner_size(proof) + RR_FIXED_LEN + rdlen > proof->cap - proof->at)
			return false;
		owner_put(proof);

		uint8_t *at = proof->msg + proof->at;

		put16(at, type);
		put16(at + 2, RRCLASS_IN);
		memcpy(at + 4, &ttl_be, 4);
		put16(at + 8, rdlen);
		bytes_copy(at + RR_FIXED_LEN, rdata, rdlen);
		proof->at += RR_FIXED_LEN + (size_t)rdlen;
		proof->count++;
	}
	return true;
}

bool denial_put(
    struct denial *denial, uint8_t *msg, size_t *at, size_t cap, size_t apex_at, uint16_t *rr_count)
{
	const uint16_t type = version_has_nsec3(denial->version) ? RRTYPE_NSEC3 : RRTYPE_NSEC;
	const unsigned apex_len = version_header(denial->version)->apex_len;

	for (; denial->written < denial->count; denial->written++) {
		const struct node_ref owner = denial->node[denial->written];
		const struct image_rrset *rrset = node_rrset(owner, type);
		struct proof proof = {.msg = msg,
		    .at = *at,
		    .cap = cap,
		    .owner = node_owner(owner),
		    .labels_len = owner.node->name_len - apex_len,
		    .apex_at = apex_len == 1 ? 0 : apex_at};
		uint32_t sigs_ttl = 0;

		if (rrset == NULL)
			continue;

		const uint32_t ttl = rrset_ttl(owner, rrset);
		struct rdata_iter sigs = rrset_sigs(owner, rrset, &sigs_ttl);

		// Their own TTL: RFC 9077 lowers it where the zone is signed, and the peers send it
		// as it is.
		if (!records_put(&proof, type, ttl, rrset_rdata(owner, rrset)) ||
		    !records_put(&proof, RRTYPE_RRSIG, sigs_ttl < ttl ? sigs_ttl : ttl, sigs))
			return false;
		*at = proof.at;
		*rr_count += (uint16_t)proof.count;
	}
	return true;
}
