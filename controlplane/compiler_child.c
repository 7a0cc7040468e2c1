// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The compiler child; see compiler_child.h. One request at a time, over and over.
#include "compiler_child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "batch.h"
#include "sandbox.h"

// Post: 1 with fds[] owned by the caller, 0 at the end, or -errno.
static int request_receive(struct compiler_request *request, int fds[2])
{
	union {
		struct cmsghdr header;
		uint8_t space[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = request, .iov_len = sizeof(*request)};
	struct msghdr msg = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof(control)};
	const struct cmsghdr *c;
	ssize_t n;

	do {
		n = recvmsg(COMPILER_SOCKET, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	c = CMSG_FIRSTHDR(&msg);
	if (n != sizeof(*request) || c == NULL || c->cmsg_len != CMSG_LEN(2 * sizeof(int)))
		return -EPROTO;
	memcpy(fds, CMSG_DATA(c), 2 * sizeof(int));
	return 1;
}

static void image_make(
    const struct compiler_request *request, const void *batch, int fd, struct compiler_reply *reply)
{
	struct image_buffer buffer;
	struct batch input;

	reply->rc = batch_read(batch, request->batch_size, &input);
	if (reply->rc != 0)
		return;
	reply->rc = records_sort(input.records);
	if (reply->rc == 0)
		reply->rc = image_buffer_open(&buffer, request->image_cap);
	if (reply->rc == 0) {
		image_buffer_back(&buffer, fd);
		reply->rc = input.is_overlay ? compile_overlay(input.records, &input.overlay,
		                                   &request->options, &buffer, reply->error)
		                             : compile_image(input.records, &request->options,
		                                   &buffer, reply->error);
		reply->used = buffer.used;
		if (reply->rc == 0)
			reply->rc = image_buffer_write(&buffer, fd);
		image_buffer_close(&buffer);
	}
	batch_free(&input);
}

// Post: bytes of the image at `at` in the file; 0 when there is none, for whatever reason: it is
// asked for alone then.
static uint32_t part_make(const void *batch, size_t size, const struct compile_options *options,
    struct image_buffer *buffer, int fd, uint64_t at)
{
	char error[COMPILE_ERROR_MAX];
	struct batch input;
	size_t used;
	int rc = batch_read(batch, size, &input);

	if (rc != 0)
		return 0;
	image_buffer_again(buffer);
	rc = input.is_overlay ? -EINVAL : records_sort(input.records);
	if (rc == 0)
		rc = compile_image(input.records, options, buffer, error);
	batch_free(&input);
	used = buffer->used;
	if (rc != 0 || used > UINT32_MAX ||
	    pwrite(fd, buffer->mem, used, (off_t)at) != (ssize_t)used)
		return 0;
	return (uint32_t)used;
}

static void parts_make(
    const struct compiler_request *request, const void *mem, int fd, struct compiler_reply *reply)
{
	const struct batch_entry *table = mem;
	struct image_buffer buffer;

	reply->rc = request->count <= COMPILER_MANY &&
	                    request->batch_size >= request->count * sizeof(*table)
	                ? image_buffer_open(&buffer, request->image_cap)
	                : -EINVAL;
	if (reply->rc != 0)
		return;
	reply->used = request->images_at;
	memset(reply->sizes, 0, sizeof(reply->sizes));
	for (unsigned i = 0; i < request->count; i++) {
		const struct batch_entry *entry = &table[i];

		if (entry->offset > request->batch_size ||
		    entry->size > request->batch_size - entry->offset)
			continue;
		reply->sizes[i] = part_make((const uint8_t *)mem + entry->offset, entry->size,
		    &entry->options, &buffer, fd, reply->used);
		reply->used += (reply->sizes[i] + IMAGE_ALIGN - 1) & ~(uint64_t)(IMAGE_ALIGN - 1);
	}
	image_buffer_close(&buffer);
}

static void request_serve(
    const struct compiler_request *request, int batch, int image, struct compiler_reply *reply)
{
	void *mem = mmap(NULL, request->batch_size, PROT_READ, MAP_SHARED, batch, 0);

	*reply = (struct compiler_reply){.rc = -ENOMEM};
	if (mem != MAP_FAILED) {
		if (request->count > 0)
			parts_make(request, mem, image, reply);
		else
			image_make(request, mem, image, reply);
		munmap(mem, request->batch_size);
	}
	if (reply->rc < 0 && reply->error[0] == '\0')
		snprintf(reply->error, sizeof(reply->error), "The compiler failed: error %d.",
		    -reply->rc);
}

int compiler_child_main(void)
{
	const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	struct compiler_request request;
	struct compiler_reply reply;
	int fds[2], rc;

	// malloc() asks the system how large huge pages are when it is first called: now, while
	// files may be opened.
	void *volatile first = malloc(1);
	free(first);
	rc = sandbox_enter(COMPILER_SOCKET, (uint64_t)pages / 4 * 3 * (uint64_t)page);
	if (rc < 0)
		return 100; // standard error is gone by now; the parent reports the code
	while ((rc = request_receive(&request, fds)) == 1) {
		request_serve(&request, fds[0], fds[1], &reply);
		close(fds[0]);
		close(fds[1]);
		if (send(COMPILER_SOCKET, &reply, sizeof(reply), MSG_NOSIGNAL) != sizeof(reply))
			return 1;
	}
	return rc == 0 ? 0 : 1;
}
