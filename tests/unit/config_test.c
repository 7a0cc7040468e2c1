// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The configuration file: what is accepted and what it means, what is refused and where.
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

// The example of the design, word for word.
static const char design_example[] =
    "server:\n"
    "  identity: edge-1.ams            # id.server, hostname.bind, NSID\n"
    "  version: \"\"                     # empty: version.bind is refused\n"
    "  rundir: /run/nameplane\n"
    "  storage: /var/lib/nameplane\n"
    "\n"
    "dataplane:\n"
    "  workers: [1]                    # CPUs; one poll-mode worker each\n"
    "  ports:\n"
    "    - device: af_xdp:eth1         # or pci:0000:3b:00.0, memif:/run/np.sock, af_packet:eth1, "
    "tap:np0, pcap:...\n"
    "      addresses: [192.0.2.53, \"2001:db8::53\"]\n"
    "  tcp:\n"
    "    threads: 1\n"
    "\n"
    "controlplane:\n"
    "  listen: [198.51.100.7@53]       # NOTIFY in, transfers out\n"
    "  metrics: 127.0.0.1@9153\n"
    "  control-group: dnsops\n"
    "\n"
    "key:\n"
    "  - id: xfr-key\n"
    "    algorithm: hmac-sha256\n"
    "    secret: c2VjcmV0LXNlY3JldC1zZWNyZXQtMDEyMzQ1Njc4OTA=   # or secret-file:\n"
    "\n"
    "remote:\n"
    "  - id: primary-a\n"
    "    address: 203.0.113.53@53\n"
    "    key: xfr-key\n"
    "  - id: downstream\n"
    "    address: 198.51.100.20@53\n"
    "    key: xfr-key\n"
    "\n"
    "template:\n"
    "  - id: default\n"
    "    primaries: [primary-a]\n"
    "    notify-from: [primary-a]\n"
    "\n"
    "zone:\n"
    "  - domain: example.com\n"
    "  - domain: example.net\n"
    "    primaries: [primary-a]\n"
    "    provide-xfr: [downstream]\n"
    "    notify: [downstream]\n"
    "    expire: strict\n"
    "  - domain: example.org\n"
    "    file: /etc/nameplane/zones/example.org.zone   # a primary zone\n";

static struct config *accept_text(const char *text, unsigned flags)
{
	struct config_error error;
	struct config *config;
	int rc = config_parse(text, strlen(text), flags, &config, &error);

	if (rc < 0)
		print_error("%u:%u %s\n", error.line, error.column, error.message);
	assert_int_equal(rc, 0);
	assert_non_null(config);
	return config;
}

static void assert_address(const struct config_address *address, const char *host, unsigned port)
{
	char text[INET6_ADDRSTRLEN];

	if (address->addr.ss_family == AF_INET) {
		const struct sockaddr_in *in4 = (const struct sockaddr_in *)&address->addr;

		assert_int_equal(address->addr_len, sizeof(*in4));
		assert_int_equal(ntohs(in4->sin_port), port);
		assert_string_equal(inet_ntop(AF_INET, &in4->sin_addr, text, sizeof(text)), host);
	} else {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->addr;

		assert_int_equal(address->addr.ss_family, AF_INET6);
		assert_int_equal(address->addr_len, sizeof(*in6));
		assert_int_equal(ntohs(in6->sin6_port), port);
		assert_string_equal(inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text)), host);
	}
}

static void the_example_of_the_design_is_accepted_as_it_stands(void **state)
{
	struct config *c = accept_text(design_example, 0);
	const struct config_zone *z = c->zones;
	struct config_error error;
	uint8_t secret[64];

	assert_string_equal(c->server.identity, "edge-1.ams");
	assert_string_equal(c->server.version, "");
	assert_string_equal(c->server.rundir, "/run/nameplane");
	assert_string_equal(c->server.storage, "/var/lib/nameplane");
	assert_int_equal(c->dataplane.worker_count, 1);
	assert_int_equal(c->dataplane.workers[0], 1);
	assert_int_equal(c->dataplane.port_count, 1);
	assert_int_equal(c->dataplane.ports[0].driver, CONFIG_PORT_AF_XDP);
	assert_string_equal(c->dataplane.ports[0].target, "eth1");
	assert_string_equal(c->dataplane.ports[0].args, "");
	assert_int_equal(c->dataplane.ports[0].address_count, 2);
	assert_address(&c->dataplane.ports[0].addresses[0], "192.0.2.53", 53);
	assert_address(&c->dataplane.ports[0].addresses[1], "2001:db8::53", 53);
	assert_int_equal(c->dataplane.tcp_threads, 1);
	assert_int_equal(c->controlplane.listen_count, 1);
	assert_address(&c->controlplane.listen[0], "198.51.100.7", 53);
	assert_address(&c->controlplane.metrics, "127.0.0.1", 9153);
	assert_string_equal(c->controlplane.control_group, "dnsops");

	assert_int_equal(c->key_count, 1);
	assert_string_equal(c->keys[0].id, "xfr-key");
	assert_string_equal(c->keys[0].algorithm, "hmac-sha256");
	assert_int_equal(config_key_secret(&c->keys[0], secret, sizeof(secret), &error), 32);
	assert_memory_equal(secret, "secret-secret-secret-01234567890", 32);

	assert_int_equal(c->remote_count, 2);
	assert_ptr_equal(c->remotes[1].key, &c->keys[0]);
	assert_int_equal(c->remotes[1].via.addr_len, 0);

	assert_int_equal(c->zone_count, 3);
	assert_int_equal(z[0].domain_len, 13);
	assert_memory_equal(z[0].domain, "\7example\3com", 13);
	assert_int_equal(z[0].primary_count, 1);
	assert_ptr_equal(z[0].primaries[0], &c->remotes[0]);
	assert_int_equal(z[0].notify_from_count, 1);
	assert_int_equal(z[0].notify_count, 0);
	assert_int_equal(z[1].notify_count, 1);
	assert_ptr_equal(z[1].provide_xfr[0], &c->remotes[1]);
	assert_int_equal(z[1].expire, CONFIG_EXPIRE_STRICT);
	assert_string_equal(z[2].file, "/etc/nameplane/zones/example.org.zone");
	assert_int_equal(z[2].primary_count, 0);
	assert_int_equal(z[2].notify_from_count, 0);
	config_free(c);
}

static void an_empty_file_has_the_defaults(void **state)
{
	static const char *const texts[] = {"", "\n# nothing\n", "zone:\n", "zone: []\nserver:\n"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct config *c = accept_text(texts[i], CONFIG_CHECK_FILES);

		assert_string_equal(c->server.rundir, "/run/nameplane");
		assert_string_equal(c->server.version, "");
		assert_true(c->server.identity[0] != '\0');
		assert_true(c->server.answer_cookie);
		assert_int_equal(c->server.cookie_secret_count, 0);
		assert_null(c->server.cookie_secret_file);
		assert_true(c->dataplane.worker_count >= 1);
		assert_int_equal(c->dataplane.tcp_threads, 1);
		assert_int_equal(c->dataplane.tcp_idle_ms, 10000);
		assert_int_equal(c->dataplane.tcp_connections, 20000);
		assert_int_equal(c->dataplane.tcp_per_source, 200);
		assert_int_equal(c->dataplane.udp_payload_max, 1232);
		assert_int_equal(c->dataplane.memory_mb, 0);
		assert_string_equal(c->dataplane.eal_args, "");
		assert_string_equal(c->controlplane.control_group, "");
		assert_int_equal(c->controlplane.metrics.addr_len, 0);
		assert_int_equal(c->zone_count, 0);
		config_free(c);
	}
}

static void every_word_is_read(void **state)
{
	struct config *c = accept_text(
	    "template:\n"
	    "  - {id: slow, primaries: p, refresh-min-interval: 1h, retry-max-interval: 1h30m}\n"
	    "  - {id: default, primaries: [p, q], notify-from: [], expire: grace 7d, "
	    "zonemd-verify: on, shrink-limit: 7%, "
	    "journal-max-depth: 5, journal-max-usage: 2M}\n"
	    "zone:\n"
	    "  - {domain: Example.COM., template: slow}\n"
	    "  - {domain: ., expire: strict, notify-from: q}\n"
	    "  - {domain: 'a\\.b.example', retry-min-interval: 10}\n"
	    "remote:\n"
	    "  - {id: p, address: ['192.0.2.1', 192.0.2.2@5353], via: 192.0.2.9}\n"
	    "  - {id: q, address: '2001:db8::1@8053', key: K.}\n"
	    "  - {id: r, address: ['2001:db8::2', 192.0.2.3@8853], tls: on, tls-alpn: optional,\n"
	    "     cert-key: [AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=], "
	    "cert-hostname: a.example}\n"
	    "  - {id: s, address: 192.0.2.4, tls: on, key: [l, k]}\n"
	    "controlplane: {listen-tls: [192.0.2.5, '2001:db8::5@8853']}\n"
	    "server: {cert-file: /dev/null, key-file: /dev/zero, ca-file: /dev/full}\n"
	    "key:\n"
	    "  - {id: k, algorithm: hmac-sha512, secret: AA==}\n"
	    "  - {id: l, algorithm: hmac-sha1, secret: AA==}\n"
	    "dataplane:\n"
	    "  workers: [3, 2]\n"
	    "  udp-max-payload: 4096\n"
	    "  hugepages: off\n"
	    "  memory: 2G\n"
	    "  eal-args: --log-level 8\n"
	    "  tcp: {threads: 2, idle-timeout: 500ms, max-clients: 10, max-clients-per-source: 3}\n"
	    "  ports:\n"
	    "    - {device: {name: 'af_xdp:eth0', busy_budget: 0, force_copy: 1}, addresses: "
	    "192.0.2.1, queues: 2, vlan: 7}\n"
	    "    - {device: 'pci:0000:3b:00.0', addresses: [192.0.2.1, 192.0.2.1@5353]}\n"
	    "    - {device: 'pci:0000:3b:00.1', addresses: 192.0.2.1, punt: no}\n"
	    "    - {device: 'memif:/run/np.sock', addresses: 192.0.2.1, punt: yes}\n",
	    CONFIG_CHECK_FILES);
	const struct config_zone *z = c->zones;

	assert_int_equal(c->dataplane.worker_count, 2);
	assert_int_equal(c->dataplane.workers[0], 3);
	assert_int_equal(c->dataplane.udp_payload_max, 4096);
	assert_false(c->dataplane.hugepages);
	assert_int_equal(c->dataplane.memory_mb, 2048);
	assert_string_equal(c->dataplane.eal_args, "--log-level 8");
	assert_int_equal(c->dataplane.tcp_threads, 2);
	assert_int_equal(c->dataplane.tcp_idle_ms, 500);
	assert_int_equal(c->dataplane.tcp_connections, 10);
	assert_int_equal(c->dataplane.tcp_per_source, 3);
	assert_string_equal(c->dataplane.ports[0].args, "busy_budget=0,force_copy=1");
	assert_int_equal(c->dataplane.ports[0].queues, 2);
	assert_int_equal(c->dataplane.ports[0].vlan, 7);
	assert_false(c->dataplane.ports[0].punt);
	assert_int_equal(c->dataplane.ports[1].driver, CONFIG_PORT_PCI);
	assert_string_equal(c->dataplane.ports[1].target, "0000:3b:00.0");
	assert_true(c->dataplane.ports[1].punt);
	assert_address(&c->dataplane.ports[1].addresses[1], "192.0.2.1", 5353);
	assert_false(c->dataplane.ports[2].punt);
	assert_true(c->dataplane.ports[3].punt);
	assert_string_equal(c->dataplane.ports[3].target, "/run/np.sock");

	assert_address(&c->remotes[0].addresses[1], "192.0.2.2", 5353);
	assert_address(&c->remotes[0].via, "192.0.2.9", 0);
	assert_null(c->remotes[0].key);
	assert_address(&c->remotes[1].addresses[0], "2001:db8::1", 8053);
	assert_ptr_equal(c->remotes[1].key, &c->keys[0]);
	assert_null(c->remotes[1].other_key);
	assert_ptr_equal(c->remotes[3].key, &c->keys[1]);
	assert_ptr_equal(c->remotes[3].other_key, &c->keys[0]);
	assert_false(c->remotes[1].tls);
	assert_address(&c->remotes[2].addresses[0], "2001:db8::2", 853);
	assert_address(&c->remotes[2].addresses[1], "192.0.2.3", 8853);
	assert_true(c->remotes[2].tls && c->remotes[2].tls_alpn_optional);
	assert_int_equal(c->remotes[2].cert_pin_count, 1);
	assert_int_equal(c->remotes[2].cert_pins[0][31], 0x1f);
	assert_int_equal(c->remotes[2].cert_hostname_count, 1);
	assert_string_equal(c->remotes[2].cert_hostnames[0], "a.example");
	assert_true(c->remotes[3].tls && !c->remotes[3].tls_alpn_optional);
	assert_int_equal(c->remotes[3].cert_pin_count + c->remotes[3].cert_hostname_count, 0);
	assert_string_equal(c->server.cert_file, "/dev/null");
	assert_int_equal(c->controlplane.listen_tls_count, 2);
	assert_address(&c->controlplane.listen_tls[0], "192.0.2.5", 853);
	assert_address(&c->controlplane.listen_tls[1], "2001:db8::5", 8853);
	assert_string_equal(c->server.key_file, "/dev/zero");
	assert_string_equal(c->server.ca_file, "/dev/full");

	assert_memory_equal(z[0].domain, "\7example\3com", 13);
	assert_int_equal(z[0].primary_count, 1);
	assert_int_equal(z[0].notify_from_count, 1); // not said: who is asked may tell
	assert_int_equal(z[0].limits->refresh_min_s, 3600);
	assert_int_equal(z[0].limits->refresh_max_s, 86400);
	assert_int_equal(z[0].limits->retry_min_s, 1);
	assert_int_equal(z[0].limits->retry_max_s, 5400);
	assert_int_equal(z[0].expire, CONFIG_EXPIRE_STRICT);
	assert_int_equal(z[1].domain_len, 1);
	assert_int_equal(z[1].primary_count, 2);
	assert_int_equal(z[1].notify_from_count, 1);
	assert_int_equal(z[1].expire, CONFIG_EXPIRE_STRICT);
	assert_int_equal(z[1].grace_s, 0);
	assert_memory_equal(z[2].domain, "\3a.b\7example", 13);
	assert_int_equal(z[2].notify_from_count, 0); // said: nobody
	assert_int_equal(z[2].limits->refresh_min_s, 2);
	assert_int_equal(z[2].limits->retry_min_s, 10);
	assert_int_equal(z[2].expire, CONFIG_EXPIRE_GRACE);
	assert_int_equal(z[0].zonemd, CONFIG_ZONEMD_IF_PRESENT);
	assert_int_equal(z[2].zonemd, CONFIG_ZONEMD_ON);
	assert_int_equal(z[0].shrink_limit, 50);
	assert_int_equal(z[2].shrink_limit, 7);
	assert_int_equal(z[0].journal_depth, 20);
	assert_int_equal(z[0].journal_mb, 100);
	assert_int_equal(z[2].journal_depth, 5);
	assert_int_equal(z[2].journal_mb, 2);
	assert_int_equal(z[2].grace_s, 604800);
	config_free(c);
}

// Every limit of incoming transfers: its word, where it may stand, what holds without it, and both
// ends of what it may be.
#define LIMIT_IN_ZONE(member)   offsetof(struct config_limits, member)
#define LIMIT_IN_REMOTE(member) offsetof(struct config_remote, pacing.member)
#define LIMIT_FOR_ALL(member)   offsetof(struct config, controlplane.member)
static const struct limit_word {
	const char *word;
	enum { IN_ZONE, IN_REMOTE, FOR_ALL } place;
	size_t offset, size;
	uint64_t without;
	const char *least, *most;
	uint64_t least_is, most_is;
	const char *below, *above, *sentence;
} limit_words[] = {
    {"transfer-max-size", IN_ZONE, LIMIT_IN_ZONE(transfer_bytes), 8, UINT64_C(64) << 30, "64K",
        "1024G", 65536, UINT64_C(1) << 40, "65535", "1025G", "a size from 65536 to 1099511627776"},
    {"transfer-max-time", IN_ZONE, LIMIT_IN_ZONE(transfer_time_s), 4, 14400, "1s", "1w", 1, 604800,
        "999ms", "604801", "a time from 1 to 604800"},
    {"transfer-idle-timeout", IN_ZONE, LIMIT_IN_ZONE(transfer_idle_s), 4, 30, "1", "1h", 1, 3600,
        "0", "61m", "a time from 1 to 3600"},
    {"transfer-min-rate", IN_ZONE, LIMIT_IN_ZONE(transfer_rate), 4, 100, "0", "100000000", 0,
        100000000, "-1", "100000001", "a number from 0 to 100000000"},
    {"zone-max-records", IN_ZONE, LIMIT_IN_ZONE(zone_records), 4, 1000000000, "1", "1000000000", 1,
        1000000000, "0", "1000000001", "a number from 1 to 1000000000"},
    {"rrset-max-records", IN_ZONE, LIMIT_IN_ZONE(rrset_records), 4, 5461, "1", "5461", 1, 5461, "0",
        "5462", "a number from 1 to 5461"},
    {"refresh-jitter", IN_ZONE, LIMIT_IN_ZONE(jitter), 4, 10, "0%", "50%", 0, 50, "5", "51%",
        "a share from 0% to 50%"},
    {"notify-min-interval", IN_ZONE, LIMIT_IN_ZONE(notify_min_ms), 4, 50, "1ms", "30s", 1, 30000,
        "0", "2h", "a time from 1 to 3600000 milliseconds"},
    {"notify-max-interval", IN_ZONE, LIMIT_IN_ZONE(notify_max_ms), 4, 30000, "50ms", "1d", 50,
        86400000, "0", "2d", "a time from 1 to 86400000 milliseconds"},
    {"primary-pin-tolerance", IN_ZONE, LIMIT_IN_ZONE(pin_tolerance_s), 4, 0, "0", "365d", 0,
        31536000, "-1", "366d", "a time from 0 to 31536000"},
    {"primary-agreement", IN_ZONE, LIMIT_IN_ZONE(agreement), 4, 1, "1", "2", 1, 2, "0", "256",
        "a number from 1 to 255"},
    {"transfers-in", IN_REMOTE, LIMIT_IN_REMOTE(transfers), 4, 10, "1", "1000", 1, 1000, "0",
        "1001", "a number from 1 to 1000"},
    {"serial-queries", IN_REMOTE, LIMIT_IN_REMOTE(queries), 4, 64, "1", "10000", 1, 10000, "0",
        "10001", "a number from 1 to 10000"},
    {"serial-query-rate", IN_REMOTE, LIMIT_IN_REMOTE(query_rate), 4, 2000, "1", "1000000", 1,
        1000000, "0", "1000001", "a number from 1 to 1000000"},
    {"transfers-in", FOR_ALL, LIMIT_FOR_ALL(transfers_max), 4, 100, "1", "10000", 1, 10000, "0",
        "10001", "a number from 1 to 10000"},
    {"transfers-per-remote", FOR_ALL, LIMIT_FOR_ALL(pacing.transfers), 4, 10, "1", "1000", 1, 1000,
        "0", "1001", "a number from 1 to 1000"},
    {"serial-queries", FOR_ALL, LIMIT_FOR_ALL(queries_max), 4, 1000, "1", "100000", 1, 100000, "0",
        "100001", "a number from 1 to 100000"},
    {"serial-queries-per-remote", FOR_ALL, LIMIT_FOR_ALL(pacing.queries), 4, 64, "1", "10000", 1,
        10000, "0", "10001", "a number from 1 to 10000"},
    {"serial-query-rate", FOR_ALL, LIMIT_FOR_ALL(pacing.query_rate), 4, 2000, "1", "1000000", 1,
        1000000, "0", "1000001", "a number from 1 to 1000000"},
};

// A file with one remote and one zone that says one word more; NULL: it does not. By a template
// when `indirect`.
static void limit_text(
    const struct limit_word *word, const char *value, bool indirect, char out[512])
{
	char more[3][80] = {"", "", ""};

	if (value != NULL)
		snprintf(more[word->place], sizeof(more[0]), ", %s: %s", word->word, value);
	snprintf(out, 512,
	    "controlplane: {control-group: a%s}\n"
	    "remote: [{id: p, address: 192.0.2.1%s}, {id: q, address: 192.0.2.2}]\n"
	    "template: [{id: t, primaries: [p, q]%s}]\n"
	    "zone: [{domain: a, template: t%s}]\n",
	    more[FOR_ALL], more[IN_REMOTE], indirect ? more[IN_ZONE] : "",
	    indirect ? "" : more[IN_ZONE]);
}

static uint64_t limit_value(const struct limit_word *word, const struct config *c)
{
	const void *base = word->place == IN_ZONE     ? (const void *)c->zones[0].limits
	                   : word->place == IN_REMOTE ? (const void *)&c->remotes[0]
	                                              : (const void *)c;
	uint64_t wide = 0;

	memcpy(&wide, (const char *)base + word->offset, word->size);
	return wide;
}

static void limit_accepted(const struct limit_word *word, const char *value, uint64_t expected)
{
	for (int indirect = 0; indirect < 2; indirect++) {
		char text[512];

		limit_text(word, value, indirect, text);
		struct config *c = accept_text(text, 0);

		if (limit_value(word, c) != expected) {
			print_error(
			    "%s: %llu\n", word->word, (unsigned long long)limit_value(word, c));
			fail();
		}
		// What stands in the section controlplane goes for every remote that says nothing.
		if (word->place == FOR_ALL)
			assert_int_equal(
			    c->remotes[0].pacing.transfers, c->controlplane.pacing.transfers);
		config_free(c);
	}
}

static void every_limit_has_a_default_two_ends_and_a_sentence(void **state)
{
	for (size_t i = 0; i < sizeof(limit_words) / sizeof(limit_words[0]); i++) {
		const struct limit_word *word = &limit_words[i];
		const char *bad[] = {word->below, word->above, "lots", "''", "[1]"};

		limit_accepted(word, NULL, word->without);
		limit_accepted(word, word->least, word->least_is);
		limit_accepted(word, word->most, word->most_is);
		for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
			struct config_error error;
			struct config *c;
			char text[512];

			limit_text(word, bad[k], k % 2 != 0, text);
			assert_true(config_parse(text, strlen(text), 0, &c, &error) < 0);
			assert_non_null(strstr(error.message, word->word));
			if (k < 3 && strstr(error.message, word->sentence) == NULL) {
				print_error("%s: %s\n", bad[k], error.message);
				fail();
			}
		}
	}
}

static void zones_that_say_nothing_share_the_limits_of_their_template(void **state)
{
	struct config *c =
	    accept_text("remote: [{id: p, address: 192.0.2.1}]\n"
	                "template: [{id: t, primaries: p, zone-max-records: 7}]\n"
	                "zone: [{domain: a, template: t}, {domain: b, template: t},\n"
	                "  {domain: c, template: t, rrset-max-records: 3},\n"
	                "  {domain: d, primaries: p}, {domain: e, primaries: p}]\n",
	        0);
	const struct config_zone *z = c->zones;

	assert_ptr_equal(z[0].limits, z[1].limits);
	assert_int_equal(z[1].limits->zone_records, 7);
	assert_int_equal(z[2].limits->zone_records, 7);
	assert_int_equal(z[2].limits->rrset_records, 3);
	assert_int_equal(z[0].limits->rrset_records, 5461);
	assert_ptr_equal(z[3].limits, z[4].limits);
	config_free(c);
}

#define PIN "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEYS                                                                                \
	"key: [{id: k, algorithm: hmac-sha1, secret: AA==}, {id: l, algorithm: hmac-sha1, " \
	"secret: AA==}]\n"
#define REMOTE "remote: [{id: p, address: 192.0.2.1}]\n"
#define HOSTS  "dataplane:\n  ports:\n    - device: tap:a\n      addresses: "
#define PORT   "dataplane:\n  ports:\n    - addresses: 192.0.2.1\n      device: "

// The mark ^ stands where the error must point and is taken out before the text is read.
static const struct {
	const char *text;
	const char *message; // a part of it
} refused[] = {
    {"^colour: red\n", "Unknown key 'colour' in the configuration"},
    {"server:\n  cookie-secret: ^00112233445566778899aabbccddee\n", "32 hexadecimal digits"},
    {"server:\n  cookie-secret: ^00112233445566778899aabbccddeeffaa\n", "32 hexadecimal digits"},
    {"server:\n  cookie-secret: [00112233445566778899aabbccddeeff, "
     "^00112233445566778899aabbccddeefg]\n",
        "32 hexadecimal digits"},
    {"server:\n  cookie-secret: [00112233445566778899aabbccddeeff, "
     "10112233445566778899aabbccddeeff, ^20112233445566778899aabbccddeeff]\n",
        "no more"},
    {"server:\n  cookie-secret: ^[]\n", "has no value"},
    {"server:\n  cookie-secret-file: ^secret\n", "cookie-secret-file"},
    {"server:\n  cookie-secret-file: ^/nonexistent/secret\n", "No such file"},
    {"server:\n  cookie-secret-file: ^/etc/passwd\n"
     "  cookie-secret: 00112233445566778899aabbccddeeff\n",
        "both"},
    {"server:\n  answer-cookie: ^maybe\n", "answer-cookie"},
    {"server:\n  ^colour: red\n", "Unknown key 'colour' in the section 'server'"},
    {"dataplane:\n  tcp:\n    threads: 1\n    ^fibres: 2\n", "Unknown key 'fibres'"},
    {"dataplane:\n  ports:\n    - device: tap:a\n      ^address: 192.0.2.1\n",
        "Unknown key 'address' in a port"},
    {"key:\n  - ^name: a\n", "Unknown key 'name' in a key"},
    {"remote: [{id: a, address: 192.0.2.1, ^quic: on}]\n", "Unknown key 'quic' in a remote"},
    {"remote: [{id: a, address: 192.0.2.1, tls: ^maybe}]\n", "must be on or off"},
    {"remote: [{id: a, address: 192.0.2.1, cert-key: ^" PIN "}]\n", "but 'tls' is not on"},
    {"remote: [{id: a, address: 192.0.2.1, tls: off, cert-hostname: ^a.example}]\n",
        "but 'tls' is not on"},
    {"remote: [{id: a, address: 192.0.2.1, tls-alpn: ^optional}]\n", "but 'tls' is not on"},
    {"remote: [{id: a, address: 192.0.2.1, tls: on, tls-alpn: ^off}]\n",
        "must be 'required' or 'optional'"},
    {"remote: [{id: a, address: 192.0.2.1, tls: on, cert-key: [" PIN ", ^AAAA]}]\n",
        "must be the SHA-256"},
    {"remote: [{id: a, address: 192.0.2.1, tls: on, cert-key: ^[]}]\n", "'cert-key' is empty"},
    {"remote: [{id: a, address: 192.0.2.1, tls: on, cert-hostname: ^[]}]\n",
        "'cert-hostname' is empty"},
    {"remote: [{id: a, address: [192.0.2.1, ^192.0.2.1@853], tls: on}]\n", "stands here twice"},
    {"server:\n  ^cert-file: /dev/null\n", "there is only one"},
    {"controlplane: {listen-tls: ^192.0.2.1}\n", "needs a 'cert-file'"},
    {"server:\n  ca-file: ^ca.pem\n", "must be an absolute path"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, catalog-role: ^generate}\n",
        "'none' or 'interpret'"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, catalog-role: ^interpret}\n",
        "needs 'catalog-template'"},
    {REMOTE "template: [{id: t, primaries: p}]\nzone:\n"
            "  - {domain: a, primaries: p, catalog-template: ^t}\n",
        "needs 'catalog-role: interpret'"},
    {REMOTE "template: [{id: t}]\nzone:\n"
            "  - {domain: a, primaries: p, catalog-role: interpret, catalog-template: ^t}\n",
        "has no 'primaries'"},
    {REMOTE "zone:\n"
            "  - {domain: a, primaries: p, catalog-role: interpret, catalog-template: [^t]}\n",
        "no template has this id"},
    {"template:\n  - id: a\n    ^file: /etc/passwd\n", "Unknown key 'file' in a template"},
    {REMOTE "zone:\n  - domain: a\n    primaries: p\n    ^master: p\n",
        "Unknown key 'master' in a zone"},
    {"? ^[a, b]\n: c\n", "Unknown key 'a list'"},
    {"server:\n  identity: a\n  ^identity: b\n", "Duplicate key 'identity'"},
    {"server: {}\n^server: {}\n", "Duplicate key 'server'"},
    {REMOTE "zone:\n  - domain: a\n    primaries: p\n    ^domain: b\n", "Duplicate key 'domain'"},
    {"key:\n  - {id: a, algorithm: hmac-sha256, secret: AA==}\n"
     "  - {id: ^A., algorithm: hmac-sha256, secret: AA==}\n",
        "Duplicate key id 'A.'"},
    {"remote:\n  - {id: a, address: 192.0.2.1}\n  - {address: 192.0.2.1, id: ^a}\n",
        "Duplicate remote id 'a'"},
    {"template:\n  - {id: a}\n  - {id: ^a}\n", "Duplicate template id 'a'"},
    {REMOTE "zone:\n  - {domain: a.example, primaries: p}\n"
            "  - {primaries: p, domain: ^A.EXAMPLE.}\n",
        "Duplicate zone 'A.EXAMPLE.'"},
    {"remote:\n  - id: a\n    address: ^192.0.2.256\n", "an IPv4 or IPv6 address is expected"},
    {"remote:\n  - id: a\n    address: [192.0.2.1, ^2001:db8:::1]\n", "address is expected"},
    {"remote:\n  - id: a\n    address: ^192.0.2.1@0\n", "the port behind '@'"},
    {"remote:\n  - id: a\n    address: ^192.0.2.1@65536\n", "the port behind '@'"},
    {"remote:\n  - id: a\n    address: ^192.0.2.1@53x\n", "the port behind '@'"},
    {"remote:\n  - id: a\n    address: ^'@53'\n", "address is expected"},
    {"remote:\n  - id: a\n    address: ^primary.example\n", "address is expected"},
    {"remote:\n  - id: a\n    address: [192.0.2.1, ^192.0.2.1@53]\n", "stands here twice"},
    {"remote:\n  - ^id: a\n", "has no 'address'"},
    {"remote:\n  - ^id: a\n    address: []\n", "has no 'address'"},
    {"remote:\n  - ^address: 192.0.2.1\n", "has no 'id'"},
    {"remote:\n  - id: a\n    address: 192.0.2.1\n    via: ^2001:db8::1\n", "not both IPv4"},
    {"remote:\n  - id: a\n    address: 192.0.2.1\n    key: ^nokey\n", "no key has this id"},
    {KEYS "remote: [{id: a, address: 192.0.2.1, key: [k, ^K.]}]\n", "stands here twice"},
    {KEYS "remote: [{id: a, address: 192.0.2.1, key: ^[k, l, k]}]\n", "at most two keys"},
    {KEYS "remote: [{id: a, address: 192.0.2.1, key: ^[]}]\n", "has no value"},
    {"zone:\n  - domain: a\n    primaries: [^q]\n", "no remote has this id"},
    {REMOTE "zone:\n  - domain: a\n    primaries: [p, ^p]\n", "stands here twice"},
    {REMOTE "zone:\n  - domain: a\n    notify-from: [p, ^q]\n", "no remote has this id"},
    {REMOTE "zone:\n  - domain: a\n    notify: ^{a: b}\n", "takes one value, not a mapping"},
    {REMOTE "zone:\n  - domain: a\n    template: ^b\n", "no template has this id"},
    {"zone:\n  - ^domain: a\n", "neither 'file' nor 'primaries'"},
    {REMOTE "zone:\n  - primaries: p\n    domain: a\n    file: ^/etc/passwd\n",
        "both 'file' and 'primaries'"},
    {REMOTE "zone:\n  - ^primaries: p\n", "has no 'domain'"},
    {"zone:\n  - domain: ^a..b\n", "not a domain name"},
    {"zone:\n  - domain: ^aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
        "not a domain name"},
    {"zone:\n  - domain:^\n", "has no value"},
    {"zone:\n  - ^a.example\n", "is expected for a zone"},
    {"zone: ^a.example\n", "is expected for a zone"},
    {"zone:\n  - domain: a\n    file: ^zones/a.zone\n", "must be an absolute path"},
    {"zone:\n  - domain: a\n    file: ^/nonexistent/a.zone\n", "there is no such file"},
    {"zone:\n  - domain: a\n    file: ^/\n", "that is a folder"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, expire: ^never}\n", "'strict' or 'grace TIME'"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, shrink-limit: ^100%}\n", "0% to 99%"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, shrink-limit: ^7}\n", "0% to 99%"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, journal-max-depth: ^1}\n", "2 to 10000"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, journal-max-usage: ^10K}\n", "1 to 1048576"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, shrink-limit: ^'%'}\n", "0% to 99%"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, zonemd-verify: ^yes}\n", "'on', 'off' or"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, expire: ^grace 7y}\n", "'grace TIME'"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, retry-min-interval: ^0}\n", "a time from 1 to"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, retry-min-interval: ^2147483648}\n",
        "a time from 1 to"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, retry-min-interval: ^-1}\n", "a time from 1 to"},
    {REMOTE "zone:\n  - {domain: a, primaries: p, retry-min-interval: ^1.5h}\n",
        "a time from 1 to"},
    {REMOTE "zone:\n  - ^{domain: a, primaries: p, retry-min-interval: 2d}\n", "is above"},
    {REMOTE "zone:\n  - ^{domain: a, primaries: p, refresh-max-interval: 1}\n", "is above"},
    {REMOTE "zone:\n  - ^{domain: a, primaries: p, notify-min-interval: 31s}\n",
        "'notify-min-interval' is above 'notify-max-interval' (31000, 30000 milliseconds)"},
    {REMOTE "template:\n  - ^{id: t, retry-min-interval: 2d}\n", "is above"},
    {REMOTE "zone:\n  - ^{domain: a, primaries: p, primary-agreement: 2}\n",
        "'primary-agreement' is 2, but 'primaries' has 1"},
    {REMOTE "template: [{id: t, primaries: p, primary-agreement: 3}]\nzone:\n"
            "  - {domain: a, primaries: p, catalog-role: interpret, catalog-template: ^t}\n",
        "'primary-agreement' is 3, but 'primaries' has 1"},
    {"key:\n  - id: a\n    algorithm: ^hmac-md5\n    secret: AA==\n", "must be one of hmac-sha1"},
    {"key:\n  - id: a\n    algorithm: hmac-sha1\n    secret: ^A\n", "'secret' is not base64"},
    {"key:\n  - id: a\n    algorithm: hmac-sha1\n    secret: ^A=A=\n", "'secret' is not base64"},
    {"key:\n  - id: a\n    algorithm: hmac-sha1\n    secret: ^''\n", "'secret' is not base64"},
    {"key:\n  - ^id: a\n    algorithm: hmac-sha1\n", "neither 'secret' nor 'secret-file'"},
    {"key:\n  - ^id: a\n    secret: AA==\n", "has no 'algorithm'"},
    {"key:\n  - ^algorithm: hmac-sha1\n    secret: AA==\n", "has no 'id'"},
    {"key:\n  - id: ^.\n", "not a domain name"},
    {"key:\n  - ^{id: a, algorithm: hmac-sha1, secret: AA==, secret-file: /dev/null}\n",
        "both 'secret' and 'secret-file'"},
    {"key:\n  - id: a\n    algorithm: hmac-sha1\n    secret-file: ^a.key\n", "absolute path"},
    {"key:\n  - id: a\n    algorithm: hmac-sha1\n    secret-file: ^/nonexistent/key\n",
        "there is no such file"},
    {"server:\n  rundir: ^run\n", "must be an absolute path"},
    {"server:\n  rundir: "
     "^/"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "\n",
        "too many for the sockets"},
    {"zone:\n  - domain: ^b\xc3\xbc"
     "cher.example\n",
        "xn-- form"},
    {"server:\n  rundir: ^[/run]\n", "takes one value, not a list"},
    {"server:\n  identity: ^{a: b}\n", "takes one value, not a mapping"},
    {"server: ^edge\n", "is expected for the section 'server'"},
    {"server: ^[a]\n", "is expected for the section 'server'"},
    {"^- a\n", "is expected for the configuration"},
    {"dataplane:\n  workers: [1, ^one]\n", "a number from 0 to"},
    {"dataplane:\n  workers: [1, ^1024]\n", "a number from 0 to 1023"},
    {"dataplane:\n  workers: [1, 2, ^1]\n", "Two workers have the CPU 1"},
    {"dataplane:\n  workers: [^[1]]\n", "takes one value, not a list"},
    {"dataplane:\n  udp-max-payload: ^511\n", "a number from 512 to 4096"},
    {"dataplane:\n  udp-max-payload: ^99999999999999999999999\n", "a number from 512 to 4096"},
    {"dataplane:\n  hugepages: ^maybe\n", "must be on or off"},
    {"dataplane:\n  memory: ^1M\n", "a size from 32 to"},
    {"dataplane:\n  memory: ^512X\n", "a size from 32 to"},
    {"dataplane:\n  tcp:\n    threads: ^0\n", "a number from 1 to 64"},
    {"dataplane:\n  tcp:\n    idle-timeout: ^99ms\n", "a time from 100 to"},
    {PORT "^eth1\n", "must be DRIVER:TARGET"},
    {PORT "^xdp:eth1\n", "must be DRIVER:TARGET"},
    {PORT "^'af_xdp:'\n", "must be a name or path"},
    {PORT "^'af_xdp:eth1,start_queue=1'\n", "must be a name or path"},
    {PORT "^{busy_budget: 0}\n", "A device has no 'name'"},
    {PORT "{name: tap:a, busy_budget: ^'0,iface=b'}\n", "takes one value without commas"},
    {PORT "{name: tap:a, x: 1, ^x: 2}\n", "Duplicate key 'x' in a device"},
    {PORT "{name: tap:a, ^[x]: 2}\n", "not the name of a driver argument"},
    {PORT "tap:a\n      vlan: ^4095\n", "a number from 1 to 4094"},
    {PORT "tap:a\n      queues: ^0\n", "a number from 1 to 64"},
    {PORT "tap:a\n    - ^{device: tap:a, addresses: 192.0.2.1}\n", "Two ports have the device"},
    {HOSTS "^224.0.0.1\n", "a host's own"},
    {HOSTS "^[192.0.2.1, 255.255.255.255]\n", "a host's own"},
    {HOSTS "^0.0.0.0\n", "a host's own"},
    {HOSTS "^'::'\n", "a host's own"},
    {HOSTS "^'ff02::1'\n", "a host's own"},
    {"dataplane:\n  ports:\n    - ^addresses: 192.0.2.1\n", "has no 'device'"},
    {"dataplane:\n  ports:\n    - ^device: tap:a\n", "has no 'addresses'"},
    {"server:\n  identity: ^&a b\n", "Anchors and aliases"},
    {"server:\n  identity: ^*a\n", "Anchors and aliases"},
    {"server: {}\n^---\nserver: {}\n", "A second YAML document"},
    {"server:\n  identity: ^\"a\\0b\"\n", "NUL"},
    {"server:\n^\tidentity: a\n", "here is a tab"},
    {"a: [[[[[[[[[[[^[[[1]]]]]]]]]]]]]\n", "nesting is too deep"},
    {"server:\n  identity: ^\xff\n", "not UTF-8"},
};

static void a_mistake_is_refused_with_its_line_and_column(void **state)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		const char *mark = strchr(refused[i].text, '^');
		unsigned line = 1, column = 1;
		struct config *config;
		struct config_error error;
		char text[1024];

		assert_non_null(mark);
		snprintf(text, sizeof(text), "%.*s%s", (int)(mark - refused[i].text),
		    refused[i].text, mark + 1);
		for (const char *p = refused[i].text; p < mark; p++) {
			column = *p == '\n' ? 1 : column + 1;
			line += *p == '\n';
		}
		assert_true(
		    config_parse(text, strlen(text), CONFIG_CHECK_FILES, &config, &error) < 0);
		assert_null(config);
		if (error.line != line || error.column != column ||
		    strcasestr(error.message, refused[i].message) == NULL) {
			print_error("%sexpected %u:%u ...%s...\ngot      %u:%u %s\n", text, line,
			    column, refused[i].message, error.line, error.column, error.message);
			fail();
		}
	}
}

static void a_missing_file_is_refused_only_when_asked(void **state)
{
	static const char text[] = "zone:\n  - domain: a\n    file: /nonexistent/a.zone\n";

	config_free(accept_text(text, 0));
}

static void a_secret_never_shows_in_a_message(void **state)
{
	static const char text[] =
	    "key:\n  - {id: a, algorithm: hmac-sha1, secret: c2VjcmV0LXNlY3JldA}\n";
	struct config_error error;
	struct config *config;

	assert_int_equal(config_parse(text, strlen(text), 0, &config, &error), -EINVAL);
	assert_null(strstr(error.message, "c2Vj"));
}

static void a_secret_is_read_from_its_file(void **state)
{
	char path[] = "/tmp/config_test.XXXXXX", text[256];
	struct config_error error;
	uint8_t secret[16];
	struct config *c;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "c2VjcmV0\n", 9), 9);
	close(fd);
	snprintf(text, sizeof(text), "key: [{id: a, algorithm: hmac-sha1, secret-file: %s}]", path);
	c = accept_text(text, CONFIG_CHECK_FILES);
	assert_int_equal(config_key_secret(&c->keys[0], secret, sizeof(secret), &error), 6);
	assert_memory_equal(secret, "secret", 6);
	assert_true(config_key_secret(&c->keys[0], secret, 5, &error) < 0);
	unlink(path);
	assert_true(config_key_secret(&c->keys[0], secret, sizeof(secret), &error) < 0);
	assert_non_null(strstr(error.message, "No such file"));
	config_free(c);
}

static void cookie_secrets_are_given_in_place(void **state)
{
	static const uint8_t first[] =
	    "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff";
	struct config *c =
	    accept_text("server:\n  cookie-secret: 00112233445566778899aabbccddeeff", 0);
	uint8_t secrets[CONFIG_COOKIE_SECRETS][CONFIG_COOKIE_SECRET_LEN];
	struct config_error error;

	assert_int_equal(config_cookie_secrets(c, secrets, &error), 1);
	assert_memory_equal(secrets[0], first, 16);
	config_free(c);
	c = accept_text("server: {cookie-secret: [ffeeddccbbaa99887766554433221100, "
	                "00112233445566778899AABBCCDDEEFF]}",
	    0);
	assert_int_equal(config_cookie_secrets(c, secrets, &error), 2);
	assert_memory_equal(secrets[1], first, 16);
	assert_int_equal(secrets[0][0], 0xff);
	config_free(c);
	c = accept_text("server: {cookie-secret: ffeeddccbbaa99887766554433221100, "
	                "answer-cookie: off}",
	    0);
	assert_int_equal(config_cookie_secrets(c, secrets, &error), 0);
	config_free(c);
}

static void cookie_secrets_are_read_from_their_file(void **state)
{
	static const struct {
		const char *text;
		int count;           // -1: refused
		const char *message; // a part of it
	} cases[] = {
	    {"00112233445566778899aabbccddeeff\n", 1, NULL},
	    {"00112233445566778899aabbccddeeff", 1, NULL},
	    {"# active\r\n\n \t00112233445566778899aabbccddeeff # since May\r\n"
	     "ffeeddccbbaa99887766554433221100\n\n",
	        2, NULL},
	    {"", -1, "no secret"},
	    {"# nothing\n", -1, "no secret"},
	    {"\n0011\n", -1, "line 2"},
	    {"00112233445566778899aabbccddeef\xff\n", -1, "line 1"},
	    {"00112233445566778899aabbccddeeff 0\n", -1, "line 1"},
	    {"00112233445566778899aabbccddeeff\nffeeddccbbaa99887766554433221100\n"
	     "ffeeddccbbaa99887766554433221101\n",
	        -1, "line 3"},
	};
	uint8_t secrets[CONFIG_COOKIE_SECRETS][CONFIG_COOKIE_SECRET_LEN];
	struct config_error error;
	struct config *c;
	char path[] = "/tmp/config_test.XXXXXX", text[256];
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	snprintf(text, sizeof(text), "server: {cookie-secret-file: %s}", path);
	c = accept_text(text, CONFIG_CHECK_FILES);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(
		    pwrite(fd, cases[i].text, strlen(cases[i].text), 0), strlen(cases[i].text));
		if (cases[i].count > 0) {
			assert_int_equal(config_cookie_secrets(c, secrets, &error), cases[i].count);
			assert_int_equal(secrets[0][15], 0xff);
			continue;
		}
		assert_true(config_cookie_secrets(c, secrets, &error) < 0);
		assert_non_null(strstr(error.message, cases[i].message));
		assert_null(strstr(error.message, "0011")); // never the secret
	}
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_true(config_cookie_secrets(c, secrets, &error) < 0);
	close(fd);
	unlink(path);
	assert_true(config_cookie_secrets(c, secrets, &error) < 0);
	assert_non_null(strstr(error.message, "No such file"));
	config_free(c);
}

static void a_file_that_cannot_be_read_says_so(void **state)
{
	struct config_error error;
	struct config *config;

	assert_int_equal(config_load("/nonexistent/np.conf", 0, &config, &error), -ENOENT);
	assert_int_equal(error.line, 0);
	assert_null(config);
	assert_true(config_load("/", 0, &config, &error) < 0);
}

// The prefixes of a text end in every possible place; none may crash and what is accepted is whole.
static void every_prefix_of_the_example_is_read_or_refused(void **state)
{
	for (size_t len = 0; len < strlen(design_example); len++) {
		char *text = malloc(len + 1); // exact, so that a sanitizer sees an overrun
		struct config_error error;
		struct config *config;

		assert_non_null(text);
		memcpy(text, design_example, len);
		if (config_parse(text, len, 0, &config, &error) < 0)
			assert_true(error.line >= 1 && error.message[0] != '\0');
		config_free(config);
		free(text);
	}
}

static void a_million_zones_load_in_seconds(void **state)
{
	const size_t zones = 1000000;
	size_t cap = 64 * zones, len;
	char *text = malloc(cap);
	struct config_error error;
	struct timespec from, to;
	struct config *c;

	assert_non_null(text);
	len = (size_t)sprintf(text, REMOTE "template: [{id: default, primaries: [p]}]\nzone:\n");
	for (size_t i = 0; i < zones; i++)
		len += (size_t)sprintf(text + len, "  - domain: customer-%zu.example.com\n", i);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from); // others' work does not count
	assert_int_equal(config_parse(text, len, 0, &c, &error), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	assert_int_equal(c->zone_count, zones);
	assert_ptr_equal(c->zones[0].primaries, c->zones[zones - 1].primaries);
	print_message("%.2f s\n",
	    (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	assert_true(to.tv_sec - from.tv_sec < 60); // quadratic would be hours
	config_free(c);
	free(text);
}

// What the sockets' place is, said before the rest is read, right or wrong.
static void the_section_server_is_known_first(void **state)
{
	static const struct {
		const char *text, *rundir; // NULL: not to be had
	} rows[] = {
	    {"server:\n  rundir: /a\n", "/a"},
	    {"server: {rundir: /a}\nzone: [nonsense", "/a"},
	    {"# server:\nzone:\n  - domain: server:\n\nserver:\n\n  identity: x\n# more\n  rundir: "
	     "/b\nremote: {\n",
	        "/b"},
	    {"server:\r\n  rundir: /a\r\nzone:\r\n", "/a"},
	    {"server:\n  identity: x", "/run/nameplane"},
	    {"server:\n  rundir: relative\n", NULL},
	    {"{server: {rundir: /a}}\n", NULL},
	    {"zone:\n  - domain: example.\n", NULL},
	    {"servers:\n  rundir: /a\n", NULL},
	    {"server", NULL},
	    {"", NULL},
	};
	char path[] = "/tmp/config_test.XXXXXX";
	const int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *config;

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(
		    pwrite(fd, rows[i].text, strlen(rows[i].text), 0), strlen(rows[i].text));
		config = config_server(path);
		if (rows[i].rundir == NULL)
			assert_null(config);
		else
			assert_string_equal(config->server.rundir, rows[i].rundir);
		config_free(config);
	}
	close(fd);
	unlink(path);
	assert_null(config_server("/nonexistent/np.conf"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_section_server_is_known_first),
	    cmocka_unit_test(the_example_of_the_design_is_accepted_as_it_stands),
	    cmocka_unit_test(an_empty_file_has_the_defaults),
	    cmocka_unit_test(every_word_is_read),
	    cmocka_unit_test(every_limit_has_a_default_two_ends_and_a_sentence),
	    cmocka_unit_test(zones_that_say_nothing_share_the_limits_of_their_template),
	    cmocka_unit_test(a_mistake_is_refused_with_its_line_and_column),
	    cmocka_unit_test(a_missing_file_is_refused_only_when_asked),
	    cmocka_unit_test(a_secret_never_shows_in_a_message),
	    cmocka_unit_test(a_secret_is_read_from_its_file),
	    cmocka_unit_test(cookie_secrets_are_given_in_place),
	    cmocka_unit_test(cookie_secrets_are_read_from_their_file),
	    cmocka_unit_test(a_file_that_cannot_be_read_says_so),
	    cmocka_unit_test(every_prefix_of_the_example_is_read_or_refused),
	    cmocka_unit_test(a_million_zones_load_in_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
