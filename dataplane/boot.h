// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a node serves before it has heard from any control plane. Main thread.
#pragma once

#include <stdatomic.h>

struct served;
struct zone_table;

// Opens `served` with the zones of STORAGE/manifest whose images are whole; with none when there is
// no manifest or it is broken (the log says so). Post: 0 or -ENOMEM.
int boot_load(struct served *served, _Atomic(struct zone_table *) *published, const char *storage)
    __attribute__((nonnull, warn_unused_result));
