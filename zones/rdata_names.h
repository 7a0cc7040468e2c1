// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Inside zones/ only: the words that stand for numbers in rdata text: DNSSEC algorithms (RFC 4034
// A.1 and the IANA registry), certificate types (RFC 4398 2.1), protocols and ports of WKS. Pure,
// any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

// All: the number, or -EINVAL. Plain decimal is read too.
int rdata_algorithm_from_text(const char *text, size_t len);
int rdata_cert_type_from_text(const char *text, size_t len);
int rdata_protocol_from_text(const char *text, size_t len);
int rdata_port_from_text(const char *text, size_t len);

// The mnemonic, or NULL when the number has none.
const char *rdata_algorithm_name(unsigned number);
const char *rdata_cert_type_name(unsigned number);
