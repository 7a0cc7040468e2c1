// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What is served, opened for those who read it back: transfers out.
#include "pzone.h"

#include <errno.h>
#include <stdlib.h>

#include "offload.h"
#include "publish_view.h"
#include "reading.h"

// The layers of a version, all in memory. Post: 0, -EAGAIN when one is not, or another -errno.
static int view_read(const struct view *view, struct reading *out)
{
	int rc = 0;

	for (unsigned i = 0; i < view->count && rc == 0; i++) {
		const struct view_image *image = &view->image[i];

		rc = image->on_disk ? -EAGAIN
		                    : reading_layer(out, image->fd, image->offset, image->size);
	}
	return rc;
}

int publisher_peek(struct publisher *p, const uint8_t *apex, struct reading *out)
{
	const struct pzone *zone = pzone_find(p, apex);
	struct view view;
	int rc;

	*out = (struct reading){0};
	if (zone == NULL || !zone->configured)
		return -ENOENT;
	if (zone->current == NULL)
		return -ENODATA;
	if (zone->expired)
		return -ESTALE;
	rc = view_open(&view, p, zone->current);
	if (rc < 0)
		return rc;
	rc = view_read(&view, out);
	view_close(&view); // the mappings stay
	if (rc < 0)
		reading_close(out);
	out->content = zone->current->content;
	out->steps = zone->steps;
	return rc;
}

int publisher_read(struct publisher *p, const uint8_t *apex, struct reading *out)
{
	int rc = publisher_peek(p, apex, out);

	if (rc == -EAGAIN) // a file may rot, and a disk is slow: into memory first
		publish_load(p, pzone_find(p, apex));
	return rc;
}

// Giving back each page takes longer than the loop should be held up by.
struct unmapping {
	struct offload_job job; // first
	struct reading reading;
};

static void unmapping_run(struct offload_job *job)
{
	reading_close(&((struct unmapping *)job)->reading);
}

static void unmapping_done(struct offload_job *job)
{
	free(job);
}

void publisher_read_end(struct publisher *p, struct reading *reading)
{
	struct unmapping *unmapping =
	    reading->map_count > 0 && !p->closing ? calloc(1, sizeof(*unmapping)) : NULL;

	if (unmapping == NULL) {
		reading_close(reading);
		return;
	}
	unmapping->job.run = unmapping_run;
	unmapping->job.done = unmapping_done;
	unmapping->reading = *reading;
	*reading = (struct reading){0};
	offload_submit(p->reader, &unmapping->job);
}
