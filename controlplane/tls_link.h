// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// TLS on one connected, non-blocking socket: handshake, read and write, each as far as the socket
// lets it. Why not libevent's bufferevent: a transfer's bytes are decrypted straight into the
// stream's one buffer, and which end of the connection came how stays visible. Used by stream.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls_context.h"

struct tls_link;

enum tls_step {
	TLS_DONE,
	TLS_WANT_READ, // come again when the socket is readable
	TLS_WANT_WRITE,
	TLS_ENDED,  // the peer said close_notify: nothing was cut off
	TLS_FAILED, // tls_link_error says why
};

// The side of `fd` that the context is for; the descriptor stays the caller's. Holds a reference to
// the context. Post: 0; or -ENOMEM.
int tls_link_open(struct tls_context *context, int fd, struct tls_link **out)
    __attribute__((warn_unused_result));
// Says close_notify when the socket takes it. NULL is accepted.
void tls_link_close(struct tls_link *link);

// Post: TLS_DONE when the peer has proved what its context demands: until then nothing of ours has
// been sent but the handshake.
enum tls_step tls_link_handshake(struct tls_link *link);

// Pre: the handshake is done. A read of at least TLS_RECORD_MAX bytes leaves no data behind that
// the socket's readiness would not tell of. Post: one record's worth was done, or one message's
// that is no data (then TLS_WANT_READ, though the socket may have more); too many of these fail.
#define TLS_RECORD_MAX 16384 // RFC 8446 5.1
enum tls_step tls_link_read(struct tls_link *link, void *out, size_t cap, size_t *got);
enum tls_step tls_link_write(struct tls_link *link, const void *from, size_t len, size_t *sent);

// One sentence. Pre: TLS_FAILED was returned.
const char *tls_link_error(const struct tls_link *link);

// Has anything come off the socket that tls_link_read has not given out? Nothing tells of it.
bool tls_link_pending(const struct tls_link *link);

// Bytes off the socket so far, the handshake's included.
uint64_t tls_link_received(const struct tls_link *link);
