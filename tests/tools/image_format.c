// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// image_format VERSION FILE...: the images in these files of a storage say that they are of that
// format, whole as before: what another version of Nameplane would have left.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"

static int file_stamp(const char *path, uint32_t version)
{
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat st;
	uint8_t *mem;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	mem = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mem == MAP_FAILED)
		return -1;
	for (size_t at = 0; at + sizeof(struct image_header) <= (size_t)st.st_size;) {
		struct image_header *header = (struct image_header *)(mem + at);

		if (header->magic != IMAGE_MAGIC || header->size > (size_t)st.st_size - at) {
			munmap(mem, (size_t)st.st_size);
			return -1;
		}
		header->version = version;
		header->checksum = image_checksum(header, header->size);
		at += header->size;
	}
	return munmap(mem, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (file_stamp(argv[i], (uint32_t)strtoul(argv[1], NULL, 10)) < 0) {
			fprintf(stderr, "image_format: %s holds no images\n", argv[i]);
			return 1;
		}
	return argc > 2 ? 0 : 2;
}
