// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// PUBLISH, PARCEL, WITHDRAW and RENEW (zones/SEAM.md). Attach thread. What is queued for the
// control plane here leaves only after the grace period that follows (attach.c): a LIVE is never
// early.

#include "attach_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

static void name_put(struct seam_name *name, const uint8_t *apex, size_t len)
{
	name->len = (uint8_t)len;
	if (len > 0)
		memcpy(name->wire, apex, len);
}

static void answer_live(struct attach *attach, const uint8_t *apex, size_t len, uint64_t generation,
    uint32_t serial, uint64_t id)
{
	struct seam_message *message = link_put(&attach->link, SEAM_LIVE);

	message->generation = generation;
	name_put(&message->zone.name, apex, len);
	message->zone.serial = serial;
	message->zone.id = id;
}

static struct seam_message *answer_reject(struct attach *attach, const uint8_t *apex, size_t len,
    uint64_t generation, uint32_t serial, const char *why)
{
	struct seam_message *message = link_put(&attach->link, SEAM_REJECT);
	char name[NAME_TEXT_MAX] = "a parcel";

	message->generation = generation;
	name_put(&message->zone.name, apex, len);
	message->zone.serial = serial;
	snprintf(message->zone.text, sizeof(message->zone.text), "%s", why);
	if (len > 0)
		name_to_text(apex, name);
	log_warning("rejected: %s, serial %u: %s", name, serial, why);
	return message;
}

// --- one zone
// -------------------------------------------------------------------------------------

// Joins the new layers with the live ones below. Post: 0 and *out, or -errno and *why.
static int version_join(struct publication *item, struct served_zone *live,
    struct stored_version **out, const char **why)
{
	struct stored_version *below = live != NULL ? served_version(live) : NULL;
	unsigned below_count = below != NULL ? below->version.layer_count : 0;
	struct block *block[IMAGE_LAYERS_MAX];
	unsigned count = 0;
	int ret;

	if (item->below > below_count || item->below + item->count > IMAGE_LAYERS_MAX) {
		*why = "the layers below are not live here";
		return -EINVAL;
	}
	for (unsigned i = item->count; i > 0; i--)
		block[count++] = item->layer[i - 1].block;
	for (unsigned i = below_count - item->below; i < below_count; i++)
		block[count++] = below->block[i];
	ret = stored_version_new(block, count, item->generation, out);
	if (ret != 0) {
		*why = ret == -ENOMEM ? "out of memory" : "the layers do not belong together";
		return ret;
	}
	// The version owns the new ones now, and shares the old ones.
	for (unsigned i = 0; i < item->count; i++)
		item->layer[i].block = NULL;
	for (unsigned i = item->count; i < count; i++)
		block[i]->refs++;
	return 0;
}

// Post: 0 when the publication is live (its LIVE may be sent after the grace period), or -errno,
// why.
static int publication_apply(struct attach *attach, struct publication *item, const char **why)
{
	struct served_zone *live = served_get(&attach->served, item->apex);
	struct stored_version *version;
	int ret;

	if (item->error[0] != '\0') {
		*why = item->error;
		return -EINVAL;
	}
	if (live != NULL && item->generation <= served_version(live)->generation) {
		const struct image_header *header =
		    block_header(item->layer[item->count - 1].block);

		// Sent twice: a LIVE was lost with its connection.
		if (item->generation == served_version(live)->generation &&
		    header->id == version_header(&served_version(live)->version)->id) {
			served_renew(&attach->served, live, item->expiry, attach_wall_s());
			return 0;
		}
		*why = "an older generation than what is live";
		return -ESTALE;
	}
	ret = version_join(item, live, &version, why);
	if (ret != 0)
		return ret;
	ret = served_set(&attach->served, version, item->expiry, attach_wall_s());
	if (ret != 0) {
		stored_version_free(version);
		*why = ret == -EINVAL ? "another hash key than the zones that are served"
		                      : "out of memory";
	}
	return ret;
}

static void publication_finish(struct attach *attach, struct publication *item, bool tell_live)
{
	const char *why = "";
	uint32_t serial = item->layer[item->count > 0 ? item->count - 1 : 0].serial;

	if (publication_apply(attach, item, &why) != 0) {
		answer_reject(attach, item->apex, item->apex_len, item->generation, serial, why)
		    ->zone.id = item->broken ? SEAM_REJECT_BROKEN : 0;
	} else if (tell_live) {
		struct served_zone *zone = served_get(&attach->served, item->apex);

		answer_live(attach, item->apex, item->apex_len, item->generation, serial,
		    version_header(&served_version(zone)->version)->id);
	}
}

// --- PUBLISH
// --------------------------------------------------------------------------------------

void staged_drop(struct attach *attach)
{
	job_free(attach->staged);
	attach->staged = NULL;
}

// What can be said before the image is read. Post: NULL, or why it is refused.
static const char *publish_refusal(
    const struct attach *attach, const struct seam_message *message, int fd)
{
	const struct publication *staged =
	    attach->staged != NULL ? &attach->staged->items[0] : NULL;
	struct stat st;

	if (!image_is_sealed(fd))
		return "the descriptor is not sealed";
	if (fstat(fd, &st) != 0 || message->publish.image_offset % IMAGE_ALIGN != 0 ||
	    (uint64_t)st.st_size < message->publish.image_offset ||
	    (uint64_t)st.st_size - message->publish.image_offset < message->publish.image_size)
		return "the image does not lie within its file";
	if (message->publish.layer >= IMAGE_LAYERS_MAX ||
	    (staged != NULL && message->publish.layer != staged->below + staged->count))
		return "such a layer cannot be";
	return NULL;
}

// Takes over fd.
static int layer_stage(struct attach *attach, const struct seam_message *message, int fd)
{
	struct publication *item;
	struct publication_layer *layer;

	if (attach->staged == NULL) {
		attach->staged = job_new(1);
		if (attach->staged == NULL) {
			close(fd);
			return -ENOMEM;
		}
		attach->staged->connection = attach->link.connection;
		item = &attach->staged->items[0];
		item->apex_len = message->publish.name.len;
		memcpy(item->apex, message->publish.name.wire, item->apex_len);
		item->generation = message->generation;
		item->below = message->publish.layer;
	}
	item = &attach->staged->items[0];
	item->serial = message->publish.serial;
	item->expiry = (struct expiry){message->publish.expires_at, message->publish.grace_s};
	layer = &item->layer[item->count++];
	*layer = (struct publication_layer){.fd = fd,
	    .offset = message->publish.image_offset,
	    .size = message->publish.image_size,
	    .serial = message->publish.serial};
	return 0;
}

int publish_message(struct attach *attach, const struct seam_message *message, int fd)
{
	struct publication *item;
	const char *why;
	uint64_t size = 0;

	if (attach->staged != NULL) {
		item = &attach->staged->items[0];
		if (item->generation != message->generation ||
		    item->apex_len != message->publish.name.len ||
		    memcmp(item->apex, message->publish.name.wire, item->apex_len) != 0 ||
		    message->publish.layer == item->below) // from the beginning again
			staged_drop(attach);
	}
	why = publish_refusal(attach, message, fd);
	if (why != NULL)
		close(fd);
	else if (layer_stage(attach, message, fd) != 0)
		why = "out of memory";
	if (why != NULL) {
		staged_drop(attach);
		answer_reject(attach, message->publish.name.wire, message->publish.name.len,
		    message->generation, message->publish.serial, why);
		return 0;
	}
	if (message->publish.more != 0)
		return 0;

	struct job *job = attach->staged;

	attach->staged = NULL;
	item = &job->items[0];
	for (unsigned i = 0; i < item->count; i++)
		size += item->layer[i].size;
	if (size > INLINE_SIZE_MAX) {
		verifier_put(&attach->images, job);
		return 0;
	}
	job_run(job);
	publication_finish(attach, item, true);
	job_free(job);
	return 0;
}

// --- PARCEL
// ---------------------------------------------------------------------------------------

int parcel_message(struct attach *attach, const struct seam_message *message, int fd)
{
	uint64_t count = message->parcel.count, size = message->parcel.size;
	const char *why = NULL;
	struct job *job = NULL;
	struct stat st;

	if (!image_is_sealed(fd))
		why = "the descriptor is not sealed";
	else if (count > SEAM_PARCEL_ENTRIES_MAX || size > SEAM_PARCEL_SIZE_MAX)
		why = "the parcel is too large";
	else if (fstat(fd, &st) != 0 || (uint64_t)st.st_size != size ||
	         size / sizeof(struct seam_parcel_entry) < count)
		why = "the parcel does not fit its file";
	else if ((job = job_new(count)) == NULL)
		why = "out of memory";
	if (why != NULL) {
		close(fd);
		answer_reject(attach, NULL, 0, message->generation, 0, why);
		return 0;
	}
	job->fd = fd;
	job->connection = attach->link.connection;
	job->generation = message->generation;
	verifier_put(&attach->parcels, job);
	return 0;
}

// Applies a part. Post: true when the parcel is done.
static bool parcel_apply(struct attach *attach, struct job *job)
{
	size_t end = job->applied + APPLY_CHUNK;

	if (job->error[0] != '\0') {
		answer_reject(attach, NULL, 0, job->generation, 0, job->error);
		return true;
	}
	for (; job->applied < job->count && job->applied < end; job->applied++) {
		// Each may be refused, and the end be told.
		if (link_room(&attach->link) < 2)
			return false;
		publication_finish(attach, &job->items[job->applied], false);
	}
	if (job->applied < job->count)
		return false;
	answer_live(attach, NULL, 0, job->generation, 0, 0);
	return true;
}

bool publish_has_room(const struct attach *attach)
{
	// under_way is written by this thread only.
	return link_room(&attach->link) >= 4 && attach->images.under_way < IMAGES_UNDER_WAY &&
	       attach->parcels.under_way < PARCELS_UNDER_WAY;
}

bool publish_advance(struct attach *attach)
{
	struct job *job;

	while (link_room(&attach->link) >= 4 && (job = verifier_take(&attach->images)) != NULL) {
		if (job->connection == attach->link.connection && attach->link.fd >= 0)
			publication_finish(attach, &job->items[0], true);
		job_free(job);
	}
	if (attach->applying == NULL)
		attach->applying = verifier_take(&attach->parcels);
	job = attach->applying;
	if (job == NULL)
		return false;
	if (job->connection == attach->link.connection && attach->link.fd >= 0) {
		if (link_room(&attach->link) < 4)
			return false; // goes on when the socket takes more
		if (!parcel_apply(attach, job))
			return true;
	}
	job_free(job);
	attach->applying = NULL;
	return true;
}

// --- the others
// -----------------------------------------------------------------------------------

void withdraw_message(struct attach *attach, const struct seam_message *message)
{
	const struct seam_name *name = &message->zone.name;
	struct served_zone *live = served_get(&attach->served, name->wire);

	if (live != NULL && served_version(live)->generation >= message->generation) {
		answer_reject(attach, name->wire, name->len, message->generation, 0,
		    "a later generation is live");
		return;
	}
	if (live != NULL)
		(void)served_remove(&attach->served, name->wire);
	if (message->generation > attach->served.generation_max)
		attach->served.generation_max = message->generation;
	answer_live(attach, name->wire, name->len, message->generation, 0, 0);
}

void renew_message(struct attach *attach, const struct seam_message *message)
{
	const struct seam_name *name = &message->zone.name;
	struct served_zone *live = served_get(&attach->served, name->wire);

	if (live == NULL || served_version(live)->generation != message->generation) {
		answer_reject(attach, name->wire, name->len, message->generation, 0,
		    "this generation is not live");
		return;
	}
	served_renew(&attach->served, live,
	    (struct expiry){message->zone.expires_at, message->zone.grace_s}, attach_wall_s());
}
