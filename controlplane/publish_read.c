// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What is served, opened for those who read it back: transfers out.
#include "pzone.h"

#include <errno.h>

#include "reading.h"

int publisher_peek(struct publisher *p, const uint8_t *apex, struct reading *out)
{
	const struct pzone *zone = pzone_find(p, apex);
	int rc;

	*out = (struct reading){0};
	if (zone == NULL || !zone->configured)
		return -ENOENT;
	if (zone->current == NULL)
		return -ENODATA;
	if (zone->expired)
		return -ESTALE;
	if (zone->current->image.fd < 0)
		return -EAGAIN;
	rc = reading_layer(out, zone->current->image.fd, 0, zone->current->image.size);
	if (rc < 0)
		reading_close(out);
	return rc;
}

int publisher_read(struct publisher *p, const uint8_t *apex, struct reading *out)
{
	int rc = publisher_peek(p, apex, out);

	if (rc == -EAGAIN) // a file may rot, and a disk is slow: into memory first
		publish_load(p, pzone_find(p, apex));
	return rc;
}
