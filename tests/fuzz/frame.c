// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Any frame: classified without reading past its end; when it is a query, its reply turned around
// again must be a query of the same sizes.

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "checksum.h"
#include "frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct frame_rules rules[2];
	struct frame frame, back;

	if (size < 1 || size > 2000)
		return 0;
	if (rules[0].served.count == 0) {
		for (unsigned i = 0; i < 2; i++) {
			struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(53)};
			struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
			inet_pton(AF_INET, "198.51.100.53", &in.sin_addr);
			inet_pton(AF_INET6, "2001:db8::53", &in6.sin6_addr);
			if (frame_served_add(&rules[i].served, (void *)&in) != 0 ||
			    frame_served_add(&rules[i].served, (void *)&in6) != 0)
				abort();
		}
		rules[1].vlan = 100;
	}

	// Checksums would stop the fuzzer: the first byte says whether they are left to virtual
	// links.
	struct frame_rules *r = &rules[data[0] & 1];
	r->accept_partial = (data[0] & 2) != 0;
	size_t len = size - 1;
	uint8_t *buf = malloc(len < 2048 ? 2048 : len);
	uint8_t *exact = malloc(len > 0 ? len : 1);
	if (buf == NULL || exact == NULL)
		abort();
	memcpy(exact, data + 1, len);
	enum frame_verdict v = frame_classify(exact, len, r, &frame);
	if (v == FRAME_DNS) {
		assert(frame.dns_off + (size_t)frame.dns_len <= len);
		assert(frame.dns_sum % 0xffff ==
		       checksum_sum(exact + frame.dns_off, frame.dns_len, 0) % 0xffff);
		memcpy(buf, exact, len);
		size_t out = frame_reply(buf, &frame, frame.dns_len,
		    checksum_sum(buf + frame.dns_off, frame.dns_len, 0));
		assert(out >= 60 && out >= frame.dns_off + (size_t)frame.dns_len);
		assert(memcmp(buf, exact + 6, 6) == 0);
		out = frame_reply(buf, &frame, frame.dns_len,
		    checksum_sum(buf + frame.dns_off, frame.dns_len, 0));
		assert(frame_classify(buf, out, r, &back) == FRAME_DNS);
		assert(back.dns_off == frame.dns_off && back.dns_len == frame.dns_len);
	}
	free(buf);
	free(exact);
	return 0;
}
