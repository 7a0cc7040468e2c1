// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// DPDK's environment: memory and the workers' lcores. Main thread, once per process.
#pragma once

#include "config.h"

// lcore 0 is the main thread (it sleeps), lcore i + 1 is worker i, pinned to its CPU.
#define EAL_MAIN_LCORE      0
#define EAL_WORKER_LCORE(i) ((i) + 1)

// Pre: called once; the caller's signal mask is what all threads shall inherit.
// Post: 0, or -errno and the reason is logged.
int eal_start(const struct config *config) __attribute__((nonnull, warn_unused_result));
// Once the ports are open: gives back what was read in of DPDK's many drivers while they were
// loaded.
void eal_settle(void);
void eal_stop(void);
