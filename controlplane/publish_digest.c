// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The digest (ZONEMD) of what is served already, where the configuration came to want more of it
// than when that came: it is looked at as it would be of a transfer (digest_judge), in a thread and
// one zone at a time. One that is not as it should be is served on, for it is what there is; status
// says so, and the zone is asked for anew.
#include "publish_digest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "offload.h"
#include "publish_view.h"
#include "pzone.h"
#include "rrtype.h"
#include "zonemd.h"

struct digest_look {
	struct offload_job job; // first
	struct publisher *publisher;
	struct view view;
	uint8_t apex[NAME_LEN_MAX];
	uint64_t content;
	enum config_zonemd zonemd;
	uint64_t count, bytes; // of the version
	bool good;
	bool unknown; // for want of memory or descriptors: it is looked at again
	bool rotten;  // its file is not what it was
	char reason[DIGEST_REASON_MAX];
};

static bool has_digest(const struct records *records)
{
	for (size_t i = 0; i < records->count; i++)
		if (records->items[i].type == RRTYPE_ZONEMD &&
		    name_equal(records->items[i].owner, records->apex))
			return true;
	return false;
}

bool digest_judge(
    enum config_zonemd zonemd, struct records *records, char reason[DIGEST_REASON_MAX])
{
	int verdict;

	snprintf(reason, DIGEST_REASON_MAX, "Out of memory.");
	if (zonemd == CONFIG_ZONEMD_OFF ||
	    (zonemd == CONFIG_ZONEMD_IF_PRESENT && !has_digest(records)))
		return true;
	if (records_sort(records) < 0 || records_check(records, reason) < 0)
		return false;
	verdict = zonemd_verify(records, reason);
	return verdict == ZONEMD_GOOD ||
	       (verdict == ZONEMD_OTHER && zonemd == CONFIG_ZONEMD_IF_PRESENT);
}

static void look_run(struct offload_job *job)
{
	struct digest_look *look = (struct digest_look *)job;
	struct admission *admission = &look->publisher->admission;
	struct admission_claim claim = {0};
	struct zone_version version;
	struct records *records = NULL;

	look->unknown = !admission_claim(
	    admission, admission_available(""), look->count, look->bytes, &claim, look->reason);
	if (look->unknown)
		return;
	int rc = view_map(&look->view, &version, look->reason);

	if (rc == 0)
		rc = delta_apply(NULL, &version, &records, look->reason);
	if (rc == 0)
		look->good = digest_judge(look->zonemd, records, look->reason);
	look->rotten = rc == -EBADMSG || rc == -EINVAL; // it was verified once
	look->unknown = rc != 0 && !look->rotten;
	records_free(records);
	admission_release(admission, &claim);
}

static void unseen_put(struct publisher *p, struct pzone *zone)
{
	if (!zone->unseen) {
		zone->unseen = true;
		zone->next_unseen = p->unseen;
		p->unseen = zone;
	}
}

static void verdict_take(
    struct publisher *p, struct version *current, const struct digest_look *look)
{
	const bool again = current->doubt != NULL && strcmp(current->doubt, look->reason) == 0;
	char name[NAME_TEXT_MAX];

	free(current->doubt);
	current->doubt = look->good ? NULL : strdup(look->reason);
	name_to_text(look->apex, name);
	if (look->good)
		log_info("%s: the digest of serial %u, which is served, is right", name,
		    current->soa.serial);
	else if (!again)
		log_error("%s: the digest of serial %u is not as zonemd-verify wants it, "
		          "and it is served on: %s",
		    name, current->soa.serial, look->reason);
	if (!look->good && !look->unknown && p->ops.doubted != NULL)
		p->ops.doubted(p->ops.ctx, look->apex);
}

// It may be another version by now, or another word of the configuration.
static void look_done(struct offload_job *job)
{
	struct digest_look *look = (struct digest_look *)job;
	struct publisher *p = look->publisher;
	struct pzone *zone = pzone_find(p, look->apex);
	struct version *current = zone != NULL ? zone->current : NULL;

	p->looking = false;
	if (!p->closing && current != NULL && current->content == look->content &&
	    zone->zonemd == look->zonemd) {
		if (look->rotten)
			publish_load(p, zone); // which finds it broken, and goes on from there
		else
			verdict_take(p, current, look);
		if (look->unknown)
			unseen_put(p, zone); // publish_digest_tick()
	}
	view_close(&look->view);
	const bool unknown = look->unknown;

	free(look);
	if (!unknown)
		publish_digest_tick(p);
}

// Post: false: not now.
static bool look_start(struct publisher *p, const struct pzone *zone)
{
	struct digest_look *look = calloc(1, sizeof(*look));

	if (look == NULL || view_open(&look->view, p, zone->current) < 0) {
		free(look);
		return false;
	}
	look->publisher = p;
	memcpy(look->apex, zone->apex, zone->apex_len);
	look->content = zone->current->content;
	look->zonemd = zone->zonemd;
	look->count = zone->current->rr_count;
	look->bytes = version_size(zone->current);
	look->job.run = look_run;
	look->job.done = look_done;
	p->looking = true;
	offload_submit(p->look, &look->job);
	return true;
}

void publish_digest_tick(struct publisher *p)
{
	while (p->unseen != NULL && !p->looking && !p->closing) {
		struct pzone *zone = p->unseen;

		p->unseen = zone->next_unseen;
		zone->unseen = false;
		if (zone->configured && zone->current != NULL && !look_start(p, zone)) {
			unseen_put(p, zone);
			return;
		}
	}
}

void publish_digest_look(struct publisher *p, struct pzone *zone)
{
	if (zone->current == NULL)
		return;
	zone->current->zonemd = zone->zonemd;
	if (zone->zonemd == CONFIG_ZONEMD_OFF) {
		free(zone->current->doubt);
		zone->current->doubt = NULL;
		return;
	}
	unseen_put(p, zone);
	publish_digest_tick(p);
}
