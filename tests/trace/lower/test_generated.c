/*
 * Whatever the compiler emits, the kernel's verifier accepts, and the machine's: random scripts
 * that mean something (generate.h) are compiled and loaded into both. SKEP_GENERATED sets how
 * many, SKEP_SEED the first seed. A script that fails is shrunk by lines and shown with its seed
 * and what was said of it.
 *
 * A verifier can have faults too, and then it takes a process down or the machine: scripts are
 * tried in processes of their own, and the seed is on the disk (SKEP_SEED_FILE) before its
 * script meets the kernel.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiled.h"
#include "generate.h"

#define DEFAULT_SCRIPTS 300
#define MOST_STACK      512
#define MOST_SHOWN      20
#define MOST_TRIES      400 /* of shrinking one script */
#define BATCH           100 /* scripts a process */

/* TOO_LARGE: the compiler says itself that it cannot be, as a CPU's memory for values ends. */
enum verdict {
	FINE,
	TOO_LARGE,
	NOT_COMPILED,
	NOT_LOADED,
	NOT_VERIFIED, /* the kernel took it, the machine did not */
	TOO_MUCH_STACK,
	N_VERDICTS
};

/* All scripts together, and the one that took longest. */
struct times {
	uint64_t compile_ns, load_ns, verify_ns, longest_ns, longest_seed;
	uint64_t most_insns, most_insns_seed; /* walked through by the verifier */
};

/* Shared by the process that counts and those that try: what there is so far. */
static struct run {
	uint64_t seed; /* at work */
	uint64_t counts[N_VERDICTS], n_shown;
	struct times times;
} * run;

static bool is_too_large(const struct compiled *c)
{
	for (size_t i = 0; i < c->diag.n_items; i++)
		if (c->diag.items[i].id == SKEP_DIAG_IR_SCRATCH)
			return true;
	return false;
}

static enum verdict judge(const char *text, struct skep_buf *why, struct times *times)
{
	struct compiled c;
	enum verdict verdict = FINE;

	if (compiled_open(&c, text))
		verdict = is_too_large(&c) ? TOO_LARGE : NOT_COMPILED;
	else if (compiled_load(&c))
		verdict = NOT_LOADED;
	else if (compiled_verify(&c))
		verdict = NOT_VERIFIED;
	else if (compiled_stack_bytes(&c) > MOST_STACK)
		verdict = TOO_MUCH_STACK;
	if (why && verdict != FINE)
		compiled_report(&c, why);
	if (times) {
		times->compile_ns += c.compile_ns;
		times->load_ns += c.load_ns;
		times->verify_ns += c.verify_ns;
	}
	if (times && c.compile_ns + c.load_ns > times->longest_ns) {
		times->longest_ns = c.compile_ns + c.load_ns;
		times->longest_seed = run->seed;
	}
	if (times && verdict == FINE && compiled_verified_insns(&c) > times->most_insns) {
		times->most_insns = compiled_verified_insns(&c);
		times->most_insns_seed = run->seed;
	}
	compiled_done(&c);
	return verdict;
}

/* --- Shrinking -------------------------------------------------------------------------- */

static const char *next_line(const char *at)
{
	const char *end = strchr(at, '\n');

	return end ? end + 1 : at + strlen(at);
}

static int braces(const char *from, const char *to)
{
	int depth = 0;

	for (; from < to; from++)
		depth += (*from == '{') - (*from == '}');
	return depth;
}

/* The end of the statement that starts on the line at @at: its block is part of it. */
static const char *statement_end(const char *at)
{
	const char *end = next_line(at);
	int depth = braces(at, end);

	while (depth > 0 && *end) {
		const char *next = next_line(end);
		depth += braces(end, next);
		end = next;
	}
	return end;
}

/* Without [from, to): does the script still fail in the same way? Then it is kept so. */
static bool try_without(struct skep_buf *script, size_t from, size_t to, enum verdict verdict)
{
	_cleanup_buf_ struct skep_buf less = {0};

	skep_buf_add(&less, script->data, from);
	skep_buf_puts(&less, script->data + to);
	if (judge(less.data, NULL, NULL) != verdict)
		return false;
	skep_buf_clear(script);
	skep_buf_add(script, less.data, less.len);
	return true;
}

static void shrink(struct skep_buf *script, enum verdict verdict)
{
	int tries = 0;

	for (bool is_smaller = true; is_smaller && tries < MOST_TRIES;) {
		is_smaller = false;
		for (size_t at = 0; at < script->len && tries < MOST_TRIES; tries++) {
			const char *line = script->data + at;
			size_t end = (size_t)(statement_end(line) - script->data);
			if (try_without(script, at, end, verdict))
				is_smaller = true;
			else
				at = (size_t)(next_line(line) - script->data);
		}
	}
}

static void show(uint64_t seed, struct skep_buf *script, enum verdict verdict)
{
	static const char *const names[] = {"fine",
					    "too large",
					    "not compiled",
					    "not loaded",
					    "not accepted by the machine",
					    "too much stack"};
	_cleanup_buf_ struct skep_buf why = {0};

	/* Less of a script that is wrong is wrong in other ways. */
	if (verdict > NOT_COMPILED && !getenv("SKEP_NO_SHRINK"))
		shrink(script, verdict);
	judge(script->data, &why, NULL);
	fprintf(stderr, "--- seed %llu: %s\n%s%s\n", (unsigned long long)seed, names[verdict],
		script->data, why.data ? why.data : "");
}

/* --- The run ------------------------------------------------------------------------------ */

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void summarize(uint64_t all_ns)
{
	const uint64_t *counts = run->counts;
	const struct times *times = &run->times;

	fprintf(stderr,
		"%llu fine, %llu too large, %llu not compiled, %llu not loaded, %llu not accepted "
		"by the machine, "
		"%llu with too much stack; %.1f s: "
		"compiling %.1f, loading %.1f, loading into a machine %.1f, at most %.2f (seed "
		"%llu); "
		"the verifier walked through at most %llu instructions (seed %llu)\n",
		(unsigned long long)counts[FINE], (unsigned long long)counts[TOO_LARGE],
		(unsigned long long)counts[NOT_COMPILED], (unsigned long long)counts[NOT_LOADED],
		(unsigned long long)counts[NOT_VERIFIED],
		(unsigned long long)counts[TOO_MUCH_STACK], (double)all_ns / 1e9,
		(double)times->compile_ns / 1e9, (double)times->load_ns / 1e9,
		(double)times->verify_ns / 1e9, (double)times->longest_ns / 1e9,
		(unsigned long long)times->longest_seed, (unsigned long long)times->most_insns,
		(unsigned long long)times->most_insns_seed);
}

/* Where the seed at work is written, for whoever comes after a machine that stopped. */
static const char *seed_file(void)
{
	static char path[64];

	if (getenv("SKEP_SEED_FILE"))
		return getenv("SKEP_SEED_FILE");
	if (!path[0])
		snprintf(path, sizeof(path), "/tmp/skep-generated-%d.seed", (int)getpid());
	return path;
}

static void note_seed(int fd, uint64_t seed)
{
	char line[32];
	int len = snprintf(line, sizeof(line), "%llu\n", (unsigned long long)seed);

	run->seed = seed;
	assert_int_equal(pwrite(fd, line, (size_t)len, 0), len);
	assert_int_equal(fsync(fd), 0);
}

static void try_seed(uint64_t seed)
{
	_cleanup_buf_ struct skep_buf script = {0};

	gen_script(seed, &script);
	if (getenv("SKEP_SHOW"))
		puts(script.data);
	enum verdict verdict = judge(script.data, NULL, &run->times);
	run->counts[verdict]++;
	if (verdict > TOO_LARGE && run->n_shown++ < MOST_SHOWN)
		show(seed, &script, verdict);
}

static void try_seeds(uint64_t from, uint64_t to)
{
	int fd = open(seed_file(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	for (uint64_t seed = from; seed < to; seed++) {
		note_seed(fd, seed);
		try_seed(seed);
	}
	close(fd);
}

/* In a process of its own: where the verifier itself falls over, the kernel kills that. */
static void try_batch(uint64_t from, uint64_t to)
{
	pid_t child;
	int status;

	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		try_seeds(from, to);
		fflush(NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (status)
		fail_msg(
			"the process ended with status %#x on seed %llu (look at the kernel's log)",
			(unsigned)status, (unsigned long long)run->seed);
}

static void test_generated(void **state)
{
	uint64_t n = number_from("SKEP_GENERATED", DEFAULT_SCRIPTS);
	uint64_t first = number_from("SKEP_SEED", 1), start = compiled_now_ns();

	seed_file();
	run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(run, MAP_FAILED);
	for (uint64_t i = 0; i < n; i += BATCH)
		try_batch(first + i, first + (n - i < BATCH ? n : i + BATCH));
	unlink(seed_file());
	summarize(compiled_now_ns() - start);
	assert_int_equal(run->counts[NOT_LOADED], 0);
	assert_int_equal(run->counts[NOT_VERIFIED], 0);
	assert_int_equal(run->counts[TOO_MUCH_STACK], 0);
	assert_int_equal(run->counts[NOT_COMPILED], 0);
	assert_true(run->counts[TOO_LARGE] * 1000 <= n + 999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_generated)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
