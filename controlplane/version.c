// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Versions and the layers they share; see version.h.
#include "version.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "delta.h"
#include "pzone.h"

struct layer *layer_new(struct pzone *zone, int fd, const struct image_header *header)
{
	struct layer *layer = calloc(1, sizeof(*layer));

	if (layer == NULL)
		return NULL;
	layer->zone = zone;
	zone->layers++;
	layer->image.fd = fd;
	layer->image.size = header->size;
	layer->id = header->id;
	layer->below_id = header->below_id;
	layer->generation = header->generation;
	layer->serial = header->serial;
	layer->names = header->section[IMAGE_NODES].count;
	return layer;
}

static void layer_unmap(struct layer *layer)
{
	image_unmap(layer->mem, layer->image.size); // NULL is accepted
	layer->mem = NULL;
}

void layer_unref(struct publisher *p, struct layer *layer)
{
	if (layer == NULL || (layer->refs > 0 && --layer->refs > 0))
		return;
	p->unstored -= layer->image.put && !layer->image.stored;
	store_forget(p->store, &layer->image);
	layer_unmap(layer);
	if (layer->image.fd >= 0)
		close(layer->image.fd);
	layer->zone->layers--;
	free(layer);
}

void layer_rest(struct layer *layer)
{
	if (layer->users > 0)
		return;
	layer_unmap(layer);
	if (!layer->image.stored || layer->image.fd < 0)
		return;
	store_image_unload(&layer->image);
}

const void *layer_map(struct layer *layer)
{
	if (layer->mem == NULL && layer->image.fd >= 0 && layer->image.size >= STACK_BASE_MIN &&
	    image_map_lazy(
	        layer->image.fd, layer->image.fd_offset, layer->image.size, &layer->mem) < 0)
		layer->mem = NULL;
	return layer->mem;
}

struct version *version_new(struct pzone *zone)
{
	struct version *version = calloc(1, sizeof(*version));

	if (version != NULL)
		version->zone = zone;
	return version;
}

void version_stand_on(struct version *version, struct layer *layer)
{
	assert(version->layer_count < IMAGE_LAYERS_MAX && !version->used);
	layer->refs++;
	version->layer[version->layer_count++] = layer;
}

void version_free(struct publisher *p, struct version *version)
{
	if (version == NULL)
		return;
	version_unuse(version);
	for (unsigned i = 0; i < version->layer_count; i++)
		layer_unref(p, version->layer[i]);
	delta_free(version->delta);
	free(version->doubt);
	free(version);
}

void version_use(struct version *version)
{
	if (version->used)
		return;
	version->used = true;
	for (unsigned i = 0; i < version->layer_count; i++)
		version->layer[i]->users++;
}

void version_unuse(struct version *version)
{
	if (!version->used)
		return;
	version->used = false;
	for (unsigned i = 0; i < version->layer_count; i++) {
		version->layer[i]->users--;
		layer_rest(version->layer[i]);
	}
}

void version_store(struct publisher *p, struct version *version)
{
	for (unsigned i = version->layer_count; i-- > 0;) {
		struct layer *layer = version->layer[i];

		if (layer->image.put || layer->image.stored || layer->unproven)
			continue;
		p->unstored++;
		store_put(p->store, &layer->image);
	}
}

void version_prove(struct version *version)
{
	for (unsigned i = 0; i < version->layer_count; i++)
		version->layer[i]->unproven = false;
}

bool version_is_stored(const struct version *version)
{
	for (unsigned i = 0; i < version->layer_count; i++) {
		if (!version->layer[i]->image.stored)
			return false;
	}
	return true;
}

bool version_has(const struct version *version, const struct layer *layer)
{
	for (unsigned i = 0; version != NULL && i < version->layer_count; i++) {
		if (version->layer[i] == layer)
			return true;
	}
	return false;
}

struct layer *version_layer_on_disk(const struct version *version)
{
	for (unsigned i = 0; i < version->layer_count; i++)
		if (version->layer[i]->image.fd < 0)
			return version->layer[i];
	return NULL;
}

uint64_t version_size(const struct version *version)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < version->layer_count; i++)
		size += version->layer[i]->image.size;
	return size;
}

unsigned version_common(const struct version *version, const struct version *other)
{
	unsigned common = 0;

	while (other != NULL && common < version->layer_count && common < other->layer_count &&
	       version->layer[version->layer_count - 1 - common]->id ==
	           other->layer[other->layer_count - 1 - common]->id)
		common++;
	return common;
}
