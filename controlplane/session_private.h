// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Between session.c (messages) and session_record.c (records).
#pragma once

#include "session.h"

// The session has failed, for the reason given. Post: SESSION_FAILED.
enum session_state session_fail(struct session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Takes the record at *offset. Post: false when the session has ended, one way or the other; then
// *offset is behind the record when the state is SESSION_STALE.
bool session_record(struct session *session, const uint8_t *msg, size_t len, size_t *offset);
