// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The server's identity in class CH (RFC 4892). Called by stage 3.
#pragma once

#include "dns.h"

// Answers, or refuses. Pre: the question's class is CH.
void dns_chaos_emit(const struct dns_context *context, struct dns_query *query);
