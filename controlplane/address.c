// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Socket addresses compared and shown (see address.h).
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

// Post: the address's bytes (copied to out), their number; 0 for another family.
static size_t host_bytes(const struct sockaddr *addr, uint8_t out[16])
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	if (addr->sa_family == AF_INET) {
		memcpy(out, &((const struct sockaddr_in *)(const void *)addr)->sin_addr, 4);
		return 4;
	}
	if (addr->sa_family != AF_INET6) {
		return 0;
	}
	memcpy(out, &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr, 16);
	if (memcmp(out, mapped, sizeof(mapped)) == 0) {
		memmove(out, out + 12, 4);
		return 4;
	}
	return 16;
}

bool address_same_host(const struct sockaddr *a, const struct sockaddr *b)
{
	uint8_t a_bytes[16], b_bytes[16];
	size_t a_len = host_bytes(a, a_bytes), b_len = host_bytes(b, b_bytes);

	return a_len != 0 && a_len == b_len && memcmp(a_bytes, b_bytes, a_len) == 0;
}

void address_port_clear(struct sockaddr_storage *addr)
{
	if (addr->ss_family == AF_INET) {
		((struct sockaddr_in *)(void *)addr)->sin_port = 0;
	} else if (addr->ss_family == AF_INET6) {
		((struct sockaddr_in6 *)(void *)addr)->sin6_port = 0;
	}
}

const char *address_text(const struct sockaddr *addr, char out[ADDRESS_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "?";
	unsigned port = 0;

	if (addr->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		port = ntohs(in->sin_port);
	} else if (addr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)addr;

		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		port = ntohs(in6->sin6_port);
	}
	snprintf(out, ADDRESS_TEXT_MAX, "%s@%u", host, port);
	return out;
}
