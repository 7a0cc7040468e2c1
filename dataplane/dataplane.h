// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the parts of np-dataplane share: made by main before any thread starts, taken down by main
// after all have ended.
//
// Start: configuration, counters, EAL, forward, attach (table filled from the manifest), ports,
// workers, TCP, "ready". Stop: the reverse.
#pragma once

#include "config.h"
#include "counters.h"
#include "dns.h"
#include "forward.h"

struct dataplane {
	const struct config *config; // what the process was started with
	struct dns_server server;    // read-only once the workers run
	struct counters *counters;   // columns: the workers, the TCP threads, attach
	unsigned column_tcp;         // first column of the TCP threads
	unsigned column_attach;
	struct forward *forward;
	struct attach *attach; // where TCP threads hand on what is not theirs
	// Unix seconds modulo 2^32, for cookies and EXPIRE. attach: rw, about once a second;
	// workers and TCP: ro. Relaxed: it orders nothing.
	_Atomic uint32_t now;
	// attach: rw (release), workers and TCP: ro (acquire, once per burst). Never NULL after
	// attach_start(). A table that is replaced is freed after a grace period.
	_Atomic(struct zone_table *) table;
};
