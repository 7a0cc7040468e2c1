// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Zones and messages for a person's eyes.
#pragma once

#include <stdio.h>

#include "model_zone.h"

void model_print_zone(FILE *out, const struct mzone *zone); // zone text that any server loads
void model_print_message(FILE *out, const uint8_t *msg, size_t len);
