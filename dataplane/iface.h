// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the kernel tells about a network interface. Main thread.
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct iface {
	unsigned index;
	unsigned mtu;
	unsigned queues; // combined channels, at least 1
	bool up;
	bool is_virtual; // veth, tun or the like: no hardware that completes checksums
	char driver[32];
	uint8_t mac[6];
};

// Post: 0, or -ENODEV when there is no such interface, or another -errno.
int iface_get(const char *name, struct iface *out) __attribute__((nonnull, warn_unused_result));
