// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Socket addresses compared and shown. Pure; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_MAX 64

// Family and address are equal, ports aside. An IPv4-mapped IPv6 address is the IPv4 address it
// maps.
bool address_same_host(const struct sockaddr *a, const struct sockaddr *b);

// The address only: the kernel chooses the port then, at random (RFC 5452 9.2).
void address_port_clear(struct sockaddr_storage *addr);

// "192.0.2.1@53", "2001:db8::1@53". Post: out is NUL-terminated; returned.
const char *address_text(const struct sockaddr *addr, char out[ADDRESS_TEXT_MAX]);
