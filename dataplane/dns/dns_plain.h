// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Stage 1 for the message that nearly all are: over UDP, one question in class IN for an ordinary
// type and a name of few labels, behind it nothing or an OPT without options.
#pragma once

#include "dns.h"

// True: the query is ready for stage 2, as dns_parse() would have made it. False says nothing: the
// whole of the rules is in dns_parse.c. Pre: as dns_parse().
bool dns_plain_parse(const struct dns_context *context, struct dns_query *query);
