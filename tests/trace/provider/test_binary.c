/*
 * uprobes and USDT probes in this test's own executable, which has functions with
 * C++ and Rust names, aliases, and notes as <sys/sdt.h> makes them; and in libc.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "trace/provider/provider.h"
#include "trace/provider/symbols.h"
#include "script.h"

#define FIXTURE __attribute__((noinline, used))

int fixture_alpha(int x);
int __fixture_alpha_alias(int x) __attribute__((alias("fixture_alpha"), used));
int fixture_beta(int x);
int cpp_int(int x) __asm__("_ZN7fixture4Room4openEi");
int cpp_double(double x) __asm__("_ZN7fixture4Room4openEd");
int cpp_close(void) __asm__("_ZNK7fixture4Room5closeEv");
int rust_bark(int x) __asm__("_ZN5crate4bark17h0123456789abcdefE");

volatile int sink;

FIXTURE int fixture_alpha(int x)
{
	sink += x;
	return sink * 3;
}

FIXTURE int fixture_beta(int x)
{
	sink -= x;
	return sink;
}

FIXTURE int cpp_int(int x)
{
	sink += x * 5;
	return sink;
}

FIXTURE int cpp_double(double x)
{
	sink += (int)x;
	return sink;
}

FIXTURE int cpp_close(void)
{
	return sink++;
}

FIXTURE int rust_bark(int x)
{
	sink ^= x;
	return sink;
}

__attribute__((used, section(".probes"))) unsigned short fixture_semaphore;

#define NOTE(name, semaphore, args)                                                                \
	__asm__ volatile("990: nop\n"                                                              \
			 ".pushsection .note.stapsdt,\"\",\"note\"\n"                              \
			 ".balign 4\n"                                                             \
			 ".4byte 992f-991f, 994f-993f, 3\n"                                        \
			 "991: .asciz \"stapsdt\"\n"                                               \
			 "992: .balign 4\n"                                                        \
			 "993: .8byte 990b\n"                                                      \
			 ".8byte 0\n"                                                              \
			 ".8byte " semaphore "\n"                                                  \
			 ".asciz \"skeptest\"\n"                                                   \
			 ".asciz \"" name "\"\n"                                                   \
			 ".asciz \"" args "\"\n"                                                   \
			 "994: .balign 4\n"                                                        \
			 ".popsection\n")

static FIXTURE void fixture_notes(void)
{
	NOTE("tick", "fixture_semaphore", "-4@$7 8@$9");
	sink++;
	NOTE("tick", "fixture_semaphore", "-4@$8 8@$10");
	NOTE("tock", "0", "");
}

static struct fixture f;
static char self[4096];

static int setup(void **state)
{
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[len < 0 ? 0 : len] = '\0';
	fixture_init(&f);
	return 0;
}

static int teardown(void **state)
{
	fixture_done(&f);
	return 0;
}

/* @fmt has this executable's path for %s. */
static int expand(const char *fmt)
{
	char *text = skep_arena_alloc(&f.arena, strlen(fmt) + sizeof(self));

	snprintf(text, strlen(fmt) + sizeof(self), fmt, self);
	return fixture_expand(&f, text);
}

static const char *last_part(const struct skep_probe *probe)
{
	return strrchr(probe->name, ':') + 1;
}

static uint64_t file_off(const void *func)
{
	char line[4096];
	uint64_t from, to, off, want = (uint64_t)(uintptr_t)func, found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &from, &to, &off) == 3 && want >= from &&
		    want < to)
			found = want - from + off;
	}
	fclose(maps);
	return found;
}

static void by_name(void **state)
{
	assert_int_equal(expand("uprobe:%s:fixture_alpha {}"), 0);
	assert_int_equal(f.x.n_probes, 1);
	const struct skep_probe *probe = f.x.probes[0];
	assert_string_equal(last_part(probe), "fixture_alpha");
	assert_string_equal(probe->func, "fixture_alpha");
	assert_string_equal(probe->attach.uprobe.path, self);
	assert_int_equal(probe->attach.uprobe.file_off, file_off((void *)fixture_alpha));
	assert_int_equal(probe->attach.uprobe.ref_ctr_off, 0);
	assert_int_equal(probe->attach.uprobe.pid, -1);
	assert_false(probe->attach.uprobe.ret);
	assert_int_equal(expand("ur:%s:fixture_beta {}"), 0);
	assert_true(f.x.probes[0]->attach.uprobe.ret);
	assert_memory_equal(f.x.probes[0]->name, "uretprobe:", 10);
}

static void patterns(void **state)
{
	/* alpha's alias is the same place, and the less plain name */
	assert_int_equal(expand("uprobe:%s:*fixture_?[el]* {}"), 0);
	assert_int_equal(f.x.n_probes, 2);
	assert_string_equal(last_part(f.x.probes[0]), "fixture_alpha");
	assert_string_equal(last_part(f.x.probes[1]), "fixture_beta");
	assert_int_equal(expand("uprobe:%s:__fixture_alpha_alias {}"), 0);
	assert_string_equal(last_part(f.x.probes[0]), "__fixture_alpha_alias");
}

static void languages(void **state)
{
	/* Overloads share a name. */
	assert_int_equal(expand("uprobe:%s:cpp:\"fixture::Room::open\" {}"), 0);
	assert_int_equal(f.x.n_probes, 2);
	assert_string_equal(last_part(f.x.probes[0]), "_ZN7fixture4Room4openEd");
	assert_string_equal(f.x.probes[1]->func, "fixture::Room::open(int)");
	assert_int_equal(expand("uprobe:%s:\"fixture::Room::open(int)\" {}"), 0);
	assert_int_equal(f.x.n_probes, 1);
	assert_int_equal(f.x.probes[0]->attach.uprobe.file_off, file_off((void *)cpp_int));
	assert_int_equal(expand("uprobe:%s:cpp:\"fixture::*\" {}"), 0);
	assert_int_equal(f.x.n_probes, 3);
	assert_int_equal(expand("uprobe:%s:\"crate::bark\" {}"), 0);
	assert_int_equal(f.x.probes[0]->attach.uprobe.file_off, file_off((void *)rust_bark));
	assert_int_equal(expand("uprobe:%s:_ZN7fixture4Room4openEi {}"), 0);
	assert_int_equal(f.x.n_probes, 1);
}

static void offsets(void **state)
{
	assert_int_equal(expand("uprobe:%s:fixture_beta+4 {}"), 0);
	assert_string_equal(last_part(f.x.probes[0]), "fixture_beta+4");
	assert_int_equal(f.x.probes[0]->attach.uprobe.file_off, file_off((void *)fixture_beta) + 4);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_BOUNDARY);
	assert_int_equal(f.diag.n_errors, 0);
	assert_int_equal(expand("uprobe:%s:fixture_beta+4000 {}"), -EINVAL);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_OFFSET);
	assert_int_equal(expand("uretprobe:%s:fixture_beta+4 {}"), -EINVAL);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_RETURN_OFFSET);
}

static void addresses(void **state)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	struct skep_elf_sym sym;
	char text[256];

	assert_int_equal(skep_elf_open(self, &elf, NULL), 0);
	assert_int_equal(skep_elf_find_symbol(elf, "fixture_beta", &sym), 0);
	snprintf(text, sizeof(text), "uprobe:%%s:0x%llx {}", (unsigned long long)sym.addr);
	assert_int_equal(expand(text), 0);
	assert_int_equal(f.x.probes[0]->attach.uprobe.file_off, file_off((void *)fixture_beta));
	assert_string_equal(f.x.probes[0]->func, "fixture_beta");
	assert_int_equal(f.diag.n_items, 0);
	snprintf(text, sizeof(text), "uretprobe:%%s:0x%llx {}", (unsigned long long)sym.addr + 4);
	assert_int_equal(expand(text), -EINVAL);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_RETURN_OFFSET);
	assert_int_equal(skep_elf_find_any_symbol(elf, "sink", &sym), 0);
	snprintf(text, sizeof(text), "uprobe:%%s:0x%llx {}", (unsigned long long)sym.addr);
	assert_int_equal(expand(text), -EINVAL);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_ADDRESS);
}

static void missing(void **state)
{
	assert_int_equal(expand("uprobe:%s:fixture_alpah {}"), -EINVAL);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_MISSING);
	assert_string_equal(f.diag.items[0].hint, "did you mean fixture_alpha?");
	assert_int_equal(f.diag.items[0].span.len, strlen("fixture_alpah"));
	assert_int_equal(f.diag.items[0].span.off, strlen("uprobe::") + strlen(self));
	assert_int_equal(expand("uprobe:%sx:fixture_alpha {}"), -EINVAL);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_BINARY);
	assert_int_equal(expand("usdt:%s:skeptest:tikc {}"), -EINVAL);
	assert_string_equal(f.diag.items[0].hint, "did you mean tick?");
	assert_int_equal(expand("uprobe:/etc/passwd:main {}"), -EINVAL);
	assert_true(f.diag.n_errors);
}

static void libraries(void **state)
{
	assert_int_equal(fixture_expand(&f, "uprobe:libc:malloc {}"), 0);
	assert_int_equal(f.x.n_probes, 1);
	assert_non_null(strstr(f.x.probes[0]->attach.uprobe.path, "/libc.so.6"));
	assert_int_equal(fixture_expand(&f, "uprobe:libc:malloc, uprobe:libc:mallo* {}"), 0);
	uint32_t n = 0;
	for (uint32_t i = 0; i < f.x.n_probes; i++)
		n += !strcmp(last_part(f.x.probes[i]), "malloc");
	assert_int_equal(n, 1);
	assert_int_equal(fixture_expand(&f, "uprobe:sh:no_such_function_here {}"), -EINVAL);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_MISSING);
}

/* With -p the binary can be left out, and libraries are those the process has. */
static void of_process(void **state)
{
	f.x.pid = getpid();
	assert_int_equal(fixture_expand(&f, "uprobe:fixture_alpha {}"), 0);
	assert_string_equal(f.x.probes[0]->attach.uprobe.path, self);
	assert_int_equal(f.x.probes[0]->attach.uprobe.pid, getpid());
	assert_int_equal(fixture_expand(&f, "uprobe::fixture_alpha {}"), 0);
	assert_string_equal(f.x.probes[0]->attach.uprobe.path, self);
	assert_int_equal(fixture_expand(&f, "uprobe:cpp:\"fixture::Room::close\" {}"), 0);
	assert_int_equal(f.x.n_probes, 1);
	assert_int_equal(fixture_expand(&f, "uprobe:*:fixture_alpha {}"), 0);
	assert_int_equal(f.x.n_probes, 1);
	assert_int_equal(fixture_expand(&f, "usdt:skeptest:tock, usdt:*:skeptest:tock {}"),
			 -EINVAL);
	assert_int_equal(fixture_expand(&f, "usdt:*:skeptest:tock, usdt:tock {}"), 0);
	assert_int_equal(f.x.n_probes, 1);
	/* Ended, and not yet waited for: there is no exe to look at. */
	pid_t child = fork();
	if (!child)
		_exit(0);
	waitpid(child, NULL, 0);
	f.x.pid = child;
	assert_int_equal(fixture_expand(&f, "uprobe:fixture_alpha {}"), -EINVAL);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_PROCESS);
	f.x.pid = -1;
	f.x.cmd_path = self;
	assert_int_equal(fixture_expand(&f, "uprobe:fixture_alpha {}"), 0);
}

static void globs(void **state)
{
	char *dot = strrchr(self, '/');
	char text[8192];

	snprintf(text, sizeof(text), "uprobe:%.*s/*:fixture_alpha {}", (int)(dot - self), self);
	assert_int_equal(fixture_expand(&f, text), 0);
	assert_int_equal(f.x.n_probes, 1);
	snprintf(text, sizeof(text), "uprobe:%.*s/*:no_such {}", (int)(dot - self), self);
	assert_int_equal(fixture_expand(&f, text), -EINVAL);
	assert_int_equal(f.diag.items[0].id, SKEP_DIAG_PROBE_MISSING);
	snprintf(text, sizeof(text), "*:%s:fixture_alpha {}", self);
	assert_int_equal(fixture_expand(&f, text), 0);
	assert_int_equal(f.x.n_probes, 1);
}

static void usdt(void **state)
{
	fixture_notes();
	assert_int_equal(expand("usdt:%s:skeptest:tick {}"), 0);
	assert_int_equal(f.x.n_probes, 2);
	struct skep_probe *first = f.x.probes[0], *second = f.x.probes[1];
	assert_string_equal(first->name, second->name);
	assert_string_equal(last_part(first), "tick");
	assert_true(first->attach.uprobe.file_off < second->attach.uprobe.file_off);
	assert_int_equal(first->attach.uprobe.ref_ctr_off, file_off(&fixture_semaphore));
	assert_int_equal(skep_usdt_layout(&f.x, second), 0);
	assert_int_equal(second->n_usdt_args, 2);
	assert_int_equal(second->usdt_args[0].kind, SKEP_USDT_CONST);
	assert_int_equal(second->usdt_args[0].value, 8);
	assert_int_equal(second->usdt_args[0].size, -4);
	assert_int_equal(expand("usdt:%s:tock {}"), 0);
	assert_int_equal(f.x.n_probes, 1);
	assert_int_equal(f.x.probes[0]->attach.uprobe.ref_ctr_off, 0);
	assert_int_equal(expand("usdt:%s:skep*:t* {}"), 0);
	assert_int_equal(f.x.n_probes, 3);
	first->usdt_text = "nonsense";
	assert_int_equal(skep_usdt_layout(&f.x, first), -EINVAL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(by_name), TEST(patterns),  TEST(languages),  TEST(offsets), TEST(addresses),
		TEST(missing), TEST(libraries), TEST(of_process), TEST(globs),   TEST(usdt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
