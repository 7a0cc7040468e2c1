// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What a TLS connection to one remote must prove, made ready from the configuration: TLS 1.3 and
// nothing older (RFC 9103 7.1), ALPN `dot`, and one of three profiles (RFC 8310 5, RFC 7858 4.2):
//
//     cert-hostname   a certificate for one of the names, issued by an authority we trust
//     cert-key        a certificate with one of these public keys, whoever issued it and until when
//     neither         opportunistic: encrypted, to whoever answers
//
// With both, both must hold. Files are read once, here; a reload reads them again. Event loop's
// thread.
#pragma once

#include <openssl/types.h>

#include "config.h"

struct tls_context; // immutable; shared by reference count

#define TLS_ERROR_MAX 200

// For connections to `remote` (borrowed: outlives nothing). Pre: remote->tls. Post: 0 and *out; or
// -errno and one sentence in `error`.
int tls_context_client(const struct config *config, const struct config_remote *remote,
    struct tls_context **out, char error[TLS_ERROR_MAX]) __attribute__((warn_unused_result));
// For clients that connect to us: our certificate, TLS 1.3, and ALPN `dot` for those that ask for
// any. Who they are is said by their address and TSIG key, as over TCP. Pre: there is a cert_file.
int tls_context_server(const struct config *config, struct tls_context **out,
    char error[TLS_ERROR_MAX]) __attribute__((warn_unused_result));
struct tls_context *tls_context_ref(struct tls_context *context); // NULL is accepted and returned
void tls_context_unref(struct tls_context *context);              // NULL is accepted

// Do both demand the same of the other side: names, pins, ALPN, authorities? Our own certificate
// may be another one. Each may be NULL: no TLS.
bool tls_context_same(const struct tls_context *a, const struct tls_context *b);
bool tls_context_is_server(const struct tls_context *context);
// Does a connection prove who the other side is?
bool tls_context_authenticates(const struct tls_context *context);
// May the other side leave ALPN unanswered?
bool tls_context_alpn_optional(const struct tls_context *context);

// What a handshake has brought to light.
struct tls_findings {
	bool certificate_missed; // the other side asked for a certificate of ours, and we have none
	char refused[TLS_ERROR_MAX]; // why its certificate is refused, one sentence; "": it is not
};

// A connection of this context, which fills `findings` in. Both must outlive the SSL. NULL when out
// of memory.
SSL *tls_context_connection(struct tls_context *context, struct tls_findings *findings);

// OpenSSL's word for the latest error of this thread, which is forgotten; "unknown error" when it
// has none. Names what an alert from the peer says.
void tls_error_text(char error[TLS_ERROR_MAX], const char *what);
