// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The publication client (zones/SEAM.md): fills the zone table from the manifest, then follows the
// control plane for as long as one is there. Its threads never make a worker wait.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct attach;
struct dataplane;

// Main thread. Serves what the manifest lists (nothing when there is none or it is broken), sets
// dataplane->table, then starts the attach and verifier threads, which inherit the caller's CPUs.
// `dataplane` is borrowed until attach_stop(); its `forward` may be NULL.
// Post: 0 or -errno, nothing left behind.
int attach_start(struct dataplane *dataplane, struct attach **out)
    __attribute__((nonnull, warn_unused_result));
// Main thread, when all readers have ended. NULL is accepted.
void attach_stop(struct attach *attach);

// --- messages that a TCP thread hands on
// ----------------------------------------------------------

// Called on the attach thread with the control plane's answer; len 0: there will be none.
typedef void attach_reply(void *ctx, uint64_t cookie, const uint8_t *message, size_t len);

struct attach_forward {
	attach_reply *reply;
	void *ctx;
	uint64_t cookie;
	struct sockaddr_storage peer, local;
	uint16_t len;
	uint8_t message[2048];
};

// Any thread. Copies it. Post: false when there is no control plane or too much is waiting: answer
// yourself; otherwise `reply` is called once, or never when the process ends first.
bool attach_forward_put(struct attach *attach, const struct attach_forward *forward)
    __attribute__((nonnull, warn_unused_result));
// Main thread, before the owner of `ctx` goes: no `reply` is called after it returns.
void attach_forward_close(struct attach *attach) __attribute__((nonnull));
