// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See disk.h.
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int disk_write_at(int fd, uint64_t offset, const void *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		const ssize_t n =
		    pwrite(fd, (const uint8_t *)bytes + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int disk_folder_sync(const char *path)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		rc = -errno;
	close(fd);
	return rc;
}
