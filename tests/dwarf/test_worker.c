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

	assert_int_equal(skep_dwarf_worker_start(fd, -1, &worker), 0);
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

/* 300 MiB of zeros are 300 KiB in the file. How a sanitizer ends the process is its own affair. */
static void test_too_much_memory(void **state)
{
	const char *why = "it takes too much memory to read";

#ifdef __SANITIZE_ADDRESS__
	why = NULL;
#endif
	make();
	assert_true(run("truncate -s 300M zeros && "
			"objcopy --update-section .debug_info=zeros a && "
			"objcopy --compress-debug-sections=zlib a && rm zeros"));
	expect_nothing("a", -EPIPE, why);
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
		cmocka_unit_test(test_too_much_memory),
		cmocka_unit_test(test_has_nothing_of_ours),
		cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
