// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Publications on their way: what a message said, the images loaded and verified, and the threads
// that do that where it takes long. One thread takes large images and one takes parcels, so that
// neither waits for the other, and small single images are done by the attach thread itself.
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "attach_served.h"
#include "name.h"
#include "seam.h"
#include "version_store.h"

// One zone to be published: of a PUBLISH, or an entry of a parcel.
struct publication {
	uint8_t apex[NAME_LEN_MAX];
	uint8_t apex_len;
	uint32_t serial;
	uint64_t generation;
	struct expiry expiry;
	unsigned below; // layers of the live version that it stands on
	unsigned count; // layers of its own, the lowest first
	struct publication_layer {
		uint64_t offset, size;
		int fd; // owned; -1: the job's (parcel)
		uint32_t serial;
		struct block *block; // owned; NULL until loaded
	} layer[IMAGE_LAYERS_MAX];
	char error[IMAGE_ERROR_MAX]; // set: refused
	bool broken;                 // since an image of it does not verify
};

struct job {
	struct job *next;
	uint64_t connection;         // the answer goes only to whoever asked
	uint64_t generation;         // of the message
	int fd;                      // parcel: owned; otherwise -1
	size_t count;                // publications
	size_t applied;              // attach thread: how many are done
	char error[IMAGE_ERROR_MAX]; // parcel: refused as a whole
	struct publication items[];
};

// NULL when out of memory.
struct job *job_new(size_t count);
void job_free(struct job *job); // blocks and descriptors included; NULL is accepted

// Loads and verifies everything, on any one thread. Parcel: reads its table first.
void job_run(struct job *job);
bool job_is_parcel(const struct job *job);

struct job_queue {
	struct job *first, **last;
	unsigned count;
};
void job_queue_put(struct job_queue *queue, struct job *job);
struct job *job_queue_take(struct job_queue *queue); // NULL when empty

struct verifier {
	pthread_t thread;
	bool started;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	bool stop; // under the mutex, as the queues
	struct job_queue todo, done;
	unsigned under_way; // put and not yet taken back
	int event_fd;       // borrowed; written when a job is done
};

int verifier_start(struct verifier *verifier, const char *name, int event_fd)
    __attribute__((warn_unused_result));
void verifier_stop(struct verifier *verifier); // drops what is queued
void verifier_put(struct verifier *verifier, struct job *job);
struct job *verifier_take(struct verifier *verifier); // a job that is done, or NULL
