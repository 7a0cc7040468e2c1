// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The messages between the control plane (server, RUNDIR/seam.sock) and the data plane (client),
// over a SOCK_SEQPACKET unix socket: one struct seam_message per datagram, at most one descriptor
// with it. SEAM.md tells the protocol. Host byte order: both ends are one machine. A message that
// does not check out ends the connection; the data plane keeps serving and connects again.
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "format.h"

// Images are part of what is said: of two programs that differ in their format neither takes the
// other's.
#define SEAM_PROTOCOL    (IMAGE_VERSION << 16 | 1)
#define SEAM_SOCKET      "seam.sock" // under rundir
#define SEAM_MESSAGE_MAX 4096
#define SEAM_TEXT_MAX    256
#define SEAM_SERIALS_MAX 12 // zones in one SEAM_SERIALS
#define SEAM_ASKS_MAX    8  // about all zones, not answered to the end

enum seam_type {
	// data plane -> control plane
	SEAM_HELLO = 1, // first message of a connection
	SEAM_HAVE,      // one per zone that is live, after HELLO
	SEAM_HELLO_END, // no more HAVE
	SEAM_LIVE,      // this generation answers now; the one before is gone (no name: a parcel)
	SEAM_REJECT,    // this generation was refused; text says why; what was live still is
	SEAM_SERIALS,   // the answer to SEAM_ASK, as the answer function gave them
	SEAM_FORWARD,   // a NOTIFY or TSIG-signed message from a client
	SEAM_COUNTERS,  // with a descriptor: the counter page, read-only
	// control plane -> data plane
	SEAM_PUBLISH = 64, // with a descriptor: a sealed memfd that holds one image
	SEAM_PARCEL,       // with a descriptor: a sealed memfd that holds many small images
	SEAM_WITHDRAW,     // stop serving the zone
	SEAM_RENEW,        // a new time of expiry for what is live
	SEAM_ASK,          // which serial do the workers answer? (one zone, or all)
	SEAM_FORWARD_REPLY,
};

// The image itself does not verify: sending it again is of no use.
#define SEAM_REJECT_BROKEN 1

struct seam_name {
	uint8_t len; // 0: no name
	uint8_t wire[255];
};

struct seam_message {
	uint32_t type;
	uint32_t size;       // bytes of the whole message
	uint64_t generation; // of PUBLISH, PARCEL, WITHDRAW, RENEW, LIVE, REJECT, HAVE; HELLO: the
	                     // highest one seen
	union {
		struct {
			uint32_t protocol; // SEAM_PROTOCOL
			uint32_t pid;
			uint64_t boot_id;     // random per start of the data plane
			uint64_t hash_key[2]; // of its zones; 0, 0: it has none, takes any
		} hello;
		struct { // HAVE, LIVE, REJECT, WITHDRAW, RENEW, ASK (name.len 0: all)
			struct seam_name name;
			uint32_t serial;
			uint32_t grace_s;         // RENEW: as in PUBLISH
			int64_t expires_at;       // RENEW: unix seconds; 0: never
			uint64_t id;              // of the top image, HAVE and LIVE;
			                          // REJECT: SEAM_REJECT_BROKEN, or 0
			char text[SEAM_TEXT_MAX]; // REJECT: NUL-terminated
		} zone;
		struct { // PUBLISH
			struct seam_name name;
			uint32_t serial;
			uint32_t layer; // 0: a new base, replaces everything; n: stands on the n
			                // layers below
			uint64_t image_offset; // bytes into the memfd; a multiple of IMAGE_ALIGN
			uint64_t image_size;
			int64_t expires_at; // unix seconds; 0: never
			uint32_t more;      // 1: wait for the layer above, of the same generation
			uint32_t grace_s;   // of what is left before expires_at, the last so many
			                    // are grace: served as stale (RFC 8914 4.4)
		} publish;
		struct { // PARCEL: the memfd begins with struct seam_parcel_entry[count]
			uint64_t count;
			uint64_t size; // bytes of the memfd
		} parcel;
		struct {
			uint32_t count;
			uint32_t last; // 1: no more follow for this ASK
			struct {
				struct seam_name name;
				uint32_t serial; // valid when rcode is 0
				uint32_t rcode;  // of the answer to "apex SOA"
				uint64_t generation;
			} item[SEAM_SERIALS_MAX];
		} serials;
		struct {                // FORWARD, FORWARD_REPLY
			uint64_t token; // names the waiting client; chosen by the data plane
			struct sockaddr_storage source, destination;
			uint32_t tcp;
			uint32_t length;
			uint8_t message[2048];
		} forward;
		struct { // COUNTERS
			uint64_t size;
		} counters;
	};
};
static_assert(sizeof(struct seam_message) <= SEAM_MESSAGE_MAX, "fits one datagram");

#define SEAM_PARCEL_ENTRIES_MAX 65536
#define SEAM_PARCEL_SIZE_MAX    (UINT64_C(256) << 20)

struct seam_parcel_entry {
	struct seam_name name;
	uint64_t generation;
	uint64_t offset; // of the image in the memfd; a multiple of 64
	uint64_t size;
	int64_t expires_at;
	uint32_t serial;
	uint32_t grace_s;
};

// Bytes a message of `type` has (its union member's end). 0 for an unknown type.
size_t seam_size(uint32_t type);

// Sends one message, fd -1 for none. Fills in `size`. Post: 0, -EAGAIN (would block), or -errno:
// the connection is dead.
int seam_send(int sock, struct seam_message *message, int fd) __attribute__((warn_unused_result));

// Receives one. *fd is -1 or a descriptor that the caller now owns (close-on-exec). Checks type,
// size, names and text termination. Post: 0, -EAGAIN, -ECONNRESET at the end, -EPROTO for a bad
// message.
int seam_receive(int sock, struct seam_message *message, int *fd)
    __attribute__((warn_unused_result));
