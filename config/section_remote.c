// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The section remote: other servers, by id.
#include "sections.h"

#include <string.h>

#define DNS_PORT 53
#define ID_MAX   255

enum { REMOTE_ID, REMOTE_ADDRESS, REMOTE_VIA, REMOTE_KEY };

static const struct field remote_fields[] = {
    [REMOTE_ID] = {"id", field_text, offsetof(struct config_remote, id), .min = 1, .max = ID_MAX},
    [REMOTE_ADDRESS] = {"address", field_addresses, offsetof(struct config_remote, addresses),
        offsetof(struct config_remote, address_count), .min = DNS_PORT},
    // Port 0: the kernel chooses.
    [REMOTE_VIA] = {"via", field_address, offsetof(struct config_remote, via)},
    [REMOTE_KEY] = {"key", field_key_reference, offsetof(struct config_remote, key)},
};

static int remote_read(struct reader *r, const struct node *item, struct config_remote *remote)
{
	const struct node *id;
	uint32_t seen;
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
	for (size_t i = 0; i < remote->address_count; i++)
		if (remote->via.addr_len != 0 &&
		    remote->via.addr.ss_family != remote->addresses[i].addr.ss_family)
			return tree_error(r->error, map_get(item, "via"),
			    "'via' and 'address' of the remote '%.64s' are not both IPv4 or both "
			    "IPv6.",
			    remote->id);
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
