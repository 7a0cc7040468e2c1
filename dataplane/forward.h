// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// NOTIFY and TSIG-signed messages on their way from the workers to the control plane and back. A
// worker copies the message and the headers of its frame into an item (bounded number, rate-capped,
// no waiting); the attach thread takes it, asks the control plane, and answers: the reply leaves by
// the port the query came from, on the worker's own transmit queue, also where there is no kernel
// address.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "frame.h"

#define FORWARD_MESSAGE_MAX 2048 // as in seam.h; longer messages are dropped
#define FORWARD_ITEMS       1024 // in flight at once, all workers together

struct forward_item {
	struct sockaddr_storage peer, local;
	uint16_t len;
	uint8_t message[FORWARD_MESSAGE_MAX];

	// For the way back; not the attach thread's business.
	uint16_t port_index;
	struct frame frame;
	uint8_t headers[FRAME_HEADERS_MAX];
};

struct forward; // one per process
struct ports;
struct thread_counters;

// Main thread. Post: 0 or -errno.
int forward_open(unsigned workers, struct forward **out)
    __attribute__((nonnull, warn_unused_result));
void forward_close(struct forward *forward); // NULL is accepted

// Main thread, before the workers start, and with NULL after they ended: where answers leave.
void forward_bind(struct forward *forward, struct ports *ports) __attribute__((nonnull(1)));

// Worker. Copies the message (it stands in its frame at frame->dns_off) or drops and counts it.
// `now` in ticks.
void forward_put(struct forward *forward, unsigned worker, uint16_t port_index,
    const uint8_t *bytes, const struct frame *frame, uint64_t now, struct thread_counters *counters)
    __attribute__((nonnull));

// Attach thread. Readable while items wait: for epoll. forward_take() clears it when it returns
// NULL.
int forward_fd(const struct forward *forward) __attribute__((nonnull));

// Attach thread. The next message, or NULL. It is the caller's until forward_drop() or
// forward_answer().
struct forward_item *forward_take(struct forward *forward) __attribute__((nonnull));

// Attach thread. Sends the reply of `len` bytes to where the item came from, and ends the item. The
// reply is dropped when the port is gone or busy: the client asks again.
void forward_answer(struct forward *forward, struct forward_item *item, const uint8_t *message,
    size_t len) __attribute__((nonnull));
void forward_drop(struct forward *forward, struct forward_item *item) __attribute__((nonnull));
