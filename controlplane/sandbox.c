// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// The compiler child's cage; see sandbox.h.
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "name this machine's AUDIT_ARCH"
#endif

// x86_64 numbers with this bit are the x32 ABI's: other calls under the same architecture.
#define X32_BIT 0x40000000u

// A sanitizer reads /proc, starts threads and maps terabytes: in such a build, which serves nobody,
// the filter and the limit of memory are left out.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define ALLOW(name)                                             \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), \
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static const struct sock_filter filter[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    // The socket and what comes over it.
    ALLOW(recvmsg),
    ALLOW(sendmsg),
    ALLOW(sendto),
    ALLOW(close),
    ALLOW(fstat),
#ifdef __NR_newfstatat
    ALLOW(newfstatat), // fstat() in newer libraries; opens nothing
#endif
    ALLOW(pwrite64),
    ALLOW(fcntl),
    // Memory.
    ALLOW(mmap),
    ALLOW(munmap),
    ALLOW(mremap),
    ALLOW(mprotect),
    ALLOW(madvise),
    ALLOW(brk),
    ALLOW(futex),
    ALLOW(sysinfo), // qsort() asks how much memory there is
    // Random keys and time for the allocator and the compiler; the end.
    ALLOW(getrandom),
    ALLOW(clock_gettime),
    ALLOW(rt_sigreturn),
    ALLOW(restart_syscall),
    ALLOW(exit),
    ALLOW(exit_group),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
};

static int limit(int resource, rlim_t value)
{
	const struct rlimit rl = {.rlim_cur = value, .rlim_max = value};

	return setrlimit(resource, &rl) < 0 ? -errno : 0;
}

static int descriptors_close(int keep)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0)
		return -errno;
	for (int fd = 0; fd < 3; fd++)
		if (fd != keep && dup2(null, fd) < 0)
			return -errno;
	if (keep > 3 && close_range(3, (unsigned)keep - 1, 0) < 0)
		return -errno;
	if (close_range((unsigned)(keep > 2 ? keep + 1 : 3), ~0u, 0) < 0)
		return -errno;
	return 0;
}

static int user_drop(void)
{
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return -errno;
	return 0;
}

int sandbox_enter(int keep, uint64_t memory_max)
{
	const struct sock_fprog program = {
	    .len = sizeof(filter) / sizeof(filter[0]), .filter = (struct sock_filter *)filter};
	int rc = descriptors_close(keep);

	if (rc == 0)
		rc = chdir("/") < 0 ? -errno : user_drop();
	// The parent's death is told again after the change of user, which forgets it.
	if (rc == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		rc = -errno;
	if (rc == 0)
		rc = limit(RLIMIT_CORE, 0);
	if (rc == 0)
		rc = limit(RLIMIT_NPROC, 0);
	if (rc == 0)
		rc = limit(RLIMIT_NOFILE, (rlim_t)keep + 8); // the socket and what it brings
	if (rc == 0 && !SANITIZED)
		rc = limit(RLIMIT_DATA, memory_max);
	if (rc == 0 && prctl(PR_SET_DUMPABLE, 0) < 0)
		rc = -errno;
	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		rc = -errno;
	if (rc == 0 && !SANITIZED && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		rc = -errno;
	return rc;
}
