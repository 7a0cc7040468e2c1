// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone out of a node's storage folder: the version its manifest names, with all its layers. The
// node may run meanwhile: image files are written once and the manifest is replaced as a whole.
#include "np_zone.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "manifest.h"

static const struct manifest_zone *zone_find(
    const struct zone_source *source, const struct manifest *manifest, const char *origin)
{
	uint8_t asked[NAME_LEN_MAX];

	if (origin == NULL && manifest->zone_count == 1)
		return &manifest->zones[0];
	if (origin == NULL) {
		complain("%s holds %zu zones; say which one with -z", source->path,
		    manifest->zone_count);
		return NULL;
	}
	if (name_from_text(origin, strlen(origin), NULL, asked) < 0) {
		complain("%s is not a zone name", origin);
		return NULL;
	}
	for (size_t i = 0; i < manifest->zone_count; i++) {
		if (name_equal(manifest->zones[i].apex, asked))
			return &manifest->zones[i];
	}
	complain("%s does not hold the zone %s", source->path, origin);
	return NULL;
}

static int layer_read(struct zone_source *source, const struct manifest_layer *layer)
{
	char path[PATH_MAX];
	int fd = -1, code;

	if (manifest_image_path(source->path, layer->file_id, path, sizeof(path)) == 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		complain("%s: %s", path, strerror(errno));
		return EXIT_TROUBLE;
	}
	code = source_layer(source, fd, layer->offset, layer->size);
	close(fd);
	return code;
}

int source_storage(struct zone_source *source, const char *origin)
{
	char error[MANIFEST_ERROR_MAX] = "";
	struct manifest manifest;
	int code = EXIT_TROUBLE, rc = manifest_load(source->path, &manifest, error);

	if (rc < 0) {
		complain("%s: %s", source->path,
		    rc == -ENOENT ? "there is no manifest in this folder" : error);
		return EXIT_TROUBLE;
	}

	const struct manifest_zone *zone = zone_find(source, &manifest, origin);

	if (zone != NULL)
		code = EXIT_OK;
	for (unsigned i = 0; code == EXIT_OK && i < zone->layer_count; i++)
		code = layer_read(source, &zone->layer[i]);
	if (code == EXIT_OK && version_check(&source->version) < 0) {
		complain("%s: the images of the zone do not belong together", source->path);
		code = EXIT_BAD;
	}
	if (code == EXIT_OK)
		memcpy(source->apex, zone->apex, zone->apex_len);
	manifest_free(&manifest);
	return code;
}
