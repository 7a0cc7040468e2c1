// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// NOTIFY out (RFC 1996): downstream servers are told over UDP that a zone has another version,
// again and again, ever more seldom, until they confirm it. What is told is the version served when
// it is sent, so a zone that changes all the time has one notice under way for each server, not
// many. Owned by the provider, event loop's thread.
#pragma once

#include "config.h"
#include "provide.h"
#include "tsig.h"

struct event_base;
struct notifier;
struct reading;

// The first answer is waited for 1 s, each later one twice as long, 60 s at most (RFC 1996 3.6).
#define NOTIFIER_TRIES      7
#define NOTIFIER_FIRST_MS   1000
#define NOTIFIER_LONGEST_MS 60000
// Under way to one address at once; the others wait, so many that a server which is gone does not
// cost more than some megabytes. A zone that does not get its notice is refreshed all the same.
#define NOTIFIER_AT_ONCE 64
#define NOTIFIER_WAITING 100000

// NULL when out of memory. Of `ops`, which is copied, peek and log are used; the counters are
// borrowed.
struct provider_ops;
struct notifier *notifier_open(struct event_base *base, const struct provider_ops *ops,
    struct provide_counters *counters) __attribute__((warn_unused_result));
void notifier_close(struct notifier *notifier); // NULL is accepted

// The zone (lower case) has another version: all addresses of the remote are told, signed with
// `key` (NULL: unsigned). Nothing is borrowed.
void notifier_tell(struct notifier *notifier, const uint8_t *apex,
    const struct config_remote *remote, struct tsig_key *key);
