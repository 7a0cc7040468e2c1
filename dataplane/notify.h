// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Tells a service manager about our state (sd_notify(3)), without its library. Main thread.
#pragma once

// `state` is "READY=1", "STOPPING=1", "RELOADING=1" ... Does nothing where NOTIFY_SOCKET is not
// set.
void notify_manager(const char *state) __attribute__((nonnull));
