// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The publication client against a scripted control plane: what is good goes live, whatever else is
// sent changes nothing that is served.

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stddef.h>

#include <cmocka.h>

#include "attach_served.h"
#include "seam_peer.h"
#include "test_clock.h"

static void a_node_without_manifest_takes_what_it_is_sent(void **state)
{
	struct seam_message message;
	struct peer peer;

	peer_folder_make(&peer);
	peer_start(&peer); // before there is any control plane
	peer_listen(&peer);
	assert_int_equal(peer_greet(&peer), 0);
	peer_publish(&peer, "example.com.", 7, 1, 10);
	peer_expect(&peer, &message, SEAM_LIVE);
	assert_int_equal(message.generation, 1);
	assert_int_equal(message.zone.serial, 7);
	assert_int_equal(message.zone.id, 1007);
	peer_assert_serial(&peer, "example.com.", 7);
	peer_publish(&peer, "example.com.", 8, 2, 10);
	peer_expect(&peer, &message, SEAM_LIVE);
	peer_assert_serial(&peer, "example.com.", 8);
	peer_stop(&peer);
}

// --- refusals
// -------------------------------------------------------------------------------------

enum fault {
	UNSEALED,
	NOT_A_MEMFD,
	SIZE_PAST_END,
	SIZE_SHORT,
	SIZE_ZERO,
	OFFSET_UNALIGNED,
	OFFSET_HUGE,
	OTHER_NAME,
	OTHER_SERIAL,
	IMAGE_NEWER,
	OLDER_GENERATION,
	SAME_GENERATION,
	NO_LAYER_BELOW,
	LAYER_IMPOSSIBLE,
	OTHER_KEY,
	BYTE_FLIPPED,
	ZEROES,
	FAULTS
};

static void publish_with_fault(struct peer *peer, enum fault fault, unsigned extra)
{
	static const struct hash_key other_key = {{1, 2}};
	uint64_t generation = fault == OLDER_GENERATION ? 4 : fault == SAME_GENERATION ? 5 : 6;
	struct peer_image image =
	    peer_image_make("example.com.", 9, fault == IMAGE_NEWER ? 7 : generation, extra,
	        fault == OTHER_KEY ? &other_key : &peer_key);
	struct seam_message message;
	uint8_t byte;

	peer_publish_message(&message, fault == OTHER_NAME ? "example.net." : "example.com.",
	    fault == OTHER_SERIAL ? 10 : 9, generation, image);
	switch (fault) {
	case NOT_A_MEMFD:
		close(image.fd);
		image.fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
		break;
	case SIZE_PAST_END:
		message.publish.image_size += IMAGE_ALIGN;
		break;
	case SIZE_SHORT:
		message.publish.image_size -= IMAGE_ALIGN;
		break;
	case SIZE_ZERO:
		message.publish.image_size = 0;
		break;
	case OFFSET_UNALIGNED:
		message.publish.image_offset = 64;
		message.publish.image_size -= 64;
		break;
	case OFFSET_HUGE:
		message.publish.image_offset = UINT64_MAX - IMAGE_ALIGN + 1;
		break;
	case NO_LAYER_BELOW:
		message.publish.layer = 2;
		break;
	case LAYER_IMPOSSIBLE:
		message.publish.layer = UINT32_MAX;
		break;
	case BYTE_FLIPPED:
		assert_int_equal(pread(image.fd, &byte, 1, 900), 1);
		byte ^= 1;
		assert_int_equal(pwrite(image.fd, &byte, 1, 900), 1);
		break;
	case ZEROES:
		assert_int_equal(ftruncate(image.fd, 0), 0);
		assert_int_equal(ftruncate(image.fd, (off_t)image.size), 0);
		break;
	default:
		break;
	}
	if (fault != UNSEALED && fault != NOT_A_MEMFD)
		assert_int_equal(image_seal(image.fd), 0);
	peer_send(peer, &message, image.fd);
	close(image.fd);
}

static void whatever_is_wrong_is_rejected_and_changes_nothing(void **state)
{
	static const unsigned sizes[] = {10, 20000}; // copied, and mapped by the verifier thread
	struct seam_message message;
	struct peer peer;

	peer_folder_make(&peer);
	peer_listen(&peer);
	peer_start(&peer);
	peer_greet(&peer);
	peer_publish(&peer, "example.com.", 5, 5, 10);
	peer_expect(&peer, &message, SEAM_LIVE);
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned fault = 0; fault < FAULTS; fault++) {
			publish_with_fault(&peer, (enum fault)fault, sizes[i]);
			assert_int_equal(peer_receive(&peer, &message), 0);
			if (message.type != SEAM_REJECT)
				fail_msg("fault %u was answered with %u", fault, message.type);
			assert_true(strlen(message.zone.text) > 0);
			// With all others it is not the image that is at fault.
			const bool broken = fault == BYTE_FLIPPED || fault == ZEROES ||
			                    fault == SIZE_SHORT || fault == OFFSET_UNALIGNED;

			assert_int_equal(message.zone.id, broken ? SEAM_REJECT_BROKEN : 0);
			peer_assert_serial(&peer, "example.com.", 5);
		}
	}
	// And the good one after all of them.
	peer_publish(&peer, "example.com.", 9, 6, 20000);
	peer_expect(&peer, &message, SEAM_LIVE);
	peer_assert_serial(&peer, "example.com.", 9);
	peer_stop(&peer);
}

static void sent_twice_is_live_twice(void **state)
{
	struct seam_message message;
	struct peer peer;

	peer_folder_make(&peer);
	peer_listen(&peer);
	peer_start(&peer);
	peer_greet(&peer);
	for (unsigned i = 0; i < 3; i++) {
		peer_publish(&peer, "example.com.", 5, 5, 10);
		peer_expect(&peer, &message, SEAM_LIVE);
		assert_int_equal(message.generation, 5);
	}
	peer_assert_serial(&peer, "example.com.", 5);
	peer_stop(&peer);
}

// --- connections
// ----------------------------------------------------------------------------------

static void a_lost_control_plane_loses_no_zone(void **state)
{
	struct peer_image image = peer_image_sealed("example.net.", 3, 9, 10);
	struct seam_message message;
	struct peer peer;

	peer_folder_make(&peer);
	peer_listen(&peer);
	peer_start(&peer);
	peer_greet(&peer);
	peer_publish(&peer, "example.com.", 5, 5, 10);
	peer_expect(&peer, &message, SEAM_LIVE);

	// Gone at each step of a connection.
	for (unsigned step = 0; step < 7; step++) {
		peer_accept((close(peer.sock), peer.sock = -1, &peer));
		for (unsigned i = 0; i < step && i < 3; i++) // HELLO, HAVE, HELLO_END
			assert_int_equal(peer_receive(&peer, &message), 0);
		if (step < 4)
			continue;
		// Layers announced that never come; a publication nobody waits for.
		peer_publish_message(&message, "example.net.", 3, 9, image);
		message.publish.more = step == 4;
		if (step == 6)
			message.publish.more = 0;
		peer_send(&peer, &message, image.fd);
	}
	close(image.fd);

	// Messages that are none, and messages that are not theirs to send.
	for (unsigned i = 0; i < 4; i++) {
		peer_greet(&peer);
		if (i == 0)
			assert_int_equal(send(peer.sock, "garbage", 7, MSG_NOSIGNAL), 7);
		if (i == 1)
			assert_int_equal(send(peer.sock, "", 0, MSG_NOSIGNAL), 0);
		if (i >= 2) {
			memset(&message, 0, sizeof(message));
			message.type = i == 2 ? SEAM_HELLO : SEAM_COUNTERS;
			peer_send(&peer, &message, i == 2 ? -1 : peer.listener);
		}
		assert_int_equal(peer_receive(&peer, &message), -ECONNRESET);
	}
	assert_true(peer_greet(&peer) >= 1);
	peer_assert_serial(&peer, "example.com.", 5);
	peer_stop(&peer);
}

// --- parcels
// --------------------------------------------------------------------------------------

#define PARCEL_ZONES 300

static void parcel_name(unsigned i, char text[40])
{
	snprintf(text, 40, "z%u.example.", i);
}

static void parcel_send(struct peer *peer, uint32_t serial, uint64_t generation, bool with_faults)
{
	int fd = memfd_create("parcel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint64_t at = (PARCEL_ZONES * sizeof(struct seam_parcel_entry) + 4095) & ~UINT64_C(4095);
	struct seam_message message = {.type = SEAM_PARCEL, .generation = 1000 + generation};

	assert_true(fd >= 0);
	for (unsigned i = 0; i < PARCEL_ZONES; i++) {
		char text[40];
		parcel_name(i, text);
		struct peer_image image = peer_image_make(text, serial, generation, 2, &peer_key);
		struct seam_parcel_entry entry = {
		    .generation = generation, .offset = at, .size = image.size, .serial = serial};
		uint8_t *bytes = malloc(image.size);

		entry.name.len = (uint8_t)peer_wire(text, entry.name.wire);
		assert_int_equal(pread(image.fd, bytes, image.size, 0), image.size);
		close(image.fd);
		if (with_faults && i == 10)
			bytes[image.size / 2] ^= 0x40;
		if (with_faults && i == 20)
			entry.serial++;
		if (with_faults && i == 30)
			entry.offset = UINT64_MAX - 63;
		assert_int_equal(pwrite(fd, bytes, image.size, (off_t)at), image.size);
		assert_int_equal(
		    pwrite(fd, &entry, sizeof(entry), (off_t)(i * sizeof(entry))), sizeof(entry));
		at += image.size;
		free(bytes);
	}
	assert_int_equal(image_seal(fd), 0);
	message.parcel.count = PARCEL_ZONES;
	message.parcel.size = at;
	peer_send(peer, &message, fd);
	// The same again with a table larger than the file, and a size that is not the file's.
	if (with_faults) {
		message.parcel.count = UINT64_MAX;
		peer_send(peer, &message, fd);
		message.parcel.count = PARCEL_ZONES;
		message.parcel.size--;
		peer_send(peer, &message, fd);
	}
	close(fd);
}

static void of_a_parcel_only_the_broken_are_refused(void **state)
{
	struct seam_message message;
	unsigned zones = 0, whole = 0, live = 0;
	struct peer peer;
	char text[40];

	peer_folder_make(&peer);
	peer_listen(&peer);
	peer_start(&peer);
	peer_greet(&peer);
	parcel_send(&peer, 1, 1, false);
	peer_expect(&peer, &message, SEAM_LIVE);
	assert_int_equal(message.zone.name.len, 0);
	assert_int_equal(message.generation, 1001);
	parcel_send(&peer, 2, 2, true);
	// In any order: the parcel is verified while the next messages are read.
	while (live == 0 || whole < 2) {
		assert_int_equal(peer_receive(&peer, &message), 0);
		if (message.type == SEAM_REJECT)
			*(message.zone.name.len > 0 ? &zones : &whole) += 1;
		else
			live += message.type == SEAM_LIVE;
	}
	assert_int_equal(live, 1);
	assert_int_equal(zones, 3);
	assert_int_equal(whole, 2);
	for (unsigned i = 0; i < PARCEL_ZONES; i++) {
		parcel_name(i, text);
		peer_assert_serial(&peer, text, i == 10 || i == 20 || i == 30 ? 1 : 2);
	}

	// All zones in one question.
	bool seen[PARCEL_ZONES] = {0};
	unsigned count = 0;

	peer_zone_message(&message, SEAM_ASK, NULL, 5);
	peer_send(&peer, &message, -1);
	do {
		peer_expect(&peer, &message, SEAM_SERIALS);
		for (unsigned i = 0; i < message.serials.count; i++, count++) {
			unsigned n = (unsigned)strtoul(
			    (const char *)message.serials.item[i].name.wire + 2, NULL, 10);

			assert_true(n < PARCEL_ZONES && !seen[n]);
			seen[n] = true;
		}
	} while (!message.serials.last);
	assert_int_equal(count, PARCEL_ZONES);
	close(peer.sock);
	peer.sock = -1;
	assert_int_equal(peer_greet(&peer), PARCEL_ZONES);
	peer_stop(&peer);
}

// What is large is verified as long as a case wants.
#define LARGE_SIZE 2000000
static _Atomic bool verifying_long;
int __real_image_verify(const void *mem, size_t size, char error[IMAGE_ERROR_MAX]);
int __wrap_image_verify(const void *mem, size_t size, char error[IMAGE_ERROR_MAX]);
int __wrap_image_verify(const void *mem, size_t size, char error[IMAGE_ERROR_MAX])
{
	while (size > LARGE_SIZE && verifying_long)
		usleep(1000);
	return __real_image_verify(mem, size, error);
}

static void a_large_image_does_not_hold_up_small_ones(void **state)
{
	struct peer_image large = peer_image_sealed("large.", 1, 1, 400000);
	struct seam_message message;
	struct peer peer;

	assert_true(large.size > LARGE_SIZE);
	peer_folder_make(&peer);
	peer_listen(&peer);
	peer_start(&peer);
	peer_greet(&peer);
	peer_publish(&peer, "first.", 1, 1, 1); // images later than this are ready made
	peer_expect(&peer, &message, SEAM_LIVE);

	struct peer_image one = peer_image_sealed("small.", 1, 2, 1);

	verifying_long = true;
	peer_publish_message(&message, "large.", 1, 1, large);
	peer_send(&peer, &message, large.fd);
	peer_publish_message(&message, "small.", 1, 2, one);
	peer_send(&peer, &message, one.fd);
	peer_expect(&peer, &message, SEAM_LIVE);
	assert_int_equal(message.generation, 2);
	verifying_long = false;
	peer_expect(&peer, &message, SEAM_LIVE);
	assert_int_equal(message.generation, 1);
	peer_assert_serial(&peer, "large.", 1);
	close(large.fd);
	close(one.fd);
	peer_stop(&peer);
}

// --- expiry, withdrawal
// ---------------------------------------------------------------------------

static uint32_t rcode_within(struct peer *peer, const char *apex, uint32_t want)
{
	uint32_t serial, rcode = UINT32_MAX;

	for (unsigned i = 0; i < 6000 && rcode != want; i++) {
		rcode = peer_ask(peer, apex, &serial);
		usleep(10000);
	}
	return rcode;
}

static void a_zone_expires_by_itself_and_a_renewal_revives_it(void **state)
{
	struct peer_image image = peer_image_sealed("example.com.", 5, 5, 1);
	struct seam_message message;
	struct peer peer;

	peer_folder_make(&peer);
	peer_listen(&peer);
	peer_start(&peer);
	peer_greet(&peer);
	peer_publish_message(&message, "example.com.", 5, 5, image);
	message.publish.expires_at = time(NULL) + 1000;
	peer_send(&peer, &message, image.fd);
	close(image.fd);
	peer_expect(&peer, &message, SEAM_LIVE);
	peer_assert_serial(&peer, "example.com.", 5);

	// With nobody connected.
	close(peer.sock);
	peer.sock = -1;
	test_clock_advance(1001 * 1000);
	sleep(2); // likely long enough to have been seen by now; if not, soon
	assert_int_equal(peer_greet(&peer), 1);
	assert_int_equal(rcode_within(&peer, "example.com.", 2), 2);

	peer_zone_message(&message, SEAM_RENEW, "example.com.", 4);
	message.zone.expires_at = time(NULL) + 1000; // from then on
	peer_send(&peer, &message, -1);
	peer_expect(&peer, &message, SEAM_REJECT); // of another generation
	peer_zone_message(&message, SEAM_RENEW, "example.com.", 5);
	message.zone.expires_at = time(NULL) + 1000;
	peer_send(&peer, &message, -1);
	assert_int_equal(rcode_within(&peer, "example.com.", 0), 0);

	peer_zone_message(&message, SEAM_WITHDRAW, "example.com.", 5);
	peer_send(&peer, &message, -1);
	peer_expect(&peer, &message, SEAM_REJECT); // not later
	peer_zone_message(&message, SEAM_WITHDRAW, "example.com.", 6);
	peer_send(&peer, &message, -1);
	peer_expect(&peer, &message, SEAM_LIVE);
	assert_int_equal(message.generation, 6);
	assert_int_equal(rcode_within(&peer, "example.com.", 5), 5);
	peer_stop(&peer);
}

// Such as the first is stand in the image's own memory, which goes with the last of them.
static void versions_of_one_image_end_in_any_order(void **state)
{
	for (unsigned first = 0; first < 2; first++) {
		struct peer_image image = peer_image_sealed("example.com.", 5, 5, 1);
		struct stored_version *version[2], *none;
		struct block *block;

		assert_int_equal(block_load(image.fd, 0, image.size, &block), 0);
		close(image.fd);
		assert_int_equal(
		    stored_version_new((struct block *[]){block, block}, 2, 1, &none), -EINVAL);
		for (unsigned i = 0; i < 2; i++) {
			block->refs = i + 1;
			assert_int_equal(stored_version_new(&block, 1, 1 + i, &version[i]), 0);
		}
		assert_ptr_equal(&version[0]->version.layer[1], block->mem);
		assert_ptr_not_equal(version[0], version[1]);
		stored_version_free(version[first]);
		assert_int_equal(version[1 - first]->generation, 2 - first);
		assert_int_equal(version_header(&version[1 - first]->version)->serial, 5);
		stored_version_free(version[1 - first]);
	}
}

static void a_zone_is_stale_for_its_grace_and_a_clock_that_is_set_expires_nothing(void **state)
{
	static const uint8_t apex[] = "\7example\3com";
	const struct expiry soon = {.at = 2000, .grace_s = 500};
	struct peer_image image = peer_image_sealed("example.com.", 5, 5, 1);
	_Atomic(struct zone_table *) published;
	struct hash_key key = {{1, 2}};
	struct stored_version *version;
	char error[IMAGE_ERROR_MAX];
	struct served served;
	struct served_zone *zone;
	struct block *block;
	size_t stale, expired;

	assert_int_equal(served_open(&served, &published, &key), 0);
	assert_int_equal(block_load(image.fd, 0, image.size, &block), 0);
	close(image.fd);
	assert_int_equal(block_verify(block, error), 0);
	assert_int_equal(stored_version_new(&block, 1, 5, &version), 0);
	assert_int_equal(served_clock(&served, 1000, 77), 0);
	assert_int_equal(served_set(&served, version, soon, 1000), 0);
	zone = served_get(&served, apex);
	for (int64_t now = 1000; now < 2010; now++) {
		assert_int_equal(served_clock(&served, now, now - 923), 0);
		served_expire(&served, now, &stale, &expired);
		assert_int_equal(stale, now == 1500);
		assert_int_equal(expired, now == 2000);
		assert_int_equal(zone->entry->version->state, now < 1500   ? ZONE_LIVE
		                                              : now < 2000 ? ZONE_STALE
		                                                           : ZONE_EXPIRED);
	}
	// Ten years there and back, by half a year more: what is left is left.
	served_renew(&served, zone, (struct expiry){2010 + 100, 50}, 2010);
	for (int64_t set = -400000000; set <= 400000000; set += 100000000) {
		const int64_t before = zone->expiry.at;

		if (set == 0)
			continue;
		assert_int_equal(
		    served_clock(&served, before - 100 + set, before - 100 - served.wall_offset),
		    set);
		assert_int_equal(zone->expiry.at, before + set);
		served_expire(&served, before - 100 + set, &stale, &expired);
		assert_int_equal(zone->entry->version->state, ZONE_LIVE);
		assert_int_equal(zone->entry->expires_at, (uint32_t)(before + set));
	}
	served_close(&served);
}

// --- blocks
// ---------------------------------------------------------------------------------------

static void same_bytes(int fd, uint64_t offset, const uint8_t *bytes, uint64_t size)
{
	struct block *block;

	assert_int_equal(block_load(fd, offset, size, &block), 0);
	assert_int_equal(block->size, size);
	assert_memory_equal(block->mem, bytes, size);
	assert_int_equal((uintptr_t)block->mem % IMAGE_ALIGN, 0);
	block_drop(block);
}

// Above and below a huge page, with and without a rest, sealed or on disk, and behind another.
static void images_of_every_size_are_loaded_as_they_are(void **state)
{
	static const uint64_t sizes[] = {4096, 65536 + 64, (2 << 20) - 64, 2 << 20, (2 << 20) + 64,
	    (8 << 20) + (1 << 20) + 192, 12 << 20};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int sealed = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		char path[] = "/tmp/np-image-XXXXXX";
		int file = mkstemp(path);
		uint8_t *bytes = malloc(sizes[i]), *mem;
		struct image_buffer buffer;
		struct stat st;
		uint32_t word = 1;

		assert_true(bytes != NULL && sealed >= 0 && file >= 0);
		for (uint64_t at = 0; at < sizes[i]; at++)
			bytes[at] = (uint8_t)((word = word * 1664525 + 1013904223) >> 24);
		assert_int_equal(image_buffer_open(&buffer, sizes[i]), 0);
		image_buffer_back(&buffer, sealed);
		mem = image_buffer_take(&buffer, sizes[i] / 3, 1);
		assert_non_null(mem);
		memcpy(mem, bytes, sizes[i] / 3);
		mem = image_buffer_take(&buffer, sizes[i] - sizes[i] / 3, 1);
		assert_ptr_equal(mem, buffer.mem + sizes[i] / 3);
		for (uint64_t at = sizes[i] / 3; at < sizes[i]; at++)
			assert_int_equal(buffer.mem[at], 0);
		memcpy(mem, bytes + sizes[i] / 3, sizes[i] - sizes[i] / 3);
		assert_int_equal(image_buffer_write(&buffer, sealed), 0);
		image_buffer_close(&buffer);
		assert_int_equal(ftruncate(sealed, (off_t)sizes[i]), 0);
		assert_int_equal(image_seal(sealed), 0); // nobody has it mapped for writing
		assert_int_equal(fstat(sealed, &st), 0);
		assert_int_equal(st.st_size, sizes[i]);
		same_bytes(sealed, 0, bytes, sizes[i]);
		assert_int_equal(pwrite(file, bytes, sizes[i], 4160), sizes[i]);
		same_bytes(file, 4160, bytes, sizes[i]);
		assert_int_equal(unlink(path), 0);
		close(file);
		close(sealed);
		free(bytes);
	}
}

// --- boot
// -----------------------------------------------------------------------------------------

static void image_store(struct peer *peer, uint64_t file_id, struct peer_image image)
{
	uint8_t *bytes = malloc(image.size);
	char path[128];
	int fd;

	assert_int_equal(manifest_image_path(peer->folder, file_id, path, sizeof(path)), 0);
	assert_int_equal(pread(image.fd, bytes, image.size, 0), image.size);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, image.size), image.size);
	close(fd);
	close(image.fd);
	free(bytes);
}

static void a_boot_serves_what_the_manifest_names_without_anybody(void **state)
{
	static const char *const apexes[] = {"small.example.", "large.example.", "gone.example.",
	    "rotten.example.", "expired.example."};
	struct manifest_zone zones[5] = {0};
	struct manifest manifest = {.generation_max = 50,
	    .hash_key = {peer_key.k[0], peer_key.k[1]},
	    .zones = zones,
	    .zone_count = 5};
	uint32_t serial;
	struct peer peer;
	char path[128];

	peer_folder_make(&peer);
	for (unsigned i = 0; i < 5; i++) {
		struct peer_image image =
		    peer_image_make(apexes[i], 10 + i, 20 + i, i == 1 ? 20000 : 3, &peer_key);

		if (i == 3)
			assert_int_equal(pwrite(image.fd, "x", 1, (off_t)image.size / 2), 1);
		zones[i].apex_len = (uint8_t)peer_wire(apexes[i], zones[i].apex);
		zones[i].serial = 10 + i;
		zones[i].generation = 20 + i;
		zones[i].expires_at = i == 4 ? 1000 : 0;
		zones[i].layer_count = 1;
		zones[i].layer[0] = (struct manifest_layer){.file_id = 100 + i, .size = image.size};
		if (i == 2)
			close(image.fd);
		else
			image_store(&peer, 100 + i, image);
	}
	assert_int_equal(manifest_save(peer.folder, &manifest), 0);
	peer_start(&peer);
	peer_listen(&peer);
	assert_int_equal(peer_greet(&peer), 3);
	// The files go; what is mapped stays.
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(manifest_image_path(peer.folder, 100 + i, path, sizeof(path)), 0);
		unlink(path);
	}
	peer_assert_serial(&peer, "small.example.", 10);
	peer_assert_serial(&peer, "large.example.", 11);
	assert_int_equal(peer_ask(&peer, "gone.example.", &serial), 5);
	assert_int_equal(peer_ask(&peer, "rotten.example.", &serial), 5);
	assert_int_equal(peer_ask(&peer, "expired.example.", &serial), 2);
	peer_stop(&peer);
}

// Of the second zone the version before is broken as well.
static void a_boot_serves_what_was_before_a_version_that_is_broken(void **state)
{
	static const char *const apexes[] = {"older.example.", "broken.example."};
	struct manifest_zone zones[2] = {0};
	struct manifest manifest = {.generation_max = 50,
	    .hash_key = {peer_key.k[0], peer_key.k[1]},
	    .zones = zones,
	    .zone_count = 2};
	uint32_t serial;
	struct peer peer;

	peer_folder_make(&peer);
	for (unsigned i = 0; i < 4; i++) {
		const unsigned z = i / 2;
		const bool older = i % 2 == 1;
		struct peer_image image = peer_image_make(apexes[z], 20 - i, 30 - i, 3, &peer_key);

		if (i != 1)
			assert_int_equal(pwrite(image.fd, "x", 1, (off_t)image.size / 2), 1);
		image_store(&peer, 100 + i, image);
		if (older) {
			const struct manifest_older before = {.generation = 30 - i,
			    .serial = 20 - i,
			    .layer_count = 1,
			    .layer = {{.file_id = 100 + i, .size = image.size}}};

			assert_int_equal(manifest_older_add(&manifest, &zones[z], &before), 0);
			continue;
		}
		zones[z].apex_len = (uint8_t)peer_wire(apexes[z], zones[z].apex);
		zones[z].serial = 20 - i;
		zones[z].generation = 30 - i;
		zones[z].layer_count = 1;
		zones[z].layer[0] = (struct manifest_layer){.file_id = 100 + i, .size = image.size};
	}
	assert_int_equal(manifest_save(peer.folder, &manifest), 0);
	free(manifest.older);
	peer_start(&peer);
	peer_listen(&peer);
	assert_int_equal(peer_greet(&peer), 1);
	peer_assert_serial(&peer, "older.example.", 19);
	assert_int_equal(peer_ask(&peer, "broken.example.", &serial), 5);
	peer_stop(&peer);
}

static void a_broken_manifest_starts_empty(void **state)
{
	struct peer peer;
	char path[128];
	FILE *file;

	peer_folder_make(&peer);
	snprintf(path, sizeof(path), "%s/manifest", peer.folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("this is no manifest, but it is longer than the header of one would be: 64 bytes",
	    file);
	fclose(file);
	peer_start(&peer);
	peer_listen(&peer);
	assert_int_equal(peer_greet(&peer), 0);
	peer_stop(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_node_without_manifest_takes_what_it_is_sent),
	    cmocka_unit_test(whatever_is_wrong_is_rejected_and_changes_nothing),
	    cmocka_unit_test(sent_twice_is_live_twice),
	    cmocka_unit_test(a_lost_control_plane_loses_no_zone),
	    cmocka_unit_test(of_a_parcel_only_the_broken_are_refused),
	    cmocka_unit_test(a_large_image_does_not_hold_up_small_ones),
	    cmocka_unit_test(a_zone_expires_by_itself_and_a_renewal_revives_it),
	    cmocka_unit_test(images_of_every_size_are_loaded_as_they_are),
	    cmocka_unit_test(versions_of_one_image_end_in_any_order),
	    cmocka_unit_test(a_zone_is_stale_for_its_grace_and_a_clock_that_is_set_expires_nothing),
	    cmocka_unit_test(a_boot_serves_what_the_manifest_names_without_anybody),
	    cmocka_unit_test(a_boot_serves_what_was_before_a_version_that_is_broken),
	    cmocka_unit_test(a_broken_manifest_starts_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
