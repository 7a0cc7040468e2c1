// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// np-zone check, compile and dump: is the zone one that may be served, make an image of it, show
// it.

#include "np_zone.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int zone_check(int argc, char **argv)
{
	const char *origin = NULL;
	bool quiet = false;
	struct zone_source source;
	char error[RECORDS_ERROR_MAX], apex[NAME_TEXT_MAX];
	int option;

	while ((option = getopt(argc, argv, "qz:")) != -1) {
		if (option == '?')
			return EXIT_TROUBLE;
		if (option == 'q')
			quiet = true;
		else
			origin = optarg;
	}
	if (argc - optind == 2 && origin == NULL) // as named-checkzone has it
		origin = argv[optind++];
	if (argc - optind != 1) {
		complain("check needs one file");
		return EXIT_TROUBLE;
	}

	int code = source_open(&source, argv[optind], origin);

	if (code == EXIT_OK)
		code = source_records(&source);
	if (code == EXIT_OK && records_check(source.records, error) < 0) {
		complain("%s: %s", source.path, error);
		code = EXIT_BAD;
	}
	if (code == EXIT_OK && !quiet) {
		name_to_text(source.apex, apex);
		printf("zone %s: serial %u, %zu records\nOK\n", apex,
		    records_serial(source.records), source.records->count);
	}
	source_close(&source);
	return code;
}

// The file appears whole under its name or not at all.
static int image_write(const struct image *image, const char *path)
{
	char temporary[4096], copy[4096];
	int len = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	size_t done = 0;

	if (len < 0 || (size_t)len >= sizeof(temporary))
		return -ENAMETOOLONG;
	memcpy(copy, path, strlen(path) + 1);

	int fd = mkstemp(temporary), ret = 0;

	if (fd < 0)
		return -errno;
	while (done < image->header->size) {
		ssize_t n = write(fd, image->mem + done, image->header->size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			ret = -errno;
			goto out;
		}
		done += (size_t)n;
	}
	if (fchmod(fd, 0644) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0) {
		ret = -errno;
		goto out;
	}

	int dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || fsync(dir) < 0)
		ret = -errno;
	if (dir >= 0)
		close(dir);
out:
	close(fd);
	if (ret < 0)
		unlink(temporary);
	return ret;
}

int zone_compile(int argc, char **argv)
{
	const char *origin = NULL, *output = NULL;
	uint64_t generation = 1;
	struct zone_source source;
	char *end = NULL;
	int option;

	while ((option = getopt(argc, argv, "g:o:z:")) != -1) {
		if (option == '?')
			return EXIT_TROUBLE;
		if (option == 'z')
			origin = optarg;
		else if (option == 'o')
			output = optarg;
		else
			generation = strtoull(optarg, &end, 10);
		if (option == 'g' && (end == optarg || *end != '\0' || generation == 0)) {
			complain("%s is not a generation; those are numbers from 1", optarg);
			return EXIT_TROUBLE;
		}
	}
	if (argc - optind != 1 || output == NULL) {
		complain("compile needs one file and, with -o, the image to write");
		return EXIT_TROUBLE;
	}

	int code = source_open(&source, argv[optind], origin);

	if (code == EXIT_OK && source.version.layer_count > 0) {
		complain("%s is an image already", source.path);
		code = EXIT_TROUBLE;
	}
	if (code == EXIT_OK)
		code = source_image(&source, generation);
	if (code == EXIT_OK) {
		int ret = image_write(&source.version.layer[0], output);

		if (ret < 0) {
			complain("%s: %s", output, strerror(-ret));
			code = EXIT_TROUBLE;
		}
	}
	source_close(&source);
	return code;
}

// The SOA first, where readers of zone text look for it; then all in canonical order.
static bool zone_put(const struct records *records)
{
	bool good = true;

	for (size_t i = 0; i < records->count; i++)
		if (records->items[i].type == RRTYPE_SOA)
			good &= record_put("", &records->items[i]);
	for (size_t i = 0; good && i < records->count; i++)
		if (records->items[i].type != RRTYPE_SOA)
			good = record_put("", &records->items[i]);
	return good;
}

int zone_dump(int argc, char **argv)
{
	const char *origin = NULL;
	struct zone_source source;
	int option;

	while ((option = getopt(argc, argv, "z:")) != -1) {
		if (option == '?')
			return EXIT_TROUBLE;
		origin = optarg;
	}
	if (argc - optind != 1) {
		complain("dump needs one file");
		return EXIT_TROUBLE;
	}

	int code = source_open(&source, argv[optind], origin);

	if (code == EXIT_OK)
		code = source_records(&source);
	if (code == EXIT_OK && !zone_put(source.records))
		code = EXIT_TROUBLE; // main says that the output failed
	source_close(&source);
	return code;
}
