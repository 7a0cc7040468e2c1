// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The rest of `npctl key add` (see npctl_key.h).
#include "npctl_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECRET_TEXT_MAX 4096

// Base64 with white space around it. Post: its length in `text`, or -1.
static int secret_read(const char *file, char text[SECRET_TEXT_MAX])
{
	int fd = file != NULL && strcmp(file, "-") != 0 ? open(file, O_RDONLY | O_CLOEXEC) : 0;
	size_t len = 0;
	ssize_t n = -1;

	while (fd >= 0 && len < SECRET_TEXT_MAX - 1 &&
	       (n = read(fd, text + len, SECRET_TEXT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		fprintf(stderr, "npctl: %s: %s\n", file != NULL ? file : "stdin", strerror(errno));
	if (fd > 0)
		close(fd);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		len--;
	text[len] = '\0';
	return n < 0 ? -1 : (int)len;
}

int npctl_key_fill(const struct npctl_key *key, const char *command, json_t *request)
{
	json_t *remotes = json_array();
	char text[SECRET_TEXT_MAX];
	int rc;

	if (strcmp(command, NPCTL_KEY_ADD) != 0) {
		json_decref(remotes);
		if (key->algorithm == NULL && key->secret_file == NULL && key->remote_count == 0)
			return 0;
		fprintf(stderr,
		    "npctl: --algorithm, --secret-file and --remote are for 'key add' alone\n");
		return -1;
	}
	for (size_t i = 0; i < key->remote_count; i++)
		json_array_append_new(remotes, json_string(key->remotes[i]));
	json_object_set_new(request, "remotes", remotes);
	json_object_set_new(request, "algorithm",
	    json_string(key->algorithm != NULL ? key->algorithm : "hmac-sha256"));
	rc = secret_read(key->secret_file, text);
	if (rc >= 0)
		json_object_set_new(request, "secret", json_string(text));
	explicit_bzero(text, sizeof(text));
	return rc < 0 ? -1 : 0;
}
