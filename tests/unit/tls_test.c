// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// A connection to a primary over TLS (stream.h) against servers that are right, and wrong in every
// way that matters: each a row with what the operator will read. The server is OpenSSL in a thread
// of its own, with certificates made here; whether it got to see our question is part of each row.
#include "stream.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tls_context.h"
#include "wire.h"

static char folder[] = "/tmp/tls_test.XXXXXX";

static char *path(const char *name)
{
	static char text[4][128];
	static unsigned next;

	next = (next + 1) % 4;
	snprintf(text[next], sizeof(text[next]), "%s/%s", folder, name);
	return text[next];
}

// --- certificates

struct identity {
	EVP_PKEY *key;
	X509 *certificate;
};

struct wanted {
	const char *common_name, *alt_name; // alt_name NULL: none
	long from_s, until_s;               // from now
	const struct identity *issuer;      // NULL: itself
	bool authority;
};

static void extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *added = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(added);
	assert_int_equal(X509_add_ext(certificate, added, -1), 1);
	X509_EXTENSION_free(added);
}

static struct identity identity_make(const struct wanted *wanted)
{
	struct identity made = {EVP_EC_gen("P-256"), X509_new()};
	const struct identity *issuer = wanted->issuer != NULL ? wanted->issuer : &made;
	X509 *c = made.certificate;
	static long serial;
	char alt[128];

	X509_set_version(c, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(c), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(c), wanted->from_s);
	X509_gmtime_adj(X509_getm_notAfter(c), wanted->until_s);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC,
	    (const unsigned char *)wanted->common_name, -1, -1, 0);
	X509_set_issuer_name(c, X509_get_subject_name(issuer->certificate));
	X509_set_pubkey(c, made.key);
	if (wanted->authority) {
		extension(c, NID_basic_constraints, "critical,CA:TRUE");
	}
	if (wanted->alt_name != NULL) {
		snprintf(alt, sizeof(alt), "DNS:%s", wanted->alt_name);
		extension(c, NID_subject_alt_name, alt);
	}
	assert_true(X509_sign(c, issuer->key, EVP_sha256()) > 0);
	return made;
}

static void identity_write(const struct identity *identity, const char *name)
{
	char file[64];
	FILE *out;

	snprintf(file, sizeof(file), "%s.pem", name);
	out = fopen(path(file), "w");
	PEM_write_X509(out, identity->certificate);
	fclose(out);
	snprintf(file, sizeof(file), "%s.key", name);
	out = fopen(path(file), "w");
	PEM_write_PrivateKey(out, identity->key, NULL, NULL, 0, NULL, NULL);
	fclose(out);
}

static void pin(const struct identity *identity, uint8_t out[CONFIG_PIN_LEN])
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(identity->key, &der); // not the way that the code under test takes

	assert_true(len > 0);
	EVP_Digest(der, (size_t)len, out, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
}

#define YEAR 31536000L
#define NAME "primary.example"

enum {
	AUTHORITY,
	OTHER_AUTHORITY,
	GOOD,
	EXPIRED,
	FUTURE,
	SELF,
	OTHER_NAME,
	CN_ONLY,
	STRANGER,
	CLIENT,
	IDENTITIES
};
static struct identity identities[IDENTITIES];

static int certificates_make(void **state)
{
	const struct identity *ca = &identities[AUTHORITY], *other = &identities[OTHER_AUTHORITY];
	const struct wanted wanted[IDENTITIES] = {
	    [AUTHORITY] = {"Authority", NULL, -60, YEAR, NULL, true},
	    [OTHER_AUTHORITY] = {"Other authority", NULL, -60, YEAR, NULL, true},
	    [GOOD] = {"server", NAME, -60, YEAR, ca, false},
	    [EXPIRED] = {"server", NAME, -YEAR, -60, ca, false},
	    [FUTURE] = {"server", NAME, 3600, YEAR, ca, false},
	    [SELF] = {"server", NAME, -60, YEAR, NULL, false},
	    [OTHER_NAME] = {"server", "other.example", -60, YEAR, ca, false},
	    [CN_ONLY] = {NAME, NULL, -60, YEAR, ca, false},
	    [STRANGER] = {"server", NAME, -60, YEAR, other, false},
	    [CLIENT] = {"edge", "edge.example", -60, YEAR, ca, false},
	};

	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < IDENTITIES; i++) {
		identities[i] = identity_make(&wanted[i]);
	}
	identity_write(ca, "ca");
	identity_write(&identities[CLIENT], "client");
	return 0;
}

static int certificates_drop(void **state)
{
	static const char *const files[] = {
	    "ca.pem", "ca.key", "client.pem", "client.key", "keylog"};

	for (size_t i = 0; i < IDENTITIES; i++) {
		EVP_PKEY_free(identities[i].key);
		X509_free(identities[i].certificate);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		unlink(path(files[i]));
	}
	return rmdir(folder);
}

// --- the server

enum ending { CLOSE_NOTIFY, CUT, RESET, STAY };
enum extra { TICKETS, KEY_UPDATES };

struct server {
	// What it is.
	unsigned identity;
	bool tls12_only, no_alpn, other_alpn, wants_certificate, plain, mute, drips;
	// What it does once it has the question.
	size_t answers, record_len; // so many messages, in records of this length (0: as it comes)
	size_t cut_at;              // of the answer's bytes; 0: all go out
	enum extra extra;           // messages that are no data,
	size_t extras, extra_every; // so many before the answer, and one for so many records of it
	enum ending ending;
	// What it saw.
	bool saw_certificate;
	_Atomic bool asked, answered; // answered: all of it is in the socket
	size_t asked_len;

	int listener;
	uint16_t port;
	pthread_t thread;
};

static int alpn_choose(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	const struct server *server = arg;
	const unsigned char *want = (const unsigned char *)(server->other_alpn ? "\x02h2"
	                                                                       : "\x03"
	                                                                         "dot");

	return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, want, want[0] + 1U,
	           in, in_len) == OPENSSL_NPN_NEGOTIATED
	           ? SSL_TLSEXT_ERR_OK
	           : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int any_certificate(int good, X509_STORE_CTX *store)
{
	return 1;
}

#define MESSAGE_LEN 5000

static bool extra(const struct server *server, SSL *ssl)
{
	int made = server->extra == TICKETS ? SSL_new_session_ticket(ssl)
	                                    : SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED);

	return made == 1 && SSL_do_handshake(ssl) == 1;
}

static void answer(struct server *server, SSL *ssl)
{
	size_t len = server->answers * (2 + MESSAGE_LEN), sent = 0, records = 0, out;
	uint8_t *bytes = calloc(1, len + 1);

	for (size_t i = 0; i < server->answers; i++) {
		uint8_t *message = bytes + i * (2 + MESSAGE_LEN);

		wire_put16(message, MESSAGE_LEN);
		memset(message + 2, (int)(i + 1), MESSAGE_LEN);
	}
	if (server->cut_at != 0) {
		len = server->cut_at;
	}
	for (size_t i = 0; i < server->extras && extra(server, ssl); i++) {
	}
	while (sent < len) {
		size_t part = server->record_len != 0 && server->record_len < len - sent
		                  ? server->record_len
		                  : len - sent;

		if (SSL_write_ex(ssl, bytes + sent, part, &out) != 1) {
			break;
		}
		sent += out;
		if (server->extra_every != 0 && ++records % server->extra_every == 0 &&
		    !extra(server, ssl)) {
			break;
		}
	}
	atomic_store(&server->answered, sent == len);
	free(bytes);
}

static void converse(struct server *server, int fd)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	struct linger hard = {.l_onoff = 1};
	uint8_t request[2048];
	size_t got = 0;
	SSL *ssl;

	SSL_CTX_use_certificate(context, identities[server->identity].certificate);
	SSL_CTX_use_PrivateKey(context, identities[server->identity].key);
	if (server->tls12_only) {
		SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	}
	if (!server->no_alpn) {
		SSL_CTX_set_alpn_select_cb(context, alpn_choose, server);
	}
	if (server->wants_certificate) {
		SSL_CTX_set_verify(
		    context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, any_certificate);
	}
	ssl = SSL_new(context);
	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1) {
		server->saw_certificate = SSL_get0_peer_certificate(ssl) != NULL;
		if (SSL_read_ex(ssl, request, sizeof(request), &got) == 1) {
			server->asked = true;
			server->asked_len = got;
			answer(server, ssl);
		}
		if (server->ending == CLOSE_NOTIFY) {
			SSL_shutdown(ssl);
		} else if (server->ending == RESET) {
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		} else if (server->ending == STAY) {
			(void)!read(fd, request, sizeof(request)); // until the client goes
		}
	}
	SSL_set_quiet_shutdown(ssl, 1);
	SSL_free(ssl);
	SSL_CTX_free(context);
}

static void *serve(void *arg)
{
	struct server *server = arg;
	int fd = accept(server->listener, NULL, NULL);
	uint8_t bytes[2048];

	if (server->plain) { // a DNS server that knows nothing of TLS and answers something
		(void)!read(fd, bytes, sizeof(bytes));
		(void)!write(fd, "\x00\x0c\x12\x34\x80\x01\x00\x00\x00\x00\x00\x00\x00\x00", 14);
	} else if (server->mute) {
		while (read(fd, bytes, sizeof(bytes)) > 0) {
		}
	} else if (server->drips) { // a byte now and then of a record that never is whole
		(void)!write(fd, "\x16\x03\x03\x40", 4);
		while (send(fd, "", 1, MSG_NOSIGNAL) == 1) {
			usleep(50000);
		}
	} else {
		converse(server, fd);
	}
	close(fd);
	return NULL;
}

static void server_start(struct server *server)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	server->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(server->listener, 1), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &len), 0);
	server->port = address.sin_port;
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
	pthread_join(server->thread, NULL);
	close(server->listener);
}

// --- the client

struct client {
	struct event_base *base;
	struct stream *stream;
	size_t messages, enough; // enough: false after so many
	bool wrong, closed, hung_up;
	char why[256]; // "" for NULL
};

static bool on_message(void *ctx, const uint8_t *msg, size_t len)
{
	struct client *client = ctx;

	client->messages++;
	client->wrong |= len != MESSAGE_LEN || msg[0] != (uint8_t)client->messages ||
	                 msg[len - 1] != (uint8_t)client->messages;
	return client->messages < client->enough;
}

static void on_closed(void *ctx, const char *why)
{
	struct client *client = ctx;

	assert_false(client->closed);
	client->closed = true;
	client->hung_up = stream_hung_up(client->stream);
	snprintf(client->why, sizeof(client->why), "%s", why != NULL ? why : "");
	stream_close(client->stream);
	event_base_loopbreak(client->base);
}

struct trust {
	const char *name; // cert-hostname
	int pin;          // identity whose key is pinned; 0: none
	bool certificate; // we have one of our own
	bool alpn_optional;
};

static struct tls_context *context_of(const struct trust *trust)
{
	static uint8_t pins[1][CONFIG_PIN_LEN];
	char *names[] = {(char *)(uintptr_t)trust->name};
	struct config config = {.server = {.ca_file = path("ca.pem")}};
	struct config_remote remote = {.id = (char *)(uintptr_t) "p",
	    .tls = true,
	    .tls_alpn_optional = trust->alpn_optional,
	    .cert_hostnames = names,
	    .cert_hostname_count = trust->name != NULL,
	    .cert_pins = pins,
	    .cert_pin_count = trust->pin != 0};
	struct tls_context *context;
	char error[TLS_ERROR_MAX];

	if (trust->pin != 0) {
		pin(&identities[trust->pin], pins[0]);
	}
	if (trust->certificate) {
		config.server.cert_file = path("client.pem");
		config.server.key_file = path("client.key");
	}
	if (tls_context_client(&config, &remote, &context, error) != 0) {
		fail_msg("%s", error);
	}
	return context;
}

static const uint8_t question[] = "\x12\x34\0\0\0\1\0\0\0\0\0\0\0\0\xfc\0\1";

// Post: both sides are there, and nothing has gone from one to the other.
static void ask_begin(struct server *server, const struct trust *trust, struct client *client)
{
	const struct stream_handlers handlers = {on_message, on_closed};
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct stream_options options = {.remote = (struct sockaddr *)&address,
	    .remote_len = sizeof(address),
	    .connect_ms = 400,
	    .idle_ms = 3000,
	    .total_s = 20,
	    .buffer = STREAM_BUFFER_MIN};

	client->base = event_base_new();
	server_start(server);
	address.sin_port = server->port;
	options.tls = context_of(trust);
	assert_int_equal(stream_open(client->base, &options, question, sizeof(question) - 1,
	                     &handlers, client, &client->stream),
	    0);
	tls_context_unref(options.tls);
}

static void ask_end(struct server *server, struct client *client)
{
	assert_true(client->closed);
	server_stop(server);
	event_base_free(client->base);
}

static void ask(struct server *server, const struct trust *trust, struct client *client)
{
	ask_begin(server, trust, client);
	event_base_dispatch(client->base);
	ask_end(server, client);
}

// --- who is trusted

struct row {
	const char *text;
	struct server server;
	struct trust trust;
	const char *why; // NULL: trusted, and the answer arrives
};

static const struct row rows[] = {
    {"a name", {.identity = GOOD}, {.name = NAME}, NULL},
    {"a pin", {.identity = GOOD}, {.pin = GOOD}, NULL},
    {"both", {.identity = GOOD}, {.name = NAME, .pin = GOOD}, NULL},
    {"a pin of a certificate of its own making", {.identity = SELF}, {.pin = SELF}, NULL},
    {"a pin of an expired one", {.identity = EXPIRED}, {.pin = EXPIRED}, NULL},
    {"opportunistic", {.identity = SELF}, {0}, NULL},
    {"our certificate", {.identity = GOOD, .wants_certificate = true},
        {.name = NAME, .certificate = true}, NULL},
    {"ALPN optional", {.identity = GOOD, .no_alpn = true}, {.name = NAME, .alpn_optional = true},
        NULL},
    {"another name", {.identity = OTHER_NAME}, {.name = NAME},
        "TLS: certificate: it is not for the name primary.example"},
    {"only a common name", {.identity = CN_ONLY}, {.name = NAME},
        "TLS: certificate: it is not for the name primary.example"},
    {"expired", {.identity = EXPIRED}, {.name = NAME}, "TLS: certificate: certificate has expired"},
    {"not yet valid", {.identity = FUTURE}, {.name = NAME},
        "TLS: certificate: certificate is not yet valid"},
    {"self-signed", {.identity = SELF}, {.name = NAME},
        "TLS: certificate: self-signed certificate"},
    {"another authority", {.identity = STRANGER}, {.name = NAME},
        "TLS: certificate: unable to get local issuer certificate"},
    {"another pin", {.identity = GOOD}, {.pin = SELF}, "TLS: pin: the certificate's key is "},
    {"the name with another pin", {.identity = GOOD}, {.name = NAME, .pin = SELF},
        "TLS: pin: the certificate's key is "},
    {"the pin with another name", {.identity = OTHER_NAME}, {.name = NAME, .pin = OTHER_NAME},
        "TLS: certificate: it is not for the name primary.example"},
    {"TLS 1.2 alone", {.identity = GOOD, .tls12_only = true}, {.name = NAME},
        "TLS: version: the other side does not speak TLS 1.3"},
    {"TLS 1.2 alone, opportunistic", {.identity = GOOD, .tls12_only = true}, {0},
        "TLS: version: the other side does not speak TLS 1.3"},
    {"no ALPN", {.identity = GOOD, .no_alpn = true}, {.name = NAME},
        "TLS: ALPN: the other side did not select 'dot'"},
    {"ALPN of another protocol", {.identity = GOOD, .other_alpn = true}, {.name = NAME},
        "TLS: ALPN: the other side does not know 'dot'"},
    {"ALPN of another protocol, optional", {.identity = GOOD, .other_alpn = true},
        {.name = NAME, .alpn_optional = true}, "TLS: ALPN: the other side does not know 'dot'"},
    {"no certificate of ours", {.identity = GOOD, .wants_certificate = true}, {.name = NAME},
        "TLS: certificate: the other side wants one of ours"},
    {"no TLS at all", {.plain = true}, {.name = NAME}, "TLS: handshake: wrong version number"},
    {"no TLS at all, opportunistic", {.plain = true}, {0}, "TLS: handshake: wrong version number"},
    {"a handshake without end", {.drips = true}, {.name = NAME}, "TLS: handshake timed out"},
    {"silence", {.mute = true}, {.name = NAME}, "TLS: handshake timed out"},
};

static void only_who_proves_itself_is_asked(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct server server = rows[i].server;
		struct client client = {.enough = 1};

		server.answers = 1;
		ask(&server, &rows[i].trust, &client);
		if (rows[i].why == NULL) {
			if (client.why[0] != '\0' || client.messages != 1 || client.wrong ||
			    !server.asked || server.asked_len != 2 + sizeof(question) - 1) {
				fail_msg("%s: %s", rows[i].text, client.why);
			}
			assert_int_equal(server.saw_certificate, rows[i].trust.certificate);
		} else if (strncmp(client.why, rows[i].why, strlen(rows[i].why)) != 0 ||
		           client.messages != 0 || server.asked || client.hung_up) {
			fail_msg("%s: '%s' instead of '%s'%s%s", rows[i].text, client.why,
			    rows[i].why, server.asked ? ", it was asked" : "",
			    client.hung_up ? ", it counts as heard" : "");
		}
	}
}

// A client that presents its certificate tells who it is: only to whom it trusts.
static void our_certificate_is_for_the_right_server_alone(void **state)
{
	struct server server = {.identity = OTHER_NAME, .wants_certificate = true};
	struct client client = {.enough = 1};

	ask(&server, &(struct trust){.name = NAME, .certificate = true}, &client);
	assert_false(server.saw_certificate);
	assert_false(server.asked);
}

// --- how it ends

// Ten messages are due; a whole answer is whole however the connection ends, and a part of one
// never is (the truncation attack).
static void the_end_proves_nothing(void **state)
{
	const size_t whole = 10 * (2 + (size_t)MESSAGE_LEN);
	const struct {
		enum ending ending;
		size_t cut_at;
		const char *why;
	} endings[] = {
	    {CLOSE_NOTIFY, 0, ""},
	    {CUT, 0, ""},
	    {STAY, 0, ""},
	    {CLOSE_NOTIFY, whole - 1, "TLS: connection closed before the end of the answer"},
	    {CLOSE_NOTIFY, 2 * (2 + MESSAGE_LEN),
	        "TLS: connection closed before the end of the answer"},
	    {CUT, whole - 1, "TLS: connection cut off without close_notify"},
	    {CUT, 2 * (2 + MESSAGE_LEN), "TLS: connection cut off without close_notify"},
	    {RESET, whole - 1, "TLS: Connection reset by peer"},
	    {RESET, 1, "TLS: Connection reset by peer"},
	};

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		struct server server = {.identity = GOOD,
		    .answers = 10,
		    .ending = endings[i].ending,
		    .cut_at = endings[i].cut_at};
		struct client client = {.enough = 10};

		ask(&server, &(struct trust){.name = NAME}, &client);
		assert_string_equal(client.why, endings[i].why);
		assert_false(client.wrong);
		if (endings[i].ending != RESET) { // which may overtake what was sent before
			assert_int_equal(client.hung_up, endings[i].cut_at != 0);
			assert_int_equal(client.messages,
			    endings[i].cut_at != 0 ? endings[i].cut_at / (2 + MESSAGE_LEN) : 10);
		}
	}
}

static void records_and_messages_need_not_meet(void **state)
{
	static const size_t lengths[] = {0, 1, 2, 3, 4999, 5001, 5002, 5003, 16384};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct server server = {.identity = GOOD,
		    .answers = lengths[i] > 0 && lengths[i] < 4 ? 2 : 200,
		    .record_len = lengths[i]};
		struct client client = {.enough = server.answers};

		ask(&server, &(struct trust){.name = NAME}, &client);
		assert_string_equal(client.why, "");
		assert_int_equal(client.messages, server.answers);
		assert_false(client.wrong);
	}
}

// --- what is no data

static void a_flood_of_messages_that_are_no_data_ends_the_connection(void **state)
{
	for (enum extra kind = TICKETS; kind <= KEY_UPDATES; kind++) {
		struct server first = {
		    .identity = GOOD, .answers = 3, .extra = kind, .extras = 100000};
		struct server between = {.identity = GOOD,
		    .answers = 20,
		    .record_len = 100,
		    .extra = kind,
		    .extra_every = 2};
		struct client client = {.enough = 3}, other = {.enough = 20};

		ask(&first, &(struct trust){.name = NAME}, &client);
		assert_string_equal(client.why, "TLS: too many messages that are no data");
		ask(&between, &(struct trust){.name = NAME}, &other);
		assert_string_equal(other.why, "TLS: too many messages that are no data");
		assert_true(other.messages > 0 && !other.wrong);
	}
}

static void some_messages_that_are_no_data_are_let_pass(void **state)
{
	for (enum extra kind = TICKETS; kind <= KEY_UPDATES; kind++) {
		struct server server = {.identity = GOOD,
		    .answers = 200,
		    .record_len = 100,
		    .extra = kind,
		    .extras = 90,
		    .extra_every = 300};
		struct client client = {.enough = 200};

		ask(&server, &(struct trust){.name = NAME}, &client);
		assert_string_equal(client.why, "");
		assert_int_equal(client.messages, 200);
		assert_false(client.wrong);
	}
}

// Others get their turn, however small the pieces and whatever they are.
static void a_turn_of_the_loop_is_short(void **state)
{
	const struct server servers[] = {
	    {.identity = GOOD, .answers = 2, .record_len = 1},
	    {.identity = GOOD, .answers = 2, .extra = TICKETS, .extras = 90},
	    {.identity = GOOD, .answers = 2, .extra = KEY_UPDATES, .extras = 90},
	};

	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		struct server server = servers[i];
		struct client client = {.enough = server.answers};
		unsigned turns = 0;

		server.ending = STAY;
		ask_begin(&server, &(struct trust){.name = NAME}, &client);
		while (!atomic_load(&server.answered)) {
			event_base_loop(client.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
			if (server.asked) {
				usleep(500000); // all that comes is there by then
			}
		}
		while (!client.closed) {
			event_base_loop(client.base, EVLOOP_ONCE);
			turns++;
		}
		assert_string_equal(client.why, "");
		assert_true(turns >= 30);
		ask_end(&server, &client);
	}
}

// Nothing that the environment says makes us write down the secrets of a connection.
static void no_key_log_is_written(void **state)
{
	struct server server = {.identity = GOOD, .answers = 1};
	struct client client = {.enough = 1};

	setenv("SSLKEYLOGFILE", path("keylog"), 1);
	ask(&server, &(struct trust){.name = NAME}, &client);
	unsetenv("SSLKEYLOGFILE");
	assert_int_equal(client.messages, 1);
	assert_int_not_equal(access(path("keylog"), F_OK), 0);
}

static void a_file_that_cannot_be_used_says_so(void **state)
{
	struct config config = {.server = {.ca_file = path("none.pem")}};
	char *names[] = {(char *)(uintptr_t)NAME};
	struct config_remote remote = {.id = (char *)(uintptr_t) "p",
	    .tls = true,
	    .cert_hostnames = names,
	    .cert_hostname_count = 1};
	struct tls_context *context = NULL;
	char error[TLS_ERROR_MAX];

	assert_true(tls_context_client(&config, &remote, &context, error) < 0);
	assert_non_null(strstr(error, "none.pem: "));
	config.server.ca_file = path("ca.pem");
	config.server.cert_file = path("client.pem");
	config.server.key_file = path("ca.key"); // of another certificate
	assert_true(tls_context_client(&config, &remote, &context, error) < 0);
	assert_non_null(strstr(error, "ca.key: "));
	assert_null(context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_who_proves_itself_is_asked),
	    cmocka_unit_test(our_certificate_is_for_the_right_server_alone),
	    cmocka_unit_test(the_end_proves_nothing),
	    cmocka_unit_test(records_and_messages_need_not_meet),
	    cmocka_unit_test(a_flood_of_messages_that_are_no_data_ends_the_connection),
	    cmocka_unit_test(some_messages_that_are_no_data_are_let_pass),
	    cmocka_unit_test(a_turn_of_the_loop_is_short),
	    cmocka_unit_test(no_key_log_is_written),
	    cmocka_unit_test(a_file_that_cannot_be_used_says_so),
	};

	signal(SIGPIPE, SIG_IGN); // as both daemons have it
	return cmocka_run_group_tests(tests, certificates_make, certificates_drop);
}
