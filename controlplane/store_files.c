// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// See store_files.h: an open-addressed table.
#include "store_files.h"

#include <errno.h>
#include <stdlib.h>

#define FILES_MIN 64

static struct store_file *file_slot(struct store_file *table, size_t cap, uint64_t id)
{
	size_t i = (id * 0x9e3779b97f4a7c15u >> 20) & (cap - 1);

	while (table[i].id != 0 && table[i].id != id)
		i = (i + 1) & (cap - 1);
	return &table[i];
}

// Entries without references are dropped when the table grows.
static int files_grow(struct store_files *files)
{
	size_t used = 0, cap = FILES_MIN;
	struct store_file *table;

	for (size_t i = 0; i < files->cap; i++)
		used += files->table[i].refs > 0;
	while (cap < (used + 1) * 4)
		cap *= 2;
	table = calloc(cap, sizeof(*table));
	if (table == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < files->cap; i++)
		if (files->table[i].refs > 0)
			*file_slot(table, cap, files->table[i].id) = files->table[i];
	free(files->table);
	files->table = table;
	files->cap = cap;
	files->count = used;
	return 0;
}

int store_file_ref(struct store_files *files, uint64_t id)
{
	struct store_file *file;

	if (files->count * 2 >= files->cap && files_grow(files) < 0)
		return -ENOMEM;
	file = file_slot(files->table, files->cap, id);
	if (file->id == 0) {
		file->id = id;
		files->count++;
	}
	file->refs++;
	return 0;
}

void store_file_doom(struct store_files *files, uint64_t id)
{
	if (files->doomed_count == files->doomed_cap) {
		size_t cap = files->doomed_cap == 0 ? 64 : files->doomed_cap * 2;
		uint64_t *doomed = reallocarray(files->doomed, cap, sizeof(*doomed));

		if (doomed == NULL)
			return; // the file stays until the next start sweeps it
		files->doomed = doomed;
		files->doomed_cap = cap;
	}
	files->doomed[files->doomed_count++] = id;
}

void store_file_unref(struct store_files *files, uint64_t id)
{
	struct store_file *file = file_slot(files->table, files->cap, id);

	if (file->id == 0 || --file->refs > 0)
		return;
	store_file_doom(files, id);
}

uint64_t *store_files_doomed_take(struct store_files *files, size_t *count)
{
	uint64_t *doomed = files->doomed;
	size_t to = 0;

	for (size_t i = 0; i < files->doomed_count; i++)
		if (!store_file_known(files, doomed[i]))
			doomed[to++] = doomed[i];
	files->doomed = NULL;
	files->doomed_count = files->doomed_cap = 0;
	*count = to;
	return doomed;
}

bool store_file_known(const struct store_files *files, uint64_t id)
{
	return files->table != NULL && file_slot(files->table, files->cap, id)->refs > 0;
}

int store_files_open(struct store_files *files)
{
	*files = (struct store_files){0};
	return files_grow(files);
}

void store_files_close(struct store_files *files)
{
	free(files->table);
	free(files->doomed);
	*files = (struct store_files){0};
}
