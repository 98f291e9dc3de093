/*
 * What a worker gives up before it reads what is hostile; see worker.h. If that makes it run code
 * of its own, the code has the descriptors that the worker was given and its memory, and no way to
 * more.
 *
 * The calls to the kernel that are left are a table: a filter is made of it that asks one after the
 * other, and any other call ends the process (SIGSYS). No memory becomes code.
 *
 * Source: seccomp(2), capset(2)
 */
#include "base/worker.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

struct call {
	uint32_t nr;
	bool makes_code; /* if its third argument, a protection, says so it is forbidden */
};

static const struct call allowed[] = {
	/* of descriptors that it has; where a file lies it can ask by a path, but not open it */
	{SYS_read, false},
	{SYS_pread64, false},
	{SYS_write, false},
	{SYS_recvfrom, false},
	{SYS_sendto, false},
	{SYS_lseek, false},
	{SYS_fstat, false},
	{SYS_newfstatat, false},
	{SYS_close, false},
	/* memory */
	{SYS_brk, false},
	{SYS_mmap, true},
	{SYS_mprotect, true},
	{SYS_mremap, false},
	{SYS_munmap, false},
	{SYS_madvise, false},
	{SYS_getrandom, false}, /* malloc() begins with it */
	/* its end; what libraries do beside */
	{SYS_exit, false},
	{SYS_exit_group, false},
	{SYS_futex, false},
	{SYS_clock_gettime, false},
	{SYS_sched_yield, false},
	{SYS_rt_sigreturn, false},
	{SYS_restart_syscall, false},
#ifdef __SANITIZE_ADDRESS__
	{SYS_sigaltstack, false},
	{SYS_getpid, false},
	{SYS_gettid, false},
#endif
};

#define N_ALLOWED  (sizeof(allowed) / sizeof(*allowed))
#define INSNS_MOST (6 + 5 * N_ALLOWED)

struct program {
	struct sock_filter insns[INSNS_MOST];
	uint16_t n;
};

static void add(struct program *p, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
	p->insns[p->n++] = (struct sock_filter)BPF_JUMP(code, k, if_true, if_false);
}

static void add_load(struct program *p, size_t off)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)off, 0, 0);
}

static void add_return(struct program *p, uint32_t action)
{
	add(p, BPF_RET | BPF_K, action, 0, 0);
}

static void add_call(struct program *p, const struct call *call)
{
	add(p, BPF_JMP | BPF_JEQ | BPF_K, call->nr, 0, call->makes_code ? 4 : 1);
	if (call->makes_code) {
		add_load(p, offsetof(struct seccomp_data, args[2])); /* its lower half */
		add(p, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1);
		add_return(p, SECCOMP_RET_KILL_PROCESS);
	}
	add_return(p, SECCOMP_RET_ALLOW);
}

/* Numbers of calls are of an architecture, of which the kernel may have two. */
static void make_filter(struct program *p)
{
	p->n = 0;
#ifdef ARCH
	add_load(p, offsetof(struct seccomp_data, arch));
	add(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	add_return(p, SECCOMP_RET_KILL_PROCESS);
#endif
	add_load(p, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < N_ALLOWED; i++)
		add_call(p, &allowed[i]);
	add_return(p, SECCOMP_RET_KILL_PROCESS);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	return syscall(SYS_capset, &head, none) ? -errno : 0;
}

static int by_byte(const void *a, const void *b)
{
	return *(const uint8_t *)a - *(const uint8_t *)b;
}

/* The first time that it sorts much, qsort() of some C libraries finds out how much memory there
 * is, by a call of its own or by opening a file, and remembers that. */
static void sort_once(void)
{
	uint8_t bytes[2048] = {0};

	qsort(bytes, sizeof(bytes), 1, by_byte);
}

void skep_work_seal(void)
{
	sort_once();
	struct program program;
	struct sock_fprog filter = {.filter = program.insns};

	make_filter(&program);
	filter.len = program.n;
	if (drop_capabilities() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		_exit(SKEP_WORKER_EXIT_SETUP);
	/* A kernel may be built without it: what it has given up it is without, there as well. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) && errno != EINVAL)
		_exit(SKEP_WORKER_EXIT_SETUP);
}
