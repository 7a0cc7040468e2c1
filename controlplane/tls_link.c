// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// TLS on a socket (see tls_link.h).
#include "tls_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

struct tls_link {
	struct tls_context *context; // a reference
	SSL *ssl;
	struct tls_findings findings;
	bool shaken, broken, heard;
	uint64_t reads, extras; // reads that brought something; messages after the handshake
	char error[TLS_ERROR_MAX];
};

// Tickets and key updates come after the handshake, each cheap for the other side. Honest ones are
// a few at the beginning, and one in millions of records.
#define EXTRAS_MAX      100
#define READS_PER_EXTRA 256

static void message_seen(
    int outgoing, int version, int content_type, const void *bytes, size_t len, SSL *ssl, void *arg)
{
	struct tls_link *link = arg;

	(void)version;
	(void)bytes;
	(void)len;
	(void)ssl;
	link->extras += link->shaken && outgoing == 0 && content_type == SSL3_RT_HANDSHAKE;
}

int tls_link_open(struct tls_context *context, int fd, struct tls_link **out)
{
	struct tls_link *link = calloc(1, sizeof(*link));

	if (link == NULL) {
		return -ENOMEM;
	}
	link->context = tls_context_ref(context);
	link->ssl = tls_context_connection(context, &link->findings);
	if (link->ssl == NULL || SSL_set_fd(link->ssl, fd) != 1) {
		tls_link_close(link);
		return -ENOMEM;
	}
	SSL_set_msg_callback(link->ssl, message_seen);
	SSL_set_msg_callback_arg(link->ssl, link);
	if (tls_context_is_server(context)) {
		SSL_set_accept_state(link->ssl);
	} else {
		SSL_set_connect_state(link->ssl);
	}
	*out = link;
	return 0;
}

void tls_link_close(struct tls_link *link)
{
	if (link == NULL) {
		return;
	}
	if (link->ssl != NULL && link->shaken && !link->broken) {
		(void)SSL_shutdown(link->ssl);
	}
	SSL_free(link->ssl);
	ERR_clear_error();
	tls_context_unref(link->context);
	free(link);
}

static enum tls_step fail(struct tls_link *link, const char *text)
{
	link->broken = true;
	if (link->findings.refused[0] != '\0') { // says more
		text = link->findings.refused;
	} else if (link->findings.certificate_missed && link->shaken && !link->heard) {
		// Said by an alert that may get lost (TLS 1.3 judges our side after the handshake).
		text = "certificate: the other side wants one of ours";
	}
	snprintf(link->error, sizeof(link->error), "%s", text);
	ERR_clear_error();
	return TLS_FAILED;
}

// Words for what operators meet; OpenSSL's own for the rest.
static enum tls_step fail_protocol(struct tls_link *link)
{
	unsigned long code = ERR_peek_last_error();

	switch (ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0) {
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
	case SSL_R_UNSUPPORTED_PROTOCOL:
		return fail(link, "version: the other side does not speak TLS 1.3");
	case SSL_AD_REASON_OFFSET + TLS1_AD_NO_APPLICATION_PROTOCOL:
		return fail(link, "ALPN: the other side does not know 'dot'");
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return fail(link, link->shaken ? "connection cut off without close_notify"
		                               : "connection closed during the handshake");
	}
	char text[TLS_ERROR_MAX];

	tls_error_text(text, link->shaken ? "connection" : "handshake");
	return fail(link, text);
}

// What a call that did not succeed means.
static enum tls_step step_of(struct tls_link *link, int returned, int saved_errno)
{
	switch (SSL_get_error(link->ssl, returned)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_ENDED;
	case SSL_ERROR_SYSCALL:
		return fail(link, saved_errno != 0 ? strerror(saved_errno) : "connection closed");
	}
	return fail_protocol(link);
}

// RFC 9103 7.1: ALPN must select `dot`; a server of another protocol that has the same certificate
// is thus no DNS server.
static enum tls_step alpn_judge(struct tls_link *link)
{
	const unsigned char *selected;
	unsigned len;

	SSL_get0_alpn_selected(link->ssl, &selected, &len);
	if (len == 0 && !tls_context_is_server(link->context) &&
	    !tls_context_alpn_optional(link->context)) {
		return fail(link, "ALPN: the other side did not select 'dot'");
	}
	link->shaken = true;
	return TLS_DONE;
}

enum tls_step tls_link_handshake(struct tls_link *link)
{
	ERR_clear_error();
	errno = 0;
	int rc = SSL_do_handshake(link->ssl);
	int saved_errno = errno;

	return rc == 1 ? alpn_judge(link) : step_of(link, rc, saved_errno);
}

enum tls_step tls_link_read(struct tls_link *link, void *out, size_t cap, size_t *got)
{
	ERR_clear_error();
	errno = 0;
	int rc = SSL_read_ex(link->ssl, out, cap, got);
	int saved_errno = errno;

	link->heard |= rc == 1;
	link->reads += rc == 1;
	if (link->extras > EXTRAS_MAX + link->reads / READS_PER_EXTRA) {
		return fail(link, "too many messages that are no data");
	}
	return rc == 1 ? TLS_DONE : step_of(link, rc, saved_errno);
}

enum tls_step tls_link_write(struct tls_link *link, const void *from, size_t len, size_t *sent)
{
	ERR_clear_error();
	errno = 0;
	int rc = SSL_write_ex(link->ssl, from, len, sent);
	int saved_errno = errno;

	return rc == 1 ? TLS_DONE : step_of(link, rc, saved_errno);
}

const char *tls_link_error(const struct tls_link *link)
{
	return link->error;
}

bool tls_link_pending(const struct tls_link *link)
{
	return SSL_has_pending(link->ssl) == 1;
}

uint64_t tls_link_received(const struct tls_link *link)
{
	return BIO_number_read(SSL_get_rbio(link->ssl));
}
