// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-load's command line.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "load_packet.h"
#include "load_query.h"

#define LOAD_EAL_MAX   16
#define LOAD_MEMORY_MB 256u // for frames

struct load_options {
	bool hugepages;    // enough are free for LOAD_MEMORY_MB; otherwise slower, and memif copies
	char vdev[512];    // DPDK virtual device with arguments; empty: --allow
	const char *allow; // PCI device
	const char *eal[LOAD_EAL_MAX];
	unsigned eal_count;
	unsigned cpu;
	const char *queries; // a file, or NULL: pattern
	const char *pattern; // load_list_generate's
	size_t count;        // templates
	struct load_stream_options stream;
	struct load_packet_options packet;
	double rate;     // queries a second; 0: as many as the window lets through
	unsigned window; // queries under way at most
	unsigned burst;
	double seconds, warmup;
	unsigned turn_ms;     // what is done beside it changes so often (load_run.h); 0: never
	unsigned check_every; // one reply in this many is looked at whole
	bool echo, quiet;
	bool linger; // keep the port until standard input ends
	const char *csv, *json, *name;
};

// Post: 0; or the exit status of a program that has already said what is wrong (or its help).
// The status is -1 for help.
int load_options_parse(struct load_options *options, int argc, char **argv);
