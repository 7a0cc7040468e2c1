// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Sequences of seam messages, with descriptors, over a real socket. Into the data plane: received,
// handled and answered as the attach thread does (attach.c is included; its threads are replaced by
// calls), and what it answers goes through the control plane's parser. Or (bit 0 of the first byte)
// straight into that parser, which must keep what seam.h promises. No descriptor may be left
// behind.
//
// Input: choices, then messages: kind, descriptor, generation, patches.

#include "../../dataplane/attach.c"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "ask.h"
#include "cursor.h"
#include "descriptors.h"
#include "must.h"
#include "zoo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dataplane dataplane;
static struct attach attach;

enum descriptor {
	FD_NONE,
	FD_ZONE,    // an image
	FD_CHILD,   // another
	FD_OVERLAY, // FD_ZONE as an overlay of itself
	FD_PARCEL,  // both in a parcel
	FD_FORGED,  // the parcel with a patch of the fuzzer's
	FD_OPEN,    // FD_ZONE, but not sealed
	FD_OTHER,   // no memfd at all
	FD_COUNT
};
static int kept[FD_COUNT];
static size_t kept_size[FD_COUNT];
static uint8_t parcel[1 << 16];
static size_t parcel_size;

// Instead of log.c: written, and thrown away.
void log_line(enum log_level level, const char *format, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, format);
	must(vsnprintf(line, sizeof(line), format, ap) >= 0);
	va_end(ap);
}

static const struct image *zone_image(unsigned which)
{
	return zoo_image(which == 0 ? ZOO_SMALL : ZOO_SMALL_NSEC);
}

static int memfd_of(const void *bytes, size_t size, bool sealed)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	if (sealed)
		must(image_seal(fd) == 0);
	return fd;
}

static void parcel_make(void)
{
	struct seam_parcel_entry *entries = (void *)parcel;
	size_t at = 4096;

	for (unsigned i = 0; i < 2; i++) {
		const struct image *image = zone_image(i);

		must(at + image->header->size <= sizeof(parcel));
		entries[i].name.len = image->header->apex_len;
		memcpy(entries[i].name.wire, image_apex(image->header), image->header->apex_len);
		entries[i].generation = 1 + i;
		entries[i].offset = at;
		entries[i].size = image->header->size;
		entries[i].serial = image->header->serial;
		memcpy(parcel + at, image->mem, image->header->size);
		at += image->header->size;
	}
	parcel_size = at;
}

static void open_once(void)
{
	static uint8_t overlay[1 << 16];
	struct image_header *header = (void *)overlay;
	const struct image *image = zone_image(0);

	if (kept_size[FD_ZONE] != 0)
		return;
	for (unsigned i = 0; i < 2; i++) {
		kept[FD_ZONE + i] = memfd_of(zone_image(i)->mem, zone_image(i)->header->size, true);
		kept_size[FD_ZONE + i] = zone_image(i)->header->size;
	}
	must(image->header->size <= sizeof(overlay));
	memcpy(overlay, image->mem, image->header->size);
	header->flags |= IMAGE_OVERLAY;
	header->below_id = header->id;
	header->id = 77;
	header->generation = 2;
	header->checksum = image_checksum(overlay, image->header->size);
	kept[FD_OVERLAY] = memfd_of(overlay, image->header->size, true);
	kept_size[FD_OVERLAY] = image->header->size;
	parcel_make();
	kept[FD_PARCEL] = memfd_of(parcel, parcel_size, true);
	kept_size[FD_PARCEL] = kept_size[FD_FORGED] = parcel_size;
	kept[FD_OPEN] = memfd_of(image->mem, image->header->size, false);
	kept_size[FD_OPEN] = image->header->size;
	kept[FD_OTHER] = open("/dev/null", O_RDWR | O_CLOEXEC);
	dataplane.server = ask_servers[1];
	attach.dataplane = &dataplane;
	attach.link.fd = attach.epoll_fd = attach.wake_fd = -1;
	attach.ask_buffer = malloc(DNS_TCP_MAX + DNS_WRITE_SLACK + 1);
	must(attach.ask_buffer != NULL);
	pthread_mutex_init(&attach.inbox.mutex, NULL);
	pthread_mutex_init(&attach.images.mutex, NULL);
	pthread_mutex_init(&attach.parcels.mutex, NULL);
	pthread_cond_init(&attach.images.wake, NULL);
	pthread_cond_init(&attach.parcels.wake, NULL);
}

static const uint32_t kinds[] = {SEAM_PUBLISH, SEAM_PARCEL, SEAM_WITHDRAW, SEAM_RENEW, SEAM_ASK,
    SEAM_FORWARD_REPLY, SEAM_HELLO, SEAM_HAVE, SEAM_HELLO_END, SEAM_LIVE, SEAM_REJECT, SEAM_SERIALS,
    SEAM_FORWARD, SEAM_COUNTERS, 0, 9999};

static void name_fill(struct seam_name *name, unsigned which)
{
	const struct image_header *header = zone_image(which)->header;

	name->len = header->apex_len;
	memcpy(name->wire, image_apex(header), header->apex_len);
}

// What a well-meaning sender would say.
static void message_fill(
    struct seam_message *message, uint32_t type, unsigned fd, unsigned generation, unsigned more)
{
	const unsigned which = fd == FD_CHILD ? 1 : 0;

	memset(message, 0, sizeof(*message));
	message->type = type;
	message->generation = generation;
	switch (type) {
	case SEAM_PUBLISH:
		name_fill(&message->publish.name, which);
		message->publish.serial = zone_image(which)->header->serial;
		message->publish.layer = fd == FD_OVERLAY ? 1 : 0;
		message->publish.image_size = kept_size[fd];
		message->publish.more = more;
		break;
	case SEAM_PARCEL:
		message->parcel.count = 2;
		message->parcel.size = kept_size[fd];
		break;
	case SEAM_SERIALS:
		message->serials.count = more;
		for (unsigned i = 0; i < SEAM_SERIALS_MAX; i++)
			name_fill(&message->serials.item[i].name, i % 2);
		break;
	case SEAM_HAVE:
	case SEAM_LIVE:
	case SEAM_REJECT:
	case SEAM_WITHDRAW:
	case SEAM_RENEW:
	case SEAM_ASK:
		if (more == 0)
			name_fill(&message->zone.name, which);
		break;
	case SEAM_FORWARD_REPLY:
		message->forward.token = attach.forward_token;
		message->forward.length = more * 16;
		break;
	default:
		break;
	}
}

// Bytes of the fuzzer's over those that are there.
static void patch(struct cursor *c, void *bytes, size_t size)
{
	const size_t at = cursor_u16(c) % size, n = cursor_u8(c) % 32;

	cursor_bytes(c, (uint8_t *)bytes + at, n < size - at ? n : size - at);
}

static int forged_parcel(struct cursor *c)
{
	static uint8_t forged[sizeof(parcel)];

	memcpy(forged, parcel, parcel_size);
	patch(c, forged, 2 * sizeof(struct seam_parcel_entry));
	return memfd_of(forged, parcel_size, true);
}

static void message_send(int sock, struct cursor *c)
{
	struct seam_message message;
	const unsigned kind = cursor_u8(c), how = cursor_u8(c), generation = cursor_u8(c);
	const enum descriptor fd = (enum descriptor)(how & 7);
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = &message};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[2] = {-1, kept[FD_OTHER]};

	message_fill(&message, kinds[kind & 15], fd, generation, kind >> 4);
	message.size = (uint32_t)seam_size(message.type);
	iov.iov_len = message.size;
	for (unsigned n = how >> 4 & 3; n > 0; n--)
		patch(c, &message, sizeof(message));
	if ((how & 0x80) != 0)
		iov.iov_len = cursor_u16(c) % (sizeof(message) + 1);
	if (fd != FD_NONE) {
		const unsigned count = (how & 0x40) != 0 && (how & 8) != 0 ? 2 : 1;

		fds[0] = fd == FD_FORGED ? forged_parcel(c) : kept[fd];
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
	}
	(void)!sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (fd == FD_FORGED)
		close(fds[0]);
}

static void name_judge(const struct seam_name *name, bool optional)
{
	must((optional && name->len == 0) || name_len_checked(name->wire, name->len) == name->len);
	for (unsigned i = 0; i < name->len; i++)
		must(name->wire[i] < 'A' || name->wire[i] > 'Z');
}

// What seam_receive() promises of a message it let through.
static void message_judge(const struct seam_message *message, int fd)
{
	must(seam_size(message->type) == message->size && message->size != 0);
	must((fd >= 0) == (message->type == SEAM_PUBLISH || message->type == SEAM_PARCEL ||
	                      message->type == SEAM_COUNTERS));
	switch (message->type) {
	case SEAM_HAVE:
	case SEAM_LIVE:
	case SEAM_REJECT:
	case SEAM_WITHDRAW:
	case SEAM_RENEW:
	case SEAM_ASK:
		name_judge(&message->zone.name, true);
		must(memchr(message->zone.text, '\0', SEAM_TEXT_MAX) != NULL);
		break;
	case SEAM_PUBLISH:
		name_judge(&message->publish.name, false);
		break;
	case SEAM_SERIALS:
		must(message->serials.count <= SEAM_SERIALS_MAX);
		for (unsigned i = 0; i < message->serials.count; i++)
			name_judge(&message->serials.item[i].name, false);
		break;
	case SEAM_FORWARD:
	case SEAM_FORWARD_REPLY:
		must(message->forward.length <= sizeof(message->forward.message));
		break;
	default:
		break;
	}
}

// The control plane's reading. `answers`: these are the data plane's own, and so must be right.
static void control_read(int sock, bool answers)
{
	struct seam_message message;
	int fd, rc;

	while ((rc = seam_receive(sock, &message, &fd)) == 0) {
		message_judge(&message, fd);
		must(!answers || message.type < SEAM_PUBLISH);
		if (fd >= 0)
			close(fd);
	}
	must(fd == -1);
	must(rc == -EAGAIN || rc == -ECONNRESET || (rc == -EPROTO && !answers));
}

static void jobs_run(struct verifier *verifier)
{
	struct job *job;

	while ((job = job_queue_take(&verifier->todo)) != NULL) {
		job_run(job);
		job_queue_put(&verifier->done, job);
	}
}

// A message of a TCP client that only the control plane can answer. Each gets one reply.
static unsigned forwards_put, forwards_ended;

static void forward_ended(void *ctx, uint64_t cookie, const uint8_t *message, size_t len)
{
	must(ctx == &attach && cookie == 7 && len <= sizeof(((struct attach_forward *)0)->message));
	must(len == 0 || message != NULL);
	forwards_ended++;
}

static void forward_put_one(void)
{
	struct attach_forward forward = {
	    .reply = forward_ended, .ctx = &attach, .cookie = 7, .len = 40};

	forwards_put += attach_forward_put(&attach, &forward);
}

// One turn of attach_main() without its waiting.
static void turn(int control)
{
	if (attach.link.fd >= 0 && !attach.greeting)
		link_read(&attach);
	jobs_run(&attach.images);
	jobs_run(&attach.parcels);
	while (publish_advance(&attach))
		;
	while (ask_advance(&attach))
		;
	forward_advance(&attach, attach_mono_ms());
	served_reclaim(&attach.served);
	if (attach.link.fd >= 0 && link_flush(&attach.link) != 0)
		connection_lost(&attach, "");
	control_read(control, true);
}

static void zones_ask(void)
{
	static const uint8_t query[] = "\1\2\0\0\0\1\0\0\0\0\0\0\2ns\5small\3com\0\0\1\0\1";
	static uint8_t reply[DNS_TCP_MAX];
	uint16_t len;
	const struct ask ask = {.msg = query,
	    .len = sizeof(query) - 1,
	    .cap = 1232,
	    .table = attach.served.table,
	    .server = &ask_servers[1]};

	(void)ask_all(&ask, reply, &len);
}

static void dataplane_run(const int pair[2], struct cursor *c)
{
	must(served_open(&attach.served, &dataplane.table, &zoo_key) == 0);
	attach.link.fd = pair[1];
	attach.link.connection++;
	attach.link.head = attach.link.count = 0;
	atomic_store(&attach.connected, true);
	while (c->left > 0 && attach.link.fd >= 0) {
		message_send(pair[0], c);
		const unsigned next = cursor_u8(c);
		if ((next & 2) != 0)
			forward_put_one();
		if ((next & 1) != 0)
			turn(pair[0]);
	}
	turn(pair[0]);
	turn(pair[0]);
	zones_ask();
	if (attach.link.fd >= 0)
		connection_lost(&attach, "");
	forward_advance(&attach, attach_mono_ms()); // what nobody will ever take
	must(forwards_ended == forwards_put);
	must(attach.staged == NULL && attach.applying == NULL);
	must(attach.images.under_way == 0 && attach.parcels.under_way == 0);
	served_close(&attach.served);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = {data, size};
	const unsigned choice = cursor_u8(&c);
	int pair[2];

	if (size > 2048)
		return 0;
	open_once();
	const unsigned descriptors = descriptors_count();
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	if ((choice & 1) == 0) {
		dataplane_run(pair, &c); // closes pair[1]
	} else {
		while (c.left > 0) {
			message_send(pair[1], &c);
			control_read(pair[0], false);
		}
		close(pair[1]);
	}
	close(pair[0]);
	must(descriptors_count() == descriptors);
	return 0;
}
