// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Our XDP program on an interface: handed to DPDK's driver as a file, its maps filled once the
// driver has attached it, and detached at the end. Main thread.
#pragma once

#include "frame.h"

struct xdp;

// Takes the interface for this process, removes what a killed np-dataplane left on it, and writes
// the program where the driver can read it.
// Post: 0, or -errno and the reason is logged.
int xdp_open(const char *ifname, unsigned ifindex, const char *rundir, struct xdp **out)
    __attribute__((nonnull, warn_unused_result));

// The file for the driver's xdp_prog argument. Borrowed.
const char *xdp_path(const struct xdp *xdp) __attribute__((nonnull));

// Pre: the driver has attached the program. From here on queries reach the workers.
// Post: 0, or -errno and the reason is logged.
int xdp_serve(struct xdp *xdp, const struct frame_rules *rules)
    __attribute__((nonnull, warn_unused_result));

// Detaches the program if it is still ours. NULL is accepted.
void xdp_close(struct xdp *xdp);
