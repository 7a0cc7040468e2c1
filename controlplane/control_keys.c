// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// TSIG keys on the control socket: a change is taken up at once, whole or not at all, and answered
// when it is on disk. A secret comes in once and never goes out. Event loop's thread.
#include "control.h"
#include "control_commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "configure.h"
#include "daemon.h"
#include "engine.h"
#include "log.h"
#include "offload.h"

#define REMOTES_MAX 256 // named in one request

// --- list
// -----------------------------------------------------------------------------------------

static json_t *remotes_of(const struct daemon *daemon, const char *id, size_t rank)
{
	json_t *remotes = json_array();

	for (size_t i = 0; i < daemon->config->remote_count; i++) {
		const char *ids[REMOTE_KEYS];

		key_changes_of(&daemon->keys, &daemon->config->remotes[i], ids);
		if (ids[rank] != NULL && key_id_equal(ids[rank], id))
			json_array_append_new(remotes, json_string(daemon->config->remotes[i].id));
	}
	return remotes;
}

static json_t *key_object(const struct daemon *daemon, const struct config_key *key, bool added)
{
	bool retired = key_changes_find(&daemon->keys, daemon->config, key->id) == NULL;

	return json_pack("{s:s, s:s, s:s, s:b, s:o, s:o}", "key", key->id, "algorithm",
	    key->algorithm, "from", added ? "npctl" : "configuration", "retired", retired,
	    "preferred", remotes_of(daemon, key->id, 0), "accepted",
	    remotes_of(daemon, key->id, 1));
}

void control_key_list(struct daemon *daemon, struct control_request *request)
{
	json_t *keys = json_array();

	for (size_t i = 0; i < daemon->config->key_count; i++)
		json_array_append_new(keys, key_object(daemon, &daemon->config->keys[i], false));
	for (size_t i = 0; i < daemon->keys.added_count; i++)
		json_array_append_new(keys, key_object(daemon, &daemon->keys.added[i], true));
	control_respond(request, json_pack("{s:b, s:o}", "ok", 1, "keys", keys));
}

// --- store
// ----------------------------------------------------------------------------------------

struct store_job {
	struct offload_job job;          // first
	struct control_request *request; // NULL: nobody waits
	char *storage, *text;
	int rc;
};

static void store_run(struct offload_job *job)
{
	struct store_job *store = (struct store_job *)job;

	store->rc = key_changes_save(store->storage, store->text);
}

static void store_done(struct offload_job *job)
{
	struct store_job *store = (struct store_job *)job;

	if (store->rc < 0)
		log_error("the change of keys is in force, but not stored in %s: %s",
		    store->storage, strerror(-store->rc));
	if (store->request != NULL && store->rc < 0)
		control_error(store->request,
		    "The change is in force, but not stored (%s): a restart forgets it.",
		    strerror(-store->rc));
	else if (store->request != NULL)
		control_respond(store->request, json_pack("{s:b}", "ok", 1));
	key_text_free(store->text);
	free(store->storage);
	free(store);
}

static void store(struct daemon *daemon, struct control_request *request)
{
	struct store_job *job = calloc(1, sizeof(*job));

	if (job != NULL) {
		job->storage = strdup(daemon->config->server.storage);
		job->text = key_changes_text(&daemon->keys);
	}
	if (job == NULL || job->storage == NULL || job->text == NULL) {
		if (job != NULL) {
			key_text_free(job->text);
			free(job->storage);
		}
		free(job);
		log_error("the change of keys is in force, but not stored: out of memory");
		if (request != NULL)
			control_error(
			    request, "The change is in force, but not stored (out of memory).");
		return;
	}
	job->request = request;
	job->job = (struct offload_job){.run = store_run, .done = store_done};
	offload_submit(daemon->work, &job->job);
}

void control_keys_store(struct daemon *daemon)
{
	store(daemon, NULL);
}

// --- change
// ---------------------------------------------------------------------------------------

static const char *word(const json_t *root, const char *name)
{
	const char *text = json_string_value(json_object_get(root, name));

	return text != NULL ? text : "";
}

static int change_add(
    struct daemon *daemon, struct key_changes *changes, const json_t *root, char *error)
{
	const json_t *remotes = json_object_get(root, "remotes");
	const char *ids[REMOTES_MAX];
	size_t count = 0, i;
	json_t *item;

	json_array_foreach(remotes, i, item)
	{
		if (count == REMOTES_MAX || !json_is_string(item)) {
			strcpy(error, "The remotes are not a list of at most 256 ids.");
			return -EINVAL;
		}
		ids[count++] = json_string_value(item);
	}
	return key_changes_add(changes, daemon->config, word(root, "key"), word(root, "algorithm"),
	    word(root, "secret"), ids, count, error);
}

void control_key_change(
    struct daemon *daemon, struct control_request *request, const char *command, const json_t *root)
{
	// Beside a configuration that is half taken up there is no telling which keys are whose.
	const bool settled = configure_settle(daemon);
	struct key_changes changes, before = daemon->keys;
	char error[ENGINE_ERROR_MAX] = "Out of memory.";
	int rc = settled ? key_changes_copy(&before, &changes) : -ENOMEM;

	if (rc < 0) {
		control_error(request, "%s", error);
		return;
	}
	if (strcmp(command, "key-add") == 0) {
		rc = change_add(daemon, &changes, root, error);
	} else if (strcmp(command, "key-prefer") == 0) {
		rc = key_changes_prefer(&changes, daemon->config, word(root, "key"), error);
	} else if (strcmp(command, "key-retire") == 0) {
		rc = key_changes_retire(&changes, daemon->config, word(root, "key"), error);
	} else {
		strcpy(error, "There is no such command.");
		rc = -EINVAL;
	}
	if (rc == 0) {
		daemon->keys = changes;
		rc =
		    daemon->engine != NULL ? engine_rekey(daemon->engine, &daemon->keys, error) : 0;
	}
	if (rc < 0) {
		daemon->keys = before;
		key_changes_free(&changes);
		control_error(request, "%s", error);
		return;
	}
	key_changes_free(&before);
	log_info("%s %s", command, word(root, "key"));
	store(daemon, request);
}
