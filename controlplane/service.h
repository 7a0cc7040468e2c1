// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a service manager is told of our state (sd_notify(3)), without its library. Any thread.
#pragma once

// `state`: "READY=1", "STOPPING=1", ...; several lines are one message. Does nothing where no
// service manager listens.
void service_tell(const char *state);
