// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A zone version held open (see reading.h). The mappings keep the pages, whoever closes the memfds.
#include "reading.h"

#include <errno.h>
#include <string.h>

#include "image.h"

int reading_layer(struct reading *reading, int fd, size_t offset, size_t size)
{
	const void *mem;
	int rc;

	if (reading->map_count == IMAGE_LAYERS_MAX)
		return -EINVAL;
	rc = image_map_lazy(fd, offset, size, &mem);
	if (rc < 0)
		return rc;
	reading->map[reading->map_count].mem = mem;
	reading->map[reading->map_count++].size = size;
	rc = image_open(&reading->version.layer[reading->version.layer_count], mem, size);
	if (rc == 0)
		reading->version.layer_count++;
	return rc;
}

void reading_close(struct reading *reading)
{
	for (unsigned i = 0; i < reading->map_count; i++)
		image_unmap(reading->map[i].mem, reading->map[i].size);
	memset(reading, 0, sizeof(*reading));
}
