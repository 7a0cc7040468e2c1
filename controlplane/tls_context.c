// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// TLS contexts (see tls_context.h). The certificate is judged within the handshake, so that what we
// would send next, our own certificate and the question, never reaches a server that is not the one
// meant. No key log is ever set up, and no function of OpenSSL that prints a secret is called.
#include "tls_context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define PINS_MAX   16
#define DIGEST_LEN 32 // SHA-256

struct tls_context {
	unsigned refs;
	SSL_CTX *ssl;
	char *sni; // the first name; NULL: none is configured
	bool is_server, by_name, alpn_optional;
	unsigned pin_count;
	uint8_t pins[PINS_MAX][CONFIG_PIN_LEN];
	uint8_t demands[DIGEST_LEN]; // a digest of all that is to be proved
};

void tls_error_text(char error[TLS_ERROR_MAX], const char *what)
{
	unsigned long code = ERR_peek_last_error();
	int reason = ERR_GET_REASON(code);
	const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;

	if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
	    reason < SSL_AD_REASON_OFFSET + 256) {
		snprintf(error, TLS_ERROR_MAX, "%s: the other side says '%s'", what,
		    SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET));
	} else {
		snprintf(
		    error, TLS_ERROR_MAX, "%s: %s", what, text != NULL ? text : "unknown error");
	}
	ERR_clear_error();
}

// The pin of a certificate: SHA-256 of its SubjectPublicKeyInfo.
static bool pin_of(X509 *certificate, uint8_t pin[CONFIG_PIN_LEN])
{
	uint8_t *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
	bool done = len > 0 && EVP_Digest(der, (size_t)len, pin, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	return done;
}

static bool pin_good(
    const struct tls_context *context, X509 *certificate, char error[TLS_ERROR_MAX])
{
	uint8_t pin[CONFIG_PIN_LEN];
	char text[4 * ((CONFIG_PIN_LEN + 2) / 3) + 1];

	if (certificate == NULL || !pin_of(certificate, pin)) {
		snprintf(error, TLS_ERROR_MAX, "pin: there is no public key");
		return false;
	}
	for (unsigned i = 0; i < context->pin_count; i++) {
		if (memcmp(context->pins[i], pin, sizeof(pin)) == 0) {
			return true;
		}
	}
	EVP_EncodeBlock((uint8_t *)text, pin, sizeof(pin));
	snprintf(error, TLS_ERROR_MAX, "pin: the certificate's key is %s, which is not in cert-key",
	    text);
	return false;
}

// In OpenSSL's place. Post: 1 to go on, 0 to end the handshake with an alert.
static int certificate_judge(X509_STORE_CTX *store, void *arg)
{
	const struct tls_context *context = arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	char *error = ((struct tls_findings *)SSL_get_app_data(ssl))->refused;

	if (context->pin_count > 0 && !pin_good(context, X509_STORE_CTX_get0_cert(store), error)) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	if (!context->by_name) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	if (X509_verify_cert(store) == 1) {
		return 1;
	}
	int reason = X509_STORE_CTX_get_error(store);

	if (reason == X509_V_ERR_HOSTNAME_MISMATCH) {
		snprintf(error, TLS_ERROR_MAX, "certificate: it is not for the name %.120s",
		    context->sni);
	} else {
		snprintf(
		    error, TLS_ERROR_MAX, "certificate: %s", X509_verify_cert_error_string(reason));
	}
	return 0;
}

// Comes only when there is none to send. Post: 0, and the handshake goes on without.
static int certificate_missed(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
	(void)certificate;
	(void)key;
	((struct tls_findings *)SSL_get_app_data(ssl))->certificate_missed = true;
	return 0;
}

static int names_set(struct tls_context *context, const struct config_remote *remote)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(context->ssl);

	// RFC 8310 8.1: the names of the certificate's subjectAltName, not its common name.
	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 0; i < remote->cert_hostname_count; i++) {
		if (X509_VERIFY_PARAM_add1_host(param, remote->cert_hostnames[i], 0) != 1) {
			return -ENOMEM;
		}
	}
	if (remote->cert_hostname_count > 0) {
		context->by_name = true;
		context->sni = strdup(remote->cert_hostnames[0]);
		return context->sni != NULL ? 0 : -ENOMEM;
	}
	return 0;
}

static int pins_set(
    struct tls_context *context, const struct config_remote *remote, char error[TLS_ERROR_MAX])
{
	if (remote->cert_pin_count > PINS_MAX) {
		snprintf(error, TLS_ERROR_MAX, "remote %.64s has more than %u pins", remote->id,
		    PINS_MAX);
		return -E2BIG;
	}
	for (size_t i = 0; i < remote->cert_pin_count; i++) {
		memcpy(context->pins[i], remote->cert_pins[i], CONFIG_PIN_LEN);
	}
	context->pin_count = (unsigned)remote->cert_pin_count;
	return 0;
}

static int file_error(char error[TLS_ERROR_MAX], const char *file)
{
	char what[TLS_ERROR_MAX / 2];

	snprintf(what, sizeof(what), "%s", file);
	tls_error_text(error, what);
	return -EINVAL;
}

// Our certificate, for servers that ask for one, and the authorities that we trust.
static int files_read(
    SSL_CTX *ssl, const struct config *config, bool by_name, char error[TLS_ERROR_MAX])
{
	if (config->server.cert_file != NULL) {
		if (SSL_CTX_use_certificate_chain_file(ssl, config->server.cert_file) != 1) {
			return file_error(error, config->server.cert_file);
		}
		if (SSL_CTX_use_PrivateKey_file(ssl, config->server.key_file, SSL_FILETYPE_PEM) !=
		        1 ||
		    SSL_CTX_check_private_key(ssl) != 1) {
			return file_error(error, config->server.key_file);
		}
	}
	if (!by_name) {
		return 0;
	}
	if (config->server.ca_file != NULL) {
		return SSL_CTX_load_verify_file(ssl, config->server.ca_file) == 1
		           ? 0
		           : file_error(error, config->server.ca_file);
	}
	return SSL_CTX_set_default_verify_paths(ssl) == 1
	           ? 0
	           : file_error(error, "the system's authorities");
}

// The certificates of the authorities, whatever their order; those of the system's folder are read
// when they are needed, and not in it.
static bool authorities_digest(SSL_CTX *ssl, uint8_t out[DIGEST_LEN])
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ssl));

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
		uint8_t one[DIGEST_LEN];
		unsigned len;

		if (certificate != NULL && X509_digest(certificate, EVP_sha256(), one, &len) != 1) {
			return false;
		}
		for (unsigned b = 0; certificate != NULL && b < DIGEST_LEN; b++) {
			out[b] ^= one[b];
		}
	}
	return true;
}

static int demands_set(struct tls_context *context, const struct config_remote *remote)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	uint8_t authorities[DIGEST_LEN] = {0};
	bool ok =
	    digest != NULL && authorities_digest(context->ssl, authorities) &&
	    EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(digest, authorities, sizeof(authorities)) == 1 &&
	    EVP_DigestUpdate(digest, &context->pin_count, sizeof(context->pin_count)) == 1 &&
	    EVP_DigestUpdate(digest, context->pins, context->pin_count * (size_t)CONFIG_PIN_LEN) ==
	        1 &&
	    EVP_DigestUpdate(digest, &context->alpn_optional, sizeof(context->alpn_optional)) == 1;

	for (size_t i = 0; ok && i < remote->cert_hostname_count; i++) {
		const char *name = remote->cert_hostnames[i];

		ok = EVP_DigestUpdate(digest, name, strlen(name) + 1) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(digest, context->demands, NULL) == 1;
	EVP_MD_CTX_free(digest);
	return ok ? 0 : -ENOMEM;
}

static const unsigned char alpn_dot[] = "\x03"
                                        "dot";

// Whoever offers protocols must offer ours (RFC 7301 3.2); who offers none is an older client.
static int alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	unsigned char *selected;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&selected, out_len, alpn_dot, sizeof(alpn_dot) - 1, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED) {
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	*out = selected;
	return SSL_TLSEXT_ERR_OK;
}

// What both sides have in common. Post: false when out of memory.
static bool context_begin(struct tls_context *context, const SSL_METHOD *method)
{
	context->refs = 1;
	context->ssl = SSL_CTX_new(method);
	if (context->ssl == NULL ||
	    SSL_CTX_set_min_proto_version(context->ssl, TLS1_3_VERSION) != 1) {
		return false;
	}
	SSL_CTX_set_mode(
	    context->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	// A message that is no data ends a read: a flood of them would else be one call without
	// end.
	SSL_CTX_clear_mode(context->ssl, SSL_MODE_AUTO_RETRY);
	// Each connection proves itself anew: nothing is resumed.
	SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
	return true;
}

int tls_context_server(
    const struct config *config, struct tls_context **out, char error[TLS_ERROR_MAX])
{
	struct tls_context *context = calloc(1, sizeof(*context));
	int rc = -ENOMEM;

	snprintf(error, TLS_ERROR_MAX, "out of memory");
	if (context == NULL) {
		return -ENOMEM;
	}
	context->is_server = true;
	if (!context_begin(context, TLS_server_method()) ||
	    SSL_CTX_set_num_tickets(context->ssl, 0) != 1) {
		goto fail;
	}
	SSL_CTX_set_alpn_select_cb(context->ssl, alpn_select, NULL);
	rc = files_read(context->ssl, config, false, error);
	if (rc != 0) {
		goto fail;
	}
	*out = context;
	return 0;
fail:
	ERR_clear_error();
	tls_context_unref(context);
	return rc;
}

int tls_context_client(const struct config *config, const struct config_remote *remote,
    struct tls_context **out, char error[TLS_ERROR_MAX])
{
	struct tls_context *context = calloc(1, sizeof(*context));
	int rc = -ENOMEM;

	snprintf(error, TLS_ERROR_MAX, "out of memory");
	if (context == NULL) {
		return -ENOMEM;
	}
	context->alpn_optional = remote->tls_alpn_optional;
	if (!context_begin(context, TLS_client_method()) ||
	    SSL_CTX_set_alpn_protos(context->ssl, alpn_dot, sizeof(alpn_dot) - 1) != 0) {
		goto fail;
	}
	rc = names_set(context, remote);
	if (rc == 0) {
		rc = pins_set(context, remote, error);
	}
	if (rc == 0) {
		rc = files_read(context->ssl, config, context->by_name, error);
	}
	if (rc == 0) {
		rc = demands_set(context, remote);
	}
	if (rc != 0) {
		goto fail;
	}
	SSL_CTX_set_cert_verify_callback(context->ssl, certificate_judge, context);
	SSL_CTX_set_client_cert_cb(context->ssl, certificate_missed);
	SSL_CTX_set_verify(context->ssl,
	    tls_context_authenticates(context) ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	*out = context;
	return 0;
fail:
	ERR_clear_error();
	tls_context_unref(context);
	return rc;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
	if (context != NULL) {
		context->refs++;
	}
	return context;
}

void tls_context_unref(struct tls_context *context)
{
	if (context != NULL && --context->refs == 0) {
		SSL_CTX_free(context->ssl);
		free(context->sni);
		free(context);
	}
}

bool tls_context_same(const struct tls_context *a, const struct tls_context *b)
{
	return a == b ||
	       (a != NULL && b != NULL && memcmp(a->demands, b->demands, DIGEST_LEN) == 0);
}

bool tls_context_is_server(const struct tls_context *context)
{
	return context->is_server;
}

bool tls_context_authenticates(const struct tls_context *context)
{
	return context->by_name || context->pin_count > 0;
}

bool tls_context_alpn_optional(const struct tls_context *context)
{
	return context->alpn_optional;
}

SSL *tls_context_connection(struct tls_context *context, struct tls_findings *findings)
{
	SSL *ssl = SSL_new(context->ssl);

	if (ssl == NULL || SSL_set_app_data(ssl, findings) != 1 ||
	    (context->sni != NULL && SSL_set_tlsext_host_name(ssl, context->sni) != 1)) {
		SSL_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	return ssl;
}
