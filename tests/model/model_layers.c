// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Layers; see model_layers.h. The difference between two zones is found here, RRset by RRset, in
// the simplest way there is.
#include "model_layers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "compile.h"
#include "delta.h"
#include "name.h"
#include "overlay.h"
#include "rrtype.h"
#include "seen.h"

#define IMAGE_MAX (1u << 26)

static char text[COMPILE_ERROR_MAX + 64];

void layers_drop(struct layers *layers)
{
	for (unsigned i = 0; i < layers->version.layer_count; i++)
		image_buffer_close(&layers->images[i]);
	layers->version.layer_count = 0;
}

static const char *image_make(struct layers *layers, const struct records *records,
    const struct compile_overlay *overlay, struct image_buffer *out)
{
	const struct compile_options options = {
	    .key = layers->key, .generation = 1, .id = ++layers->last_id};
	int bad;

	if (image_buffer_open(out, IMAGE_MAX) != 0)
		return "out of memory";
	bad = overlay == NULL ? compile_image(records, &options, out, text)
	                      : compile_overlay(records, overlay, &options, out, text);
	if (bad == 0)
		bad = image_verify(out->mem, out->used, text);
	if (bad == 0)
		return NULL;
	image_buffer_close(out);
	return text;
}

const char *layers_base(struct layers *layers, const struct records *records)
{
	struct image_buffer image;
	const char *error = image_make(layers, records, NULL, &image);

	if (error != NULL)
		return error;
	layers_drop(layers);
	layers->images[0] = image;
	layers->version.layer_count = 1;
	return image_open(&layers->version.layer[0], image.mem, image.used) == 0
	           ? NULL
	           : "the image cannot be opened";
}

// --- the difference
// -------------------------------------------------------------------------------

static uint16_t covered(const struct record *r)
{
	return r->type == RRTYPE_RRSIG ? (uint16_t)(r->rdata[0] << 8 | r->rdata[1]) : 0;
}

static bool same_rrset(const struct record *a, const struct record *b)
{
	return a->type == b->type && covered(a) == covered(b) && name_equal(a->owner, b->owner);
}

static bool same_record(const struct record *a, const struct record *b)
{
	return same_rrset(a, b) && a->ttl == b->ttl && a->rdlen == b->rdlen &&
	       memcmp(a->rdata, b->rdata, a->rdlen) == 0;
}

// The RRset of `r` in the same order in both?
static bool rrset_equal(const struct records *a, const struct records *b, const struct record *r)
{
	size_t i = 0, j = 0;

	for (;;) {
		while (i < a->count && !same_rrset(&a->items[i], r))
			i++;
		while (j < b->count && !same_rrset(&b->items[j], r))
			j++;
		if (i == a->count || j == b->count)
			return i == a->count && j == b->count;
		if (!same_record(&a->items[i++], &b->items[j++]))
			return false;
	}
}

static int difference_add(
    struct delta *delta, bool added, const struct records *from, const struct records *other)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct record *r = &from->items[i];
		if (!rrset_equal(from, other, r) &&
		    delta_add(delta, added, r->owner, r->type, r->ttl, r->rdata, r->rdlen) != 0)
			return -ENOMEM;
	}
	return 0;
}

// The records of what is served, in the form a collection has.
static struct records *served_records(const struct layers *layers)
{
	const struct zone_version *version = &layers->version;
	struct records *records = records_new(image_apex(version_header(version)));
	struct delta_walk *walk = NULL;
	struct version_iter iter;
	struct node_ref node;

	if (records == NULL || delta_walk_open(NULL, version, records, text, &walk) != 0)
		return NULL;
	version_iter_start(&iter, version);
	while ((node = version_iter_next(&iter)).node != NULL) {
		if (delta_walk_copy(walk, node) != 0)
			return NULL;
	}
	delta_walk_close(walk);
	return records;
}

static struct delta *difference_to(const struct layers *layers, const struct records *records)
{
	struct delta *delta = delta_new(records->apex, version_header(&layers->version)->serial);
	struct records *served = served_records(layers);

	if (delta == NULL || served == NULL || difference_add(delta, false, served, records) != 0 ||
	    difference_add(delta, true, records, served) != 0)
		return NULL;
	records_free(served);
	return delta;
}

// --- the same zone as it comes again
// ---------------------------------------------------------------------------------------

static size_t rrset_end(const struct records *records, size_t begin)
{
	size_t end = begin + 1;

	while (end < records->count && same_rrset(&records->items[begin], &records->items[end]))
		end++;
	return end;
}

static bool has_record(const struct record *items, size_t n, const struct record *r, uint32_t ttl)
{
	for (size_t i = 0; i < n; i++) {
		if (items[i].ttl == ttl && items[i].rdlen == r->rdlen &&
		    memcmp(items[i].owner, r->owner, r->owner_len) == 0 &&
		    memcmp(items[i].rdata, r->rdata, r->rdlen) == 0)
			return true;
	}
	return false;
}

// Both sorted. The order in an RRset is no difference, its TTL is that of the first.
static bool same_zone(const struct records *got, const struct records *want)
{
	if (got->count != want->count)
		return false;
	for (size_t begin = 0, end; begin < want->count; begin = end) {
		const struct record *first = &want->items[begin];

		end = rrset_end(want, begin);
		if (rrset_end(got, begin) != end || !same_rrset(first, &got->items[begin]))
			return false;
		for (size_t i = begin; i < end; i++) {
			if (!has_record(
			        &got->items[begin], end - begin, &want->items[i], first->ttl))
				return false;
		}
	}
	return true;
}

static void release_nothing(void *ctx)
{
}

// What the control plane makes of a zone that comes whole in place of what is served must lead
// there. Post: NULL, or what is wrong.
static const char *seen_check(const struct layers *layers, const struct records *records)
{
	struct records *rest = records_new(records->apex), *got = NULL;
	struct seen *seen = seen_new(&layers->version, 0, release_nothing, NULL);
	struct delta *delta = NULL;
	int rc = rest != NULL && seen != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < records->count; i++) {
		const struct record *r = &records->items[i];
		rc = seen_record(seen, rest, r->owner, r->type, r->ttl, r->rdata, r->rdlen);
	}
	if (rc == 0)
		rc = seen_end(seen, rest);
	if (rc == 0)
		rc = seen_delta(seen, rest, records_serial(records), &delta);
	if (rc == 0)
		rc = delta_apply(delta, &layers->version, &got, text);
	if (rc == -E2BIG && (rc = seen_restore(seen, rest)) == 0 &&
	    (rc = records_sort(rest)) == 0) {
		got = rest;
		rest = NULL;
	}
	const bool good = rc == 0 && same_zone(got, records);

	seen_free(seen);
	delta_free(delta);
	records_free(rest);
	records_free(got);
	return rc == -EINVAL ? text : good ? NULL : "a zone that comes again is another one";
}

// --- a step
// ---------------------------------------------------------------------------------------

static const char *overlay_put(struct layers *layers, const struct overlay *overlay, unsigned drop)
{
	struct zone_version *version = &layers->version;
	struct image_buffer image;
	const char *error = image_make(layers, overlay->records, &overlay->plan, &image);

	if (error != NULL)
		return error;
	for (unsigned i = 0; i < drop; i++)
		image_buffer_close(&layers->images[i]);
	const unsigned kept = version->layer_count - drop;
	memmove(&layers->images[1], &layers->images[drop], kept * sizeof(layers->images[0]));
	memmove(&version->layer[1], &version->layer[drop], kept * sizeof(version->layer[0]));
	layers->images[0] = image;
	version->layer_count = kept + 1;
	layers->overlays++;
	if (image_open(&version->layer[0], image.mem, image.used) != 0 ||
	    version_check(version) != 0)
		return "the layers do not belong together";
	return NULL;
}

const char *layers_step(
    struct layers *layers, const struct records *records, struct model_random *random)
{
	const char *wrong = seen_check(layers, records);
	if (wrong != NULL)
		return wrong;
	const struct zone_version *version = &layers->version;
	// In place of so many upper layers, but never of the base.
	unsigned drop = random_below(random, version->layer_count);
	struct zone_version below = {0};
	struct delta *delta = difference_to(layers, records);
	struct overlay overlay;

	if (delta == NULL)
		return "out of memory";
	if (version->layer_count == IMAGE_LAYERS_MAX && drop == 0)
		drop = 1;
	below.layer_count = version->layer_count - drop;
	memcpy(below.layer, version->layer + drop, below.layer_count * sizeof(below.layer[0]));
	const int rc = overlay_make(version, delta, &below, NULL, 1000000, &overlay, text);
	delta_free(delta);
	if (rc == -E2BIG) {
		layers->rebuilt++;
		return layers_base(layers, records);
	}
	if (rc != 0)
		return text;
	const char *error = overlay_put(layers, &overlay, drop);
	overlay_free(&overlay);
	return error;
}

// --- the check
// ------------------------------------------------------------------------------------

static bool same_rdata(struct rdata_iter a, struct rdata_iter b)
{
	const uint8_t *x, *y;
	uint16_t x_len, y_len;

	do {
		x = rdata_next(&a, &x_len);
		y = rdata_next(&b, &y_len);
		if (x != NULL && y != NULL && (x_len != y_len || memcmp(x, y, x_len) != 0))
			return false;
	} while (x != NULL && y != NULL);
	return x == NULL && y == NULL;
}

// What stands behind a name may differ: an overlay prepares no denial, and spelling is compared.
#define PARTS (NODE_DENIAL | NODE_FAR | NODE_CASE)

static bool same_node(struct node_ref a, struct node_ref b)
{
	uint32_t x_ttl = 0, y_ttl = 0;

	if (a.node->name_len != b.node->name_len ||
	    ((a.node->flags ^ b.node->flags) & ~PARTS) != 0 || a.node->types != b.node->types ||
	    a.node->rrset_count != b.node->rrset_count ||
	    (a.node->rrset_count > 0 && // an empty non-terminal is spelled as some name below it
	        memcmp(node_owner(a), node_owner(b), a.node->name_len) != 0))
		return false;
	for (unsigned i = 0; i < a.node->rrset_count; i++) {
		const struct image_rrset *x = node_rrset_at(a, i), *y = node_rrset_at(b, i);

		if (x->type != y->type || rrset_ttl(a, x) != rrset_ttl(b, y) ||
		    !same_rdata(rrset_rdata(a, x), rrset_rdata(b, y)) ||
		    !same_rdata(rrset_sigs(a, x, &x_ttl), rrset_sigs(b, y, &y_ttl)) ||
		    x_ttl != y_ttl)
			return false;
	}
	return true;
}

const char *layers_check(const struct layers *layers, const struct records *records)
{
	struct layers whole = {.key = layers->key};
	struct version_iter a, b;
	struct node_ref x, y;
	const char *error = layers_base(&whole, records);
	char name[NAME_TEXT_MAX];

	if (error != NULL)
		return error;
	const struct image_header *header = version_header(&layers->version);
	if (header->rr_count != version_header(&whole.version)->rr_count ||
	    header->serial != version_header(&whole.version)->serial)
		error = "the layers count other records, or have another serial";
	version_iter_start(&a, &layers->version);
	version_iter_start(&b, &whole.version);
	do {
		x = version_iter_next(&a);
		y = version_iter_next(&b);
		if ((x.node == NULL) == (y.node == NULL) && (x.node == NULL || same_node(x, y)))
			continue;
		name_to_text(x.node != NULL ? x.node->name : y.node->name, name);
		snprintf(text, sizeof(text),
		    "layers and base differ at %.200s (flags %x, %x; "
		    "RRsets %d, %d; layer %d)",
		    name, x.node != NULL ? x.node->flags : 0u, y.node != NULL ? y.node->flags : 0u,
		    x.node != NULL ? x.node->rrset_count : -1,
		    y.node != NULL ? y.node->rrset_count : -1,
		    x.node != NULL ? (int)(x.image - layers->version.layer) : -1);
		error = text;
	} while (error == NULL && x.node != NULL);
	layers_drop(&whole);
	return error;
}
