// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Publications on their way; see attach_job.h. Attach and verifier threads.

#include "attach_job.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

struct job *job_new(size_t count)
{
	struct job *job = calloc(1, sizeof(*job) + count * sizeof(job->items[0]));

	if (job == NULL)
		return NULL;
	job->fd = -1;
	job->count = count;
	return job;
}

bool job_is_parcel(const struct job *job)
{
	return job->fd >= 0;
}

void job_free(struct job *job)
{
	if (job == NULL)
		return;
	for (size_t i = 0; i < job->count; i++) {
		for (unsigned k = 0; k < job->items[i].count; k++) {
			block_drop(job->items[i].layer[k].block);
			if (!job_is_parcel(job) && job->items[i].layer[k].fd >= 0)
				close(job->items[i].layer[k].fd);
		}
	}
	if (job->fd >= 0)
		close(job->fd);
	free(job);
}

// What the message says must be what the image says.
static int layer_check(const struct publication *item, const struct publication_layer *layer,
    char error[IMAGE_ERROR_MAX])
{
	const struct image_header *header = block_header(layer->block);
	const char *why = NULL;

	if (header->apex_len != item->apex_len ||
	    memcmp(image_apex(header), item->apex, item->apex_len) != 0)
		why = "the image is of another zone";
	else if (header->serial != layer->serial)
		why = "the image has another serial";
	else if (header->generation > item->generation)
		why = "the image is of a later generation";
	if (why == NULL)
		return 0;
	snprintf(error, IMAGE_ERROR_MAX, "%s", why);
	return -EINVAL;
}

static bool is_of_another_release(const struct publication_layer *layer)
{
	const struct image_header *header = block_header(layer->block);

	return layer->size >= sizeof(*header) && header->magic == IMAGE_MAGIC &&
	       header->version != IMAGE_VERSION;
}

static void publication_run(struct publication *item, int parcel_fd)
{
	for (unsigned i = 0; i < item->count; i++) {
		struct publication_layer *layer = &item->layer[i];
		int fd = layer->fd >= 0 ? layer->fd : parcel_fd;
		int ret = block_load(fd, layer->offset, layer->size, &layer->block);

		if (ret != 0) {
			snprintf(item->error, sizeof(item->error), "cannot load the image: %s",
			    ret == -EINVAL ? "it does not lie within its file" : strerror(-ret));
			return;
		}
		if (block_verify(layer->block, item->error) != 0)
			item->broken = !is_of_another_release(layer);
		else
			(void)layer_check(item, layer, item->error);
		if (item->error[0] != '\0')
			return;
	}
}

// Fills items[] from the table at the parcel's begin. Pre: sealed, and as large as its table.
static int parcel_read(struct job *job)
{
	size_t size = job->count * sizeof(struct seam_parcel_entry);
	const struct seam_parcel_entry *entries;
	const void *mem;
	int ret;

	if (size == 0)
		return 0;
	ret = image_map(job->fd, 0, size, &mem);
	if (ret != 0)
		return ret;
	entries = mem;
	for (size_t i = 0; i < job->count; i++) {
		struct publication *item = &job->items[i];

		*item = (struct publication){.generation = entries[i].generation,
		    .serial = entries[i].serial,
		    .expiry = {entries[i].expires_at, entries[i].grace_s}};
		if (entries[i].name.len == 0 || name_len_checked(entries[i].name.wire,
		                                    entries[i].name.len) != entries[i].name.len) {
			ret = -EINVAL;
			break;
		}
		item->apex_len = entries[i].name.len;
		name_lower(item->apex, entries[i].name.wire, item->apex_len);
		item->count = 1;
		item->layer[0] = (struct publication_layer){.fd = -1,
		    .offset = entries[i].offset,
		    .size = entries[i].size,
		    .serial = entries[i].serial};
	}
	image_unmap(mem, size);
	return ret;
}

void job_run(struct job *job)
{
	if (job_is_parcel(job) && parcel_read(job) != 0) {
		snprintf(job->error, sizeof(job->error), "the parcel's table is broken");
		return;
	}
	for (size_t i = 0; i < job->count; i++)
		publication_run(&job->items[i], job->fd);
}

void job_queue_put(struct job_queue *queue, struct job *job)
{
	if (queue->first == NULL)
		queue->last = &queue->first;
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
	queue->count++;
}

struct job *job_queue_take(struct job_queue *queue)
{
	struct job *job = queue->first;

	if (job != NULL) {
		queue->first = job->next;
		queue->count--;
	}
	return job;
}

static void *verifier_main(void *arg)
{
	struct verifier *verifier = arg;

	pthread_mutex_lock(&verifier->mutex);
	while (!verifier->stop) {
		struct job *job = job_queue_take(&verifier->todo);

		if (job == NULL) {
			pthread_cond_wait(&verifier->wake, &verifier->mutex);
			continue;
		}
		pthread_mutex_unlock(&verifier->mutex);
		job_run(job);
		pthread_mutex_lock(&verifier->mutex);
		job_queue_put(&verifier->done, job);
		(void)eventfd_write(verifier->event_fd, 1);
	}
	pthread_mutex_unlock(&verifier->mutex);
	return NULL;
}

int verifier_start(struct verifier *verifier, const char *name, int event_fd)
{
	int ret;

	*verifier = (struct verifier){.event_fd = event_fd};
	pthread_mutex_init(&verifier->mutex, NULL);
	pthread_cond_init(&verifier->wake, NULL);
	ret = pthread_create(&verifier->thread, NULL, verifier_main, verifier);
	if (ret != 0)
		return -ret;
	pthread_setname_np(verifier->thread, name);
	verifier->started = true;
	return 0;
}

void verifier_stop(struct verifier *verifier)
{
	struct job *job;

	if (!verifier->started)
		return;
	pthread_mutex_lock(&verifier->mutex);
	verifier->stop = true;
	pthread_cond_signal(&verifier->wake);
	pthread_mutex_unlock(&verifier->mutex);
	pthread_join(verifier->thread, NULL);
	while ((job = job_queue_take(&verifier->todo)) != NULL)
		job_free(job);
	while ((job = job_queue_take(&verifier->done)) != NULL)
		job_free(job);
	pthread_mutex_destroy(&verifier->mutex);
	pthread_cond_destroy(&verifier->wake);
	verifier->started = false;
}

void verifier_put(struct verifier *verifier, struct job *job)
{
	pthread_mutex_lock(&verifier->mutex);
	job_queue_put(&verifier->todo, job);
	verifier->under_way++;
	pthread_cond_signal(&verifier->wake);
	pthread_mutex_unlock(&verifier->mutex);
}

struct job *verifier_take(struct verifier *verifier)
{
	struct job *job;

	pthread_mutex_lock(&verifier->mutex);
	job = job_queue_take(&verifier->done);
	if (job != NULL)
		verifier->under_way--;
	pthread_mutex_unlock(&verifier->mutex);
	return job;
}
