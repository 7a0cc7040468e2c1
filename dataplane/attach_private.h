// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The attach thread's own state, shared by its files and nobody else. Everything is the attach
// thread's unless it says otherwise.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "attach.h"
#include "attach_job.h"
#include "attach_link.h"
#include "attach_served.h"
#include "dns.h"
#include "forward.h"

// Larger single images are verified by a thread of their own (about 1 ms of work otherwise).
#define INLINE_SIZE_MAX   (UINT64_C(256) << 10)
#define IMAGES_UNDER_WAY  64 // large images; then the seam is not read until one is done
#define PARCELS_UNDER_WAY 4
#define APPLY_CHUNK       1024 // zones of a parcel between two looks at the socket
#define FORWARDS_MAX      256  // forwarded messages that wait for the control plane
#define FORWARD_WAIT_MS   5000

struct forward_wait {
	uint64_t token; // 0: free
	int64_t until_ms;
	struct forward_item *item; // from a worker, or NULL:
	attach_reply *reply;       // from a TCP thread
	void *ctx;
	uint64_t cookie;
};

// From TCP threads: a bounded queue under a lock.
struct forward_inbox {
	pthread_mutex_t mutex;
	bool closed; // nobody to reply to any more
	unsigned head, count;
	struct attach_forward items[64];
};

struct attach {
	struct dataplane *dataplane;
	pthread_t thread;
	atomic_bool stop;
	atomic_bool connected; // TCP threads: ro
	int epoll_fd, wake_fd;
	uint64_t boot_id;
	struct served served;
	struct link link;
	uint32_t watched; // what epoll tells of the link
	bool greeting;    // HELLO was sent, HAVEs are under way: nothing is read yet

	struct job *staged; // layers that wait for the one above
	struct verifier images, parcels;
	struct job *applying; // a verified parcel, part of it applied

	unsigned asks; // for all zones: how many are unanswered
	uint64_t ask_generation[SEAM_ASKS_MAX];
	struct dns_counters ask_counters;
	uint8_t *ask_buffer;

	uint64_t forward_token;
	struct forward_wait forwards[FORWARDS_MAX];
	struct forward_inbox inbox;
	int64_t expiry_at_ms;
};

int64_t attach_mono_ms(void);
int64_t attach_wall_s(void);

// attach_publish.c: each takes over fd; -EPROTO ends the connection.
int publish_message(struct attach *attach, const struct seam_message *message, int fd);
int parcel_message(struct attach *attach, const struct seam_message *message, int fd);
void withdraw_message(struct attach *attach, const struct seam_message *message);
void renew_message(struct attach *attach, const struct seam_message *message);
void staged_drop(struct attach *attach);
// Takes what the verifier threads have done. Post: true when there is more to do at once.
bool publish_advance(struct attach *attach);
// True when a message may be read: everything it may cause has room.
bool publish_has_room(const struct attach *attach);

// attach_ask.c
int ask_message(struct attach *attach, const struct seam_message *message);
// Goes on with answers about all zones while there is room. Post: true when there is more to do.
bool ask_advance(struct attach *attach);

// attach_forward.c
void forward_advance(struct attach *attach, int64_t now_ms); // takes new ones, drops late ones
void forward_reply_message(struct attach *attach, const struct seam_message *message);
void forward_lost(struct attach *attach); // the connection is gone: nobody will answer
