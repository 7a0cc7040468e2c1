// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the control sockets tell, as JSON. Event loop's thread.
#pragma once

#include <jansson.h>

#include "publish.h"

struct config_zone;
struct daemon;

// Post: a string, whatever bytes are in `from`; NULL when out of memory.
json_t *status_text(const char *from);

// Post: a new object; NULL when out of memory.
json_t *status_node(struct daemon *daemon);

// `answer` is what the workers said, NULL when nothing was heard.
json_t *status_zone(
    struct daemon *daemon, const struct config_zone *zone, const struct publisher_answer *answer);
