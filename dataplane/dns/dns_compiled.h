// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The fast path of stage 3: an answer that the compiler has written is copied.
#pragma once

#include "dns.h"

// Post: true when the reply is written; false when the question needs the renderer, and nothing was
// written.
bool dns_compiled_emit(
    const struct dns_context *context, struct dns_query *query, const struct lookup *lookup);

// The same for what stage 2 has found already, if there is nothing to prove, and no option to send.
// Inlined into the loop over a burst: nearly all answers take this way.
// Post: true when the reply is written; false says nothing.
bool dns_compiled_direct(const struct dns_context *context, struct dns_query *query);
