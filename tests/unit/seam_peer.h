// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A control plane's end of the seam for tests: a data plane without ports in this process, a folder
// of its own, images compiled on the spot, and messages sent and awaited by hand. Included by the
// tests that need it, after cmocka.h.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "compile.h"
#include "config.h"
#include "dataplane.h"
#include "manifest.h"
#include "rrtype.h"
#include "seam.h"

#define PEER_WAIT_MS 60000 // far more than anything takes on a busy machine

static const struct hash_key peer_key = {{0x0123456789abcdef, 0xfedcba9876543210}};

struct peer {
	char folder[64];
	struct config config;
	struct dataplane dataplane;
	struct attach *attach;
	int listener, sock;
};

static inline size_t peer_wire(const char *text, uint8_t out[NAME_LEN_MAX])
{
	int len = name_from_text(text, strlen(text), NULL, out);

	assert_true(len > 0);
	return (size_t)len;
}

// --- images
// ---------------------------------------------------------------------------------------

struct peer_image {
	int fd;
	uint64_t size;
};

// A zone with a SOA, an NS and `extra` address records "h<n>.<apex>".
static inline struct peer_image peer_image_make(const char *apex_text, uint32_t serial,
    uint64_t generation, unsigned extra, const struct hash_key *key)
{
	struct compile_options options = {
	    .key = *key, .generation = generation, .id = generation * 1000 + serial};
	uint8_t apex[NAME_LEN_MAX], owner[NAME_LEN_MAX], rdata[2 * NAME_LEN_MAX + 20] = {0};
	struct image_buffer buffer;
	char error[COMPILE_ERROR_MAX];
	size_t len = peer_wire(apex_text, apex);
	struct records *records = records_new(apex);
	struct peer_image image;

	assert_non_null(records);
	memcpy(rdata, apex, len);
	memcpy(rdata + len, apex, len);
	for (unsigned i = 0; i < 4; i++)
		rdata[2 * len + i] = (uint8_t)(serial >> (24 - 8 * i));
	rdata[2 * len + 19] = 60;
	assert_int_equal(records_add(records, apex, RRTYPE_SOA, 300, rdata, 2 * len + 20), 0);
	assert_int_equal(records_add(records, apex, RRTYPE_NS, 300, apex, len), 0);
	assert_int_equal(
	    records_add(records, apex, RRTYPE_A, 300, (const uint8_t *)"\300\0\2\1", 4), 0);
	for (unsigned i = 0; i < extra; i++) {
		uint8_t address[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
		char label[16];

		owner[0] = (uint8_t)snprintf(label, sizeof(label), "h%u", i);
		memcpy(owner + 1, label, owner[0]);
		memcpy(owner + 1 + owner[0], apex, len);
		assert_int_equal(records_add(records, owner, RRTYPE_A, 300, address, 4), 0);
	}
	assert_int_equal(records_sort(records), 0);
	assert_int_equal(image_buffer_open(&buffer, 1u << 30), 0);
	if (compile_image(records, &options, &buffer, error) != 0)
		fail_msg("%s", error);
	records_free(records);
	image = (struct peer_image){
	    .fd = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING), .size = buffer.used};
	assert_int_equal(image_buffer_write(&buffer, image.fd), 0);
	image_buffer_close(&buffer);
	return image;
}

static inline struct peer_image peer_image_sealed(
    const char *apex, uint32_t serial, uint64_t generation, unsigned extra)
{
	struct peer_image image = peer_image_make(apex, serial, generation, extra, &peer_key);

	assert_int_equal(image_seal(image.fd), 0);
	return image;
}

// --- the data plane and the folder
// ----------------------------------------------------------------

static inline void peer_folder_make(struct peer *peer)
{
	char path[128];

	memset(peer, 0, sizeof(*peer));
	peer->listener = peer->sock = -1;
	strcpy(peer->folder, "/tmp/np-peer-XXXXXX");
	assert_non_null(mkdtemp(peer->folder));
	snprintf(path, sizeof(path), "%s/images", peer->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	peer->config.server.rundir = peer->folder;
	peer->config.server.storage = peer->folder;
	peer->dataplane.config = &peer->config;
	peer->dataplane.server.udp_payload_max = 1232;
}

static inline void peer_listen(struct peer *peer)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/seam.sock", peer->folder);
	unlink(address.sun_path);
	peer->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(peer->listener >= 0);
	assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(peer->listener, 4), 0);
}

static inline void peer_start(struct peer *peer)
{
	assert_int_equal(attach_start(&peer->dataplane, &peer->attach), 0);
}

static inline void peer_stop(struct peer *peer)
{
	char command[128];

	attach_stop(peer->attach);
	if (peer->sock >= 0)
		close(peer->sock);
	if (peer->listener >= 0)
		close(peer->listener);
	snprintf(command, sizeof(command), "rm -rf %s", peer->folder);
	assert_int_equal(system(command), 0);
}

// --- messages
// -------------------------------------------------------------------------------------

static inline void peer_wait_readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	if (poll(&poll_fd, 1, PEER_WAIT_MS) != 1)
		fail_msg("nothing came");
}

static inline void peer_accept(struct peer *peer)
{
	if (peer->sock >= 0)
		close(peer->sock);
	peer_wait_readable(peer->listener);
	peer->sock = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(peer->sock >= 0);
}

// The next message; descriptors are closed.
static inline int peer_receive(struct peer *peer, struct seam_message *message)
{
	int fd, ret;

	peer_wait_readable(peer->sock);
	ret = seam_receive(peer->sock, message, &fd);
	if (fd >= 0)
		close(fd);
	return ret;
}

static inline void peer_expect(struct peer *peer, struct seam_message *message, uint32_t type)
{
	assert_int_equal(peer_receive(peer, message), 0);
	if (message->type != type && message->type == SEAM_REJECT)
		fail_msg("rejected: %s", message->zone.text);
	assert_int_equal(message->type, type);
}

// Accepts and reads HELLO .. HELLO_END. Post: how many zones it has.
static inline unsigned peer_greet(struct peer *peer)
{
	struct seam_message message;
	unsigned have = 0;

	peer_accept(peer);
	peer_expect(peer, &message, SEAM_HELLO);
	assert_int_equal(message.hello.protocol, SEAM_PROTOCOL);
	for (;;) {
		assert_int_equal(peer_receive(peer, &message), 0);
		if (message.type == SEAM_HELLO_END)
			return have;
		if (message.type == SEAM_HAVE)
			have++;
	}
}

static inline void peer_send(struct peer *peer, struct seam_message *message, int fd)
{
	int ret;

	while ((ret = seam_send(peer->sock, message, fd)) == -EAGAIN)
		usleep(1000);
	assert_int_equal(ret, 0);
}

static inline void peer_publish_message(struct seam_message *message, const char *apex,
    uint32_t serial, uint64_t generation, struct peer_image image)
{
	memset(message, 0, sizeof(*message));
	message->type = SEAM_PUBLISH;
	message->generation = generation;
	message->publish.name.len = (uint8_t)peer_wire(apex, message->publish.name.wire);
	message->publish.serial = serial;
	message->publish.image_size = image.size;
}

static inline void peer_publish(
    struct peer *peer, const char *apex, uint32_t serial, uint64_t generation, unsigned extra)
{
	struct peer_image image = peer_image_sealed(apex, serial, generation, extra);
	struct seam_message message;

	peer_publish_message(&message, apex, serial, generation, image);
	peer_send(peer, &message, image.fd);
	close(image.fd);
}

static inline void peer_zone_message(
    struct seam_message *message, uint32_t type, const char *apex, uint64_t generation)
{
	memset(message, 0, sizeof(*message));
	message->type = type;
	message->generation = generation;
	if (apex != NULL)
		message->zone.name.len = (uint8_t)peer_wire(apex, message->zone.name.wire);
}

// What the answer function says of the zone. Post: its rcode, *serial when 0.
static inline uint32_t peer_ask(struct peer *peer, const char *apex, uint32_t *serial)
{
	struct seam_message message;

	peer_zone_message(&message, SEAM_ASK, apex, 77);
	peer_send(peer, &message, -1);
	peer_expect(peer, &message, SEAM_SERIALS);
	assert_int_equal(message.generation, 77);
	assert_int_equal(message.serials.count, 1);
	assert_int_equal(message.serials.last, 1);
	*serial = message.serials.item[0].serial;
	return message.serials.item[0].rcode;
}

static inline void peer_assert_serial(struct peer *peer, const char *apex, uint32_t want)
{
	uint32_t serial;

	assert_int_equal(peer_ask(peer, apex, &serial), 0);
	assert_int_equal(serial, want);
}
