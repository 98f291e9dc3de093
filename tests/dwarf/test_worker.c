/* What a broken file may do: cost its answers. What the process that reads it has and leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skep/elf.h>

#include "base/fd.h"
#include "dwarf/worker.h"

static char folder[64];

static bool run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool run(const char *fmt, ...)
{
	char command[2048];
	int n = snprintf(command, sizeof(command), "cd %s && ", folder);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command + n, sizeof(command) - (size_t)n, fmt, ap);
	va_end(ap);
	return system(command) == 0;
}

static int open_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static struct skep_dwarf_worker *start(const char *name)
{
	_cleanup_close_ int fd = open_file(name);
	struct skep_dwarf_worker *worker = NULL;

	assert_int_equal(skep_dwarf_worker_start(fd, -1, -1, &worker), 0);
	return worker;
}

/* Two functions, each in a unit of its own. */
static void make(void)
{
	assert_true(run("echo 'int one(int x) { return x * 3; }' > one.c && "
			"echo 'int two(int x) { return x * 5; }' > two.c && "
			"gcc -O1 -g -nostdlib -shared -o a one.c two.c"));
}

static uint64_t address_of(const char *file, const char *name)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	struct skep_elf_sym sym;

	assert_int_equal(skep_elf_open_fd(open_file(file), file, &elf, NULL), 0);
	assert_int_equal(skep_elf_find_symbol(elf, name, &sym), 0);
	return sym.addr;
}

static void expect(struct skep_dwarf_worker *worker, const char *name)
{
	struct skep_dwarf_answer answer = {0};

	assert_int_equal(skep_dwarf_worker_ask(worker, address_of("a", name), &answer), 0);
	assert_int_equal(answer.n, 1);
	assert_false(answer.is_partial);
	assert_string_equal(answer.text.data + answer.frames[0].name, name);
	assert_int_equal(answer.frames[0].line, 1);
	skep_dwarf_answer_done(&answer);
}

static void test_answers(void **state)
{
	make();
	struct skep_dwarf_worker *worker = start("a");
	struct skep_dwarf_answer answer = {0};

	expect(worker, "one");
	expect(worker, "two");
	assert_int_equal(skep_dwarf_worker_ask(worker, 1, &answer), -ENOENT);
	expect(worker, "one");
	assert_null(skep_dwarf_worker_why(worker));
	skep_dwarf_answer_done(&answer);
	skep_dwarf_worker_stop(worker);
}

/* The version in the header of the first unit becomes 99: of the second one all is known. */
static void test_bad_unit(void **state)
{
	struct skep_dwarf_answer answer = {0};

	make();
	assert_true(run("objcopy -O binary --only-section=.debug_info "
			"--set-section-flags .debug_info=alloc a info && "
			"printf '\\143\\000' | dd of=info bs=1 seek=4 conv=notrunc 2>/dev/null && "
			"objcopy --update-section .debug_info=info a"));
	struct skep_dwarf_worker *worker = start("a");
	expect(worker, "two");
	assert_null(skep_dwarf_worker_why(worker));
	assert_int_equal(skep_dwarf_worker_ask(worker, address_of("a", "one"), &answer), -EBADMSG);
	assert_string_equal(skep_dwarf_worker_why(worker), "a unit of an unknown version");
	expect(worker, "two");
	skep_dwarf_worker_stop(worker);
	/* When all units were looked at for it, the other one's answer still is whole. */
	assert_true(run("objcopy --remove-section .debug_aranges a"));
	worker = start("a");
	expect(worker, "two");
	assert_non_null(skep_dwarf_worker_why(worker));
	assert_int_equal(skep_dwarf_worker_ask(worker, address_of("a", "one"), &answer), -EBADMSG);
	skep_dwarf_answer_done(&answer);
	skep_dwarf_worker_stop(worker);
}

static void expect_nothing(const char *name, int err, const char *why)
{
	struct skep_dwarf_worker *worker = start(name);
	struct skep_dwarf_answer answer = {0};

	for (int i = 0; i < 2; i++)
		assert_int_equal(skep_dwarf_worker_ask(worker, 0x1000, &answer), err);
	if (why)
		assert_string_equal(skep_dwarf_worker_why(worker), why);
	assert_non_null(skep_dwarf_worker_why(worker));
	skep_dwarf_answer_done(&answer);
	skep_dwarf_worker_stop(worker);
}

static void test_no_dwarf(void **state)
{
	make();
	assert_true(run("strip a && echo hello > b"));
	expect_nothing("a", -EBADMSG, "there is none");
	expect_nothing("b", -EBADMSG, "its file is no ELF file");
}

/* 200 MiB of zeros are 200 KiB in the file. */
static void test_too_much_inflated(void **state)
{
	make();
	assert_true(run("truncate -s 200M zeros && "
			"objcopy --update-section .debug_info=zeros a && "
			"objcopy --compress-debug-sections=zlib a && rm zeros"));
	expect_nothing("a", -EBADMSG, "its compressed sections are too large");
}

/* A unit of version 4 that begins at 0x1000; what is in it, and its abbreviations but the first. */
static void make_unit(const char *entries, const char *abbrevs, const char *more)
{
	assert_true(run("cat > u.s <<'EOF'\n"
			".text\n .skip 65536\n"
			".section .debug_info,\"\",@progbits\n"
			".long 2f - 1f\n 1: .short 4\n .long 0\n .byte 8\n"
			".byte 1\n .quad 0x1000\n .long 0x10000\n"
			"%s .byte 0\n 2:\n"
			".section .debug_abbrev,\"\",@progbits\n"
			".byte 1, 0x11, 1, 0x11, 1, 0x12, 6, 0, 0\n"
			"%s .byte 0\n %s\n"
			"EOF\n"
			"gcc -nostdlib -shared -Wl,-Ttext=0x1000 -Wl,--build-id=none -o u u.s",
			entries, abbrevs, more));
}

/* Functions without number, and zeros in the unit behind them, 190 MB, all of it compressed well.
 * How a sanitizer ends the process is its own affair. */
static void test_too_much_memory(void **state)
{
	const char *why = "it takes too much memory to read";

#ifdef __SANITIZE_ADDRESS__
	why = NULL;
#endif
	make_unit(".rept 2200000\n .byte 2\n .endr\n .byte 0\n .skip 190000000\n",
		  ".byte 2, 0x2e, 0, 0, 0\n", "");
	assert_true(run("objcopy --compress-debug-sections=zlib u && rm u.s"));
	expect_nothing("u", -EPIPE, why);
}

static void ask_partial(struct skep_dwarf_worker *worker, uint64_t addr, const char *why)
{
	struct skep_dwarf_answer answer = {0};

	assert_int_equal(skep_dwarf_worker_ask(worker, addr, &answer), 0);
	assert_true(answer.is_partial);
	assert_string_equal(skep_dwarf_worker_why(worker), why);
	skep_dwarf_answer_done(&answer);
}

/* A list of 5,000 ranges that 2,000 inlined calls have in common. The first function is whole. */
static void test_too_many_ranges(void **state)
{
	make_unit(".byte 2\n .quad 0x1000\n .byte 16\n .asciz \"first\"\n"
		  ".rept 2000\n .byte 3\n .long 0\n .endr\n .byte 0\n",
		  ".byte 2, 0x2e, 1, 0x11, 1, 0x12, 11, 3, 8, 0, 0\n"
		  ".byte 3, 0x1d, 0, 0x55, 0x17, 0, 0\n",
		  ".section .debug_ranges,\"\",@progbits\n"
		  ".rept 5000\n .quad 4, 8\n .endr\n .quad 0, 0\n");
	struct skep_dwarf_worker *worker = start("u");
	ask_partial(worker, 0x1000, "it has more ranges than are read");
	skep_dwarf_worker_stop(worker);
}

/* 30 units, each of 1 KiB of code, that have 250,000 abbreviations in common. */
static void test_too_many_abbreviations(void **state)
{
	struct skep_dwarf_answer answer = {0};

	assert_true(run("cat > m.s <<'EOF'\n"
			".text\n .skip 65536\n"
			".section .debug_info,\"\",@progbits\n"
			".set at, 0x1000\n"
			".rept 30\n .long 23\n .short 4\n .long 0\n .byte 8\n"
			".byte 1\n .quad at\n .long 1024\n .byte 2, 'f', 0\n .set at, at + 1024\n"
			".endr\n"
			".section .debug_aranges,\"\",@progbits\n"
			".set at, 0x1000\n .set unit, 0\n"
			".rept 30\n .long 44\n .short 2\n .long unit\n .byte 8, 0\n .long 0\n"
			".quad at, 1024, 0, 0\n .set at, at + 1024\n .set unit, unit + 27\n"
			".endr\n"
			".section .debug_abbrev,\"\",@progbits\n"
			".byte 1, 0x11, 1, 0x11, 1, 0x12, 6, 0, 0\n"
			".rept 250000\n .byte 2, 0x2e, 0, 3, 8, 0, 0\n .endr\n .byte 0\n"
			"EOF\n"
			"gcc -nostdlib -shared -Wl,-Ttext=0x1000 -o m m.s"));
	struct skep_dwarf_worker *worker = start("m");
	for (uint64_t i = 0; i < 30; i++)
		assert_int_equal(skep_dwarf_worker_ask(worker, 0x1000 + i * 1024, &answer),
				 -ENOENT);
	assert_null(skep_dwarf_worker_why(worker));
	skep_dwarf_answer_done(&answer);
	skep_dwarf_worker_stop(worker);
}

/* Of code whose functions are elsewhere a line would seem to be one of the function around it. */
static void test_split(void **state)
{
	static const char *const compilers[] = {"gcc -gdwarf-5", "gcc -gdwarf-4",
						"clang -gdwarf-5 -fno-split-dwarf-inlining"};

	for (size_t i = 0; i < sizeof(compilers) / sizeof(*compilers); i++) {
		assert_true(run("echo 'int one(int x) { return x * 3; }' > one.c && "
				"%s -O1 -gsplit-dwarf -nostdlib -shared -o a one.c",
				compilers[i]));
		struct skep_dwarf_worker *worker = start("a");
		struct skep_dwarf_answer answer = {0};
		uint64_t addr = address_of("a", "one");
		assert_int_equal(skep_dwarf_worker_ask(worker, addr, &answer), -EBADMSG);
		assert_string_equal(skep_dwarf_worker_why(worker),
				    "its functions are in files apart (.dwo), which are not read");
		skep_dwarf_answer_done(&answer);
		skep_dwarf_worker_stop(worker);
	}
}

/* clang leaves functions with the lines that something is inlined into. */
static void test_split_with_functions(void **state)
{
	struct skep_dwarf_answer answer = {0};

	assert_true(
		run("echo 'static inline __attribute__((always_inline)) int in(int x)\n"
		    "{ return x * 3; }\n"
		    "int one(int x)\n{ return in(x); }' > one.c && "
		    "clang -gdwarf-5 -O1 -gsplit-dwarf -fsplit-dwarf-inlining -nostdlib -shared "
		    "-o a one.c"));
	struct skep_dwarf_worker *worker = start("a");
	assert_int_equal(skep_dwarf_worker_ask(worker, address_of("a", "one"), &answer), 0);
	assert_int_equal(answer.n, 2);
	assert_string_equal(answer.text.data + answer.frames[0].name, "in");
	assert_int_equal(answer.frames[0].line, 2);
	assert_int_equal(answer.frames[1].line, 4);
	assert_false(answer.is_partial);
	skep_dwarf_answer_done(&answer);
	skep_dwarf_worker_stop(worker);
}

/* The table of lines is cut off: of what is there the function's name is left. */
static void test_partial(void **state)
{
	make();
	assert_true(run("printf '\\377\\377' > bad && "
			"objcopy --update-section .debug_line=bad a"));
	struct skep_dwarf_worker *worker = start("a");
	ask_partial(worker, address_of("a", "one"), "a table of lines has no good header");
	skep_dwarf_worker_stop(worker);
}

/* What says which unit an address is in is cut off: of none it can be said that it has no lines. */
static void test_torn_index(void **state)
{
	struct skep_dwarf_answer answer = {0};

	make();
	assert_true(
		run("printf '\\377\\377\\0\\0' > bad && "
		    "objcopy --update-section .debug_info=bad --remove-section .debug_aranges a"));
	struct skep_dwarf_worker *worker = start("a");
	for (int i = 0; i < 2; i++)
		assert_int_equal(skep_dwarf_worker_ask(worker, address_of("a", "one"), &answer),
				 -EBADMSG);
	assert_string_equal(skep_dwarf_worker_why(worker), "a unit is cut off");
	skep_dwarf_answer_done(&answer);
	skep_dwarf_worker_stop(worker);
}

/* --- Processes ------------------------------------------------------------------------------- */

/* Our one child; 0: we have none. */
static pid_t child(void)
{
	_cleanup_buf_ struct skep_buf text = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	assert_int_equal(skep_file_read(path, 4096, &text), 0);
	return text.data ? atoi(text.data) : 0;
}

static int count_fds(pid_t pid)
{
	char path[64];
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void test_has_nothing_of_ours(void **state)
{
	int own = open("/dev/null", O_RDONLY); /* not even closed by exec() */

	make();
	struct skep_dwarf_worker *worker = start("a");
	expect(worker, "one");
	assert_int_equal(count_fds(child()), 5);
	kill(child(), SIGINT); /* is for us */
	expect(worker, "two");
	skep_dwarf_worker_stop(worker);
	assert_int_equal(child(), 0);
	close(own);
}

static void test_killed(void **state)
{
	struct skep_dwarf_answer answer = {0};

	make();
	struct skep_dwarf_worker *worker = start("a");
	expect(worker, "one");
	kill(child(), SIGKILL);
	assert_int_equal(skep_dwarf_worker_ask(worker, 0x1000, &answer), -EPIPE);
	assert_string_equal(skep_dwarf_worker_why(worker), "what reads it was killed");
	assert_int_equal(child(), 0);
	assert_int_equal(skep_dwarf_worker_ask(worker, 0x1000, &answer), -EPIPE);
	skep_dwarf_worker_stop(worker);
}

static int set_up(void **state)
{
	strcpy(folder, "/tmp/skep-worker-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	return run("rm -rf %s", folder) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_bad_unit),
		cmocka_unit_test(test_no_dwarf),
		cmocka_unit_test(test_too_much_inflated),
		cmocka_unit_test(test_too_much_memory),
		cmocka_unit_test(test_too_many_ranges),
		cmocka_unit_test(test_too_many_abbreviations),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_with_functions),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_torn_index),
		cmocka_unit_test(test_has_nothing_of_ours),
		cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
