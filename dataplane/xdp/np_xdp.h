// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The keys of the XDP program's maps: shared by the program (np_xdp.bpf.c) and by what fills them
// (xdp.c).
#pragma once

#include <linux/types.h>

#define NP_XDP_QUEUES_MAX 256
#define NP_XDP_SERVED_MAX 256

struct np_xdp_served4 {
	__u32 addr; // network byte order, as all here
	__u16 port;
	__u16 zero;
};

struct np_xdp_served6 {
	__u8 addr[16];
	__u16 port;
	__u16 zero;
};
