// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The control sockets while the node starts, which takes a million zones a while and the loop does
// not turn: a thread says that it does. The sockets are control.c's from then on, and nobody who
// connects is turned away in between.
#pragma once

#include "control.h"

struct starting;

// Opens the sockets in the rundir of the configuration at `path`, as far as that can be told before
// it is read, unless another process listens there: whether it may, the storage's lock will tell.
// Post: NULL when there are none: who asks is not answered before the start is over.
struct starting *starting_open(const char *path);
// So many of the stored zones have been read: status says so, and a service manager is told to go
// on waiting as long as there are more and more. NULL is accepted.
void starting_progress(struct starting *starting, size_t done, size_t total);
// Post: the sockets; fd -1 when there are none. NULL is accepted.
struct control_sockets starting_close(struct starting *starting);
