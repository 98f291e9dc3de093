/*
 * The eBPF machine in user space: bpf(2), answered here.
 *
 * Commands, structures, results and error codes are Linux's, so that what
 * works on the kernel works on this: libbpf's loader, bpftool, programs that
 * were written for them. A machine is a kernel's worth of objects: maps,
 * programs, BTF and links, with ids of its own.
 *
 * Objects are behind real descriptors: dup(), close(), fork() and SCM_RIGHTS
 * do what they do with the kernel's. An object lives as long as a descriptor,
 * a pin, or another object refers to it.
 *
 * Thread    safe.
 */
#ifndef SKEP_MACHINE_H
#define SKEP_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/image.h>

#include <skep/begin.h>

union bpf_attr;
struct skep_machine;
struct skep_map;
struct skep_verify_opts;
struct skep_verify_program;
struct skep_verify_report;
struct skep_world;

struct skep_machine_opts {
	/* What runs programs; NULL: the JIT, or the plain interpreter where it cannot. Programs are
	 * verified when they are loaded, and refused as the kernel would refuse them: so both may
	 * trust what they run. Verified programs that read the kernel's structures, or call what
	 * has no meaning in user space, run in the checked interpreter all the same. */
	const struct skep_exec *exec;
	/* Nothing is proven of programs, and the checked interpreter alone runs them, which stops
	 * at the first instruction that is wrong. */
	bool unverified;
	struct skep_exec_opts exec_opts;
	uint64_t budget;       /* instructions a run may take; 0: no limit */
	uint64_t most_memory;  /* bytes of all maps together; 0: no limit */
	uint32_t most_objects; /* of each kind; 0: no limit */
	/* How programs are verified: levels and flags are PROG_LOAD's. NULL: as the kernel. It
	 * takes 60 s and 512 MiB of states at most, if nothing else is said. And who is told of
	 * each verification while what it was about is still there. */
	const struct skep_verify_opts *verify_opts;
	void (*verified)(void *ctx, const struct skep_verify_program *program,
			 const struct skep_verify_opts *opts, int err,
			 const struct skep_verify_report *report);
	void *verified_ctx;
	/* The file with the BTF that programs are written for; NULL: the host's. */
	const char *kernel_btf;
	/* What programs print with bpf_trace_printk(); NULL: nowhere. */
	void (*trace)(void *ctx, const char *text, size_t len);
	void *trace_ctx;
};

/**
 * A machine without objects.
 *
 * @opts    copied, with borrowed pointers that must outlive the machine; NULL: all zero
 * @ret     the caller's: skep_machine_free(); untouched on error
 * Return   0 | -ENOMEM | what opening opts->kernel_btf gave (the host's may be missing)
 * Cost     reads the kernel's BTF to its end: 2 ms where there is one
 */
int skep_machine_new(const struct skep_machine_opts *opts, struct skep_machine **ret);
/** Ends it with all its objects, pins and links. No other thread may be in it; descriptors that are
 *  still open are then of nothing. NULL: nothing. */
void skep_machine_free(struct skep_machine *machine);

/**
 * bpf(@cmd, @attr, @size).
 *
 * @attr    @size bytes, read and written as the kernel does (outputs in their fields); addresses in
 *          it are of this process, and one that is none is EFAULT where the system can tell
 * Return   what the system call returns: a result or a descriptor, or -1 with errno set
 * Thread   safe, also while programs run
 * Cost     that of the command; a command that makes an object or asks for ids also looks for
 *          objects that nobody has any more, O(1) for each that was made
 * Source   behaviour of Linux 6.18, kernel/bpf/syscall.c
 */
int skep_machine_bpf(struct skep_machine *machine, int cmd, union bpf_attr *attr, unsigned size);

/** close() of a descriptor that skep_machine_bpf() returned. Where there is no Linux it is a number
 *  of the machine's, and this the way to give it back; on Linux close() does. 0 | -EBADF | -errno
 */
int skep_machine_close(struct skep_machine *machine, int fd);

/**
 * mmap() and epoll_ctl() of a map's descriptor: what the system's own cannot do (a ring buffer
 * shows its data twice and wakes who waits). Other descriptors are passed through.
 *
 * Return  as the system calls: an address or MAP_FAILED, 0 or -1; errno. ENOSYS without Linux
 */
void *skep_machine_mmap(struct skep_machine *machine, void *addr, size_t len, int prot, int flags,
			int fd, int64_t off);
int skep_machine_epoll_ctl(struct skep_machine *machine, int epfd, int op, int fd, void *event);

/** Whose bpf(2) code calls that is not ours, libbpf's above all, in a program that was linked for
 * it (pkg-config libskep-libbpf). For the process, or for the calling thread alone; NULL: the
 * kernel's (the process's). The machine is borrowed until another is named. */
void skep_machine_route(struct skep_machine *machine);
void skep_machine_route_thread(struct skep_machine *machine);

/** The objects behind descriptors, with a reference that the caller gives back: skep_map_unref(),
 *  skep_machine_program_put() (NULL: nothing). NULL: not of this machine, or another kind. */
struct skep_map *skep_machine_map(struct skep_machine *machine, int fd);
const struct skep_program *skep_machine_program(struct skep_machine *machine, int fd);
void skep_machine_program_put(struct skep_machine *machine, const struct skep_program *program);

/** The places where links hang programs. Each is told apart further by a name: a device's index, a
 *  function's or tracepoint's name, "device:inode" of a descriptor (in hex), a map's id. */
enum skep_hook {
	SKEP_HOOK_RAW_TRACEPOINT,
	SKEP_HOOK_ENTRY, /* of a function */
	SKEP_HOOK_EXIT,
	SKEP_HOOK_LSM,
	SKEP_HOOK_ITER,
	SKEP_HOOK_XDP,
	SKEP_HOOK_INGRESS,
	SKEP_HOOK_EGRESS,
	SKEP_HOOK_CGROUP,
	SKEP_HOOK_NETNS,
	SKEP_HOOK_NETFILTER,
	SKEP_HOOK_PERF_EVENT,
	SKEP_HOOK_SOCKMAP,
	SKEP_HOOK_STRUCT_OPS,
};
/** The hook is passed: all programs on it run on @ctx, in the order of their links. Those that were
 *  verified to need more than @ctx_bytes do not run.
 *  @world  what they see; NULL: the host. Return the last one's result; 0: none was there. */
uint32_t skep_machine_hook(struct skep_machine *machine, enum skep_hook kind, const char *name,
			   void *ctx, size_t ctx_bytes, struct skep_world *world);

/** All that is loaded now: for tests that nothing leaks. */
struct skep_machine_counts {
	uint32_t maps, programs, btfs, links;
	uint64_t memory_bytes;
};
void skep_machine_count(struct skep_machine *machine, struct skep_machine_counts *ret);

/** What stopped the last run of @program: the checked interpreter, or the budget; false: nothing.
 *  Runs that are repeated in one call end with the first that is stopped. */
#define SKEP_FAULT_ANYWHERE UINT32_MAX
struct skep_fault {
	uint32_t insn;       /* SKEP_FAULT_ANYWHERE: the program was just too long at it */
	char why[160];       /* one plain sentence */
	char registers[400]; /* "r0 = 0, r1 = packet+4 of 60 bytes"; "": not known */
};
bool skep_machine_fault(struct skep_machine *machine, const struct skep_program *program,
			struct skep_fault *ret);

#include <skep/end.h>

#endif
