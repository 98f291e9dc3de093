/*
 * Verdicts on random programs: the running kernel's verifier and ours accept and refuse the same
 * ones, for the same reasons.
 *
 *	SKEP_VERDICT_PROGRAMS  how many programs (3,000)
 *	SKEP_VERDICT_SEED      where to begin (0): program N has seed N
 *	SKEP_VERDICT_NOTE      a file that has the first seed of the batch that the kernel is at
 *	SKEP_VERDICT_COUNT=1   it also matters how many instructions and states were looked at
 *	SKEP_VERDICT_LOG=1     their logs of level 2
 *	SKEP_VERDICT_MOST      how many that differ are shrunk and printed (3)
 *
 * A third of the programs are as programs_typed.c makes them, most of which are accepted; the
 * others are changed in a few places, and are refused for whatever the change made wrong. Nothing
 * is run. The kernel is asked in a child, a batch at a time: its verifier may die of a program, and
 * those that it is known to die of are left out: loops beside callbacks, and arithmetic that forks
 * paths of which there are too many already (tests/verify/test_many_paths_kernel.c).
 * What the kernel calls a bug of its own is counted apart.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <cmocka.h>
#include <linux/bpf.h>

#include <skep/machine.h>

#include "programs_typed.h"
#include "typed_changes.h"

#define BATCH     500
#define LOG_BYTES (1u << 22)

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

/* --- Both sides ------------------------------------------------------------------------------ */

/* The kernel (machine NULL) or a machine, with the objects that programs name. */
struct side {
	struct skep_machine *machine;
	int maps[TYPED_MAPS], btf;
};

struct judgement {
	int err;         /* 0 accepted | errno */
	char why[256];   /* the last line before the numbers */
	char count[160]; /* how much was looked at */
};

static struct side kernel, machine;

static bool open_objects(struct side *side)
{
	bool opened;

	skep_machine_route(side->machine);
	for (int i = 0; i < TYPED_MAPS; i++) {
		const struct typed_map_spec *spec = &typed_maps[i];

		side->maps[i] = bpf_map_create(spec->type, NULL, spec->key_bytes, spec->value_bytes,
					       spec->entries, NULL);
	}
	side->btf = bpf_btf_load(typed_btf, typed_btf_bytes, NULL);
	opened = side->btf >= 0;
	for (int i = 0; i < TYPED_MAPS; i++)
		opened &= side->maps[i] >= 0;
	skep_machine_route(NULL);
	return opened;
}

static bool open_sides(void)
{
	static const struct skep_machine_opts opts = {0};

	return !skep_machine_new(&opts, &machine.machine) && open_objects(&kernel) &&
	       open_objects(&machine);
}

/* The objects are the child's, and end with it. */
static void put_descriptors(const struct side *side, struct skep_insn *insns, uint32_t n)
{
	for (uint32_t at = 0; at < n; at++) {
		if (insns[at].code != (SKEP_LD | SKEP_DW | SKEP_IMM))
			continue;
		if (insns[at].src == SKEP_PSEUDO_MAP_FD || insns[at].src == SKEP_PSEUDO_MAP_VALUE)
			insns[at].imm = side->maps[(uint32_t)insns[at].imm % TYPED_MAPS];
		at++;
	}
}

static void read_log(char *log, struct judgement *ret)
{
	char *time = strstr(log, "verification time "), *count = strstr(log, "processed ");
	char *end = time ? time : count ? count : log + strlen(log), *from;

	snprintf(ret->count, sizeof(ret->count), "%s", count ? count : "");
	while (end > log && end[-1] == '\n')
		end--;
	for (from = end; from > log && from[-1] != '\n';)
		from--;
	snprintf(ret->why, sizeof(ret->why), "%.*s", (int)(end - from), from);
}

static char last_log[LOG_BYTES];

/* @level 4: how much was looked at, and why it is refused. */
static void judge(const struct side *side, const struct typed_program *program, uint32_t level,
		  struct judgement *ret)
{
	struct skep_insn insns[TYPED_MOST_INSNS];
	struct bpf_func_info funcs[TYPED_MOST_FUNCS];
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_buf = last_log, .log_size = sizeof(last_log),
		    .log_level = level | 4, .prog_btf_fd = (uint32_t)side->btf, .func_info = funcs,
		    .func_info_cnt = program->n_funcs, .func_info_rec_size = sizeof(funcs[0]));
	int fd;

	memcpy(insns, program->insns, program->n * sizeof(*insns));
	put_descriptors(side, insns, program->n);
	for (uint32_t i = 0; i < program->n_funcs; i++)
		funcs[i] =
			(struct bpf_func_info){program->funcs[i].start, program->funcs[i].type_id};
	*last_log = 0;
	skep_machine_route(side->machine);
	fd = bpf_prog_load(program->type, NULL, "GPL", (const struct bpf_insn *)insns, program->n,
			   &opts);
	ret->err = fd < 0 ? -fd : 0;
	if (fd >= 0)
		close(fd);
	skep_machine_route(NULL);
	read_log(last_log, ret);
}

/* --- What differs ---------------------------------------------------------------------------- */

enum difference { SAME, COUNT_DIFFERS, WORDS_DIFFER, VERDICT_DIFFERS };

static enum difference difference(const struct judgement *a, const struct judgement *b)
{
	if (!a->err != !b->err)
		return VERDICT_DIFFERS;
	if (a->err && (a->err != b->err || strcmp(a->why, b->why)))
		return WORDS_DIFFER;
	return strcmp(a->count, b->count) ? COUNT_DIFFERS : SAME;
}

/* What shrinking keeps: the difference, and what both said of it, but for its numbers. */
struct dispute {
	enum difference difference;
	struct judgement judged[2];
};

static bool alike(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		while (*a >= '0' && *a <= '9')
			a++;
		while (*b >= '0' && *b <= '9')
			b++;
		if (*a != *b)
			return false;
	}
	return *a == *b;
}

/* The machine first: it may say that the kernel is not to be asked. */
static bool judge_both(const struct typed_program *program, struct judgement *judged)
{
	if (typed_is_harmful(program))
		return false;
	judge(&machine, program, 0, &judged[1]);
	if (judged[1].err == E2BIG && !strncmp(judged[1].why, "The sequence of", 15))
		return false;
	judge(&kernel, program, 0, &judged[0]);
	return true;
}

static bool still_differs(void *ctx, const struct typed_program *program)
{
	const struct dispute *dispute = ctx;
	struct judgement judged[2];

	if (!judge_both(program, judged) ||
	    difference(&judged[0], &judged[1]) != dispute->difference)
		return false;
	for (int i = 0; i < 2; i++)
		if (judged[i].err != dispute->judged[i].err ||
		    (judged[i].err && !alike(judged[i].why, dispute->judged[i].why)))
			return false;
	return true;
}

static void print_logs(const struct typed_program *program)
{
	struct judgement judged;

	judge(&kernel, program, 2, &judged);
	fprintf(stderr, "--- kernel\n%s", last_log);
	judge(&machine, program, 2, &judged);
	fprintf(stderr, "--- skep\n%s---\n", last_log);
}

static void complain(struct typed_program *program, struct dispute *dispute)
{
	_cleanup_buf_ struct skep_buf text = {0};
	struct judgement judged[2];

	if (!getenv("SKEP_NO_SHRINK"))
		typed_shrink(program, still_differs, dispute);
	judge(&kernel, program, 0, &judged[0]);
	judge(&machine, program, 0, &judged[1]);
	typed_print(program, &text);
	fprintf(stderr, "%s\nkernel %d \"%s\" %sskep   %d \"%s\" %s\n", text.data, judged[0].err,
		judged[0].why, judged[0].count, judged[1].err, judged[1].why, judged[1].count);
	if (getenv("SKEP_VERDICT_LOG"))
		print_logs(program);
}

/* --- Programs -------------------------------------------------------------------------------- */

/** Shared with the children. */
struct progress {
	uint64_t n, n_accepted, n_refused, n_left_out;
	uint64_t n_verdicts, n_words, n_counts; /* that differ */
	uint64_t n_printed, n_bugs;
	bool usable;
};

static struct typed_kfuncs kfuncs;

static void find_kfuncs(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int32_t ids[] = {btf__find_by_name_kind(btf, "bpf_iter_num_new", BTF_KIND_FUNC),
			 btf__find_by_name_kind(btf, "bpf_iter_num_next", BTF_KIND_FUNC),
			 btf__find_by_name_kind(btf, "bpf_iter_num_destroy", BTF_KIND_FUNC)};

	if (ids[0] > 0 && ids[1] > 0 && ids[2] > 0)
		kfuncs =
			(struct typed_kfuncs){(uint32_t)ids[0], (uint32_t)ids[1], (uint32_t)ids[2]};
	btf__free(btf);
}

static void generate(uint64_t seed, struct typed_program *ret)
{
	typed_generate(seed, kfuncs.iter_new ? &kfuncs : NULL, ret);
	if (seed % 3)
		typed_mutate(ret, seed);
}

static void count(struct progress *progress, const struct dispute *dispute)
{
	progress->n++;
	progress->n_accepted += !dispute->judged[0].err;
	progress->n_refused += dispute->judged[0].err != 0;
	progress->n_verdicts += dispute->difference == VERDICT_DIFFERS;
	progress->n_words += dispute->difference == WORDS_DIFFER;
	progress->n_counts += dispute->difference == COUNT_DIFFERS;
}

static void one(uint64_t seed, struct progress *progress)
{
	enum difference least = getenv("SKEP_VERDICT_COUNT") ? COUNT_DIFFERS : WORDS_DIFFER;
	struct typed_program program;
	struct dispute dispute;

	generate(seed, &program);
	if (!judge_both(&program, dispute.judged)) {
		progress->n_left_out++;
		return;
	}
	if (!strncmp(dispute.judged[0].why, "verifier bug", 12)) {
		progress->n_bugs++;
		return;
	}
	dispute.difference = difference(&dispute.judged[0], &dispute.judged[1]);
	count(progress, &dispute);
	if (dispute.difference < least || progress->n_printed >= number("SKEP_VERDICT_MOST", 3))
		return;
	progress->n_printed++;
	complain(&program, &dispute);
}

static void note(uint64_t seed)
{
	const char *path = getenv("SKEP_VERDICT_NOTE");
	FILE *file = path ? fopen(path, "w") : NULL;

	if (!file)
		return;
	fprintf(file, "%llu\n", (unsigned long long)seed);
	fflush(file);
	fsync(fileno(file));
	fclose(file);
}

/* Return whether the child came back. */
static bool batch(struct progress *progress, uint64_t seed, uint64_t n)
{
	int status = 0;
	pid_t child;

	note(seed);
	fflush(NULL);
	child = fork();
	if (!child) {
		progress->usable = open_sides();
		for (uint64_t i = 0; i < n && progress->usable; i++)
			one(seed + i, progress);
		fflush(NULL);
		_exit(0);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status);
}

static void test_verdicts_agree(void **state)
{
	uint64_t n = number("SKEP_VERDICT_PROGRAMS", 3000), seed = number("SKEP_VERDICT_SEED", 0);
	struct progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(progress != MAP_FAILED);
	find_kfuncs();
	for (uint64_t i = 0; i < n; i += BATCH) {
		if (!batch(progress, seed + i, n - i < BATCH ? n - i : BATCH))
			fail_msg("a child died, of a program with a seed from %llu on",
				 (unsigned long long)(seed + i));
		if (!progress->usable) {
			print_message("[  SKIPPED ] programs cannot be loaded here\n");
			skip();
		}
	}
	print_message(
		"%llu programs: the kernel accepts %llu and refuses %llu; %llu other verdicts, "
		"%llu refused in other words, %llu looked at otherwise; %llu left out, %llu "
		"of which the kernel says that it has a bug\n",
		(unsigned long long)progress->n, (unsigned long long)progress->n_accepted,
		(unsigned long long)progress->n_refused, (unsigned long long)progress->n_verdicts,
		(unsigned long long)progress->n_words, (unsigned long long)progress->n_counts,
		(unsigned long long)progress->n_left_out, (unsigned long long)progress->n_bugs);
	assert_int_equal(progress->n_verdicts, 0);
	assert_int_equal(progress->n_words, 0);
	munmap(progress, sizeof(*progress));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_verdicts_agree)};

	return cmocka_run_group_tests_name("verdicts_generated", tests, NULL, NULL);
}
