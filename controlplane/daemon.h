// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The parts of np-controlplane as its main and its control socket see them. Event loop's thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "key_changes.h"

struct control;
struct engine;
struct event;
struct event_base;
struct members;
struct offload;
struct primary;
struct publisher;
struct reload;
struct starting;
struct taking;

struct daemon {
	const char *config_path;
	struct config *file;   // as the file has it
	struct config *config; // in force: the same and the members of its catalogs
	struct members *members;
	struct reload *reload;
	struct taking *taking;   // a configuration on its way into force
	struct event *catalogs;  // a catalog has a new version
	struct key_changes keys; // over it
	struct offload *work;    // that would hold up the loop
	struct event_base *base;
	struct publisher *publisher;
	struct engine *engine;
	struct primary *primary;
	struct control *control;
	struct starting *starting; // while stored versions are read; borrowed
	int64_t started_ms;        // wall clock
	int64_t reloaded_ms;       // 0: never
	char reload_error[1024];   // why the file on disk is not in force; "" when it is
};
