// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See publish_view.h.
#include "publish_view.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manifest.h"
#include "pzone.h"

static int image_take(struct view *view, const struct publisher *p, const struct store_image *image)
{
	struct view_image *to = &view->image[view->count];
	char path[PATH_MAX];
	int rc;

	*to = (struct view_image){.size = image->size};
	if (image->fd >= 0) {
		to->fd = fcntl(image->fd, F_DUPFD_CLOEXEC, 3);
		to->offset = image->fd_offset;
	} else {
		rc = manifest_image_path(p->storage, image->file_id, path, sizeof(path));
		if (rc < 0)
			return rc;
		to->on_disk = true;
		to->offset = image->offset;
		to->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (to->fd < 0)
		return -errno;
	view->count++;
	return 0;
}

int view_open(struct view *view, const struct publisher *p, const struct version *version)
{
	int rc = 0;

	*view = (struct view){0};
	for (unsigned i = 0; i < version->layer_count && rc == 0; i++)
		rc = image_take(view, p, &version->layer[i]->image);
	if (rc < 0)
		view_close(view);
	return rc;
}

static int image_read(struct view_image *image, struct image *out, char error[IMAGE_ERROR_MAX])
{
	struct stat st;
	int rc = 0;

	if (image->borrowed)
		return image_open(out, image->mem, image->size);
	if (fstat(image->fd, &st) < 0)
		rc = -errno;
	// A mapping past a file's end would kill who reads it.
	if (rc == 0 && ((uint64_t)st.st_size < image->offset ||
	                   (uint64_t)st.st_size - image->offset < image->size))
		rc = -EINVAL;
	if (rc == 0)
		rc = image->on_disk
		         ? image_map(image->fd, image->offset, image->size, &image->mem)
		         : image_map_lazy(image->fd, image->offset, image->size, &image->mem);
	if (rc < 0) {
		image->mem = NULL;
		snprintf(error, IMAGE_ERROR_MAX, "The image cannot be read: %s.", strerror(-rc));
		return rc;
	}
	if (image->on_disk && image_verify(image->mem, image->size, error) < 0)
		return -EBADMSG;
	rc = image_open(out, image->mem, image->size);
	if (rc < 0)
		snprintf(error, IMAGE_ERROR_MAX, "The image cannot be read.");
	return rc;
}

int view_map(struct view *view, struct zone_version *out, char error[IMAGE_ERROR_MAX])
{
	int rc = 0;

	*out = (struct zone_version){.layer_count = view->count};
	for (unsigned i = 0; i < view->count && rc == 0; i++)
		rc = image_read(&view->image[i], &out->layer[i], error);
	if (rc == 0 && version_check(out) < 0) {
		snprintf(error, IMAGE_ERROR_MAX, "The layers do not belong together.");
		rc = -EBADMSG;
	}
	return rc;
}

bool view_in_memory(const struct view *view)
{
	for (unsigned i = 0; i < view->count; i++) {
		if (view->image[i].on_disk && !view->image[i].borrowed)
			return false;
	}
	return true;
}

void view_close(struct view *view)
{
	for (unsigned i = 0; i < view->count; i++) {
		if (view->image[i].mem != NULL && !view->image[i].borrowed)
			image_unmap(view->image[i].mem, view->image[i].size);
		close(view->image[i].fd);
	}
	view->count = 0;
}
