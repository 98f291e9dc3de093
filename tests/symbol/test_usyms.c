/*
 * Addresses of real processes: ourselves (dladdr is the oracle), a child that
 * has ended, one that executed another program, a deleted file, a C++ program,
 * the vdso.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skep/elf.h>
#include <skep/symbol.h>

__attribute__((noinline, used)) static int local_function(int n)
{
	return n + 1;
}

static void expect(struct skep_usyms *syms, pid_t pid, const void *at, const char *name)
{
	struct skep_symbol sym = {0};

	assert_int_equal(skep_usyms_lookup(syms, pid, (uintptr_t)at + 1, &sym), 0);
	assert_non_null(sym.name);
	assert_string_equal(sym.name, name);
	assert_int_equal(sym.offset, 1);
	assert_non_null(sym.module);
}

static void test_own(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);

	expect(syms, getpid(), test_own, "test_own");
	expect(syms, getpid(), local_function, "local_function");
	expect(syms, getpid(), skep_usyms_lookup, "skep_usyms_lookup");
	skep_usyms_free(syms);
}

/* Where dladdr gives an exported name, ours begins at the same address. */
static void test_like_dladdr(void **state)
{
	static const char *const names[] = {"malloc", "free", "puts", "qsort", "strtoul", "getenv"};
	struct skep_usyms *syms = skep_usyms_new(true);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *at = dlsym(RTLD_DEFAULT, names[i]);
		struct skep_symbol sym;
		Dl_info info;

		assert_non_null(at);
		if (!dladdr(at, &info) || !info.dli_saddr)
			continue;
		assert_int_equal(skep_usyms_lookup(syms, getpid(), (uintptr_t)at + 2, &sym), 0);
		assert_non_null(sym.name);
		assert_int_equal(sym.offset, (uintptr_t)at + 2 - (uintptr_t)info.dli_saddr);
	}
	skep_usyms_free(syms);
}

static void test_public_names(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	void *libc = dlopen("libc.so.6", RTLD_LAZY);

	/* libc has them under inner names too; the one a person knows is shown. */
	expect(syms, getpid(), dlsym(libc, "puts"), "puts");
	expect(syms, getpid(), dlsym(libc, "fopen"), "fopen");
	dlclose(libc);
	skep_usyms_free(syms);
}

static void test_unknown(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	struct skep_symbol sym = {.name = "untouched"};

	assert_int_equal(skep_usyms_lookup(syms, getpid(), 1, &sym), -ENOENT);
	assert_int_equal(skep_usyms_lookup(syms, 0x3ffffff0, (uintptr_t)test_own, &sym), -ENOENT);
	assert_int_equal(skep_usyms_lookup(syms, -1, 1, &sym), -ENOENT);
	assert_string_equal(sym.name, "untouched");
	assert_int_equal(skep_usyms_lookup(syms, getpid(), (uintptr_t)&sym, &sym), 0);
	assert_null(sym.name);
	assert_string_equal(sym.module, "[stack]");
	skep_usyms_note_process(syms, 0x3ffffff0);
	skep_usyms_free(syms);
	skep_usyms_free(NULL);
}

static void test_vdso(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	const void *base = (const void *)getauxval(AT_SYSINFO_EHDR);
	_cleanup_elf_ struct skep_elf *elf = NULL;
	struct skep_elf_sym want;

	if (!base)
		skip();
	assert_int_equal(skep_elf_parse(base, 4096, &elf, NULL), 0);
	if (skep_elf_find_symbol(elf, "clock_gettime", &want) < 0 &&
	    skep_elf_find_symbol(elf, "__vdso_clock_gettime", &want) < 0)
		skip();
	expect(syms, getpid(), (const char *)base + want.addr, strstr(want.name, "clock_gettime"));
	skep_usyms_free(syms);
}

static pid_t start_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_ended(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	void *libc = dlopen("libc.so.6", RTLD_LAZY);
	struct skep_symbol sym;
	pid_t pid = start_child();

	skep_usyms_note_process(syms, pid);
	end_child(pid);
	usleep(60000);
	expect(syms, pid, test_ended, "test_ended");
	expect(syms, pid, dlsym(libc, "puts"), "puts");
	/* One that was never seen has none. */
	pid = start_child();
	end_child(pid);
	assert_int_equal(skep_usyms_lookup(syms, pid, (uintptr_t)test_ended, &sym), -ENOENT);
	dlclose(libc);
	skep_usyms_free(syms);
}

/* Before and after execve(): both programs' addresses have names. */
static void test_exec(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	struct skep_symbol sym;
	int go[2];
	char text[512], line[512];
	unsigned long start = 0;
	pid_t pid;
	FILE *f;

	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (pid == 0) {
		if (read(go[0], text, 1) == 1)
			execl("/bin/sleep", "sleep", "60", NULL);
		_exit(1);
	}
	skep_usyms_note_process(syms, pid);
	assert_int_equal(write(go[1], "x", 1), 1);
	usleep(200000);
	snprintf(text, sizeof(text), "/proc/%d/maps", pid);
	f = fopen(text, "r");
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "/sleep") && strstr(line, "r-xp"))
			start = strtoul(line, NULL, 16);
	fclose(f);
	assert_true(start != 0);
	assert_int_equal(skep_usyms_lookup(syms, pid, start + 0x100, &sym), 0);
	assert_non_null(strstr(sym.module, "/sleep"));
	expect(syms, pid, test_exec, "test_exec");
	end_child(pid);
	close(go[0]);
	close(go[1]);
	skep_usyms_free(syms);
}

static bool run(const char *command)
{
	return system(command) == 0;
}

/* Start @path, wait for its line "ADDRESS", return it. */
static unsigned long start_program(const char *path, pid_t *ret_pid)
{
	char line[64] = "";
	int out[2];
	ssize_t n;

	assert_int_equal(pipe(out), 0);
	*ret_pid = fork();
	if (*ret_pid == 0) {
		dup2(out[1], 1);
		execl(path, path, NULL);
		_exit(1);
	}
	close(out[1]);
	n = read(out[0], line, sizeof(line) - 1);
	close(out[0]);
	assert_true(n > 0);
	return strtoul(line, NULL, 16);
}

static const char cxx_program[] =
	"#include <cstdio>\n#include <unistd.h>\n"
	"namespace shop { struct Cart { __attribute__((noinline)) int add(int n, const char *s)"
	" { return printf(\"%s%d\", s, n); } }; }\n"
	"int (shop::Cart::*volatile p)(int, const char *) = &shop::Cart::add;\n"
	"int main() { auto q = p; printf(\"%lx\\n\", *(unsigned long *)&q); fflush(stdout);\n"
	"  shop::Cart c; sleep(60); return (c.*q)(1, \"\"); }\n";

static bool compile_cxx(const char *folder, const char *options)
{
	char path[128], command[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/a.cc", folder);
	f = fopen(path, "w");
	fputs(cxx_program, f);
	fclose(f);
	snprintf(command, sizeof(command), "g++ -O1 %s -o %s/a %s/a.cc", options, folder, folder);
	return run(command);
}

static void remove_folder(const char *folder)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_true(run(command));
}

static void check_cxx(const char *options)
{
	struct skep_usyms *plain = skep_usyms_new(false), *syms = skep_usyms_new(true);
	char folder[] = "/tmp/skep-cxx-XXXXXX", path[64];
	unsigned long addr;
	pid_t pid;

	assert_non_null(mkdtemp(folder));
	if (!compile_cxx(folder, options)) {
		remove_folder(folder);
		skip();
	}
	snprintf(path, sizeof(path), "%s/a", folder);
	addr = start_program(path, &pid);
	expect(syms, pid, (void *)addr, "shop::Cart::add(int, char const*)");
	/* The file is deleted while it runs: its names are still there. */
	assert_int_equal(unlink(path), 0);
	expect(plain, pid, (void *)addr, "_ZN4shop4Cart3addEiPKc");
	end_child(pid);
	remove_folder(folder);
	skep_usyms_free(plain);
	skep_usyms_free(syms);
}

static void test_cxx(void **state)
{
	if (access("/usr/bin/g++", X_OK) < 0)
		skip();
	check_cxx("-pie -fPIE");
	check_cxx("-no-pie");
	check_cxx("-static");
}

static void test_cxx_32(void **state)
{
	if (access("/usr/bin/g++", X_OK) < 0 || !run("echo 'int main(){}' | g++ -m32 -x c++ - "
						     "-o /dev/null 2>/dev/null"))
		skip();
	check_cxx("-m32");
}

/* Mount and pid namespaces: the file has another path for us, or none. */
static void test_other_root(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	char folder[] = "/tmp/skep-root-XXXXXX";
	unsigned long addr;
	pid_t pid;
	int out[2];
	char line[64] = "";

	if (getuid() != 0 || access("/usr/bin/g++", X_OK) < 0) {
		skep_usyms_free(syms);
		skip();
	}
	assert_non_null(mkdtemp(folder));
	assert_true(compile_cxx(folder, "-static"));
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], 1);
		if (chroot(folder) == 0 && chdir("/") == 0)
			execl("/a", "/a", NULL);
		_exit(1);
	}
	assert_true(read(out[0], line, sizeof(line) - 1) > 0);
	addr = strtoul(line, NULL, 16);
	expect(syms, pid, (void *)addr, "shop::Cart::add(int, char const*)");
	end_child(pid);
	close(out[0]);
	close(out[1]);
	remove_folder(folder);
	skep_usyms_free(syms);
}

/* Processes side by side share their files, and keep their names after they ended. */
static void test_many(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	pid_t pids[40];

	for (size_t i = 0; i < 40; i++)
		pids[i] = start_child();
	for (size_t i = 0; i < 40; i++)
		skep_usyms_note_process(syms, pids[i]);
	for (size_t i = 0; i < 40; i++)
		end_child(pids[i]);
	for (size_t i = 0; i < 40; i++)
		expect(syms, pids[i], test_many, "test_many");
	skep_usyms_free(syms);
}

int skep_test_some_variable = 1;

static void test_find(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(true);
	uint64_t function, variable = 0;

	assert_int_equal(skep_usyms_find(syms, "/proc/self/exe", "test_own", &function), 0);
	assert_int_equal(
		skep_usyms_find(syms, "/proc/self/exe", "skep_test_some_variable", &variable), 0);
	assert_int_equal(variable - function,
			 (uintptr_t)&skep_test_some_variable - (uintptr_t)test_own);
	assert_int_equal(skep_usyms_find(syms, "/proc/self/exe", "no_such", &variable), -ENOENT);
	assert_int_equal(skep_usyms_find(syms, "/etc/passwd", "x", &variable), -ENOEXEC);
	skep_usyms_free(syms);
}

/* Those that ended keep their names for as long as they are asked for, and two calls more. */
static void test_forget_ended(void **state)
{
	struct skep_usyms *syms = skep_usyms_new(false);
	pid_t pid = fork();
	struct skep_symbol sym;

	if (!pid)
		pause();
	expect(syms, pid, (const void *)local_function, "local_function");
	skep_usyms_forget_ended(syms);
	skep_usyms_forget_ended(syms);
	expect(syms, pid, (const void *)local_function, "local_function");
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (int i = 0; i < 2; i++)
		skep_usyms_forget_ended(syms);
	expect(syms, pid, (const void *)local_function, "local_function");
	for (int i = 0; i < 3; i++)
		skep_usyms_forget_ended(syms);
	assert_int_equal(
		skep_usyms_lookup(syms, pid, (uintptr_t)(const void *)local_function, &sym),
		-ENOENT);
	expect(syms, getpid(), (const void *)local_function, "local_function");
	skep_usyms_free(syms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),          cmocka_unit_test(test_like_dladdr),
		cmocka_unit_test(test_public_names), cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_vdso),         cmocka_unit_test(test_ended),
		cmocka_unit_test(test_exec),         cmocka_unit_test(test_cxx),
		cmocka_unit_test(test_cxx_32),       cmocka_unit_test(test_other_root),
		cmocka_unit_test(test_many),         cmocka_unit_test(test_find),
		cmocka_unit_test(test_forget_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
