// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Secrets of DNS Cookies (RFC 9018): read in place when the file is loaded, from a file of their
// own when the data plane starts. A secret is never part of a message.
#include "cookie.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "value.h"

#define FILE_MAX 4096 // two secrets and a comment

int field_cookie_secrets(
    struct reader *r, const struct node *value, const struct field *field, void *base)
{
	struct config *config = base;
	unsigned n = 0;

	for (const struct node *item = list_first(value); item != NULL;
	     item = list_next(value, item)) {
		int rc = expect_scalar(r, item, field->name);

		if (rc < 0)
			return rc;
		if (n == CONFIG_COOKIE_SECRETS)
			return tree_error(r->error, item,
			    "'%s' takes an active and a staging secret, no more.", field->name);
		if (!value_hex(item->text, item->len, config->server.cookie_secrets[n],
		        CONFIG_COOKIE_SECRET_LEN))
			return tree_error(r->error, item,
			    "A secret of '%s' is not 32 hexadecimal digits.", field->name);
		n++;
	}
	if (n == 0)
		return tree_error(r->error, value, "'%s' has no value.", field->name);
	config->server.cookie_secret_count = n;
	return 0;
}

static int file_error(struct config_error *error, const char *path, unsigned line, const char *what)
{
	error->line = error->column = 0;
	if (line != 0)
		snprintf(error->message, sizeof(error->message),
		    "The cookie-secret-file %.200s, line %u: %s.", path, line, what);
	else
		snprintf(error->message, sizeof(error->message),
		    "The cookie-secret-file %.200s: %s.", path, what);
	return -EINVAL;
}

// Post: bytes read, or -errno. A file that is larger than FILE_MAX is cut, which shows as a fault.
static ssize_t file_read(const char *path, char text[FILE_MAX + 1])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, text + len, FILE_MAX - len);
		if (n > 0)
			len += (size_t)n;
	} while ((n > 0 && len < FILE_MAX) || (n < 0 && errno == EINTR));
	n = n < 0 ? -errno : (ssize_t)len;
	close(fd);
	text[len] = '\0';
	return n;
}

// The part of a line that counts.
static size_t line_trim(const char **line, size_t len)
{
	const char *comment = memchr(*line, '#', len);

	if (comment != NULL)
		len = (size_t)(comment - *line);
	while (len > 0 && strchr(" \t\r", (*line)[len - 1]) != NULL)
		len--;
	while (len > 0 && strchr(" \t", **line) != NULL)
		(*line)++, len--;
	return len;
}

static int secrets_parse(const char *path, const char *text, size_t text_len,
    uint8_t out[CONFIG_COOKIE_SECRETS][CONFIG_COOKIE_SECRET_LEN], struct config_error *error)
{
	const char *at = text, *end = text + text_len;
	int n = 0;

	for (unsigned number = 1; at < end; number++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline != NULL ? newline : end, *line = at;
		size_t len = line_trim(&line, (size_t)(stop - at));

		at = stop + 1;
		if (len == 0)
			continue;
		if (n == CONFIG_COOKIE_SECRETS)
			return file_error(
			    error, path, number, "there is an active and a staging secret already");
		if (!value_hex(line, len, out[n], CONFIG_COOKIE_SECRET_LEN))
			return file_error(error, path, number, "a secret is 32 hexadecimal digits");
		n++;
	}
	return n > 0 ? n : file_error(error, path, 0, "it has no secret");
}

int config_cookie_secrets(const struct config *config,
    uint8_t out[CONFIG_COOKIE_SECRETS][CONFIG_COOKIE_SECRET_LEN], struct config_error *error)
{
	const char *path = config->server.cookie_secret_file;
	char text[FILE_MAX + 1];
	ssize_t len;
	int n;

	if (!config->server.answer_cookie)
		return 0;
	if (path == NULL) {
		memcpy(out, config->server.cookie_secrets, sizeof(config->server.cookie_secrets));
		return (int)config->server.cookie_secret_count;
	}
	len = file_read(path, text);
	if (len < 0)
		return file_error(error, path, 0, strerror((int)-len));
	if (len == FILE_MAX)
		return file_error(error, path, 0, "it is too long");
	n = secrets_parse(path, text, (size_t)len, out, error);
	explicit_bzero(text, sizeof(text));
	return n;
}
