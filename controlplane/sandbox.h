// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the compiler child gives up before it reads its first byte: every descriptor but one, its
// user, new privileges, and by a seccomp filter all system calls but those that memory and one
// socket need. No file can be opened, no address be reached, no process be seen.
#pragma once

#include <stdint.h>

// Keeps descriptor `keep` and nothing else. Private memory is limited to `memory_max` bytes.
// Post: 0; or -errno, and then the process must end.
int sandbox_enter(int keep, uint64_t memory_max) __attribute__((warn_unused_result));
