// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// On an af_packet port the kernel gets its own copy of each query, finds no socket, and would tell
// the client so (ICMP port unreachable). A sink is a socket per served address that takes the
// copies and keeps none. Main thread.
#pragma once

#include "config.h"

struct sink;

// Post: 0, or -errno and the reason is logged under the port's name.
int sink_open(const char *name, const struct config_port *port, struct sink **out)
    __attribute__((nonnull, warn_unused_result));
void sink_close(struct sink *sink); // NULL is accepted
