// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What np-load says: a line a second, a summary, CSV and JSON.
#pragma once

#include <stdio.h>

#include "load_run.h"

#define LOAD_TURNS_MAX 10000 // of a kind; the rates of more are not kept

struct load_report {
	const struct load_options *options;
	double tsc_hz;
	FILE *csv;          // or NULL
	double best, worst; // answers a second of one interval
	unsigned intervals;
	struct load_rates {
		unsigned count;
		double all[LOAD_TURNS_MAX];   // answers a second of each turn
		double clear[LOAD_TURNS_MAX]; // of the time that np-load ran
	} turn[2];                            // even and odd ones
};

int load_report_open(struct load_report *report, const struct load_options *options, double tsc_hz);
// A load_run's tick.
void load_report_tick(void *ctx, const struct load_interval *interval, double now);
// Post: 0 or -errno of the JSON file.
int load_report_end(struct load_report *report, const struct load_run *run);
