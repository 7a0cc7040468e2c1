// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Signing: RRSIGs of random bytes over every authoritative RRset, and a chain that is right: NSEC
// (RFC 4034 4, RFC 4035 2.3) or NSEC3 (RFC 5155 7.1), the latter perhaps without some of the
// insecure delegations (opt-out). The random bytes hang on owner and type alone, so that a zone
// that lost a record while a difference is minimised keeps its other signatures.
#include "model_zone.h"

#include <stdlib.h>
#include <string.h>

#include "model_rdata.h"

#define NAMES_MAX 4096

// The names of the chain. Scratch: one thread.
struct link {
	uint8_t name[MODEL_NAME_MAX];
	uint8_t hash[20];
};
static struct link links[NAMES_MAX];
static size_t link_count;

static uint64_t name_seed(const struct mzone *zone, const uint8_t *name, uint64_t type)
{
	uint8_t lower[MODEL_NAME_MAX];
	uint64_t seed = zone->seed ^ type << 32;

	const size_t len = mname_len(name);

	mname_lower(name, lower);
	for (size_t i = 0; i < len; i++)
		seed = random_mix(seed, lower[i] + 1u);
	return seed;
}

static bool is_cut(const struct mzone *zone, const uint8_t *name)
{
	return mname_labels(name) > mname_labels(zone->apex) && mzone_has(zone, name, T_NS);
}

// Below a cut or a DNAME.
static bool is_occluded(const struct mzone *zone, const uint8_t *name)
{
	for (unsigned n = mname_labels(zone->apex); n < mname_labels(name); n++) {
		const uint8_t *above = mname_suffix(name, n);
		if (is_cut(zone, above) || mzone_has(zone, above, T_DNAME))
			return true;
	}
	return false;
}

static void add_signature(struct mzone *zone, const uint8_t *owner, uint16_t covered, uint32_t ttl)
{
	struct model_random r = {name_seed(zone, owner, covered)};
	const uint32_t signatures = random_one_in(&r, 8) ? 2 : 1;

	for (uint32_t i = 0; i < signatures; i++) {
		uint8_t rdata[18 + MODEL_NAME_MAX + 64];
		const size_t signer_len = mname_len(zone->apex), bytes = 4 + random_below(&r, 60);

		random_bytes(&r, rdata, sizeof(rdata));
		rdata[0] = (uint8_t)(covered >> 8);
		rdata[1] = (uint8_t)covered;
		rdata[2] = 13;
		rdata[3] = (uint8_t)(mname_labels(owner) - mname_is_wildcard(owner));
		memcpy(rdata + 18, zone->apex, signer_len);
		(void)mzone_add(zone, owner, T_RRSIG, ttl, rdata, 18 + signer_len + bytes);
	}
}

// Signs what the zone is authoritative for; of the rest, rarely, something too (it must not show).
static void sign_rrsets(struct mzone *zone)
{
	const size_t count = zone->count;

	for (size_t i = 0; i < count; i++) {
		const struct mrecord *r = &zone->records[i];
		struct model_random chance = {name_seed(zone, r->owner, r->type ^ 0x5a5au)};
		bool first = true;

		for (size_t j = 0; j < i && first; j++)
			first = zone->records[j].type != r->type ||
			        !mname_equal(zone->records[j].owner, r->owner);
		if (!first)
			continue;
		bool ours = !is_occluded(zone, r->owner);
		if (is_cut(zone, r->owner) && r->type != T_DS && r->type != T_NSEC)
			ours = false;
		if (ours ? !random_one_in(&chance, 100) : random_one_in(&chance, 30))
			add_signature(zone, r->owner, r->type, r->ttl);
		if (ours && r->type == T_A && random_one_in(&chance, 50))
			add_signature(zone, r->owner, T_PTR, 60); // perhaps over nothing
	}
}

// --- the chain
// ------------------------------------------------------------------------------------

static void link_add(const uint8_t *name)
{
	for (size_t i = 0; i < link_count; i++) {
		if (mname_equal(links[i].name, name))
			return;
	}
	if (link_count < NAMES_MAX)
		memcpy(links[link_count++].name, name, mname_len(name));
}

// An insecure delegation that opt-out leaves out. A wildcard's stays: queries meet it as the source
// of synthesis, whose proof RFC 5155 7.2.5 does not foresee to be missing.
static bool left_out(const struct mzone *zone, const uint8_t *name)
{
	struct model_random chance = {name_seed(zone, name, 0x0f0f)};

	return zone->opt_out && is_cut(zone, name) && !mzone_has(zone, name, T_DS) &&
	       !mname_is_wildcard(name) && random_one_in(&chance, 2);
}

static void collect_names(const struct mzone *zone)
{
	const unsigned apex_labels = mname_labels(zone->apex);

	link_count = 0;
	for (size_t i = 0; i < zone->count; i++) {
		const uint8_t *owner = zone->records[i].owner;

		if (is_occluded(zone, owner))
			continue;
		if (zone->proofs == PROOFS_NSEC) {
			link_add(owner);
			continue;
		}
		if (left_out(zone, owner))
			continue;
		for (unsigned n = apex_labels; n <= mname_labels(owner); n++)
			link_add(mname_suffix(owner, n)); // empty non-terminals too
	}
}

static int by_name(const void *a, const void *b)
{
	return mname_order(((const struct link *)a)->name, ((const struct link *)b)->name);
}

static int by_hash(const void *a, const void *b)
{
	return memcmp(((const struct link *)a)->hash, ((const struct link *)b)->hash, 20);
}

// The type bitmap (RFC 4034 4.1.2) of `name`, `extra` (0: none) included. Post: its length.
static size_t bitmap(const struct mzone *zone, const uint8_t *name, uint16_t extra, uint8_t *out)
{
	static uint8_t bits[8192];
	const bool cut = is_cut(zone, name);
	bool signed_here = extra != 0;
	size_t len = 0;

	memset(bits, 0, sizeof(bits));
	for (size_t i = 0; i < zone->data_count; i++) {
		const uint16_t type = zone->records[i].type;

		if (!mname_equal(zone->records[i].owner, name) ||
		    (cut && type != T_NS && type != T_DS))
			continue;
		bits[type / 8] |= (uint8_t)(0x80 >> type % 8);
		signed_here |= !cut || type == T_DS;
	}
	for (size_t i = zone->data_count; i < zone->count; i++) { // DNSKEY, NSEC3PARAM
		const uint16_t type = zone->records[i].type;

		if (mname_equal(zone->records[i].owner, name) &&
		    (type == T_DNSKEY || type == T_NSEC3PARAM))
			bits[type / 8] |= (uint8_t)(0x80 >> type % 8);
	}
	if (extra != 0)
		bits[extra / 8] |= (uint8_t)(0x80 >> extra % 8);
	if (signed_here)
		bits[T_RRSIG / 8] |= 0x80 >> T_RRSIG % 8;
	for (unsigned window = 0; window < 256; window++) {
		unsigned n = 32;

		while (n > 0 && bits[window * 32 + n - 1] == 0)
			n--;
		if (n == 0)
			continue;
		out[len++] = (uint8_t)window;
		out[len++] = (uint8_t)n;
		memcpy(out + len, bits + window * 32, n);
		len += n;
	}
	return len;
}

static void add_nsec(struct mzone *zone, uint32_t ttl)
{
	static uint8_t rdata[MODEL_NAME_MAX + 10240];

	qsort(links, link_count, sizeof(links[0]), by_name);
	for (size_t i = 0; i < link_count; i++) {
		const uint8_t *next = links[(i + 1) % link_count].name;
		const size_t len = mname_len(next);

		memcpy(rdata, next, len);
		(void)mzone_add(zone, links[i].name, T_NSEC, ttl, rdata,
		    len + bitmap(zone, links[i].name, T_NSEC, rdata + len));
	}
}

static void add_nsec3(struct mzone *zone, uint32_t ttl)
{
	static uint8_t rdata[512 + 10240];
	uint8_t owner[MODEL_NAME_MAX], label[32];

	for (size_t i = 0; i < link_count; i++)
		mname_nsec3(
		    links[i].name, zone->salt, zone->salt_len, zone->iterations, links[i].hash);
	qsort(links, link_count, sizeof(links[0]), by_hash);
	for (size_t i = 0; i < link_count; i++) {
		struct model_random chance = {name_seed(zone, links[i].name, T_NSEC3)};
		size_t len = 0;

		rdata[len++] = 1;
		rdata[len++] = zone->opt_out;
		rdata[len++] = (uint8_t)(zone->iterations >> 8);
		rdata[len++] = (uint8_t)zone->iterations;
		rdata[len++] = zone->salt_len;
		memcpy(rdata + len, zone->salt, zone->salt_len);
		len += zone->salt_len;
		rdata[len++] = 20;
		memcpy(rdata + len, links[(i + 1) % link_count].hash, 20);
		len += 20;
		len += bitmap(zone, links[i].name, 0, rdata + len);
		mname_base32(links[i].hash, label);
		for (unsigned j = 0; j < 32 && random_one_in(&chance, 4); j++)
			label[j] &= label[j] >= 'a' ? 0xdf : 0xff; // upper case
		(void)mzone_add(zone,
		    mname_child(label, 32, zone->apex, owner) ? owner : zone->apex, T_NSEC3, ttl,
		    rdata, len);
	}
}

void mzone_sign(struct mzone *zone)
{
	struct model_random r = {name_seed(zone, zone->apex, 48)};
	uint8_t rdata[64] = {1, 1, 3, 13};

	zone->count = zone->data_count;
	if (zone->count > 0)
		zone->used = (size_t)(zone->records[zone->count - 1].rdata +
		                      zone->records[zone->count - 1].rdlen - zone->bytes);
	if (zone->proofs == PROOFS_NSEC3 && mname_len(zone->apex) + 33 > MODEL_NAME_MAX)
		zone->proofs = PROOFS_NSEC; // no room for the hashes' owners
	if (zone->proofs == PROOFS_NONE)
		return;
	random_bytes(&r, rdata + 4, 32);
	(void)mzone_add(zone, zone->apex, T_DNSKEY, 3600, rdata, 36);
	if (zone->proofs == PROOFS_NSEC3) {
		memcpy(rdata, "\1\0\0", 3);
		rdata[3] = (uint8_t)zone->iterations;
		rdata[4] = zone->salt_len;
		memcpy(rdata + 5, zone->salt, zone->salt_len);
		(void)mzone_add(zone, zone->apex, T_NSEC3PARAM, 0, rdata, 5u + zone->salt_len);
	}
	collect_names(zone);
	if (zone->proofs == PROOFS_NSEC)
		add_nsec(zone, 300);
	else
		add_nsec3(zone, 300);
	sign_rrsets(zone);
}
