// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The section remote: other servers, by id.
#include "sections.h"

#include <string.h>

#include "value.h"

#define DNS_PORT     53
#define TLS_PORT     853 // RFC 7858 3.1
#define ID_MAX       255
#define HOSTNAME_MAX 253

enum {
	REMOTE_ID,
	REMOTE_ADDRESS,
	REMOTE_VIA,
	REMOTE_KEY,
	REMOTE_TLS,
	REMOTE_CERT_KEY,
	REMOTE_CERT_HOSTNAME,
	REMOTE_TLS_ALPN,
	REMOTE_TRANSFERS,
	REMOTE_QUERIES,
	REMOTE_QUERY_RATE
};

// An empty list would mean that nothing is checked, and look as if something were.
static int expect_some(struct reader *r, const struct node *value, const struct field *field)
{
	return tree_error(r->error, value, "'%s' is empty.", field->name);
}

static int field_pins(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct config_remote *remote = base;
	char shown[TREE_SHOW_MAX];

	remote->cert_pins = pool_alloc(r->pool, list_count(value) * sizeof(*remote->cert_pins));
	if (remote->cert_pins == NULL)
		return tree_no_memory(r->error);
	for (const struct node *item = list_first(value); item != NULL;
	     item = list_next(value, item)) {
		int rc = expect_scalar(r, item, field->name);

		if (rc < 0)
			return rc;
		if (value_base64(item->text, item->len, remote->cert_pins[remote->cert_pin_count],
		        CONFIG_PIN_LEN) != CONFIG_PIN_LEN)
			return tree_error(r->error, item,
			    "'cert-key' is '%s', but must be the SHA-256 of a public key in base64 "
			    "(32 bytes).",
			    tree_show(item, shown));
		remote->cert_pin_count++;
	}
	return remote->cert_pin_count > 0 ? 0 : expect_some(r, value, field);
}

static int field_hostnames(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	const struct field one = {field->name, field_text, .min = 1, .max = HOSTNAME_MAX};
	struct config_remote *remote = base;

	remote->cert_hostnames =
	    pool_alloc(r->pool, list_count(value) * sizeof(*remote->cert_hostnames));
	if (remote->cert_hostnames == NULL)
		return tree_no_memory(r->error);
	for (const struct node *item = list_first(value); item != NULL;
	     item = list_next(value, item)) {
		int rc = expect_scalar(r, item, field->name);

		if (rc == 0)
			rc = field_text(
			    r, item, &one, &remote->cert_hostnames[remote->cert_hostname_count]);
		if (rc < 0)
			return rc;
		remote->cert_hostname_count++;
	}
	return remote->cert_hostname_count > 0 ? 0 : expect_some(r, value, field);
}

static int field_alpn(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct config_remote *remote = base;
	char shown[TREE_SHOW_MAX];
	int rc = expect_scalar(r, value, field->name);

	if (rc < 0)
		return rc;
	remote->tls_alpn_optional = strcmp(value->text, "optional") == 0;
	if (!remote->tls_alpn_optional && strcmp(value->text, "required") != 0)
		return tree_error(r->error, value,
		    "'tls-alpn' is '%s', but must be 'required' or 'optional'.",
		    tree_show(value, shown));
	return 0;
}

// One key, or two while one takes the other's place: the first is preferred.
static int field_keys(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct field one = {field->name, .offset = offsetof(struct config_remote, key)};
	struct config_remote *remote = base;
	size_t count = list_count(value);
	int rc;

	if (count == 0)
		return tree_error(r->error, value, "'%s' has no value.", field->name);
	if (count > 2)
		return tree_error(r->error, value, "A remote has at most two keys.");
	rc = field_key_reference(r, list_first(value), &one, remote);
	if (rc < 0 || count == 1)
		return rc;
	one.offset = offsetof(struct config_remote, other_key);
	value = list_next(value, list_first(value));
	rc = field_key_reference(r, value, &one, remote);
	return rc == 0 && remote->key == remote->other_key
	           ? tree_error(r->error, value, "The key stands here twice.")
	           : rc;
}

// `tls` is looked at before the map is read.
static int field_remote_addresses(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	const struct config_remote *remote = base;
	struct field with_port = *field;

	with_port.min = remote->tls ? TLS_PORT : DNS_PORT;
	return field_addresses(r, value, &with_port, base);
}

static const struct field remote_fields[] = {
    [REMOTE_ID] = {"id", field_text, offsetof(struct config_remote, id), .min = 1, .max = ID_MAX},
    [REMOTE_ADDRESS] = {"address", field_remote_addresses,
        offsetof(struct config_remote, addresses), offsetof(struct config_remote, address_count)},
    // Port 0: the kernel chooses.
    [REMOTE_VIA] = {"via", field_address, offsetof(struct config_remote, via)},
    [REMOTE_KEY] = {"key", field_keys},
    [REMOTE_TLS] = {"tls", field_bool, offsetof(struct config_remote, tls)},
    [REMOTE_CERT_KEY] = {"cert-key", field_pins},
    [REMOTE_CERT_HOSTNAME] = {"cert-hostname", field_hostnames},
    [REMOTE_TLS_ALPN] = {"tls-alpn", field_alpn},
    [REMOTE_TRANSFERS] = {"transfers-in", field_number,
        offsetof(struct config_remote, pacing.transfers), .min = 1, .max = PACING_TRANSFERS_MAX},
    [REMOTE_QUERIES] = {"serial-queries", field_number,
        offsetof(struct config_remote, pacing.queries), .min = 1, .max = PACING_QUERIES_MAX},
    [REMOTE_QUERY_RATE] = {"serial-query-rate", field_number,
        offsetof(struct config_remote, pacing.query_rate), .min = 1, .max = PACING_RATE_MAX},
};

// What is said about a certificate that is never looked at would be trusted by whoever wrote it.
static int tls_check(
    struct reader *r, const struct node *item, const struct config_remote *remote, uint32_t seen)
{
	for (unsigned i = REMOTE_CERT_KEY; i <= REMOTE_TLS_ALPN; i++)
		if (!remote->tls && (seen & UINT32_C(1) << i) != 0)
			return tree_error(r->error, map_get(item, remote_fields[i].name),
			    "The remote '%.64s' has '%s', but 'tls' is not on.", remote->id,
			    remote_fields[i].name);
	return 0;
}

static int remote_read(struct reader *r, const struct node *item, struct config_remote *remote)
{
	const struct node *id;
	const struct node *tls = map_get(item, "tls");
	uint32_t seen;

	if (tls != NULL && tls->kind == NODE_SCALAR)
		(void)value_bool(tls->text, &remote->tls); // judged when its turn comes
	int rc = mapping_read(
	    r, item, "a remote", remote_fields, FIELD_COUNT(remote_fields), remote, &seen);

	if (rc < 0)
		return rc;
	if (remote->id == NULL)
		return tree_error(r->error, item, "A remote has no 'id'.");
	id = map_get(item, "id");
	if (idmap_find(&r->remotes, remote->id, strlen(remote->id)) != NULL)
		return tree_error(r->error, id, "Duplicate remote id '%.64s'.", remote->id);
	if (remote->address_count == 0)
		return tree_error(
		    r->error, item, "The remote '%.64s' has no 'address'.", remote->id);
	rc = tls_check(r, item, remote, seen);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < remote->address_count; i++) {
		if (remote->via.addr_len != 0 &&
		    remote->via.addr.ss_family != remote->addresses[i].addr.ss_family)
			return tree_error(r->error, map_get(item, "via"),
			    "'via' and 'address' of the remote '%.64s' are not both IPv4 or both "
			    "IPv6.",
			    remote->id);
	}
	if (!idmap_add(&r->remotes, remote->id, strlen(remote->id), remote))
		return tree_no_memory(r->error);
	return 0;
}

int section_remote(struct reader *r, const struct node *section)
{
	struct config *config = r->config;
	size_t cap = section != NULL ? list_count(section) : 0;

	config->remotes = pool_alloc(r->pool, cap * sizeof(*config->remotes));
	if (config->remotes == NULL)
		return tree_no_memory(r->error);
	if (section == NULL)
		return 0;
	for (const struct node *item = list_first(section); item != NULL;
	     item = list_next(section, item)) {
		int rc = remote_read(r, item, &config->remotes[config->remote_count]);

		if (rc < 0)
			return rc;
		config->remote_count++;
	}
	return 0;
}
