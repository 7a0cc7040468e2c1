// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// npctl's responses for people.
#pragma once

#include <jansson.h>

void table_status(const json_t *response);
void table_zones(const json_t *response);
void table_history(const json_t *response);
void table_diff(const json_t *response);
void table_rollback(const json_t *response);
void table_keys(const json_t *response);
