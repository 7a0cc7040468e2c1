// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Questions; see model_query.h.
#include "model_query.h"

#include "model_rdata.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint16_t common[] = {T_A, T_A, T_A, T_AAAA, T_NS, T_SOA, T_MX, T_TXT, T_CNAME, T_DNAME,
    T_DS, T_DS, T_ANY, T_ANY, T_RRSIG, T_NSEC, T_NSEC3, T_DNSKEY, T_NSEC3PARAM, T_SRV, T_SVCB,
    T_HTTPS, T_PTR, T_MINFO, T_NAPTR, T_MF, T_CAA, 65280};
static const uint16_t meta[] = {
    0, T_OPT, T_NXNAME, T_TKEY, T_TSIG, T_IXFR, T_AXFR, T_MAILA, T_MAILB};
static const uint16_t classes[] = {0, 2, 4, 254, 255, 65280}; // CH is another file's
static const uint16_t sizes[] = {0, 511, 512, 513, 1231, 1232, 1233, 4096, 65535};
static const uint16_t caps[] = {512, 1232, 1472, 4096};

static uint16_t type_random(const struct mzone *zone, struct model_random *r)
{
	if (random_one_in(r, 40))
		return meta[random_below(r, COUNT(meta))];
	if (random_one_in(r, 3))
		return zone->records[random_below(r, (unsigned)zone->count)].type;
	if (random_one_in(r, 40)) {
		const uint16_t type = (uint16_t)random_next(r);
		return type < 128 || type > 255 ? type : T_A;
	}
	return common[random_below(r, COUNT(common))];
}

void model_question_random(const struct mzone *zone, uint64_t seed, struct model_question *q)
{
	struct model_random r = {seed};

	*q = (struct model_question){.rrclass = 1};
	const bool absent = random_one_in(&r, 8);

	if (absent)
		mzone_absent_name(zone, &r, q->name);
	else
		mzone_random_name(zone, &r, q->name);
	q->type = type_random(zone, &r);
	if (random_one_in(&r, 80))
		q->rrclass = classes[random_below(&r, COUNT(classes))];
	q->id = (uint16_t)random_next(&r);
	q->rd = random_one_in(&r, 2);
	q->cd = random_one_in(&r, 4);
	q->tcp = random_one_in(&r, 5);
	q->cap = q->tcp ? MODEL_REPLY_MAX : caps[random_below(&r, COUNT(caps))];
	q->edns = absent || !random_one_in(&r, 3);
	if (!q->edns)
		return;
	q->dnssec_ok = absent || random_one_in(&r, 2);
	q->edns_size = random_one_in(&r, 3) ? (uint16_t)(512 + random_below(&r, 800))
	                                    : sizes[random_below(&r, COUNT(sizes))];
	q->edns_version = random_one_in(&r, 100) ? 1 : 0;
}
