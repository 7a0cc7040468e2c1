// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Sockets that receive nothing; see sink.h.

#include "sink.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

struct sink {
	size_t count;
	int socks[];
};

static int sink_socket(const struct config_address *address)
{
	struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog filter = {.len = 1, .filter = &drop_all};
	const int one = 1;
	int family = address->addr.ss_family;
	int sock = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), error;

	if (sock < 0)
		return -errno;
	// The filter is there before the address, so nothing is ever queued. An address that is not
	// here yet may be added later.
	if (setsockopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0 ||
	    (family == AF_INET6 &&
	        setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) ||
	    setsockopt(sock, IPPROTO_IP, IP_FREEBIND, &one, sizeof one) != 0 ||
	    bind(sock, (const void *)&address->addr, address->addr_len) != 0) {
		error = -errno;
		close(sock);
		return error;
	}
	return sock;
}

int sink_open(const char *name, const struct config_port *port, struct sink **out)
{
	struct sink *s = calloc(1, sizeof *s + port->address_count * sizeof s->socks[0]);

	if (s == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < port->address_count; i++) {
		int sock = sink_socket(&port->addresses[i]);
		if (sock < 0) {
			log_error(
			    "%s: cannot take over UDP of a served address in the kernel (%s); "
			    "is another name server running on it?",
			    name, strerror(-sock));
			sink_close(s);
			return sock;
		}
		s->socks[s->count++] = sock;
	}
	*out = s;
	return 0;
}

void sink_close(struct sink *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		close(s->socks[i]);
	free(s);
}
