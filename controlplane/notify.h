// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// NOTIFY in (RFC 1996): one message and its source in, one reply out. Address and signature are
// checked before anything is done about it. Pure but for the callbacks; event loop's thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "engine.h"
#include "keyring.h"
#include "request.h"

// Who may send a NOTIFY: one per address of a notify-from remote.
struct notify_source {
	struct sockaddr_storage addr;
	const struct config_remote *remote; // whose keys it may sign with (keyring_accepts)
};

struct notify_service {
	void *ctx;
	// The sources of the secondary zone `qname` (any case), or NULL when it is none of ours.
	// *keyring is `keyring` unless these have another. *zone is handed to `accept`.
	const struct notify_source *(*sources)(void *ctx, const uint8_t *qname, size_t *count,
	    const struct keyring **keyring, void **zone);
	// An authenticated NOTIFY.
	void (*accept)(
	    void *ctx, void *zone, const struct sockaddr *from, bool has_serial, uint32_t serial);
	const struct keyring *keyring;
	struct engine_counters *counters;
};

#define NOTIFY_REPLY_MAX REQUEST_REPLY_MAX // bytes of any reply

// Post: the reply's length in `reply`; 0 when none must be sent. Pre: cap >= NOTIFY_REPLY_MAX.
size_t notify_handle(struct notify_service *service, const uint8_t *msg, size_t len,
    const struct sockaddr *from, uint64_t now_s, uint8_t *reply, size_t cap);
