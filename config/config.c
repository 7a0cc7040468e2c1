// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// From a file or a text to a struct config; see config.h. Any thread, no global state.
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sections.h"

#define FILE_SIZE_MAX ((off_t)1 << 30) // a million zones are 30 to 100 MB

struct loaded {
	struct config config; // first: what the caller holds
	struct pool pool;
};

// The sections of the file, by name, wherever they stand.
static const char section_names[][13] = {
    "server", "dataplane", "controlplane", "key", "remote", "template", "zone"};

enum { SERVER, DATAPLANE, CONTROLPLANE, KEY, REMOTE, TEMPLATE, ZONE, SECTIONS };

static int section_keep(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	*(const struct node **)((char *)base + field->offset) = value;
	return 0;
}

static int sections_read(struct reader *r, const struct node *root)
{
	const struct node *found[SECTIONS] = {0};
	struct field fields[SECTIONS];
	uint32_t seen;
	int rc = 0;

	for (size_t i = 0; i < SECTIONS; i++)
		fields[i] = (struct field){section_names[i], section_keep, i * sizeof(found[0])};
	if (root != NULL)
		rc = mapping_read(r, root, "the configuration", fields, SECTIONS, found, &seen);
	if (rc == 0)
		rc = section_server(r, found[SERVER]);
	if (rc == 0)
		rc = section_dataplane(r, found[DATAPLANE]);
	if (rc == 0)
		rc = section_key(r, found[KEY]);
	if (rc == 0)
		rc = section_remote(r, found[REMOTE]);
	if (rc == 0)
		rc = section_controlplane(r, found[CONTROLPLANE]);
	if (rc == 0)
		rc = section_zone(r, found[TEMPLATE], found[ZONE]);
	return rc;
}

int config_parse(
    const char *text, size_t len, unsigned flags, struct config **out, struct config_error *error)
{
	struct loaded *loaded = calloc(1, sizeof(*loaded));
	struct reader r = {.error = error, .flags = flags};
	struct pool scratch = {0};
	struct node *root;
	int rc;

	*out = NULL;
	*error = (struct config_error){0};
	if (loaded == NULL)
		return tree_no_memory(error);
	r.config = &loaded->config;
	r.pool = &loaded->pool;
	rc = tree_parse(text, len, &scratch, &root, error);
	if (rc == 0)
		rc = sections_read(&r, root);
	pool_free(&scratch);
	idmap_free(&r.keys);
	idmap_free(&r.remotes);
	idmap_free(&r.templates);
	idmap_free(&r.zones);
	if (rc < 0) {
		config_free(&loaded->config);
		return rc;
	}
	*out = &loaded->config;
	return 0;
}

static int file_error(struct config_error *error, const char *what)
{
	int rc = -errno;

	*error = (struct config_error){0};
	snprintf(error->message, sizeof(error->message), "%s: %s.", what, strerror(-rc));
	return rc;
}

// Post: the file's bytes, owned by the caller.
static int file_read(const char *path, char **text, size_t *len, struct config_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return file_error(error, "The configuration file cannot be opened");
	if (fstat(fd, &st) < 0) {
		rc = file_error(error, "The configuration file cannot be read");
		goto close;
	}
	// A pipe has no size and no second reading: refused, as a folder is.
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_SIZE_MAX) {
		errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		rc = file_error(error, "The configuration is no regular file or too large");
		goto close;
	}
	*text = malloc((size_t)st.st_size + 1);
	if (*text == NULL) {
		rc = tree_no_memory(error);
		goto close;
	}
	for (*len = 0; *len < (size_t)st.st_size;) {
		ssize_t n = read(fd, *text + *len, (size_t)st.st_size - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = file_error(error, "The configuration file cannot be read");
			free(*text);
			goto close;
		}
		if (n == 0)
			break;
		*len += (size_t)n;
	}
close:
	close(fd);
	return rc;
}

int config_load(const char *path, unsigned flags, struct config **out, struct config_error *error)
{
	char *text = NULL;
	size_t len = 0;
	int rc;

	*out = NULL;
	rc = file_read(path, &text, &len, error);
	if (rc < 0)
		return rc;
	rc = config_parse(text, len, flags, out, error);
	explicit_bzero(text, len); // it may hold secrets
	free(text);
	return rc;
}

// The lines of the section, from its name at the margin to the next thing there. Post: NULL when
// there is none.
static const char *section_lines(const char *text, const char *name, size_t *len)
{
	const size_t name_len = strlen(name);
	const char *from = text, *to;

	while (from != NULL && (strncmp(from, name, name_len) != 0 || from[name_len] != ':')) {
		from = strchr(from, '\n');
		from += from != NULL;
	}
	if (from == NULL)
		return NULL;
	for (to = strchr(from, '\n');
	     to != NULL && strchr(" \t\r\n#", to[1]) != NULL && to[1] != '\0';)
		to = strchr(to + 1, '\n');
	*len = to != NULL ? (size_t)(to + 1 - from) : strlen(from);
	return from;
}

struct config *config_server(const char *path)
{
	struct config *config = NULL;
	struct config_error error;
	char *text = NULL;
	const char *lines;
	size_t size = 0, len = 0;

	if (file_read(path, &text, &size, &error) < 0)
		return NULL;
	text[size] = '\0';
	lines = section_lines(text, section_names[SERVER], &len);
	if (lines != NULL)
		(void)!config_parse(lines, len, 0, &config, &error);
	explicit_bzero(text, size); // it may hold secrets
	free(text);
	return config;
}

static void member_fill(struct config_zone *zone, const struct config_member *member)
{
	const struct config_template *template = member->template;

	*zone = template->zone;
	zone->domain_len = member->domain_len;
	zone->line = member->catalog->line;
	zone->member_of = member->catalog->domain;
	if (!template->notify_from_stated) {
		zone->notify_from = zone->primaries;
		zone->notify_from_count = zone->primary_count;
	}
}

int config_extend(const struct config *base, const struct config_member *members, size_t count,
    struct config **out)
{
	struct loaded *loaded = calloc(1, sizeof(*loaded));
	struct config_zone *zones;

	*out = NULL;
	if (loaded == NULL)
		return -ENOMEM;
	loaded->config = *base;
	if (count == 0) { // borrowed as all else is
		*out = &loaded->config;
		return 0;
	}
	zones = pool_alloc(&loaded->pool, (base->zone_count + count) * sizeof(*zones));
	if (zones == NULL)
		goto no_memory;
	if (base->zone_count > 0)
		memcpy(zones, base->zones, base->zone_count * sizeof(*zones));
	for (size_t i = 0; i < count; i++) {
		struct config_zone *zone = &zones[base->zone_count + i];

		member_fill(zone, &members[i]);
		zone->domain = (uint8_t *)pool_text(&loaded->pool, (const char *)members[i].domain,
		    (size_t)members[i].domain_len - 1);
		if (zone->domain == NULL)
			goto no_memory;
	}
	loaded->config.zones = zones;
	loaded->config.zone_count = base->zone_count + count;
	*out = &loaded->config;
	return 0;
no_memory:
	config_free(&loaded->config);
	return -ENOMEM;
}

void config_free(struct config *config)
{
	struct loaded *loaded = (struct loaded *)config; // the config is its first member

	if (loaded == NULL)
		return;
	pool_free(&loaded->pool);
	free(loaded);
}
