/* Names of frames, kept: of a process that is no more, and of objects that took others' places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interp/names.h"
#include "memory.h"
#include "../silent.h"

/* Of 3.12, as pythons.def has it. */
enum { ASCII = 40, COMPACT = 56, FIRST_LINE = 68, FILE_OFF = 112, NAME = 128, TABLE = 136 };

/* In our own memory, which a child then has, too: objects' addresses are those of the bytes. */
static struct fake fake;

static uint64_t here(uint64_t addr)
{
	return (uint64_t)(uintptr_t)&fake.bytes[addr - FAKE_START];
}

static struct skep_interp_stack stack_of(const char *function)
{
	uint8_t object[160] = {0};
	uint64_t words[SKEP_INTERP_CHECK_WORDS], file, name, table;
	struct skep_interp_stack stack = {.n = 2, .version = SKEP_INTERP_PYTHON_3_12};

	file = here(fake_string(&fake, ASCII, COMPACT, "x.py", 4, 0));
	name = here(fake_string(&fake, ASCII, COMPACT, function, strlen(function), 0));
	table = here(fake_bytes(&fake, "\x80\0", 2));
	object[FIRST_LINE] = 7;
	memcpy(object + FILE_OFF, &file, 8);
	memcpy(object + NAME, &name, 8);
	memcpy(object + TABLE, &table, 8);
	memcpy(words, object + FILE_OFF, sizeof(words));
	stack.frames[0] = (struct skep_interp_frame){
		.code = here(fake_put(&fake, object, sizeof(object))),
		.check = skep_interp_check(words),
	};
	stack.frames[1].at = SKEP_INTERP_ENTRY;
	return stack;
}

static void of_a_process(void **state)
{
	struct skep_interp_names *names = skep_interp_names_new();
	const struct skep_interp_stack stack = stack_of("f");
	struct skep_interp_name name;
	int ends[2];
	char byte;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (!pid) {
		close(ends[1]);
		_exit((int)read(ends[0], &byte, 1));
	}
	skep_interp_names_note(names, (uint32_t)pid, &stack);
	close(ends[1]);
	waitpid(pid, NULL, 0);
	close(ends[0]);
	assert_true(skep_interp_names_find(names, (uint32_t)pid, &stack.frames[0], &name));
	assert_string_equal(name.function, "f");
	assert_string_equal(name.file, "x.py");
	assert_int_equal(name.line, 7);
	assert_false(skep_interp_names_find(names, (uint32_t)pid, &stack.frames[1], &name));
	assert_false(skep_interp_names_find(names, (uint32_t)getpid(), &stack.frames[0], &name));
	assert_true(skep_interp_names_memory(names) > 0);
	skep_interp_names_free(names);
}

static void of_one_that_was_replaced(void **state)
{
	struct skep_interp_names *names = skep_interp_names_new();
	const struct skep_interp_stack f = stack_of("f"), g = stack_of("g");
	struct skep_interp_stack late = f;
	struct skep_interp_name name;
	uint32_t pid = (uint32_t)getpid();

	skep_interp_names_note(names, pid, &f);
	/* g comes to lie where f was; h was there, too, and was not seen in time */
	memcpy((void *)(uintptr_t)f.frames[0].code, (void *)(uintptr_t)g.frames[0].code, 160);
	struct skep_interp_stack moved = g;
	moved.frames[0].code = f.frames[0].code;
	late.frames[0].check ^= 1;
	skep_interp_names_note(names, pid, &moved);
	skep_interp_names_note(names, pid, &late);
	assert_true(skep_interp_names_find(names, pid, &f.frames[0], &name));
	assert_string_equal(name.function, "f");
	assert_true(skep_interp_names_find(names, pid, &moved.frames[0], &name));
	assert_string_equal(name.function, "g");
	assert_false(skep_interp_names_find(names, pid, &late.frames[0], &name));
	skep_interp_names_free(names);
}

#define MANY    80000
#define AT_ONCE 200 /* in a stack */

/* What is met all the time stays, what was not met for long goes, and memory is bounded. */
static uint8_t (*copies_of(const struct skep_interp_stack *f))[160]
{
	uint8_t(*objects)[160] = calloc(MANY, sizeof(*objects));

	assert_non_null(objects);
	for (uint32_t i = 0; i < MANY; i++)
		memcpy(objects[i], (const void *)(uintptr_t)f->frames[0].code, sizeof(*objects));
	return objects;
}

static void of_many(void **state)
{
	struct skep_interp_names *names = skep_interp_names_new();
	const struct skep_interp_stack f = stack_of("f");
	uint8_t(*objects)[160] = copies_of(&f);
	struct skep_interp_frame first = f.frames[0], last = {0};
	struct skep_interp_name name;
	uint32_t pid = (uint32_t)getpid();

	for (uint32_t i = 0; i < MANY; i += AT_ONCE) {
		struct skep_interp_stack stack = f;
		stack.n = 1 + AT_ONCE;
		for (uint32_t k = 0; k < AT_ONCE; k++) {
			stack.frames[1 + k] = f.frames[0];
			stack.frames[1 + k].code = (uint64_t)(uintptr_t)objects[i + k];
		}
		last = stack.frames[AT_ONCE];
		first = i ? first : stack.frames[1];
		skep_interp_names_note(names, pid, &stack);
	}
	assert_true(skep_interp_names_find(names, pid, &f.frames[0], &name));
	assert_string_equal(name.function, "f");
	assert_int_equal(name.line, 7);
	assert_true(skep_interp_names_find(names, pid, &last, &name));
	assert_false(skep_interp_names_find(names, pid, &first, &name));
	assert_true(skep_interp_names_memory(names) < 70u << 20);
	free(objects);
	skep_interp_names_free(names);
}

/* A process that has functions without end, each with a long table, costs its own names only. */
static void of_one_that_has_most(void **state)
{
	static uint8_t table[60000];
	struct skep_interp_names *names = skep_interp_names_new();
	const struct skep_interp_stack f = stack_of("f");
	struct skep_interp_stack stack = f;
	uint32_t self = (uint32_t)getpid();
	struct skep_interp_name name;
	uint64_t size = sizeof(table) - 32, words[SKEP_INTERP_CHECK_WORDS];

	memcpy(table + 16, &size, sizeof(size));
	uint8_t(*objects)[160] = copies_of(&f);
	for (uint32_t i = 0; i < MANY; i++) {
		uint64_t at = (uint64_t)(uintptr_t)table;
		memcpy(objects[i] + TABLE, &at, sizeof(at));
	}
	memcpy(words, objects[0] + FILE_OFF, sizeof(words));
	pid_t pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	skep_interp_names_note(names, self, &f);
	stack.n = AT_ONCE;
	for (uint32_t i = 0; i < 6 * AT_ONCE; i += AT_ONCE) {
		for (uint32_t k = 0; k < AT_ONCE; k++)
			stack.frames[k] = (struct skep_interp_frame){
				.code = (uint64_t)(uintptr_t)objects[i + k],
				.check = skep_interp_check(words)};
		skep_interp_names_note(names, (uint32_t)pid, &stack);
	}
	assert_true(
		skep_interp_names_find(names, (uint32_t)pid, &stack.frames[AT_ONCE - 1], &name));
	assert_true(skep_interp_names_find(names, self, &f.frames[0], &name));
	assert_string_equal(name.function, "f");
	assert_true(skep_interp_names_memory(names) < 20u << 20);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	free(objects);
	skep_interp_names_free(names);
}

/* Many that have little leave those in peace that were met of late. */
static void of_many_processes(void **state)
{
	struct skep_interp_names *names = skep_interp_names_new();
	const struct skep_interp_stack f = stack_of("f");
	struct skep_interp_name name;
	uint32_t self = (uint32_t)getpid();

	for (uint32_t i = 1; i <= 10000; i++) { /* of none of which anything can be read */
		const struct skep_interp_stack none = {.n = 0, .version = f.version};
		skep_interp_names_note(names, (1u << 30) + i, &none);
		if (i % 1000 == 0)
			skep_interp_names_note(names, self, &f);
	}
	assert_true(skep_interp_names_find(names, self, &f.frames[0], &name));
	assert_true(skep_interp_names_memory(names) < 2u << 20);
	skep_interp_names_free(names);
}

/* --- Memory that does not come ---------------------------------------------------------------- */

/* It costs its names, and those of nobody else; and who let us wait is not asked again. */
static void expect_others(pid_t pid, void *page)
{
	struct skep_interp_names *names = skep_interp_names_new();
	const struct skep_interp_stack f = stack_of("f");
	struct skep_interp_stack silent = f;
	uint32_t self = (uint32_t)getpid();
	struct skep_interp_name name;

	silent.frames[0].code = (uint64_t)(uintptr_t)page;
	for (int i = 0; i < 3; i++)
		skep_interp_names_note(names, (uint32_t)pid, &silent);
	assert_int_equal(skep_interp_names_given_up(names), 3);
	skep_interp_names_note(names, self, &f);
	assert_int_equal(skep_interp_names_given_up(names), 3);
	assert_false(skep_interp_names_find(names, (uint32_t)pid, &silent.frames[0], &name));
	assert_true(skep_interp_names_find(names, self, &f.frames[0], &name));
	assert_string_equal(name.function, "f");
	skep_interp_names_free(names);
	kill(pid, SIGKILL);
}

static void *map_page(void)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	return page;
}

static void of_memory_that_nobody_gives(void **state)
{
	void *page = map_page();
	pid_t pid = fork_silent(page, NULL);

	if (!pid)
		skip(); /* no userfaultfd() */
	expect_others(pid, page);
	assert_int_equal(waitpid(-1, NULL, 0), pid); /* and there is no other child of ours */
	assert_int_equal(waitpid(-1, NULL, 0), -1);
	munmap(page, PAGE);
}

/* Not even to kill helps against this one. */
static void of_a_file_that_does_not_come(void **state)
{
	void *page = map_page();
	struct silent_files files;

	if (!silent_files_begin(&files))
		skip(); /* no FUSE */
	pid_t pid = fork_silent(page, files.path);
	assert_int_not_equal(pid, 0);
	expect_others(pid, page);
	silent_files_end(&files);
	waitpid(pid, NULL, 0);
	while (waitpid(-1, NULL, 0) > 0) /* they all end now */
		;
	munmap(page, PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_process),
		cmocka_unit_test(of_one_that_was_replaced),
		cmocka_unit_test(of_many),
		cmocka_unit_test(of_one_that_has_most),
		cmocka_unit_test(of_many_processes),
		cmocka_unit_test(of_memory_that_nobody_gives),
		cmocka_unit_test(of_a_file_that_does_not_come),
	};

	skep_interp_names_free(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
