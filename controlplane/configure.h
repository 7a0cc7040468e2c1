// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The configuration in force: the file's, and beside it the zones that its catalogs (RFC 9432)
// list. A reload and a catalog's new version change it, as a difference: zones that are in both
// stay as they are. Event loop's thread.
#pragma once

#include <stdint.h>

struct daemon;

// Pre: daemon->file. Post: 0 and daemon->config, with the members that the storage knows; or
// -ENOMEM.
int configure_open(struct daemon *daemon) __attribute__((warn_unused_result));
void configure_close(struct daemon *daemon); // frees both

// Reads the configuration file again and takes it up, or keeps the running one and says why in
// reload_error. Post: 0 or -errno.
int configure_reload(struct daemon *daemon);

// A catalog has a new version. It is looked at, soon.
void configure_catalog_changed(struct daemon *daemon);
