// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The control sockets: RUNDIR/control.sock for all commands (root, our own user, members of
// control-group) and RUNDIR/status.sock for those that change nothing (everybody on the machine). A
// message is a length of four bytes (big-endian) and so many bytes of JSON, either way. One request
// at a time per connection. Event loop's thread.
#pragma once

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

#define CONTROL_SOCKET       "control.sock"
#define STATUS_SOCKET        "status.sock"
#define CONTROL_REQUEST_MAX  65536
#define CONTROL_RESPONSE_MAX (UINT32_C(1) << 30)

struct control;
struct control_request;
struct daemon;

#define CONTROL_PATH_MAX 108 // sockaddr_un's

// Both, listening: that for all commands, and that for those that change nothing. fd -1: none.
struct control_sockets {
	int fd[2];
	char path[2][CONTROL_PATH_MAX];
};
#define CONTROL_SOCKETS_NONE     \
	{                        \
		.fd = { -1, -1 } \
	}

// Post: 0; or -errno, and `error` (at least 256 bytes) says what.
int control_listen(const char *rundir, struct control_sockets *out, char *error)
    __attribute__((warn_unused_result));
void control_unlisten(struct control_sockets *sockets); // closes and removes them
// Takes over the sockets, whatever the result. Post: 0 or -ENOMEM.
int control_open(struct daemon *daemon, struct control_sockets *sockets, struct control **out)
    __attribute__((warn_unused_result));
void control_close(struct control *control); // NULL is accepted
// The group of the mutating socket is taken from the configuration in force.
void control_reconfigure(struct control *control);

// Is what a client sent flat enough for a parser that recurses?
bool control_is_shallow(const char *text, size_t len);

// Ends the request, at once or later; takes ownership of `response`. The client may be gone.
void control_respond(struct control_request *request, json_t *response);

// control_commands.c: begins to carry out a request. `root` is borrowed for the call.
void control_command(
    struct daemon *daemon, struct control_request *request, const json_t *root, bool may_change);

// control_keys.c: the commands key-list, key-add, key-prefer, key-retire.
void control_key_list(struct daemon *daemon, struct control_request *request);
void control_key_change(struct daemon *daemon, struct control_request *request, const char *command,
    const json_t *root);
// Writes the changes of keys down, in the loop's time; a failure is logged.
void control_keys_store(struct daemon *daemon);
