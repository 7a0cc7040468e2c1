// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The start of publication: what the manifest lists becomes the version of its zone, what the
// history lists beside it its way back, the rest is removed. No image is read here but those
// served.
#include "pzone.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image.h"
#include "image_reader.h"
#include "log.h"
#include "reader.h"

#define READ_TELL 64 // zones

bool rdata_soa(const uint8_t *rdata, size_t len, struct zone_soa *soa)
{
	uint32_t field[5]; // serial, refresh, retry, expire, minimum

	if (len < sizeof(field))
		return false;
	const uint8_t *tail = rdata + len - sizeof(field);
	for (unsigned i = 0; i < 5; i++)
		field[i] = (uint32_t)tail[4 * i] << 24 | (uint32_t)tail[4 * i + 1] << 16 |
		           (uint32_t)tail[4 * i + 2] << 8 | tail[4 * i + 3];
	*soa = (struct zone_soa){field[0], field[1], field[2], field[3]};
	return true;
}

bool image_soa(const void *mem, size_t size, struct zone_soa *soa)
{
	struct zone_version version = {.layer_count = 1};
	const struct image_rrset *rrset;
	struct rdata_iter iter;
	struct node_ref apex;
	struct qname q;
	const uint8_t *rdata;
	uint16_t len;

	if (image_open(&version.layer[0], mem, size) < 0)
		return false;
	const struct image_header *header = version.layer[0].header;
	const struct hash_key key = {.k = {header->hash_key[0], header->hash_key[1]}};

	if (qname_parse(&q, image_apex(header), header->apex_len, header->apex_len) == 0)
		return false;
	qname_hash(&q, &key);
	apex = version_find(&version, &q, q.labels);
	rrset = apex.node != NULL ? node_rrset(apex, RRTYPE_SOA) : NULL;
	if (rrset == NULL || rrset->rr_count == 0)
		return false;
	iter = rrset_rdata(apex, rrset);
	rdata = rdata_next(&iter, &len);
	return rdata != NULL && rdata_soa(rdata, len, soa);
}

// Reads the header and the SOA of a stored image; it was verified before it was stored, but a disk
// can lie, so it is verified again. Post: NULL when it is gone or broken; *rc is not 0 when it only
// cannot be read now.
static struct layer *stored_layer_read(struct image_reader *reader, struct pzone *zone,
    const struct manifest_layer *at, struct version *version, int *rc)
{
	char error[IMAGE_ERROR_MAX];
	struct layer *layer;
	const struct image_header *header;
	const void *mem;
	const int read = image_reader_get(reader, at->file_id, at->offset, at->size, &mem);

	*rc = read == -ENOENT ? 0 : read;
	if (read == 0 && image_is_foreign(mem, at->size))
		*rc = -EPROTONOSUPPORT;
	if (read < 0 || *rc < 0 || image_verify(mem, at->size, error) < 0 ||
	    (version->layer_count == 0 && !image_soa(mem, at->size, &version->soa)))
		return NULL;
	header = mem;
	layer = layer_new(zone, -1, header);
	if (layer == NULL) {
		*rc = -ENOMEM;
		return NULL;
	}
	if (version->layer_count == 0) {
		version->content = header->id;
		version->rr_count = header->rr_count;
	}
	layer->image.file_id = at->file_id;
	layer->image.offset = at->offset;
	return layer;
}

// Puts a layer that lies on disk under the version. Post: 0; -EBADMSG: it does not belong there; or
// -ENOMEM.
static int layer_adopt(struct publisher *p, struct version *version, struct layer *layer)
{
	const struct layer *above =
	    version->layer_count > 0 ? version->layer[version->layer_count - 1] : NULL;

	if (above != NULL && above->below_id != layer->id)
		return -EBADMSG;
	if (store_adopt(p->store, &layer->image) < 0)
		return -ENOMEM;
	version_stand_on(version, layer);
	return 0;
}

// What cannot be read now (no descriptors, no memory, a disk that fails, another format) is not
// lost: the files stay and the manifest goes on naming them until the zone has another version. So
// an upgrade can be taken back. `rc` says why; 0: nothing is to be told. Post: 0 or -1.
static int unread_keep(
    struct publisher *p, struct pzone *zone, const struct manifest_zone *entry, int rc)
{
	struct version *unread = version_new(zone);
	char name[NAME_TEXT_MAX];

	name_to_text(zone->apex, name);
	if (rc < 0)
		log_error("%s: the stored version cannot be read now: %s; it stays where it is",
		    name,
		    rc == -EPROTONOSUPPORT ? "another version of Nameplane made it"
		                           : strerror(-rc));
	for (unsigned i = 0; unread != NULL && i < entry->layer_count; i++) {
		const struct image_header header = {.size = entry->layer[i].size};
		struct layer *layer = layer_new(zone, -1, &header);

		if (layer != NULL) {
			layer->image.file_id = entry->layer[i].file_id;
			layer->image.offset = entry->layer[i].offset;
		}
		if (layer == NULL || store_adopt(p->store, &layer->image) < 0) {
			free(layer);
			version_free(p, unread);
			return -1;
		}
		version_stand_on(unread, layer);
	}
	if (unread == NULL)
		return -1;
	unread->generation = entry->generation;
	unread->soa.serial = entry->serial;
	zone->unread = unread;
	zone->expires_at = zone->secondary || !zone->configured ? entry->expires_at : 0;
	return 0;
}

// Post: 0; -EBADMSG when it is broken or gone; -1 when out of memory.
static int zone_adopt(struct publisher *p, struct image_reader *reader, struct pzone *zone,
    const struct manifest_zone *entry)
{
	struct version *version = version_new(zone);
	int rc = 0;

	if (version == NULL)
		return -1;
	version->generation = entry->generation;
	for (unsigned i = 0; i < entry->layer_count; i++) {
		struct layer *layer =
		    stored_layer_read(reader, zone, &entry->layer[i], version, &rc);
		const int adopted = layer != NULL ? layer_adopt(p, version, layer) : rc;

		if (layer != NULL && adopted == 0)
			continue;
		layer_unref(p, layer);
		version_free(p, version);
		if (adopted == 0 || adopted == -EBADMSG)
			return -EBADMSG;
		return unread_keep(p, zone, entry, adopted);
	}
	if (version->layer[version->layer_count - 1]->below_id != 0) {
		version_free(p, version);
		return -EBADMSG;
	}
	version_use(version);
	zone->current = version;
	admission_served(&p->admission, version_size(version), 0);
	zone->expires_at = zone->secondary ? entry->expires_at : 0;
	return 0;
}

// What is broken is served as it was before (publish_broken.c). Post: 0 or -1.
static int zone_take(struct publisher *p, struct image_reader *reader, struct pzone *zone,
    const struct manifest *manifest, const struct manifest_zone *entry)
{
	struct manifest_zone older;
	int rc = zone_adopt(p, reader, zone, entry);

	if (rc != -EBADMSG)
		return rc;
	if (manifest_older(manifest, entry, &older))
		rc = zone_adopt(p, reader, zone, &older);
	if (rc == -EBADMSG || zone->current != NULL)
		publish_broken_tell(zone, entry->serial, "broken or gone");
	return rc == -EBADMSG ? 0 : rc;
}

static bool image_there(const char *storage, const struct store_image *image)
{
	char path[PATH_MAX];
	struct stat st;

	return manifest_image_path(storage, image->file_id, path, sizeof(path)) == 0 &&
	       stat(path, &st) == 0 && (uint64_t)st.st_size >= image->offset &&
	       (uint64_t)st.st_size - image->offset >= image->size;
}

// A version of the history is taken up where all its layers are there.
static void version_adopt(struct publisher *p, struct version **version)
{
	bool there = *version != NULL;

	for (unsigned i = 0; there && i < (*version)->layer_count; i++) {
		struct store_image *image = &(*version)->layer[i]->image;

		there = image->stored ||
		        (image_there(p->storage, image) && store_adopt(p->store, image) == 0);
	}
	if (there)
		return;
	version_free(p, *version);
	*version = NULL;
}

static void zone_history_adopt(struct publisher *p, struct pzone *zone)
{
	unsigned to = 0;

	version_adopt(p, &zone->held);
	for (unsigned i = 0; i < VERSIONS_KEPT - 1; i++) {
		struct version *kept = zone->kept[i];

		version_adopt(p, &kept);
		zone->kept[i] = NULL;
		if (kept != NULL)
			zone->kept[to++] = kept;
	}
}

static int manifest_adopt(struct publisher *p, const struct manifest *manifest)
{
	struct image_reader *reader = image_reader_open(p->storage);
	int rc = reader != NULL ? 0 : -1;

	for (size_t i = 0; i < manifest->zone_count && rc == 0; i++) {
		const struct manifest_zone *entry = &manifest->zones[i];
		struct pzone *zone = pzone_find(p, entry->apex);

		if (entry->generation > p->generation)
			p->generation = entry->generation;
		if (p->ops.read != NULL && i % READ_TELL == 0)
			p->ops.read(p->ops.ctx, i, manifest->zone_count);
		if (zone != NULL)
			rc = zone_take(p, reader, zone, manifest, entry);
	}
	image_reader_close(reader);
	return rc;
}

// What may be members of a catalog that is not there: the manifest goes on naming it.
static int strangers_adopt(struct publisher *p, const struct manifest *manifest)
{
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; i < manifest->zone_count && rc == 0; i++) {
		const struct manifest_zone *entry = &manifest->zones[i];
		struct pzone *zone;

		if (pzone_find(p, entry->apex) != NULL)
			continue;
		zone = pzone_stranger(p, entry->apex, entry->apex_len);
		if (zone == NULL)
			return -1;
		zone->grace_s = entry->grace_s;
		zone->hidden = entry->hidden;
		rc = unread_keep(p, zone, entry, 0);
		count++;
	}
	if (count > 0)
		log_warning("a catalog is not there: %zu zones that may be its members stay as "
		            "they are until it is",
		    count);
	return rc;
}

int publish_boot(struct publisher *p, const struct manifest *manifest)
{
	if (manifest_adopt(p, manifest) < 0)
		return -1;
	p->strangers_stay = publish_catalog_lacks(p);
	if (p->strangers_stay && strangers_adopt(p, manifest) < 0)
		return -1;
	if (store_history(p->store, publish_history_take, p) < 0)
		return -1;
	bool unread = false;

	for (size_t i = 0; i < p->zone_count; i++) {
		zone_history_adopt(p, p->zones[i]);
		unread |= p->zones[i]->unread != NULL;
	}
	// Where versions cannot be read now, older ones of the zone are not known either.
	// Where the manifest is broken, the images are all there is of zones without a primary.
	if (!unread && !p->strangers_stay && !p->manifest_broken)
		store_sweep(p->store);
	return 0;
}
