/*
 * Verdicts on the table of programs of the kernel's tools/testing/selftests/bpf/test_verifier.c.
 *
 *	verdicts-table [-v] [-vv] [-n ENTRY] [-r PERCENT] [-w PERCENT] [-u]
 *
 * verdicts_table.py cuts the table out, with the code that makes the maps and programs which its
 * entries name (cases.h, tests.h), and compiles it with this file when the test runs. Each entry is
 * loaded by that code twice: by the running kernel and by a machine that verifies. Those that need
 * no privilege are asked a second time without any: the kernel by a process that gave all of them
 * up once it had made its maps, and the machine as told.
 *
 *	-n  only the entry of this number
 *	-u  only without privileges
 *	-r  it fails where fewer of 100 verdicts agree
 *	-w  … where of 100 refusals fewer say the same
 *
 * A kernel that lets nobody without privileges load (kernel.unprivileged_bpf_disabled is 2) is told
 * to while this runs; a guard puts the number back, whatever becomes of this. At 1 it cannot be
 * told, and only the first question is asked.
 *
 * Three programs of up to a million instructions are left out, unless SKEP_VERDICT_ALL is set.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <linux/btf.h>
#include <linux/if_ether.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <skep/verify.h>

#include "verdict.h"

/* --- What the table asks of its neighbours --------------------------------------------------- */

typedef uint64_t u64;
typedef uint32_t u32;

#define ARRAY_SIZE(a)             (sizeof(a) / sizeof((a)[0]))
#define offsetofend(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))
#define CAP_NET_ADMIN             12
#define CAP_SYS_ADMIN             21
#define CAP_PERFMON               38
#define CAP_BPF                   39
#define QUICK_INSNS               100000
#define NOBODY                    65534

/* It looks for a module of the selftests' own with all privileges, which it has here. */
static int cap_enable_effective(uint64_t caps, __u64 *ret_old)
{
	return 0;
}

static int cap_disable_effective(uint64_t caps, __u64 *ret_old)
{
	return 0;
}

#include "bpf_rand.h"
#include "test_btf.h"
#include "tools_filter.h"

#include "cases.h"

/* --- One entry ------------------------------------------------------------------------------- */

static const struct skep_verify_opts as_root, as_nobody = {.unprivileged = true};

struct entry {
	struct bpf_test *test;
	bool unprivileged;
};

/* What sockets and control groups of one's own may be given: all others are refused unseen. */
static bool is_for_everyone(const struct bpf_test *test)
{
	return !test->prog_type || test->prog_type == BPF_PROG_TYPE_SOCKET_FILTER ||
	       test->prog_type == BPF_PROG_TYPE_CGROUP_SKB;
}

static uint32_t flags_of(const struct bpf_test *test)
{
	uint32_t flags = test->flags & ~3u;

	if (test->flags & F_LOAD_WITH_STRICT_ALIGNMENT)
		flags |= BPF_F_STRICT_ALIGNMENT;
	if (test->flags & F_NEEDS_EFFICIENT_UNALIGNED_ACCESS)
		flags |= BPF_F_ANY_ALIGNMENT;
	return flags;
}

/* Options that stay what they are when the descriptors of a test are put in. */
static void set_options(struct bpf_test *test, struct bpf_prog_load_opts *opts)
{
	opts->expected_attach_type = test->expected_attach_type;
	opts->prog_flags = flags_of(test);
	opts->log_level = (verdict_verbose > 1 ? 2 : 1) | 4;
	opts->log_size = VERDICT_LOG_BYTES;
	if (test->kfunc)
		opts->attach_btf_id = (uint32_t)libbpf_find_vmlinux_btf_id(
			test->kfunc, opts->expected_attach_type);
	if (test->btf_types[0])
		opts->prog_btf_fd = (uint32_t)load_btf_for_test(test);
	if (test->func_info_cnt) {
		opts->func_info = test->func_info;
		opts->func_info_cnt = (uint32_t)test->func_info_cnt;
		opts->func_info_rec_size = sizeof(test->func_info[0]);
	}
}

/* The machine is of this process, and knows no users. */
static void give_up_privileges(void)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		abort();
}

static void load(const void *ctx, struct verdict *verdict)
{
	const struct entry *entry = ctx;
	struct bpf_test *test = entry->test;
	int map_fds[MAX_NR_MAPS], fd_array[2] = {-1, -1}, fd;
	enum bpf_prog_type type = test->prog_type ?: BPF_PROG_TYPE_SOCKET_FILTER;
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_buf = verdict->log);

	memset(map_fds, -1, sizeof(map_fds));
	srand(1);
	do_test_fixup(test, type, test->insns, map_fds, &fd_array[1]);
	verdict->not_asked = skips || (test->prog_len > QUICK_INSNS && !getenv("SKEP_VERDICT_ALL"));
	if (verdict->not_asked)
		return;
	set_options(test, &opts);
	if (fd_array[1] != -1)
		opts.fd_array = fd_array;
	if (entry->unprivileged)
		give_up_privileges();
	fd = bpf_prog_load(type, NULL, "GPL", test->fill_insns ?: test->insns,
			   test->fill_insns ? (size_t)test->prog_len
					    : (size_t)probe_filter_length(test->insns),
			   &opts);
	verdict->err = fd < 0 ? errno : 0;
	verdict->loaded = fd >= 0;
}

static void compare(struct entry *entry, struct verdict *pair, struct verdict_count *count)
{
	const struct skep_machine_opts opts = {.verify_opts =
						       entry->unprivileged ? &as_nobody : &as_root};
	char name[256];

	verdict_ask_both(pair, &opts, load, entry);
	/* locked down against that type of program */
	if (!entry->unprivileged)
		pair[0].not_asked |= pair[0].err == EPERM && !*pair[0].log;
	snprintf(name, sizeof(name), "#%d/%c %s", (int)(entry->test - tests),
		 entry->unprivileged ? 'u' : 'p', entry->test->descr);
	verdict_compare(pair, name, count);
}

/* --- Without privileges ---------------------------------------------------------------------- */

static const char switch_path[] = "/proc/sys/kernel/unprivileged_bpf_disabled";

static int read_switch(void)
{
	FILE *file = fopen(switch_path, "r");
	int value = -1;

	if (file && fscanf(file, "%d", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

static bool write_switch(int value)
{
	FILE *file = fopen(switch_path, "w");
	bool written = file && fprintf(file, "%d", value) > 0;

	return file && !fclose(file) && written;
}

/* When nobody has the pipe's other end any more, this process is gone, by whatever way. */
static void guard(int value)
{
	int ends[2];
	char byte;

	if (pipe2(ends, O_CLOEXEC) || fork())
		return;
	setsid();
	close(ends[1]);
	while (read(ends[0], &byte, 1) > 0)
		;
	_exit(!write_switch(value));
}

static bool may_ask_as_nobody(void)
{
	int value = read_switch();

	if (value == 2) {
		guard(value);
		write_switch(0);
	}
	return read_switch() == 0;
}

/* --- All of them ----------------------------------------------------------------------------- */

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

struct wish {
	long only; /* -1: all */
	bool as_root, as_nobody;
	double least, least_words;
};

static void ask_all(const struct wish *wish, struct verdict *pair, struct verdict_count *count)
{
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		if (wish->only >= 0 && (size_t)wish->only != i)
			continue;
		if (wish->as_root)
			compare(&(struct entry){&tests[i], false}, pair, count);
		if (wish->as_nobody && is_for_everyone(&tests[i]))
			compare(&(struct entry){&tests[i], true}, pair, count);
	}
}

int main(int argc, char **argv)
{
	struct wish wish = {.only = -1, .as_root = true, .as_nobody = may_ask_as_nobody()};
	struct verdict *pair = verdict_pair_new();
	struct verdict_count count = {0};

	for (int opt; (opt = getopt(argc, argv, "vn:r:w:u")) != -1;) {
		verdict_verbose += opt == 'v';
		wish.only = opt == 'n' ? atol(optarg) : wish.only;
		wish.least = opt == 'r' ? atof(optarg) : wish.least;
		wish.least_words = opt == 'w' ? atof(optarg) : wish.least_words;
		wish.as_root &= opt != 'u';
	}
	if (!pair)
		return 1;
	libbpf_set_print(silent);
	ask_all(&wish, pair, &count);
	if (!wish.as_nobody)
		printf("not asked without privileges: %s is %d\n", switch_path, read_switch());
	verdict_print_count(&count);
	return 100.0 * count.agree < wish.least * count.n ||
	       100.0 * count.same_words < wish.least_words * count.both_refuse;
}
