// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// What the files of commands share. Each command ends its request by control_respond(), now or
// later. Event loop's thread.
#pragma once

#include "config.h"
#include "control.h"

void control_error(struct control_request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// The zone named in the request. Post: its configuration; or NULL and the request is answered.
const struct config_zone *control_zone(
    struct daemon *daemon, struct control_request *request, const json_t *root);

// control_status.c: the node, and its zones, ZONES_A_PAGE at a time.
void command_status(struct daemon *daemon, struct control_request *request);
void command_zone_status(
    struct daemon *daemon, struct control_request *request, const json_t *root);

// control_history.c: the versions of a zone and the way back.
void command_zone_history(
    struct daemon *daemon, struct control_request *request, const json_t *root);
void command_zone_diff(struct daemon *daemon, struct control_request *request, const json_t *root);
void command_zone_rollback(
    struct daemon *daemon, struct control_request *request, const json_t *root);
void command_zone_pin(
    struct daemon *daemon, struct control_request *request, const json_t *root, bool pin);
