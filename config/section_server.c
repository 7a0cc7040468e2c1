// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The sections server and controlplane: plain words.
#include "sections.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cookie.h"

#define METRICS_PORT 9153
#define DNS_PORT     53
#define TLS_PORT     853 // RFC 7858 3.1
#define RUNDIR_MAX   90u // of the 107 bytes of a socket's path

static const struct field server_fields[] = {
    {"identity", field_text, offsetof(struct config, server.identity), .max = CONFIG_IDENTITY_MAX},
    {"version", field_text, offsetof(struct config, server.version), .max = CONFIG_IDENTITY_MAX},
    {"rundir", field_path, offsetof(struct config, server.rundir)},
    {"storage", field_path, offsetof(struct config, server.storage)},
    {"answer-cookie", field_bool, offsetof(struct config, server.answer_cookie)},
    {"cookie-secret", field_cookie_secrets},
    {"cookie-secret-file", field_file, offsetof(struct config, server.cookie_secret_file)},
    {"cert-file", field_file, offsetof(struct config, server.cert_file)},
    {"key-file", field_file, offsetof(struct config, server.key_file)},
    {"ca-file", field_file, offsetof(struct config, server.ca_file)},
};

static const struct field controlplane_fields[] = {
    {"listen", field_addresses, offsetof(struct config, controlplane.listen),
        offsetof(struct config, controlplane.listen_count), .min = DNS_PORT},
    {"listen-tls", field_addresses, offsetof(struct config, controlplane.listen_tls),
        offsetof(struct config, controlplane.listen_tls_count), .min = TLS_PORT},
    {"metrics", field_address, offsetof(struct config, controlplane.metrics), .min = METRICS_PORT},
    {"control-group", field_text, offsetof(struct config, controlplane.control_group), .max = 255},
    {"memory-max", field_bytes, offsetof(struct config, controlplane.memory_max),
        .min = UINT64_C(1) << 20, .max = UINT64_C(1) << 44},
    {"transfers-in", field_number, offsetof(struct config, controlplane.transfers_max), .min = 1,
        .max = 10000},
    {"transfers-per-remote", field_number, offsetof(struct config, controlplane.pacing.transfers),
        .min = 1, .max = PACING_TRANSFERS_MAX},
    {"serial-queries", field_number, offsetof(struct config, controlplane.queries_max), .min = 1,
        .max = 100000},
    {"serial-queries-per-remote", field_number,
        offsetof(struct config, controlplane.pacing.queries), .min = 1, .max = PACING_QUERIES_MAX},
    {"serial-query-rate", field_number, offsetof(struct config, controlplane.pacing.query_rate),
        .min = 1, .max = PACING_RATE_MAX},
};

static int set_default(struct reader *r, char **dst, const char *text)
{
	if (*dst == NULL)
		*dst = pool_text(r->pool, text, strlen(text));
	return *dst != NULL ? 0 : tree_no_memory(r->error);
}

int section_server(struct reader *r, const struct node *section)
{
	struct config *config = r->config;
	char host[HOST_NAME_MAX + 1] = "";
	uint32_t seen;
	int rc = 0;

	config->server.answer_cookie = true;
	if (section != NULL)
		rc = mapping_read(r, section, "the section 'server'", server_fields,
		    FIELD_COUNT(server_fields), config, &seen);
	if (rc < 0)
		return rc;
	if (config->server.cookie_secret_count != 0 && config->server.cookie_secret_file != NULL)
		return tree_error(r->error, map_get(section, "cookie-secret-file"),
		    "There are both 'cookie-secret' and 'cookie-secret-file'.");
	if ((config->server.cert_file == NULL) != (config->server.key_file == NULL))
		return tree_error(
		    r->error, section, "Of 'cert-file' and 'key-file' there is only one.");
	if (config->server.rundir != NULL && strlen(config->server.rundir) > RUNDIR_MAX)
		return tree_error(r->error, map_get(section, "rundir"),
		    "'rundir' has more than %u bytes, too many for the sockets in it.", RUNDIR_MAX);
	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0';
	rc = set_default(r, &config->server.identity, host);
	if (rc == 0)
		rc = set_default(r, &config->server.version, "");
	if (rc == 0)
		rc = set_default(r, &config->server.rundir, "/run/nameplane");
	if (rc == 0)
		rc = set_default(r, &config->server.storage, "/var/lib/nameplane");
	return rc;
}

// Remotes that say nothing of it are paced as all are.
static void remotes_pace(struct config *config)
{
	const struct config_pacing *all = &config->controlplane.pacing;

	for (size_t i = 0; i < config->remote_count; i++) {
		struct config_pacing *one = &config->remotes[i].pacing;

		one->transfers = one->transfers != 0 ? one->transfers : all->transfers;
		one->queries = one->queries != 0 ? one->queries : all->queries;
		one->query_rate = one->query_rate != 0 ? one->query_rate : all->query_rate;
	}
}

int section_controlplane(struct reader *r, const struct node *section)
{
	uint32_t seen;
	int rc = 0;

	// A transfer holds a buffer of 320 KB and a growing zone.
	r->config->controlplane.transfers_max = 100;
	r->config->controlplane.queries_max = 1000;
	// NSD's default is 2 to 16 TCP clients a zone, BIND's transfers-out is 10. A node that
	// boots with a million zones shall not be a flood.
	r->config->controlplane.pacing =
	    (struct config_pacing){.transfers = 10, .queries = 64, .query_rate = 2000};
	if (section != NULL)
		rc = mapping_read(r, section, "the section 'controlplane'", controlplane_fields,
		    FIELD_COUNT(controlplane_fields), r->config, &seen);
	if (rc == 0 && r->config->controlplane.listen_tls_count > 0 &&
	    r->config->server.cert_file == NULL)
		return tree_error(r->error, map_get(section, "listen-tls"),
		    "'listen-tls' needs a 'cert-file' in the section 'server'.");
	remotes_pace(r->config);
	return rc < 0 ? rc : set_default(r, &r->config->controlplane.control_group, "");
}
