// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What `npctl key add` needs beside the key's name. The secret is never an argument, which anybody
// on the machine could read: it comes from a file or from stdin.
#pragma once

#include <jansson.h>

#include <stddef.h>

#define NPCTL_KEY_ADD     "key-add" // the command in a request
#define NPCTL_KEY_REMOTES 256

struct npctl_key {
	const char *algorithm, *secret_file; // NULL: not given
	const char *remotes[NPCTL_KEY_REMOTES];
	size_t remote_count;
};

// Puts it into the request when that is NPCTL_KEY_ADD; otherwise none of it may be given. Post: 0;
// or -1 when something is wrong, which has been said on stderr.
int npctl_key_fill(const struct npctl_key *key, const char *command, json_t *request);
