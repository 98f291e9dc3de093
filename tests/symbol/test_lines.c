/* Source lines of processes: our own, of files with debug information apart, of broken ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skep/symbol.h>

#include "base/fd.h"
#include "symbol/usyms.h"

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
			      "	void *volatile at = __builtin_return_address(0); return at;\\n"
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

static uintptr_t address_of_deep(struct skep_usyms *syms, pid_t pid, uintptr_t in_main)
{
	uint64_t in_file[2];
	struct skep_symbol symbol;
	char path[128];

	snprintf(path, sizeof(path), "%s/a", folder);
	assert_int_equal(skep_usyms_find(syms, path, "main", &in_file[0]), 0);
	assert_int_equal(skep_usyms_find(syms, path, "deep", &in_file[1]), 0);
	assert_int_equal(skep_usyms_lookup(syms, pid, in_main, &symbol), 0);
	assert_string_equal(symbol.name, "main");
	return in_main - symbol.offset + in_file[1] - in_file[0];
}

static void test_shared_file_missing(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	const struct skep_source_frame *frames;
	struct skep_lines_trouble trouble;
	uint32_t line;
	uintptr_t addr;
	pid_t pid;

	if (system("command -v dwz >/dev/null"))
		skip();
	make("cp a a2 && dwz -m a.alt -M $PWD/a.alt a a2 && rm a.alt");
	/* Of main() nothing is lacking: what is not inlined has its name from the symbol table. */
	assert_int_equal(look(syms, &line), 1);
	assert_int_equal(line, 10);
	assert_false(skep_usyms_lines_trouble(syms, 0, &trouble));
	FILE *from = start(&addr, &pid);
	addr = address_of_deep(syms, pid, addr);
	uint32_t n = 0;
	for (int i = 0; i < 16 && n != 2; i++, addr++) /* its beginning may be its own */
		n = skep_usyms_lines(syms, pid, addr, &frames);
	assert_int_equal(n, 2);
	assert_int_equal(skep_usyms_lines(syms, pid, addr - 1, &frames), 2);
	kill(pid, SIGKILL);
	pclose(from);
	assert_int_equal(frames[0].line, 5);
	assert_null(frames[0].name);
	assert_true(skep_usyms_lines_trouble(syms, 0, &trouble));
	assert_string_equal(trouble.why, "the file that it shares with others is not there");
	assert_int_equal(trouble.n, 0);
	assert_int_equal(trouble.n_partial, 1);
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

/* --- What is lost is told, and how much ------------------------------------------------------ */

static pid_t child(void)
{
	_cleanup_buf_ struct skep_buf text = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	assert_int_equal(skep_file_read(path, 4096, &text), 0);
	return text.data && text.len ? atoi(text.data) : 0;
}

static struct skep_usyms *new_with_lines(void)
{
	struct skep_usyms *syms = skep_usyms_new(true);

	skep_usyms_want_lines(syms);
	return syms;
}

static void expect_trouble(const struct skep_usyms *syms, uint64_t n, const char *why)
{
	struct skep_lines_trouble trouble;

	assert_true(skep_usyms_lines_trouble(syms, 0, &trouble));
	assert_string_equal(trouble.why, why);
	assert_int_equal(trouble.n, n);
	assert_int_equal(trouble.n_partial, 0);
	assert_false(skep_usyms_lines_trouble(syms, 1, &trouble));
}

/* Each address once, however often it is asked for. */
static void test_how_many(void **state)
{
	struct skep_usyms *syms = new_with_lines();
	const struct skep_source_frame *frames;
	uintptr_t addr;
	pid_t pid;

	make("yes abcdefgh | head -c 4000 > a.bad && "
	     "objcopy --update-section .debug_info=a.bad --update-section .debug_aranges=a.bad a");
	FILE *from = start(&addr, &pid);
	for (int i = 0; i < 30; i++)
		skep_usyms_lines(syms, pid, addr + (uintptr_t)i % 10, &frames);
	expect_trouble(syms, 10, "its table of addresses is cut off");
	kill(pid, SIGKILL);
	pclose(from);
	skep_usyms_free(syms);
}

static void expect_whole(struct skep_usyms *syms)
{
	const struct skep_source_frame *frames;

	assert_int_equal(skep_usyms_lines(syms, getpid(), outer_function().addr, &frames), 2);
}

/* One file's end is not that of another one. */
static void test_one_dies(void **state)
{
	struct skep_usyms *syms = new_with_lines();
	const struct skep_source_frame *frames;
	uintptr_t addr;
	pid_t pid;

	make("true");
	FILE *from = start(&addr, &pid);
	assert_int_equal(child(), pid);
	assert_int_equal(skep_usyms_lines(syms, pid, addr, &frames), 1);
	skep_usyms_note_process(syms, getpid());
	/* The two that we have are in order of their age. */
	char path[64];
	_cleanup_buf_ struct skep_buf text = {0};
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	assert_int_equal(skep_file_read(path, 4096, &text), 0);
	const char *second = strchr(text.data, ' ');
	assert_non_null(second);
	assert_int_not_equal(atoi(second), 0);
	kill(atoi(second), SIGKILL);
	for (int i = 0; i < 2; i++)
		assert_int_equal(skep_usyms_lines(syms, pid, addr + 1, &frames), 0);
	assert_int_equal(skep_usyms_lines(syms, pid, addr + 2, &frames), 0);
	assert_int_equal(skep_usyms_lines(syms, pid, addr, &frames), 1);
	expect_whole(syms);
	expect_trouble(syms, 2, "what reads it was killed");
	kill(pid, SIGKILL);
	pclose(from);
	skep_usyms_free(syms);
	assert_int_equal(child(), 0);
}

/* While one waits that is to end us. When it was read, what is asked for then is for somebody. */
static void test_a_signal_waits(void **state)
{
	struct skep_usyms *syms = new_with_lines();
	const struct skep_source_frame *frames;
	sigset_t mask, before;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, &before);
	expect_whole(syms);
	kill(getpid(), SIGTERM);
	assert_int_equal(skep_usyms_lines(syms, getpid(), (uintptr_t)expect_whole, &frames), 0);
	expect_trouble(syms, 1, "a signal ended the reading");
	expect_whole(syms); /* that is remembered */
	assert_int_equal(sigwaitinfo(&mask, NULL), SIGTERM);
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_int_equal(skep_usyms_lines(syms, getpid(), (uintptr_t)expect_whole, &frames), 1);
	expect_trouble(syms, 1, "a signal ended the reading");
	skep_usyms_free(syms);
	assert_int_equal(child(), 0);
}

/* All files have it together. */
static void test_no_time_left(void **state)
{
	struct skep_usyms *syms = new_with_lines();
	const struct skep_source_frame *frames;

	expect_whole(syms);
	assert_true(syms->lines->waited_ns > 0);
	syms->lines->waited_ns = UINT64_MAX;
	assert_int_equal(skep_usyms_lines(syms, getpid(), (uintptr_t)expect_whole, &frames), 0);
	expect_whole(syms);
	expect_trouble(syms, 1, "reading files has taken too long");
	skep_usyms_free(syms);
}

/* --- Few descriptors ------------------------------------------------------------------------- */

/* With @n more than are open: either all is there, or what is lacking is told, and why. */
static bool look_with_few(pid_t pid, uint64_t addr, rlim_t n)
{
	struct skep_usyms *syms = new_with_lines();
	const struct skep_source_frame *frames;
	struct skep_lines_trouble trouble;
	struct rlimit limit, low;

	int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = (struct rlimit){.rlim_cur = (rlim_t)next + n, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	uint32_t got = skep_usyms_lines(syms, pid, addr, &frames);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	bool is_told = skep_usyms_lines_trouble(syms, 0, &trouble);
	assert_true(got ? frames[0].line == 10 : is_told);
	if (is_told) {
		if (strcmp(trouble.why, "what reads it had no descriptors left"))
			assert_string_equal(trouble.why, strerror(EMFILE));
		assert_int_equal(trouble.n, !got);
		assert_int_equal(trouble.n_partial, got);
		assert_false(skep_usyms_lines_trouble(syms, 1, &trouble));
	}
	skep_usyms_free(syms);
	return got && !is_told;
}

static void expect_told_with_few(const char *then)
{
	uintptr_t addr;
	pid_t pid;
	rlim_t n = 0;

	make(then);
	FILE *from = start(&addr, &pid);
	while (!look_with_few(pid, addr, n))
		assert_true(++n < 20);
	assert_true(n > 2);
	kill(pid, SIGKILL);
	pclose(from);
}

static void test_few_descriptors(void **state)
{
	expect_told_with_few("true");
	expect_told_with_few("objcopy --only-keep-debug a a.debug && strip a && "
			     "objcopy --add-gnu-debuglink=a.debug a");
}

static void test_few_descriptors_and_a_shared_file(void **state)
{
	if (system("command -v dwz >/dev/null"))
		skip();
	expect_told_with_few("cp a a2 && dwz -m a.alt -M $PWD/a.alt a a2");
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
		cmocka_unit_test(test_how_many),
		cmocka_unit_test(test_one_dies),
		cmocka_unit_test(test_a_signal_waits),
		cmocka_unit_test(test_no_time_left),
		cmocka_unit_test(test_few_descriptors),
		cmocka_unit_test(test_few_descriptors_and_a_shared_file),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
