// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// One way to reach a primary: an address, the local address to use, whether TLS is spoken there,
// and the key both sides share.
#pragma once

#include <sys/socket.h>

#include "tls_context.h"
#include "tsig.h"

struct peer {
	struct sockaddr_storage remote, local;
	socklen_t remote_len, local_len; // local_len 0: any
	struct tsig_key *key;            // a reference; NULL: unsigned
	struct tls_context *tls;         // a reference; NULL: UDP and TCP
};
