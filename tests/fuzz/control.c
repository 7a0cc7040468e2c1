// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Any bytes, in any pieces, into the control sockets of np-controlplane: framing, the JSON in it,
// and clients that go away while their answer is under way. The commands themselves are replaced by
// one that gives back what it was asked, at once or when the fuzzer says so.
//
// Input: steps; each begins with an operation.

#include <event2/event.h>

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "cursor.h"
#include "daemon.h"
#include "descriptors.h"
#include "must.h"

#define PENDING_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config config;
static struct daemon daemon_ = {.config = &config};
static char folder[] = "/tmp/nameplane-fuzz.XXXXXX";

static struct {
	struct control_request *request;
	json_t *root;
} pending[PENDING_MAX];
static unsigned pending_count;

static void pending_end(void)
{
	must(pending_count > 0);
	pending_count--;
	control_respond(pending[pending_count].request, pending[pending_count].root);
}

void control_command(
    struct daemon *daemon, struct control_request *request, const json_t *root, bool may_change)
{
	json_t *copy = json_deep_copy(root);

	must(daemon == &daemon_ && root != NULL && copy != NULL);
	must(json_is_object(root) || json_is_array(root)); // what the parser takes at the top
	if (json_object_get(root, "later") == NULL) {
		control_respond(request, copy);
		return;
	}
	if (pending_count == PENDING_MAX)
		pending_end();
	pending[pending_count].request = request;
	pending[pending_count++].root = copy;
}

static void folder_remove(void)
{
	control_close(daemon_.control);
	event_base_free(daemon_.base);
	rmdir(folder);
}

static void open_once(void)
{
	struct control_sockets sockets;
	char error[256];

	if (daemon_.base != NULL)
		return;
	signal(SIGPIPE, SIG_IGN); // as np_controlplane.c does
	must(mkdtemp(folder) != NULL);
	config.server.rundir = folder;
	config.controlplane.control_group = (char[]){""};
	daemon_.base = event_base_new();
	must(control_listen(folder, &sockets, error) == 0);
	must(daemon_.base != NULL && control_open(&daemon_, &sockets, &daemon_.control) == 0);
	atexit(folder_remove);
}

static int client_open(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
	must(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

static void turn(void)
{
	for (unsigned i = 0; i < 3; i++)
		event_base_loop(daemon_.base, EVLOOP_NONBLOCK);
}

// What comes back is framed, and JSON. The fuzzer's client reads all there is.
static void replies_read(int fd, uint8_t *kept, size_t *kept_len, size_t cap)
{
	for (;;) {
		ssize_t n = recv(fd, kept + *kept_len, cap - *kept_len, MSG_DONTWAIT);
		size_t at = 0;

		if (n <= 0)
			return;
		*kept_len += (size_t)n;
		while (*kept_len - at >= 4) {
			uint32_t len_be;
			json_error_t error;

			memcpy(&len_be, kept + at, 4);
			const uint32_t len = ntohl(len_be);
			must(len > 0 && len <= cap - 4);
			if (*kept_len - at - 4 < len)
				break;
			json_t *root = json_loadb((const char *)kept + at + 4, len, 0, &error);
			must(root != NULL);
			json_decref(root);
			at += 4 + len;
		}
		memmove(kept, kept + at, *kept_len - at);
		*kept_len -= at;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t kept[8 * (CONTROL_REQUEST_MAX + 4)]; // escapes make text longer
	struct cursor c = {data, size};
	size_t kept_len = 0;
	int fd = -1;

	open_once();
	const unsigned descriptors = descriptors_count();
	while (c.left > 0) {
		const unsigned how = cursor_u8(&c);
		uint8_t bytes[4 + 4096];
		uint32_t len_be;
		size_t len;

		if (fd < 0) {
			fd = client_open((how & 0x80) != 0 ? STATUS_SOCKET : CONTROL_SOCKET);
			kept_len = 0;
		}
		switch (how & 7) {
		case 0: // bytes as they are
			len = cursor_bytes(&c, bytes, 1 + (how >> 3 & 15));
			(void)!send(fd, bytes, len, MSG_NOSIGNAL);
			break;
		case 1: // a request with its length
		case 2:
			len = cursor_bytes(&c, bytes + 4, (how & 7) == 1 ? cursor_u8(&c) : 4096);
			len_be = htonl((uint32_t)len);
			memcpy(bytes, &len_be, 4);
			(void)!send(fd, bytes, len + 4, MSG_NOSIGNAL);
			break;
		case 3: // a length alone
			len_be = htonl(cursor_u32(&c) >> (how >> 3 & 15));
			(void)!send(fd, &len_be, 4, MSG_NOSIGNAL);
			break;
		case 4:
			if (pending_count > 0)
				pending_end();
			break;
		case 5:
			close(fd);
			fd = -1;
			break;
		case 6:
			shutdown(fd, SHUT_WR);
			break;
		default:
			break;
		}
		turn();
		if (fd >= 0)
			replies_read(fd, kept, &kept_len, sizeof(kept));
	}
	do { // an answer lets the next request of its client in
		while (pending_count > 0)
			pending_end();
		turn();
	} while (pending_count > 0);
	if (fd >= 0) {
		replies_read(fd, kept, &kept_len, sizeof(kept));
		close(fd);
	}
	turn();
	must(pending_count == 0);
	must(descriptors_count() == descriptors); // nothing of this client is left
	return 0;
}
