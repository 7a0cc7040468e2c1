// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The sections of the file, each read into r->config. Internal to config/. They are called in this
// order, wherever they stand in the file, because later ones refer to earlier ones. A section that
// is absent is NULL: the defaults are set all the same.
#pragma once

#include "mapping.h"

// What a remote may be paced to, and the section controlplane for all of them.
#define PACING_TRANSFERS_MAX 1000
#define PACING_QUERIES_MAX   10000
#define PACING_RATE_MAX      1000000

int section_server(struct reader *r, const struct node *section);
int section_dataplane(struct reader *r, const struct node *section);
int section_key(struct reader *r, const struct node *section);
int section_remote(struct reader *r, const struct node *section);
int section_controlplane(struct reader *r, const struct node *section);
int section_zone(struct reader *r, const struct node *templates, const struct node *zones);
