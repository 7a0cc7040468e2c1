// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What of the configuration is on this machine. Any thread.
#pragma once

#include <stdbool.h>

#include "config.h"

#define HERE_TEXT_MAX 64

// Some interface has the address now, or it means all of them. True where that cannot be known.
bool here_has(const struct config_address *address);

// "192.0.2.1@53". Post: out is NUL-terminated; returned.
const char *here_text(const struct config_address *address, char out[HERE_TEXT_MAX]);
