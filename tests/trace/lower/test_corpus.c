/*
 * Scripts as people write them: tests/data/scripts, the tools, the programs of tests/scripts. Each
 * is compiled and accepted by the running kernel, and by the machine's own verifier. One that names
 * probes this machine does not have is compiled as far as that and counted apart.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fd.h"
#include "blocks.h"
#include "compiled.h"

#define MARK       "//// "
#define MOST_STACK 512
#define MOST_BYTES (1 << 20)

struct tally {
	uint32_t n, loaded, lacking, failed;
	uint32_t most_stack;
	uint64_t compile_ns, load_ns, verify_ns;
};

/* What a machine without the probe says of it. */
static bool is_lacking(const struct skep_diag *diag)
{
	for (size_t i = 0; i < diag->n_items; i++) {
		enum skep_diag_id id = diag->items[i].id;
		bool lacks = id == SKEP_DIAG_PROBE_MISSING || id == SKEP_DIAG_PROBE_REFUSED ||
			     id == SKEP_DIAG_PROBE_BINARY || id == SKEP_DIAG_PROBE_NONE ||
			     id == SKEP_DIAG_KADDR;
		if (!lacks && skep_diag_severity(id) == SKEP_ERROR)
			return false;
	}
	return diag->n_errors > 0;
}

static void show(const char *file, const struct compiled *c)
{
	_cleanup_buf_ struct skep_buf why = {0};

	compiled_report(c, &why);
	fprintf(stderr, "--- %s: %.*s\n%s%u bytes of stack\n", file,
		(int)strcspn(c->source.text, "\n"), c->source.text, why.data ? why.data : "",
		compiled_stack_bytes(c));
}

static void try_script(const char *file, char *text, struct tally *tally)
{
	struct compiled c;
	bool is_fine = compiled_open(&c, text) == 0 && compiled_load(&c) == 0 &&
		       compiled_verify(&c) == 0 && compiled_stack_bytes(&c) <= MOST_STACK;

	tally->n++;
	tally->compile_ns += c.compile_ns;
	tally->load_ns += c.load_ns;
	tally->verify_ns += c.verify_ns;
	if (is_fine) {
		tally->loaded++;
		if (compiled_stack_bytes(&c) > tally->most_stack)
			tally->most_stack = compiled_stack_bytes(&c);
	} else if (c.compile_err && is_lacking(&c.diag)) {
		tally->lacking++;
	} else {
		tally->failed++;
		show(file, &c);
	}
	compiled_done(&c);
}

/* The scripts of a file begin with lines "//// what it does", which are comments to the compiler.
 */
static void try_marked(const char *name, char *text, struct tally *tally)
{
	for (char *at = text; at && *at;) {
		assert_int_equal(strncmp(at, MARK, strlen(MARK)), 0);
		char *next = strstr(at, "\n" MARK);
		if (next)
			*next = '\0';
		try_script(name, at, tally);
		at = next ? next + 1 : NULL;
	}
}

static void try_blocks(const char *name, char *text, struct tally *tally)
{
	_cleanup_buf_ struct skep_buf script = {0};

	for (const char *at = text; blocks_next(&at, &script);)
		try_script(name, script.data, tally);
}

static const struct corpus {
	const char *files;
	void (*each)(const char *name, char *text, struct tally *tally);
	uint32_t least;
} corpora[] = {
	{TESTS "/data/scripts/*.bt", try_marked, 400},
	{TESTS "/scripts/*.test", try_blocks, 100},
};

static void try_files(const struct corpus *corpus, struct tally *tally)
{
	_cleanup_buf_ struct skep_buf text = {0};
	glob_t files;

	assert_int_equal(glob(corpus->files, 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		const char *path = files.gl_pathv[i];

		skep_buf_clear(&text);
		assert_int_equal(skep_file_read(path, MOST_BYTES, &text), 0);
		corpus->each(strrchr(path, '/') + 1, text.data, tally);
	}
	globfree(&files);
}

static void test_corpus(void **state)
{
	struct tally tally = {0};

	for (size_t i = 0; i < sizeof(corpora) / sizeof(*corpora); i++) {
		uint32_t before = tally.n;

		try_files(&corpora[i], &tally);
		assert_true(tally.n - before >= corpora[i].least);
	}
	fprintf(stderr,
		"%u scripts: %u loaded, %u name probes that this machine lacks, %u failed; "
		"compiling %.2f s, loading %.2f s, loading into a machine %.2f s; at most %u bytes "
		"of stack\n",
		tally.n, tally.loaded, tally.lacking, tally.failed, (double)tally.compile_ns / 1e9,
		(double)tally.load_ns / 1e9, (double)tally.verify_ns / 1e9, tally.most_stack);
	assert_int_equal(tally.failed, 0);
	assert_true(tally.loaded > tally.lacking);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
