/*
 * Whatever the compiler emits, the kernel's verifier accepts: random scripts
 * that mean something (generate.h) are compiled and loaded. SKEP_GENERATED sets
 * how many, SKEP_SEED the first seed. A script that fails is shrunk by lines
 * and shown with its seed and what was said of it.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiled.h"
#include "generate.h"

#define DEFAULT_SCRIPTS 300
#define MOST_STACK      512
#define MOST_SHOWN      20
#define MOST_TRIES      400 /* of shrinking one script */

enum verdict { FINE, NOT_COMPILED, NOT_LOADED, TOO_MUCH_STACK };

/* All scripts together, and the one that took longest. */
struct times {
	uint64_t compile_ns, load_ns, longest_ns, longest_seed;
};

static uint64_t now_seed; /* for whoever looks at a crash */

static enum verdict judge(const char *text, struct skep_buf *why, struct times *times)
{
	struct compiled c;
	enum verdict verdict = FINE;

	if (compiled_open(&c, text))
		verdict = NOT_COMPILED;
	else if (compiled_load(&c))
		verdict = NOT_LOADED;
	else if (compiled_stack_bytes(&c) > MOST_STACK)
		verdict = TOO_MUCH_STACK;
	if (why && verdict != FINE)
		compiled_report(&c, why);
	if (times) {
		times->compile_ns += c.compile_ns;
		times->load_ns += c.load_ns;
	}
	if (times && c.compile_ns + c.load_ns > times->longest_ns) {
		times->longest_ns = c.compile_ns + c.load_ns;
		times->longest_seed = now_seed;
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
	static const char *const names[] = {"fine", "not compiled", "not loaded", "too much stack"};
	_cleanup_buf_ struct skep_buf why = {0};

	/* Less of a script that is wrong is wrong in other ways. */
	if (verdict != NOT_COMPILED && !getenv("SKEP_NO_SHRINK"))
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

static void on_abort(int nr)
{
	dprintf(2, "crashed on seed %llu\n", (unsigned long long)now_seed);
	signal(nr, SIG_DFL);
	raise(nr);
}

static void summarize(const uint64_t counts[4], const struct times *times, uint64_t all_ns)
{
	fprintf(stderr,
		"%llu fine, %llu not compiled, %llu not loaded, %llu with too much stack; %.1f s: "
		"compiling %.1f, loading %.1f, at most %.2f (seed %llu)\n",
		(unsigned long long)counts[FINE], (unsigned long long)counts[NOT_COMPILED],
		(unsigned long long)counts[NOT_LOADED], (unsigned long long)counts[TOO_MUCH_STACK],
		(double)all_ns / 1e9, (double)times->compile_ns / 1e9, (double)times->load_ns / 1e9,
		(double)times->longest_ns / 1e9, (unsigned long long)times->longest_seed);
}

static void test_generated(void **state)
{
	uint64_t n = number_from("SKEP_GENERATED", DEFAULT_SCRIPTS);
	uint64_t seed = number_from("SKEP_SEED", 1), start = compiled_now_ns();
	uint64_t counts[4] = {0}, n_shown = 0;
	struct times times = {0};

	signal(SIGABRT, on_abort);
	signal(SIGSEGV, on_abort);

	for (uint64_t i = 0; i < n; i++) {
		_cleanup_buf_ struct skep_buf script = {0};
		now_seed = seed + i;
		gen_script(now_seed, &script);
		if (getenv("SKEP_SHOW"))
			puts(script.data);
		enum verdict verdict = judge(script.data, NULL, &times);
		counts[verdict]++;
		if (verdict != FINE && n_shown++ < MOST_SHOWN)
			show(seed + i, &script, verdict);
	}
	summarize(counts, &times, compiled_now_ns() - start);
	assert_int_equal(counts[NOT_LOADED], 0);
	assert_int_equal(counts[TOO_MUCH_STACK], 0);
	assert_true(counts[NOT_COMPILED] * 100 <= n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_generated)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
