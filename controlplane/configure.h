// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The configuration in force: the file's, and beside it the zones that its catalogs (RFC 9432)
// list. A reload and a catalog's new version change it, as a difference: zones that are in both
// stay as they are. Event loop's thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct control_request;
struct daemon;

// Pre: daemon->file. Post: 0 and daemon->config, with the members that the storage knows; or
// -ENOMEM.
int configure_open(struct daemon *daemon) __attribute__((warn_unused_result));
// Nothing is read or taken up any more; who waits for it is told.
void configure_stop(struct daemon *daemon);
// Frees both. Pre: configure_stop(), and the parts are closed.
void configure_close(struct daemon *daemon);

// Begins to read the configuration file again and to take it up. When it is in force, or the
// running one was kept (reload_error says why), `request` (NULL: nobody) is answered. One that
// comes meanwhile is another reload, behind this one.
void configure_reload(struct daemon *daemon, struct control_request *request);
// Is a configuration being read or taken up?
bool configure_reloading(const struct daemon *daemon);
// Has what is being taken up in force when it returns, for who must not come in between. Post:
// false: there is no memory for it.
bool configure_settle(struct daemon *daemon) __attribute__((warn_unused_result));

// Reads the file and says what is wrong with it.
void configure_check(struct daemon *daemon, struct control_request *request);

// Of a catalog, for status: what is wrong with it, or NULL; how many members it has.
const char *configure_catalog_error(const struct daemon *daemon, const uint8_t *catalog);
size_t configure_catalog_members(const struct daemon *daemon, const uint8_t *catalog);
// Is there one that never said who its members are, or only what is broken?
bool configure_catalog_lacks(const struct daemon *daemon);

// A catalog has a new version. It is looked at, soon.
void configure_catalog_changed(struct daemon *daemon);
