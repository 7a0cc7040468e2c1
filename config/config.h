// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The configuration file as both daemons read it: one YAML file, words as in Knot DNS. A struct
// config is immutable once loaded, owned by the caller, and may be read from any thread. Loading
// never opens a secret-file: the control plane does that by config_key_secret(), the data plane,
// for its cookies, by config_cookie_secrets(). The words and their defaults are in
// nameplane.conf(5).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <netinet/in.h>

struct config_error {
	unsigned line;   // from 1; 0 when the file could not be read at all
	unsigned column; // from 1
	char message[512];
};

// An address with an optional port: "192.0.2.1@53", "2001:db8::1", "127.0.0.1@9153".
#define CONFIG_FILE "/etc/nameplane/nameplane.yaml" // unless another is given

struct config_address {
	struct sockaddr_storage addr; // port filled in (53 unless given or stated otherwise)
	socklen_t addr_len;
};

// ACL source: an address with a prefix length ("192.0.2.0/24"); a plain address is /32 or /128.
enum config_port_driver {
	CONFIG_PORT_AF_XDP,
	CONFIG_PORT_AF_PACKET,
	CONFIG_PORT_MEMIF,
	CONFIG_PORT_TAP,
	CONFIG_PORT_PCAP,
	CONFIG_PORT_RING,
	CONFIG_PORT_PCI,
};

struct config_port {
	enum config_port_driver driver;
	char *target; // interface, PCI address or socket path: what stands behind the colon
	char *args;   // driver arguments as "k=v,k=v", "" unless `device` was a mapping with some
	unsigned queues; // receive queues; 0: one per worker
	uint16_t vlan;   // accepted 802.1Q tag, 0: untagged only
	bool punt; // exclusive modes: make a TAP for what is not ours (default: true for pci, false
	           // otherwise)
	struct config_address
	    *addresses; // served; port is 53 always in the data plane unless given
	size_t address_count;
};

struct config_key {
	char *id;        // the TSIG key name as written
	char *algorithm; // "hmac-sha256" ...
	char *secret;    // base64, or NULL when secret_file is set
	char *secret_file;
};

#define CONFIG_PIN_LEN 32 // SHA-256 of a SubjectPublicKeyInfo (RFC 7858 4.2)

// How much is asked of a primary; of a remote, at each of its addresses.
struct config_pacing {
	unsigned transfers;  // at once
	unsigned queries;    // SOA queries at once
	unsigned query_rate; // of those, in a second
};

struct config_remote {
	char *id;
	struct config_address *addresses; // tried in order
	size_t address_count;
	struct config_address via;          // local address to use; addr_len 0: any
	const struct config_key *key;       // the preferred one; borrowed from this config, or NULL
	const struct config_key *other_key; // accepted as well, and used when `key` is refused
	// Only ever over TLS (RFC 9103). Without pins and names the other side is not
	// authenticated.
	bool tls;
	bool tls_alpn_optional;
	uint8_t (*cert_pins)[CONFIG_PIN_LEN]; // SHA-256 of the public key; any of them
	size_t cert_pin_count;
	char **cert_hostnames; // the certificate must be for one of them, and be issued by a CA
	size_t cert_hostname_count;
	struct config_pacing pacing; // as `controlplane` has it, where the remote says nothing
};

enum config_expire {
	CONFIG_EXPIRE_STRICT,
	CONFIG_EXPIRE_GRACE,
};

// What the digest of a transferred zone (RFC 8976) is worth.
enum config_zonemd {
	CONFIG_ZONEMD_IF_PRESENT, // checked where the zone has one that we can check
	CONFIG_ZONEMD_OFF,
	CONFIG_ZONEMD_ON, // it must be there, and right
};

// What a secondary zone may cost, and when its primaries are asked. Zones that say nothing of it
// share their template's.
struct config_limits {
	uint64_t transfer_bytes;  // of one transfer, whole or not
	uint32_t transfer_time_s; // it may take
	uint32_t transfer_idle_s; // it may be silent
	uint32_t transfer_rate;   // bytes a second that it brings at least; 0: any
	uint32_t zone_records;    // of the zone, and of a difference
	uint32_t rrset_records;
	uint32_t refresh_min_s, refresh_max_s; // clamp of the SOA's refresh
	uint32_t retry_min_s, retry_max_s;
	uint32_t jitter;                       // percent that both come earlier, at most
	uint32_t notify_min_ms, notify_max_ms; // between rounds that NOTIFYs cause
	uint32_t pin_tolerance_s; // another primary must be ahead for so long; 0: not at all
	unsigned agreement;       // primaries that must have a version's serial
};

struct config_template;

// A catalog zone (RFC 9432) as its consumer sees it.
struct config_catalog {
	// What members are configured by: the first, or the one that a member's group names.
	const struct config_template **templates;
	size_t template_count; // at least 1
};

struct config_zone {
	// A million zones: the lists below are borrowed from the template that gave them.
	const uint8_t *domain; // wire form, lower case
	uint8_t domain_len;
	char *file;                             // primary zone's text, or NULL for a secondary
	const struct config_remote **primaries; // in order; empty exactly when `file` is set
	size_t primary_count;
	const struct config_remote **notify_from; // the primaries, unless given
	size_t notify_from_count;
	const struct config_remote **notify; // downstream
	size_t notify_count;
	const struct config_remote **provide_xfr;
	size_t provide_xfr_count;
	enum config_expire expire;
	uint32_t grace_s; // with CONFIG_EXPIRE_GRACE: seconds past the SOA's expire
	enum config_zonemd zonemd;
	uint32_t shrink_limit;  // percent of its records a version may lose; 100: all
	unsigned journal_depth; // differences kept (default 20)
	unsigned journal_mb;    // MiB they may take (default 100)
	const struct config_limits *limits;
	unsigned line;                        // where the zone stands in the file
	const struct config_catalog *catalog; // catalog-role: interpret; NULL otherwise
	const uint8_t *member_of; // wire name of the catalog that the zone comes from, or NULL
};

struct config_template {
	struct config_zone zone; // without a domain. First: see section_zone.c
	struct config_limits limits;
	char *id;
	uint32_t seen; // which words it states, for section_zone.c
	bool notify_from_stated;
};

#define CONFIG_COOKIE_SECRETS    2
#define CONFIG_COOKIE_SECRET_LEN 16 // a SipHash key (RFC 9018 4.4)
#define CONFIG_IDENTITY_MAX      128

struct config {
	struct {
		char *identity;     // id.server, hostname.bind, NSID; default: the host's name
		char *version;      // version.bind; "" refuses
		char *rundir;       // default /run/nameplane
		char *storage;      // default /var/lib/nameplane
		bool answer_cookie; // DNS Cookies; default true
		// Secrets given in place; none, and no file: random ones at each start.
		uint8_t cookie_secrets[CONFIG_COOKIE_SECRETS][CONFIG_COOKIE_SECRET_LEN];
		unsigned cookie_secret_count; // the first is active, the second staging
		char *cookie_secret_file;     // or NULL
		char *cert_file, *key_file;   // our certificate for TLS, with its chain; or NULL
		char *ca_file;                // whom to trust; NULL: the system's authorities
	} server;
	struct {
		unsigned *workers; // CPU numbers; never empty after loading
		size_t worker_count;
		struct config_port *ports;
		size_t port_count;
		unsigned tcp_threads;     // default 1
		unsigned tcp_idle_ms;     // default 10000
		unsigned tcp_connections; // default 20000, all threads together
		unsigned tcp_per_source;  // default 200
		unsigned udp_payload_max; // default 1232
		bool hugepages;           // default: true where the machine has some
		unsigned memory_mb;       // EAL memory; 0: what the ports need
		char *eal_args;           // further EAL arguments, "" unless given
	} dataplane;
	struct {
		struct config_address *listen;
		size_t listen_count;
		struct config_address *listen_tls; // as `listen`, TLS alone
		size_t listen_tls_count;
		struct config_address metrics; // addr_len 0: off
		char *control_group; // may use the mutating control socket; "" : root only
		unsigned transfers_max, queries_max; // at once, of all primaries
		uint64_t memory_max; // bytes of the images served; 0: what the system has left
		struct config_pacing pacing; // of each, unless the remote says otherwise
	} controlplane;
	struct config_key *keys;
	size_t key_count;
	struct config_remote *remotes;
	size_t remote_count;
	struct config_zone *zones; // templates resolved
	size_t zone_count;
};

// With CONFIG_CHECK_FILES a zone file or secret file that does not exist is an error (at its line
// and column). The control plane and every --check ask for it; a data plane that boots does not,
// because it must serve without them. A relative file name is an error always.
#define CONFIG_CHECK_FILES 1u

// A zone that a catalog lists.
struct config_member {
	const uint8_t *domain; // wire form, lower case
	uint8_t domain_len;
	const struct config_zone *catalog;
	const struct config_template *template;
};

// `base` and the members beside its own zones. Pre: no domain is there twice. Post: *out, to be
// freed before `base`, from which it borrows; or -ENOMEM.
int config_extend(const struct config *base, const struct config_member *members, size_t count,
    struct config **out) __attribute__((warn_unused_result));

// Post: 0 and *out owned by the caller; or -errno, *error filled, *out NULL.
int config_load(const char *path, unsigned flags, struct config **out, struct config_error *error)
    __attribute__((warn_unused_result));
int config_parse(const char *text, size_t len, unsigned flags, struct config **out,
    struct config_error *error) __attribute__((warn_unused_result));
void config_free(struct config *config); // NULL is accepted

// What the section `server` says, before the file as a whole is read, which may take long. Only
// where it stands at the margin. Post: a configuration without anything else; NULL: not to be had
// so.
struct config *config_server(const char *path) __attribute__((warn_unused_result));

// The secrets of DNS Cookies, as given or by reading `cookie_secret_file`: one in hexadecimal a
// line, empty lines and what follows a # left out. Post: their number, 0 when none are configured
// or cookies are off; or -errno with one sentence in error->message.
int config_cookie_secrets(const struct config *config,
    uint8_t out[CONFIG_COOKIE_SECRETS][CONFIG_COOKIE_SECRET_LEN], struct config_error *error)
    __attribute__((nonnull, warn_unused_result));

// The key's raw secret, from `secret` or by reading `secret_file`. Post: its length, or -errno with
// one sentence in error->message.
int config_key_secret(
    const struct config_key *key, uint8_t *out, size_t cap, struct config_error *error);
