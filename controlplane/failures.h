// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The last few things that went wrong with a zone, kept when they are over: a primary that is
// broken for weeks is not seen otherwise while the next one does its work, and of a difference that
// failed nothing is left when the whole zone fails after it. Pure; one thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

// A difference and the whole zone of two primaries.
#define FAILURES_MAX     4
#define FAILURE_TEXT_MAX 320

struct failure {
	char *text; // owned
	int64_t at_ms;
	uint64_t times; // in a row
};

struct failures {
	struct failure items[FAILURES_MAX]; // newest first
	size_t count;
};

// Notes the failure, as one more of the newest when it is the same. `*failures` is made when NULL:
// most zones have none. Without memory nothing is noted.
void failures_add(struct failures **failures, const char *text, int64_t now_ms);
void failures_free(struct failures *failures); // NULL is accepted
