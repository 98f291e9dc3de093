/*
 * The two sides of bench-verify: bpf(2) of everything in this process, libbpf too, comes through
 * here (the linker's --wrap), is timed, and goes to the kernel or to a machine.
 */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <skep/machine.h>
#include <skep/verify.h>

#include "adversaries.h"

#define LOG_BYTES 65536
#define N_ARGS    6

long __real_syscall(long nr, ...);
void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
long __wrap_syscall(long nr, ...);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off);

static struct skep_machine *machine; /* NULL: the kernel */
static bool inside;                  /* what the machine calls in turn is the system's */
static double load_ns;               /* the longest BPF_PROG_LOAD: others are libbpf's probes */

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static long bpf_of_side(const long args[N_ARGS])
{
	long ret;

	if (!machine)
		return __real_syscall(__NR_bpf, args[0], args[1], args[2]);
	inside = true;
	ret = skep_machine_bpf(machine, (int)args[0], (union bpf_attr *)args[1], (unsigned)args[2]);
	inside = false;
	return ret;
}

long __wrap_syscall(long nr, ...)
{
	long args[N_ARGS], ret;
	double begin;
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < N_ARGS; i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	if (nr != __NR_bpf || inside)
		return __real_syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
	begin = cpu_ns();
	ret = bpf_of_side(args);
	if (args[0] == BPF_PROG_LOAD && load_ns < cpu_ns() - begin)
		load_ns = cpu_ns() - begin;
	return ret;
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	void *at;

	if (!machine || inside || fd < 0)
		return __real_mmap(addr, len, prot, flags, fd, off);
	inside = true;
	at = skep_machine_mmap(machine, addr, len, prot, flags, fd, off);
	inside = false;
	return at;
}

void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return __wrap_mmap(addr, len, prot, flags, fd, off);
}

static void note_peak(void *ctx, const struct skep_verify_program *program,
		      const struct skep_verify_opts *opts, int err,
		      const struct skep_verify_report *report)
{
	struct bench_finding *finding = ctx;

	(void)program;
	(void)opts;
	(void)err;
	if (finding->peak_bytes < report->peak_bytes)
		finding->peak_bytes = report->peak_bytes;
}

void bench_to_machine(struct bench_finding *ret)
{
	const struct skep_machine_opts opts = {.verified = note_peak, .verified_ctx = ret};

	if (skep_machine_new(&opts, &machine))
		exit(1);
}

void bench_read_log(const char *log, struct bench_finding *ret)
{
	const char *time = strstr(log, "verification time "), *n = strstr(log, "processed ");
	double us;

	if (time && sscanf(time, "verification time %lf usec", &us) == 1)
		ret->ns = us * 1e3 < load_ns ? us * 1e3 : load_ns;
	if (n)
		ret->n_insns = (uint32_t)strtoul(n + strlen("processed "), NULL, 10);
}

/* --- Adversaries ----------------------------------------------------------------------------- */

static long call_bpf(int cmd, void *attr, unsigned size)
{
	return syscall(__NR_bpf, cmd, attr, size);
}

void bench_load_adversary(unsigned number, enum bench_side side, struct bench_finding *ret)
{
	static char log[LOG_BYTES];
	const struct adversary *adversary = &adversaries[number];

	if (side == BENCH_SKEP)
		bench_to_machine(ret);
	else if (adversary->not_on_kernel)
		return;
	ret->err = adversary_load(adversary, adversary->n_bench, call_bpf, log, sizeof(log));
	bench_read_log(log, ret);
}
