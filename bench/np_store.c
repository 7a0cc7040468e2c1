// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-store: zone text into a storage folder (images and manifest) from which np-dataplane boots
// with no control plane. For benchmarks: thousands of zones may stand in one file.
//
//     np-store FOLDER BUNDLE...
//
// A bundle is zone text in which each zone begins with a line ";zone APEX". The zones of one bundle
// go into one file of images.

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compile.h"
#include "manifest.h"
#include "name.h"
#include "records.h"
#include "rrtype.h"
#include "zonefile.h"

#define IMAGE_ALIGN 64
#define IMAGE_CAP   (64ULL << 30) // address space only
#define MARK        ";zone "

struct store {
	const char *folder;
	struct manifest manifest;
	size_t zones_cap;
	uint64_t generation;
	uint64_t file_id;
	FILE *out;
	uint64_t at; // where the next image begins
};

static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("np-store: ", stderr);
	vfprintf(stderr, format, ap);
	fputs(".\n", stderr);
	va_end(ap);
	exit(1);
}

static int add_record(void *ctx, const uint8_t *owner, uint16_t type, uint16_t rrclass,
    uint32_t ttl, const uint8_t *rdata, uint16_t rdlen, struct zonefile_error *error)
{
	(void)error;
	return rrclass == RRCLASS_IN ? records_add(ctx, owner, type, ttl, rdata, rdlen) : -EINVAL;
}

// Post: where the next image of this file begins.
static void write_image(struct store *s, const struct image_buffer *buffer)
{
	static const uint8_t zero[IMAGE_ALIGN];
	size_t pad = -buffer->used & (IMAGE_ALIGN - 1);

	if (fwrite(buffer->mem, 1, buffer->used, s->out) != buffer->used ||
	    fwrite(zero, 1, pad, s->out) != pad)
		die("cannot write an image: %s", strerror(errno));
	s->at += buffer->used + pad;
}

static struct manifest_zone *next_zone(struct store *s)
{
	struct manifest *m = &s->manifest;

	if (m->zone_count == s->zones_cap) {
		s->zones_cap = s->zones_cap == 0 ? 64 : 2 * s->zones_cap;
		m->zones = realloc(m->zones, s->zones_cap * sizeof *m->zones);
		if (m->zones == NULL)
			die("no memory for the manifest");
	}
	memset(&m->zones[m->zone_count], 0, sizeof *m->zones);
	return &m->zones[m->zone_count++];
}

static void add_zone(
    struct store *s, const char *path, const char *apex, const char *text, size_t len)
{
	struct compile_options options = {.generation = ++s->generation, .id = s->generation};
	struct manifest_zone *zone = next_zone(s);
	struct zonefile_error error = {.message = "no memory"};
	char why[COMPILE_ERROR_MAX];
	struct image_buffer buffer;
	struct records *records;
	uint8_t name[NAME_LEN_MAX];
	int n = name_from_text(apex, strlen(apex), NULL, name);

	if (n < 0)
		die("%s: '%s' is not a name", path, apex);
	records = records_new(name);
	if (records == NULL ||
	    zonefile_parse_text(text, len, name, add_record, records, &error) != 0)
		die("%s: zone %s, line %u: %s", path, apex, error.line, error.message);
	memcpy(options.key.k, s->manifest.hash_key, sizeof options.key.k);
	if (records_sort(records) != 0 || image_buffer_open(&buffer, IMAGE_CAP) != 0)
		die("no memory");
	if (compile_image(records, &options, &buffer, why) != 0)
		die("%s: zone %s: %s", path, apex, why);
	zone->apex_len = (uint8_t)n;
	name_lower(zone->apex, name, (size_t)n);
	zone->layer_count = 1;
	zone->serial = records_serial(records);
	zone->generation = options.generation;
	zone->layer[0] = (struct manifest_layer){s->file_id, s->at, buffer.used};
	write_image(s, &buffer);
	image_buffer_close(&buffer);
	records_free(records);
}

static void add_bundle(struct store *s, const char *path)
{
	char image[4096];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text, *at, *end;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
		die("%s: %s", path, fd < 0 ? strerror(errno) : "it is empty");
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	close(fd);
	end = text + st.st_size;
	s->file_id++;
	s->at = 0;
	if (manifest_image_path(s->folder, s->file_id, image, sizeof image) != 0)
		die("%s: the name is too long", s->folder);
	s->out = fopen(image, "we");
	if (s->out == NULL)
		die("%s: %s", image, strerror(errno));
	for (at = text; at < end;) {
		char apex[NAME_TEXT_MAX];
		char *line = memchr(at, '\n', (size_t)(end - at));
		char *next;
		if (line == NULL || strncmp(at, MARK, strlen(MARK)) != 0 ||
		    (size_t)(line - at) >= sizeof apex)
			die("%s: a zone begins with a line '%sAPEX'", path, MARK);
		snprintf(apex, sizeof apex, "%.*s", (int)(line - at - (int)strlen(MARK)),
		    at + strlen(MARK));
		next = memmem(line, (size_t)(end - line), "\n" MARK, strlen(MARK) + 1);
		next = next == NULL ? end : next + 1;
		add_zone(s, path, apex, line + 1, (size_t)(next - line - 1));
		at = next;
	}
	if (fclose(s->out) != 0)
		die("%s: %s", image, strerror(errno));
	munmap(text, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
	struct store store = {0};
	char images[4096];

	if (argc < 3 || argv[1][0] == '-') {
		fputs("usage: np-store FOLDER BUNDLE...\n", stderr);
		return 2;
	}
	store.folder = argv[1];
	snprintf(images, sizeof images, "%s/images", store.folder);
	if ((mkdir(store.folder, 0755) != 0 && errno != EEXIST) ||
	    (mkdir(images, 0755) != 0 && errno != EEXIST))
		die("%s: %s", images, strerror(errno));
	if (getrandom(store.manifest.hash_key, sizeof store.manifest.hash_key, 0) !=
	    sizeof store.manifest.hash_key)
		die("no random numbers");
	for (int i = 2; i < argc; i++)
		add_bundle(&store, argv[i]);
	store.manifest.generation_max = store.generation;
	if (manifest_save(store.folder, &store.manifest) != 0)
		die("%s: cannot write the manifest: %s", store.folder, strerror(errno));
	printf("%zu zones\n", store.manifest.zone_count);
	manifest_free(&store.manifest);
	return 0;
}
