// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Where a CNAME leads within its zone, for answers that hold the whole chain, and what such an
// answer depends on. The rules are the renderer's (RFC 1034 4.3.2); what they leave to it is not
// compiled: cuts and DNAMEs on the way, loops, long chains.

#include "compile_private.h"

#include <string.h>

#include "name.h"
#include "rrtype.h"

#define BARRIER (NODE_CUT | NODE_DNAME | NODE_OCCLUDED)

// The nearest name at or above `name` that the zone has.
static const struct unit *closest_encloser(const struct compilation *c, const uint8_t *name)
{
	const struct unit *unit = NULL;

	for (; (unit = compile_find(c, name)) == NULL;
	     name = name_parent(name)) // the apex is there
		;
	return unit;
}

// "*.<unit>". Post: its length, or 0 where that is no name.
static size_t wildcard_below(const struct unit *unit, uint8_t name[NAME_LEN_MAX])
{
	if (unit->len + 2u > NAME_LEN_MAX)
		return 0;
	name[0] = 1;
	name[1] = '*';
	memcpy(name + 2, unit->owner, unit->len);
	return unit->len + 2u;
}

// What answers for `name`, which is in the zone. Post: false when it is not to be compiled; *unit
// NULL: no such name.
static bool look_up(
    const struct compilation *c, struct chain *chain, const uint8_t *name, const struct unit **unit)
{
	uint8_t wild[NAME_LEN_MAX];

	*unit = compile_find(c, name);
	if (*unit != NULL) // a DNAME stands above others only
		return ((*unit)->flags & (NODE_CUT | NODE_OCCLUDED)) == 0;

	const struct unit *encloser = closest_encloser(c, name);

	if ((encloser->flags & BARRIER) != 0)
		return false;
	if ((encloser->flags & NODE_WILD) == 0 || wildcard_below(encloser, wild) == 0)
		return true;
	chain->wild = true;
	*unit = compile_find(c, wild);
	return *unit != NULL && ((*unit)->flags & BARRIER) == 0;
}

bool compile_chain_walk(const struct compilation *c, const struct unit *unit, struct chain *chain)
{
	const uint8_t *name = NULL;

	chain->wild = name_is_wildcard(unit->owner);
	if ((unit->flags & BARRIER) != 0)
		return false;
	for (chain->count = 0;;) {
		struct rrset_span *cname = &chain->hop[chain->count].cname;

		if (!unit_rrset(c, unit, RRTYPE_CNAME, cname)) {
			chain->end = CHAIN_NODE;
			break;
		}
		chain->hop[chain->count].unit = unit;
		chain->hop[chain->count++].name = name;
		name = cname->rrs[0].rdata;
		if (!name_is_under(name, c->records->apex)) {
			chain->end = CHAIN_LEAVES;
			unit = NULL;
			break;
		}
		if (!look_up(c, chain, name, &unit))
			return false;
		if (unit == NULL) {
			chain->end = CHAIN_NO_NAME;
			break;
		}
		if (chain->count == CHAIN_HOPS_MAX) // a loop, too, comes by here
			return false;
	}
	chain->last = unit;
	chain->name = name;
	return chain->count > 0;
}

// --- what it depends on
// ---------------------------------------------------------------------------

static int depend(
    const struct compilation *c, const uint8_t *name, int (*add)(void *, uint32_t), void *ctx)
{
	return add(ctx, (uint32_t)(name_hash(name, &c->options->key) >> 32));
}

// The name itself, or what is between it and the apex: a name that comes or goes there, a cut or a
// DNAME, decides what is found. So does a wildcard, where there is one and where there is none.
static int depend_on_look_up(
    const struct compilation *c, const uint8_t *name, int (*add)(void *, uint32_t), void *ctx)
{
	const unsigned apex_labels = c->units[0].labels;
	uint8_t wild[NAME_LEN_MAX];
	unsigned labels = name_labels(name);
	int error = 0;

	if (compile_find(c, name) == NULL && wildcard_below(closest_encloser(c, name), wild) != 0)
		error = depend(c, wild, add, ctx);
	do {
		if (error == 0)
			error = depend(c, name, add, ctx);
		name = name_parent(name);
	} while (labels-- > apex_labels + 1u);
	return error;
}

int compile_chain_targets(
    const struct compilation *c, const struct chain *chain, int (*add)(void *, uint32_t), void *ctx)
{
	int error = 0;

	for (unsigned i = 1; i < chain->count && error == 0; i++)
		error = depend_on_look_up(c, chain->hop[i].name, add, ctx);
	if (chain->end != CHAIN_LEAVES && error == 0)
		error = depend_on_look_up(c, chain->name, add, ctx);
	return error;
}
