// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Where a difference goes in a version's stack of layers: a base, a middle and a top. The top is
// made anew for each difference, so it must stay small; the middle takes it up when it is not any
// more, and the base takes up a middle that is no longer small beside it. Any thread.
#pragma once

#include <stdbool.h>

#include "overlay.h"
#include "reader.h"

// A zone whose base has fewer bytes is compiled anew for each change: that is as fast.
#define STACK_BASE_MIN (256u << 10)
#define STACK_TOP_MAX  128 // names; each new top holds those of the one it replaces

// Post: 0, and *out, of at most `names_max` names, is what goes on top of the lowest *kept layers
// of `version`; -E2BIG: only a new base will do, or more names; -EINVAL when the difference does
// not fit, with one sentence in `error`; -ENOMEM.
int stack_difference(const struct zone_version *version, const struct delta *delta,
    size_t names_max, struct overlay *out, unsigned *kept, char error[DELTA_ERROR_MAX])
    __attribute__((warn_unused_result));

// The top will soon be too large to be made anew for each difference: fold it into the middle.
bool stack_wants_fold(const struct zone_version *version);
// Post: 0, and *out is a middle that holds all of `version` above its base; -E2BIG: it would be too
// large, a new base is wanted; or as stack_difference().
int stack_fold(const struct zone_version *version, struct overlay *out, char error[DELTA_ERROR_MAX])
    __attribute__((warn_unused_result));
// As stack_difference(), on what a fold has made. `since`: the names of all differences that came
// to the version since then.
int stack_on_ground(const struct zone_version *version, const struct delta *delta,
    const struct zone_version *ground, const struct overlay_names *since, struct overlay *out,
    char error[DELTA_ERROR_MAX]) __attribute__((warn_unused_result));
