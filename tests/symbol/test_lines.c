/* Source lines of processes: our own, of files with debug information apart, of broken ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skep/symbol.h>

#include "base/fd.h"

static char folder[64];

/* An address in it, and the lines of the two functions that are there. */
struct spot {
	uintptr_t addr;
	int inner, outer;
};

static inline __attribute__((always_inline)) uintptr_t here(int *ret_line)
{
	uintptr_t at = 0;

	*ret_line = __LINE__ + 2;
#ifdef __x86_64__
	__asm__ volatile("leaq (%%rip), %0" : "=r"(at));
#elif defined(__aarch64__)
	__asm__ volatile("adr %0, ." : "=r"(at));
#endif
	return at;
}

static __attribute__((noinline)) struct spot outer_function(void)
{
	struct spot spot = {.outer = __LINE__ + 2};

	spot.addr = here(&spot.inner) - 1;
	return spot;
}

static void expect_frame(const struct skep_source_frame *frame, const char *name, int line)
{
	assert_string_equal(frame->name, name);
	assert_non_null(strstr(frame->file, "test_lines.c"));
	assert_int_equal(frame->line, line);
}

static void test_own(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	const struct skep_source_frame *frames, *again;
	struct skep_lines_trouble trouble;
	struct spot spot = outer_function();

	skep_usyms_want_lines(syms);
	assert_int_equal(skep_usyms_lines(syms, getpid(), spot.addr, &frames), 2);
	expect_frame(&frames[0], "here", spot.inner);
	expect_frame(&frames[1], "outer_function", spot.outer);
	assert_int_equal(skep_usyms_lines(syms, getpid(), spot.addr, &again), 2);
	assert_ptr_equal(again, frames);
	assert_int_equal(skep_usyms_lines(syms, getpid(), 1, &frames), 0);
	assert_false(skep_usyms_lines_trouble(syms, 0, &trouble));
	skep_usyms_free(syms);
}

static void test_not_asked_for(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	const struct skep_source_frame *frames;

	assert_int_equal(skep_usyms_lines(syms, getpid(), outer_function().addr, &frames), 0);
	skep_usyms_free(syms);
}

/* --- Other programs -------------------------------------------------------------------------- */

static const char program[] = "#include <stdio.h>\\n"
			      "#include <unistd.h>\\n"
			      "static inline __attribute__((always_inline)) void *here(void)\\n"
			      "{\\n"
			      "	return __builtin_return_address(0);\\n"
			      "}\\n"
			      "__attribute__((noinline)) void *deep(void) { return here(); }\\n"
			      "int main(void)\\n"
			      "{\\n"
			      "	printf(\"%%p\\\\n\", deep());\\n" /* line 10 */
			      "	fflush(stdout);\\n"
			      "	pause();\\n"
			      "}\\n";

static void make(const char *then)
{
	char command[2048];

	snprintf(command, sizeof(command),
		 "cd %s && rm -rf a* .debug && printf '%s' > a.c && "
		 "gcc -O1 -g -fno-optimize-sibling-calls -o a a.c && %s",
		 folder, program, then);
	assert_int_equal(system(command), 0);
}

/* Start it; what it says first is an address in it. */
static FILE *start(uintptr_t *ret_addr, pid_t *ret_pid)
{
	char command[128], line[64];

	snprintf(command, sizeof(command), "cd %s && echo $$ && exec ./a", folder);
	FILE *from = popen(command, "r");
	assert_non_null(from);
	assert_non_null(fgets(line, sizeof(line), from));
	*ret_pid = atoi(line);
	assert_non_null(fgets(line, sizeof(line), from));
	*ret_addr = strtoull(line, NULL, 16) - 1;
	return from;
}

/* How many frames there are in main(), where it calls; and what was wrong. */
static uint32_t look(struct skep_usyms *syms, uint32_t *ret_line)
{
	const struct skep_source_frame *frames;
	uintptr_t addr;
	pid_t pid;
	FILE *from = start(&addr, &pid);

	skep_usyms_want_lines(syms);
	uint32_t n = skep_usyms_lines(syms, pid, addr, &frames);
	*ret_line = n ? frames[n - 1].line : 0;
	if (n && frames[n - 1].name)
		assert_string_equal(frames[n - 1].name, "main");
	skep_usyms_lines(syms, pid, addr + 1, &frames);
	kill(pid, SIGKILL);
	pclose(from);
	return n;
}

static void expect_line(const char *then)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	struct skep_lines_trouble trouble;
	uint32_t line;

	make(then);
	assert_int_equal(look(syms, &line), 1);
	assert_int_equal(line, 10);
	assert_false(skep_usyms_lines_trouble(syms, 0, &trouble));
	skep_usyms_free(syms);
}

static void test_where_it_is(void **state)
{
	expect_line("true");
	expect_line("objcopy --compress-debug-sections a");
	expect_line("objcopy --only-keep-debug a a.debug && strip a && "
		    "objcopy --add-gnu-debuglink=a.debug a");
	expect_line("objcopy --only-keep-debug a a.debug && strip --strip-debug a && "
		    "objcopy --add-gnu-debuglink=a.debug a");
}

/* The other file has an absolute path, or one from where the first one is. */
static void test_shared_file(void **state)
{
	if (system("command -v dwz >/dev/null"))
		skip();
	expect_line("cp a a2 && dwz -m a.alt -M $PWD/a.alt a a2");
	expect_line("cp a a2 && dwz -m a.alt -r a a2");
}

static void test_shared_file_missing(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	struct skep_lines_trouble trouble;
	uint32_t line;

	if (system("command -v dwz >/dev/null"))
		skip();
	make("cp a a2 && dwz -m a.alt -M $PWD/a.alt a a2 && rm a.alt");
	look(syms, &line);
	assert_true(skep_usyms_lines_trouble(syms, 0, &trouble));
	assert_non_null(strstr(trouble.why, "shares with others"));
	skep_usyms_free(syms);
}

static void test_without(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	struct skep_lines_trouble trouble;
	uint32_t line;

	make("strip a");
	assert_int_equal(look(syms, &line), 0);
	assert_false(skep_usyms_lines_trouble(syms, 0, &trouble));
	skep_usyms_free(syms);
}

/* It is told once, with how many addresses it cost. */
static void test_broken(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	struct skep_lines_trouble trouble;
	uint32_t line;

	make("yes abcdefgh | head -c 4000 > a.bad && "
	     "objcopy --update-section .debug_info=a.bad --update-section .debug_aranges=a.bad a");
	assert_int_equal(look(syms, &line), 0);
	assert_true(skep_usyms_lines_trouble(syms, 0, &trouble));
	assert_non_null(strstr(trouble.path, "/a"));
	assert_true(strlen(trouble.why) > 0);
	assert_false(skep_usyms_lines_trouble(syms, 1, &trouble));
	skep_usyms_free(syms);
}

static int set_up(void **state)
{
	strcpy(folder, "/tmp/skep-lines-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_not_asked_for),
		cmocka_unit_test(test_where_it_is),
		cmocka_unit_test(test_shared_file),
		cmocka_unit_test(test_shared_file_missing),
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
