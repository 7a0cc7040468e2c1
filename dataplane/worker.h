// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Poll-mode workers: one thread per configured CPU, each alone on its queues of every port.
#pragma once

#include "dataplane.h"
#include "port.h"

struct workers;

// Starts one worker per CPU of the configuration. Pre: ports started, table set. They are RCU
// readers (QSBR) from before this returns. Post: 0, or -errno and the reason is logged.
int workers_start(struct dataplane *dp, struct ports *ports, struct workers **out)
    __attribute__((nonnull, warn_unused_result));

// Stops and joins them. NULL is accepted.
void workers_stop(struct workers *workers);
