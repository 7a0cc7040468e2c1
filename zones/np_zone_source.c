// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-zone: a zone from a file, whichever of text and image it is, in the form a subcommand needs.

#include "np_zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compile.h"
#include "rdata.h"
#include "zonefile.h"

static int out_of_memory(void)
{
	complain("out of memory");
	return EXIT_TROUBLE;
}

// "dir/example.com.zone" says example.com.
static int origin_of_path(const char *path, uint8_t apex[NAME_LEN_MAX])
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	size_t len = strlen(base);

	if (len > 5 && strcmp(base + len - 5, ".zone") == 0)
		len -= 5;
	return name_from_text(base, len, NULL, apex);
}

static int record_add(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass,
    uint32_t ttl, const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *err)
{
	struct zone_source *source = ctx;

	if (rrclass != RRCLASS_IN) {
		snprintf(err->message, sizeof(err->message), "only class IN is served");
		return -EINVAL;
	}

	int ret = records_add(source->records, owner, type, ttl, rdata, rdlen);

	if (ret == -ERANGE) { // as named, NSD and Knot: said, but no reason to refuse the zone
		if (source->ignored++ == 0) {
			char text[NAME_TEXT_MAX];

			name_to_text(owner, text);
			complain("%s: %s is not in the zone and ignored", source->path, text);
		}
		return 0;
	}
	if (ret < 0)
		snprintf(err->message, sizeof(err->message), "out of memory");
	return ret;
}

static int text_open(struct zone_source *source, const char *origin)
{
	struct zonefile_error err;
	int len = origin != NULL ? name_from_text(origin, strlen(origin), NULL, source->apex)
	                         : origin_of_path(source->path, source->apex);

	if (len < 0) {
		complain("%s is not a zone name; give one with -z",
		    origin != NULL ? origin : source->path);
		return EXIT_TROUBLE;
	}
	source->records = records_new(source->apex);
	if (source->records == NULL)
		return out_of_memory();

	int ret = zonefile_parse_file(source->path, source->apex, record_add, source, &err);

	if (ret < 0) {
		if (err.line > 0)
			fprintf(
			    stderr, "%s:%u:%u: %s\n", err.file, err.line, err.column, err.message);
		else
			complain("%s", err.message);
		return ret == -EINVAL || err.line > 0 ? EXIT_BAD : EXIT_TROUBLE;
	}
	if (records_sort(source->records) < 0)
		return out_of_memory();
	return EXIT_OK;
}

// All of it in memory, aligned as images are. It is not mapped: the file may change under us.
static uint8_t *file_read(int fd, off_t from, size_t size)
{
	uint8_t *mem =
	    aligned_alloc(IMAGE_ALIGN, (size + IMAGE_ALIGN - 1) / IMAGE_ALIGN * IMAGE_ALIGN);
	size_t len = 0;

	while (mem != NULL && len < size) {
		ssize_t n = pread(fd, mem + len, size - len, from + (off_t)len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(mem);
			return NULL;
		}
		len += (size_t)n;
	}
	return mem;
}

int source_layer(struct zone_source *source, int fd, uint64_t offset, uint64_t size)
{
	const unsigned layer = source->version.layer_count;
	char error[IMAGE_ERROR_MAX];

	source->mem[layer] = file_read(fd, (off_t)offset, size);
	if (source->mem[layer] == NULL) {
		complain("%s: the image could not be read", source->path);
		return EXIT_TROUBLE;
	}
	if (image_verify(source->mem[layer], size, error) < 0) {
		complain("%s: %s", source->path, error);
		return EXIT_BAD;
	}
	if (image_open(&source->version.layer[layer], source->mem[layer], size) < 0) {
		complain("%s is not an image", source->path);
		return EXIT_BAD;
	}
	source->version.layer_count++;
	return EXIT_OK;
}

static int image_file_open(struct zone_source *source, int fd, size_t size, const char *origin)
{
	uint8_t asked[NAME_LEN_MAX];
	int code = source_layer(source, fd, 0, size);

	if (code != EXIT_OK)
		return code;

	const struct image_header *header = version_header(&source->version);

	memcpy(source->apex, image_apex(header), header->apex_len);
	if ((header->flags & IMAGE_OVERLAY) != 0) {
		complain(
		    "%s is an overlay: it means nothing without its base; give the storage folder",
		    source->path);
		return EXIT_BAD;
	}
	if (origin != NULL && (name_from_text(origin, strlen(origin), NULL, asked) < 0 ||
	                          !name_equal(asked, source->apex))) {
		complain("%s is the image of another zone than %s", source->path, origin);
		return EXIT_BAD;
	}
	return EXIT_OK;
}

int source_open(struct zone_source *source, const char *path, const char *origin)
{
	struct stat st;
	uint64_t magic = 0;

	*source = (struct zone_source){.path = path};

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		complain("%s: %s", path, strerror(errno));
		return EXIT_TROUBLE;
	}
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return source_storage(source, origin);
	}
	// Only a regular file can be looked at twice; a pipe brings text.
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    pread(fd, &magic, sizeof(magic), 0) == sizeof(magic) && magic == IMAGE_MAGIC) {
		int code = image_file_open(source, fd, (size_t)st.st_size, origin);

		close(fd);
		return code;
	}
	close(fd);
	return text_open(source, origin);
}

void source_close(struct zone_source *source)
{
	records_free(source->records);
	for (unsigned i = 0; i < IMAGE_LAYERS_MAX; i++)
		free(source->mem[i]);
	image_buffer_close(&source->buffer);
}

int source_records(struct zone_source *source)
{
	struct version_records at;
	struct record record;

	if (source->records != NULL)
		return EXIT_OK;
	source->records = records_new(source->apex);
	if (source->records == NULL)
		return out_of_memory();
	version_records_start(&at, &source->version);
	while (version_records_next(&at, &record))
		if (records_add(source->records, record.owner, record.type, record.ttl,
		        record.rdata, record.rdlen) < 0)
			return out_of_memory();
	return records_sort(source->records) < 0 ? out_of_memory() : EXIT_OK;
}

int source_image(struct zone_source *source, uint64_t generation)
{
	struct compile_options options = {.generation = generation};
	char error[COMPILE_ERROR_MAX] = "";

	if (source->version.layer_count > 0)
		return EXIT_OK;
	if (getrandom(&options.key, sizeof(options.key), 0) != sizeof(options.key) ||
	    getrandom(&options.id, sizeof(options.id), 0) != sizeof(options.id)) {
		complain("no random numbers: %s", strerror(errno));
		return EXIT_TROUBLE;
	}
	if (image_buffer_open(&source->buffer, IMAGE_SIZE_MAX) < 0)
		return out_of_memory();

	int ret = compile_image(source->records, &options, &source->buffer, error);

	if (ret == -EINVAL) {
		complain("%s: %s", source->path, error);
		return EXIT_BAD;
	}
	if (ret == -ENOMEM)
		return out_of_memory();
	if (ret < 0) {
		complain("%s: the zone is too large for an image", source->path);
		return EXIT_BAD;
	}
	if (image_verify(source->buffer.mem, source->buffer.used, error) < 0 ||
	    image_open(&source->version.layer[0], source->buffer.mem, source->buffer.used) < 0) {
		complain("%s: the image that was made is not valid: %s", source->path, error);
		return EXIT_TROUBLE;
	}
	source->version.layer_count = 1;
	return EXIT_OK;
}

bool record_put(const char *prefix, const struct record *record)
{
	static char rdata[RDATA_TEXT_MAX];
	char owner[NAME_TEXT_MAX], type[16];

	name_to_text(record->owner, owner);
	rdata_to_text(record->type, record->rdata, record->rdlen, rdata, sizeof(rdata));
	return printf("%s%s\t%u\tIN\t%s\t%s\n", prefix, owner, record->ttl,
	           rrtype_to_text(record->type, type), rdata) > 0;
}
