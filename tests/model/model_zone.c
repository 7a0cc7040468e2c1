// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Random zones. Few different labels and owners that build on one another, so that names meet:
// empty non-terminals, wildcards, cuts, DNAMEs and occluded data come about by themselves; rare
// shapes are made on purpose.
#include "model_zone.h"

#include <string.h>

#include "model_rdata.h"

static const char *const labels[] = {
    "a", "b", "c", "a", "b", "*", "*", "*", "ns", "aa", "A", "B", "_s", "-", "z0"};
static const uint32_t ttls[] = {0, 1, 60, 300, 3600, 86400, 0x7fffffff};

// --- names
// ----------------------------------------------------------------------------------------

static void label_random(struct model_random *r, uint8_t *label, size_t *len)
{
	const char *text = labels[random_below(r, sizeof(labels) / sizeof(labels[0]))];

	*len = strlen(text);
	memcpy(label, text, *len);
	if (random_one_in(r, 50)) {
		*len = 1 + random_below(r, 4); // any bytes, NUL and dot among them
		random_bytes(r, label, *len);
	} else if (random_one_in(r, 60)) {
		*len = 63;
		memset(label, 'l', *len);
	}
}

static void name_below(struct model_random *r, const uint8_t *rest, unsigned n, uint8_t *out)
{
	uint8_t label[63];
	size_t len;

	memmove(out, rest, mname_len(rest));
	while (n-- > 0) {
		label_random(r, label, &len);
		mname_child(label, len, out, out); // too long: stays as it is
	}
}

static void case_mix(struct model_random *r, uint8_t *name)
{
	const size_t len = mname_len(name);

	for (size_t i = 0; i < len; i++) {
		const uint8_t c = name[i] | 0x20;
		if (c >= 'a' && c <= 'z' && random_one_in(r, 3))
			name[i] ^= 0x20; // a length byte is no letter
	}
}

static const uint8_t *owner_random(const struct mzone *zone, struct model_random *r)
{
	return zone->count == 0 ? zone->apex
	                        : zone->records[random_below(r, (unsigned)zone->count)].owner;
}

// A name for data: at or below the apex, near what is there.
static void name_for_owner(const struct mzone *zone, struct model_random *r, uint8_t *out)
{
	const uint8_t *base = random_one_in(r, 3) ? zone->apex : owner_random(zone, r);

	if (mname_labels(base) > mname_labels(zone->apex) && random_one_in(r, 4))
		base += *base + 1;
	name_below(r, base, random_one_in(r, 5) ? 0 : random_one_in(r, 6) ? 3 : 1, out);
	if (random_one_in(r, 4))
		case_mix(r, out);
}

// A name in rdata: often one that owns something, sometimes none of ours.
static void name_for_rdata(const struct mzone *zone, struct model_random *r, uint8_t *out)
{
	static const char *const outside[] = {
	    "\2ns\3net", "\1a\1b\1c\1d", "", "\7example\3com", "\2nS\7Example\3Com"};
	const uint8_t *base = owner_random(zone, r);

	switch (random_below(r, 8)) {
	case 0:
		base = (const uint8_t *)outside[random_below(r, 5)];
		memcpy(out, base, mname_len(base));
		break;
	case 1:
		name_for_owner(zone, r, out);
		break;
	case 2: // what a wildcard may stand for
		name_below(r, mname_is_wildcard(base) ? base + 2 : base, 1, out);
		break;
	default:
		memcpy(out, base, mname_len(base));
		break;
	}
	if (random_one_in(r, 4))
		case_mix(r, out);
}

void mzone_random_name(const struct mzone *zone, struct model_random *r, uint8_t *out)
{
	const uint8_t *base = owner_random(zone, r);

	switch (random_below(r, 10)) {
	case 0:
		name_for_rdata(zone, r, out);
		break;
	case 1:
	case 2: // below
		name_below(r, base, 1 + random_below(r, 2), out);
		break;
	case 3: // an ancestor, perhaps the apex's
		memcpy(out, base, mname_len(base));
		if (*out != 0)
			memmove(out, out + 1 + *out, mname_len(out + 1 + *out));
		break;
	case 4: // beside
		name_below(r, *base != 0 ? base + 1 + *base : base, 1, out);
		break;
	case 5: // a wildcard's own children
		name_below(r, mname_is_wildcard(base) ? base + 2 : base, 1, out);
		break;
	case 6:
		name_for_owner(zone, r, out);
		break;
	default:
		memcpy(out, base, mname_len(base));
		break;
	}
	if (random_one_in(r, 3))
		case_mix(r, out);
}

// --- records
// --------------------------------------------------------------------------------------

bool mzone_add(struct mzone *zone, const uint8_t *owner, uint16_t type, uint32_t ttl,
    const uint8_t *rdata, size_t rdlen)
{
	const size_t owner_len = mname_len(owner);

	if (zone->count == MZONE_RECORDS_MAX || zone->used + owner_len + rdlen > MZONE_BYTES_MAX)
		return false;
	uint8_t *at = zone->bytes + zone->used;
	memcpy(at, owner, owner_len);
	memcpy(at + owner_len, rdata, rdlen);
	zone->used += owner_len + rdlen;
	zone->records[zone->count++] =
	    (struct mrecord){at, at + owner_len, ttl, type, (uint16_t)rdlen};
	return true;
}

bool mzone_has(const struct mzone *zone, const uint8_t *owner, uint16_t type)
{
	for (size_t i = 0; i < zone->count; i++) {
		if (zone->records[i].type == type && mname_equal(zone->records[i].owner, owner))
			return true;
	}
	return false;
}

static bool owns_anything(const struct mzone *zone, const uint8_t *owner)
{
	for (size_t i = 0; i < zone->count; i++) {
		if (mname_equal(zone->records[i].owner, owner))
			return true;
	}
	return false;
}

// Adds what the rules of RFC 1034 3.6.2, RFC 2181 10.1 and RFC 6672 2.4 allow.
static void add(struct mzone *zone, struct model_random *r, const uint8_t *owner, uint16_t type,
    const uint8_t *rdata, size_t rdlen)
{
	uint32_t ttl = ttls[random_below(r, sizeof(ttls) / sizeof(ttls[0]))];

	if (type == T_CNAME ? owns_anything(zone, owner) : mzone_has(zone, owner, T_CNAME))
		return;
	if (type == T_DNAME && mzone_has(zone, owner, T_DNAME))
		return;
	if (type == T_DS && mname_equal(owner, zone->apex))
		return;
	for (size_t i = 0; i < zone->count; i++) { // an RRset has one TTL, nearly always
		if (zone->records[i].type == type && mname_equal(zone->records[i].owner, owner) &&
		    !random_one_in(r, 30))
			ttl = zone->records[i].ttl;
	}
	(void)mzone_add(zone, owner, type, ttl, rdata, rdlen);
}

static void add_name(struct mzone *zone, struct model_random *r, const uint8_t *owner,
    uint16_t type, unsigned before, const uint8_t *name)
{
	uint8_t rdata[8 + MODEL_NAME_MAX];

	random_bytes(r, rdata, before);
	memcpy(rdata + before, name, mname_len(name));
	add(zone, r, owner, type, rdata, before + mname_len(name));
}

static void add_address(struct mzone *zone, struct model_random *r, const uint8_t *owner)
{
	uint8_t rdata[16];

	random_bytes(r, rdata, sizeof(rdata));
	if (!random_one_in(r, 4))
		add(zone, r, owner, T_A, rdata, 4);
	if (random_one_in(r, 2))
		add(zone, r, owner, T_AAAA, rdata, 16);
}

// SVCB, HTTPS: priority, target, now and then private keys in order (RFC 9460 2.2).
static void add_svcb(
    struct mzone *zone, struct model_random *r, const uint8_t *owner, const uint8_t *target)
{
	uint8_t rdata[2 + MODEL_NAME_MAX + 32] = {0, (uint8_t)random_below(r, 3)};
	size_t len = 2;

	if (random_one_in(r, 4))
		target = (const uint8_t *)"";
	memcpy(rdata + len, target, mname_len(target));
	len += mname_len(target);
	for (uint8_t key = 0; rdata[1] != 0 && key < random_below(r, 3); key++) {
		const uint8_t value_len = (uint8_t)random_below(r, 5);
		rdata[len++] = 0xff;
		rdata[len++] = key;
		rdata[len++] = 0;
		rdata[len++] = value_len;
		random_bytes(r, rdata + len, value_len);
		len += value_len;
	}
	add(zone, r, owner, random_one_in(r, 2) ? T_SVCB : T_HTTPS, rdata, len);
}

// Strings, or bytes of a type nobody knows.
static void add_opaque(struct mzone *zone, struct model_random *r, const uint8_t *owner)
{
	static const uint16_t unknown[] = {65280, 40000, 65535, 11111};
	uint8_t rdata[64];
	const unsigned n = random_below(r, 20);

	random_bytes(r, rdata, sizeof(rdata));
	switch (random_below(r, 4)) {
	case 0: // CAA: flags, tag, value
		memcpy(rdata, "\0\5issue", 7);
		add(zone, r, owner, T_CAA, rdata, 7 + n);
		break;
	case 1: // HINFO
		rdata[0] = (uint8_t)n;
		rdata[1 + n] = 3;
		add(zone, r, owner, T_HINFO, rdata, n + 5);
		break;
	case 2:
		rdata[0] = (uint8_t)n;
		add(zone, r, owner, T_TXT, rdata, n + 1);
		break;
	default:
		add(zone, r, owner, unknown[random_below(r, 4)], rdata, n);
		break;
	}
}

static void add_ds(struct mzone *zone, struct model_random *r, const uint8_t *owner)
{
	uint8_t rdata[36] = {0, 1, 13, 2};

	random_bytes(r, rdata + 4, 32);
	add(zone, r, owner, T_DS, rdata, sizeof(rdata));
}

static void add_any_type(struct mzone *zone, struct model_random *r)
{
	static const struct {
		uint16_t type;
		uint8_t before;
	} named[] = {{T_MX, 2}, {T_SRV, 6}, {T_AFSDB, 2}, {T_KX, 2}, {T_RT, 2}, {T_PTR, 0},
	    {T_MB, 0}, {T_MF, 0}, {T_MX, 2}, {T_SRV, 6}};
	uint8_t owner[MODEL_NAME_MAX], target[MODEL_NAME_MAX], rdata[2 * MODEL_NAME_MAX + 8];
	const unsigned i = random_below(r, 10);

	name_for_owner(zone, r, owner);
	name_for_rdata(zone, r, target);
	switch (random_below(r, 12)) {
	case 0:
	case 1:
	case 2:
		add_address(zone, r, owner);
		break;
	case 3:
	case 4:
		add_name(zone, r, owner, named[i].type, named[i].before, target);
		break;
	case 5:
		add_name(zone, r, owner, T_CNAME, 0, target);
		break;
	case 6:
		if (random_one_in(r, 2))
			add_name(zone, r, owner, T_DNAME, 0, target);
		break;
	case 7:
		add_svcb(zone, r, owner, target);
		break;
	case 8: // two names, of a type whose names are compressed and of one whose are not
		memcpy(rdata, target, mname_len(target));
		name_for_rdata(zone, r, rdata + mname_len(target));
		add(zone, r, owner, random_one_in(r, 2) ? T_MINFO : T_RP, rdata,
		    mname_len(target) + mname_len(rdata + mname_len(target)));
		break;
	case 9:
		memcpy(rdata, "\0\1\0\2\1S\0\2re", 10);
		memcpy(rdata + 10, target, mname_len(target));
		add(zone, r, owner, T_NAPTR, rdata, 10 + mname_len(target));
		break;
	case 10:
		if (random_one_in(r, 4)) // DS need not stand at a cut
			add_ds(zone, r, owner);
		break;
	default:
		add_opaque(zone, r, owner);
		break;
	}
}

// --- shapes
// ---------------------------------------------------------------------------------------

// A cut with name servers inside, beside and elsewhere, most of them with addresses.
static void add_delegation(struct mzone *zone, struct model_random *r)
{
	const unsigned servers = random_one_in(r, 30) ? 40 : 1 + random_below(r, 3);
	uint8_t cut[MODEL_NAME_MAX], server[MODEL_NAME_MAX];

	name_for_owner(zone, r, cut);
	if (mname_equal(cut, zone->apex))
		return;
	for (unsigned i = 0; i < servers; i++) {
		if (random_one_in(r, 3))
			name_for_rdata(zone, r, server);
		else if (random_one_in(r, 6))
			memcpy(server, cut, mname_len(cut));
		else
			name_below(r, cut, 1 + random_below(r, 2), server);
		add_name(zone, r, cut, T_NS, 0, server);
		if (!random_one_in(r, 4) && mname_under(server, zone->apex))
			add_address(zone, r, server);
	}
	if (random_one_in(r, 3))
		add_ds(zone, r, cut);
}

// CNAMEs that lead on, now and then in a circle.
static void add_chain(struct mzone *zone, struct model_random *r)
{
	const unsigned links = 2 + random_below(r, random_one_in(r, 4) ? 20 : 4);
	uint8_t name[MODEL_NAME_MAX], first[MODEL_NAME_MAX], next[MODEL_NAME_MAX], label[4];

	name_for_owner(zone, r, name);
	memcpy(first, name, mname_len(name));
	for (unsigned i = 0; i < links; i++) {
		label[0] = 'k';
		label[1] = (uint8_t)('a' + i);
		memcpy(next, zone->apex, mname_len(zone->apex));
		if (i + 1 == links && random_one_in(r, 3))
			memcpy(next, first, mname_len(first));
		else if (i + 1 == links)
			name_for_rdata(zone, r, next);
		else
			mname_child(label, 2, next, next);
		add_name(zone, r, name, T_CNAME, 0, next);
		memcpy(name, next, mname_len(next));
		if (!mname_under(name, zone->apex))
			return;
	}
}

// A CNAME that a wildcard two or three labels above its target answers, and what may stand in
// between.
static void add_far_alias(struct mzone *zone, struct model_random *r)
{
	static const uint8_t text[] = {1, 'x'};
	uint8_t parent[MODEL_NAME_MAX], name[MODEL_NAME_MAX], target[MODEL_NAME_MAX];
	const uint8_t *between = target;

	memcpy(parent, zone->apex, mname_len(zone->apex));
	if (random_one_in(r, 2))
		name_for_owner(zone, r, parent);
	memcpy(name, parent, mname_len(parent));
	mname_child((const uint8_t *)"*", 1, name, name);
	if (random_one_in(r, 2))
		add_address(zone, r, name);
	name_below(r, parent, 2 + random_below(r, 2), target);
	name_for_owner(zone, r, name);
	if (random_one_in(r, 3))
		add_address(zone, r, target);
	add_name(zone, r, name, T_CNAME, 0, target);
	if (mname_labels(target) > mname_labels(zone->apex) + 1)
		between += *between + 1;
	switch (random_below(r, 6)) {
	case 0:
		add(zone, r, between, T_TXT, text, sizeof(text));
		break;
	case 1:
		add_name(zone, r, between, T_NS, 0, name);
		break;
	case 2:
		add_name(zone, r, between, T_DNAME, 0, parent);
		break;
	case 3:
		add_address(zone, r, between);
		break;
	case 4:
		name_below(r, between, 1, name);
		add(zone, r, name, T_TXT, text, sizeof(text));
		break;
	default:
		break;
	}
}

// An RRset that fits no datagram, or no message at all, or fills the writer's list of names.
static void add_large(struct mzone *zone, struct model_random *r)
{
	const unsigned n = random_one_in(r, 4) ? 400 : 20 + random_below(r, 60);
	uint8_t owner[MODEL_NAME_MAX], name[MODEL_NAME_MAX], rdata[256], label[3] = {'h'};
	const unsigned shape = random_below(r, 4);

	name_for_owner(zone, r, owner);
	if (shape == 0 && mname_equal(owner, zone->apex))
		return;
	for (unsigned i = 0; i < n; i++) {
		random_bytes(r, rdata, sizeof(rdata));
		label[1] = (uint8_t)('a' + i % 26);
		label[2] = (uint8_t)('a' + i / 26);
		memcpy(name, zone->apex, mname_len(zone->apex));
		if (shape == 0)
			memcpy(name, owner, mname_len(owner));
		mname_child(label, 3, name, name);
		switch (shape) {
		case 0:
			add_name(zone, r, owner, T_NS, 0, name);
			add_address(zone, r, name);
			break;
		case 1:
			add_name(zone, r, owner, T_MX, 2, name);
			if (random_one_in(r, 2))
				add_address(zone, r, name);
			break;
		case 2:
			rdata[0] = (uint8_t)(200 + random_below(r, 56));
			add(zone, r, owner, T_TXT, rdata, rdata[0] + 1u);
			break;
		default:
			add(zone, r, owner, T_A, rdata, 4);
			break;
		}
	}
}

// --- the whole
// ------------------------------------------------------------------------------------

static void apex_choose(struct mzone *zone, struct model_random *r)
{
	uint8_t *apex = zone->apex;

	apex[0] = 0;
	switch (random_below(r, 10)) {
	case 0: // the root
		return;
	case 1: // deep
		name_below(r, apex, 10 + random_below(r, 40), apex);
		break;
	case 2: // long
		for (unsigned i = 0; i < 3; i++)
			mname_child(
			    (const uint8_t
			            *)"longlonglonglonglonglonglonglonglonglonglonglonglonglo"
			              "nglong",
			    50 + random_below(r, 11), apex, apex);
		break;
	default:
		name_below(r, (const uint8_t *)"\3com", random_below(r, 3), apex);
		break;
	}
	mname_lower(apex, apex);
}

static void add_soa(struct mzone *zone, struct model_random *r)
{
	uint8_t rdata[2 * MODEL_NAME_MAX + 20], owner[MODEL_NAME_MAX];
	size_t len;

	name_below(r, zone->apex, random_below(r, 3), rdata);
	len = mname_len(rdata);
	name_for_rdata(zone, r, rdata + len);
	len += mname_len(rdata + len);
	random_bytes(r, rdata + len, 16);
	len += 16;
	for (unsigned i = 0, ttl = ttls[random_below(r, 7)]; i < 4; i++)
		rdata[len++] = (uint8_t)(ttl >> (24 - 8 * i));
	memcpy(owner, zone->apex, mname_len(zone->apex));
	case_mix(r, owner);
	add(zone, r, owner, T_SOA, rdata, len);
}

static bool owner_is_plain(const struct mzone *zone, const struct mrecord *record)
{
	const size_t apex_len = mname_len(zone->apex);

	for (const uint8_t *at = record->owner; mname_len(at) > apex_len; at += 1 + *at) {
		if (at[0] == 1 && at[1] == '*')
			return false;
	}
	return record->type != T_DNAME;
}

// Without wildcards and DNAMEs, as most zones are: what is not there is denied by one look.
static void leave_plain(struct mzone *zone)
{
	size_t left = 0;

	for (size_t i = 0; i < zone->count; i++) {
		if (owner_is_plain(zone, &zone->records[i]))
			zone->records[left++] = zone->records[i];
	}
	zone->count = left;
}

void mzone_absent_name(const struct mzone *zone, struct model_random *r, uint8_t *out)
{
	uint8_t label[5];
	const size_t len = 1 + random_below(r, sizeof(label));

	random_bytes(r, label, len);
	memcpy(out, zone->apex, mname_len(zone->apex));
	mname_child(label, len, out, out);
	if (random_one_in(r, 8))
		name_below(r, out, 1, out);
}

void mzone_generate(struct mzone *zone, uint64_t seed)
{
	struct model_random r = {seed};
	uint8_t name[MODEL_NAME_MAX];

	zone->seed = seed;
	zone->count = zone->used = 0;
	apex_choose(zone, &r);
	add_soa(zone, &r);
	for (unsigned i = 0; i < 3; i++) {
		name_for_rdata(zone, &r, name);
		if (i > 0 && mname_under(name, zone->apex))
			add_address(zone, &r, name);
		if (i == 0 || random_one_in(&r, 2))
			add_name(zone, &r, zone->apex, T_NS, 0, name);
	}
	for (unsigned n = 2 + random_below(&r, 30); n > 0; n--) {
		if (random_one_in(&r, 6))
			add_delegation(zone, &r);
		else if (random_one_in(&r, 5))
			add_far_alias(zone, &r);
		else if (random_one_in(&r, 20))
			add_chain(zone, &r);
		else
			add_any_type(zone, &r);
	}
	if (random_one_in(&r, 40))
		add_large(zone, &r);
	if (random_one_in(&r, 3))
		leave_plain(zone);
	zone->data_count = zone->count;
	zone->proofs = random_below(&r, 3);
	zone->opt_out = random_one_in(&r, 2);
	zone->salt_len = (uint8_t)(random_one_in(&r, 2) ? 0 : random_below(&r, 9));
	random_bytes(&r, zone->salt, sizeof(zone->salt));
	zone->iterations = (uint16_t)(random_one_in(&r, 2) ? 0 : random_below(&r, 4));
}
