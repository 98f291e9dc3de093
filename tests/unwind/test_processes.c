/*
 * Processes and their mappings: what /proc and records say of them is what the arrays have. The
 * records here are made up; those of the kernel are test_tracker.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "heap.h"
#include "unwind/processes.h"

static const struct skep_unwind_sizes small = {.processes = 64,
					       .mappings = 1024,
					       .files = 64,
					       .pages = 1 << 14,
					       .rows = 1 << 18,
					       .rules = 8192};

static void map(struct bench *b, uint32_t tgid, const struct skep_mapping *m, const char *path)
{
	const struct skep_unwind_place place = {(pid_t)tgid, m, path};

	skep_unwind_processes_on_map(&b->p, &place, UINT64_MAX);
}

static void map_at(struct bench *b, uint32_t tgid, uint64_t start, uint64_t end_at,
		   const char *path)
{
	const struct skep_mapping m = {
		.start = start, .end = end_at, .inode = path[0] == '/' ? path[1] : 0};

	map(b, tgid, &m, path);
}

static uint64_t here(void)
{
	return (uint64_t)(uintptr_t)here;
}

/* Ourselves, read from /proc: each function is in a file that is to be asked for; then its table
 * has the rule that the file's own has. */
static void ourselves(void **state)
{
	struct skep_unwind_table table;
	uint32_t tgid = (uint32_t)getpid();
	struct bench b;
	uint64_t bias;

	bench_begin(&b, &small);
	assert_int_equal(skep_unwind_processes_read(&b.p, tgid), 0);
	assert_false(skep_unwind_processes_flush(&b.p));
	assert_int_equal(bench_look(&b, tgid, here()), SKEP_UNWIND_FILE_ASK);
	assert_int_equal(bench_look(&b, tgid, 0), SKEP_UNWIND_FILE_NONE);
	assert_int_equal(bench_look(&b, tgid, (uint64_t)(uintptr_t)&small), SKEP_UNWIND_FILE_NONE);
	assert_int_equal(bench_look(&b, tgid, UINT64_MAX), SKEP_UNWIND_FILE_NONE);

	uint32_t number = heap_number(&b.heap, tgid, here());
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, number), 0);
	assert_true(heap_look(&b.heap, tgid, here(), &table, &bias) >= SKEP_UNWIND_FILE_FIRST);
	/* The first instruction of a function: all that is on the stack is the return address. */
	const struct skep_unwind_rule *rule = skep_unwind_table_find(&table, here() - bias);
	assert_int_equal(rule->cfa, SKEP_CFA_SP);
	assert_int_equal(rule->cfa_off, 8);
	for (int i = 0; i < SKEP_UNWIND_LOSS_CNT; i++)
		assert_int_equal(b.losses.n[i], 0);
	bench_end(&b);
	assert_int_equal(b.heap.n, 1); /* the arrays are left as they are */
}

/* The second file's table says in the arrays what it says when it is built by itself. */
static void two_files(void **state)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	uint64_t libc = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "qsort"), bias;
	uint32_t tgid = (uint32_t)getpid();
	struct skep_unwind_table alone, table;
	struct skep_elf_section found;
	struct bench b;
	Dl_info info;

	bench_begin(&b, &small);
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, 0), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(skep_unwind_processes_answer(
					 &b.p, tgid, heap_number(&b.heap, tgid, i ? libc : here())),
				 0);
	assert_true(heap_look(&b.heap, tgid, libc, &table, &bias) >= SKEP_UNWIND_FILE_FIRST);
	assert_true(dladdr((void *)(uintptr_t)libc, &info));
	assert_int_equal(skep_elf_open(info.dli_fname, &elf, NULL), 0);
	assert_int_equal(skep_elf_find_section(elf, ".eh_frame", &found), 0);
	const struct skep_cfi_section section = {found.data, found.size, found.addr,
						 skep_cfi_machine(skep_elf_machine(elf))};
	assert_int_equal(skep_unwind_table_build(&section, &alone), 0);
	for (uint64_t addr = libc - bias; addr < libc - bias + 100000; addr += 7)
		assert_memory_equal(skep_unwind_table_find(&table, addr),
				    skep_unwind_table_find(&alone, addr),
				    sizeof(struct skep_unwind_rule));
	skep_unwind_table_done(&alone);
	bench_end(&b);
}

static void unknown_processes(void **state)
{
	struct bench b;

	bench_begin(&b, &small);
	assert_int_equal(skep_unwind_processes_read(&b.p, INT32_MAX), -ESRCH);
	assert_int_equal(skep_unwind_processes_answer(&b.p, INT32_MAX, 3), -ENOENT);
	assert_int_equal(skep_unwind_processes_read(&b.p, 2), -ESRCH); /* the kernel's own */
	assert_int_equal(skep_unwind_processes_answer(&b.p, (uint32_t)getpid(), 12345), 0);
	assert_int_equal(bench_look(&b, (uint32_t)getpid(), here()), SKEP_UNWIND_FILE_ASK);
	assert_int_equal(skep_unwind_processes_answer(&b.p, (uint32_t)getpid(), 12345), 0);
	bench_end(&b);
}

/* What lies over what: the later mapping, and of the earlier what is left of it. */
static void overlaps(void **state)
{
	struct bench b;

	bench_begin(&b, &small);
	skep_unwind_processes_on_exec(&b.p, 7, 1);
	map_at(&b, 7, 0x10000, 0x20000, "/a");
	map_at(&b, 7, 0x14000, 0x18000, "");
	map_at(&b, 7, 0x30000, 0x31000, "[vsyscall]");
	map_at(&b, 7, 0x1f000, 0x21000, "[uprobes]");
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(bench_look(&b, 7, 0xffff), SKEP_UNWIND_FILE_NONE);
	assert_int_equal(bench_look(&b, 7, 0x10000), SKEP_UNWIND_FILE_ASK);
	assert_int_equal(bench_look(&b, 7, 0x14000), SKEP_UNWIND_FILE_FRAMES);
	assert_int_equal(bench_look(&b, 7, 0x17fff), SKEP_UNWIND_FILE_FRAMES);
	assert_int_equal(bench_look(&b, 7, 0x18000), SKEP_UNWIND_FILE_ASK);
	assert_int_equal(bench_look(&b, 7, 0x1efff), SKEP_UNWIND_FILE_ASK);
	assert_int_equal(bench_look(&b, 7, 0x1f000), SKEP_UNWIND_FILE_NONE);
	assert_int_equal(bench_look(&b, 7, 0x30000), SKEP_UNWIND_FILE_NONE);
	assert_int_equal(b.p.objects.n, 1);
	map_at(&b, 7, 0, 0x40000, "//anon");
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(bench_look(&b, 7, 0x10000), SKEP_UNWIND_FILE_FRAMES);
	assert_int_equal(heap_find(&b.heap, 7)->entry.n, 2);
	assert_int_equal(b.p.objects.n_retired, 1);
	bench_end(&b);
}

/* Neighbours that go on are one: code that is made at run time is mapped piece by piece. */
static void neighbours(void **state)
{
	static const char *const names[] = {"",           "//anon",
					    "[anon:v8]",  "/memfd:doublemapper",
					    "/dev/shm/x", "/dev/zero (deleted)"};
	struct bench b;

	bench_begin(&b, &small);
	skep_unwind_processes_on_exec(&b.p, 7, 1);
	for (uint64_t i = 0; i < 600; i += 2)
		map_at(&b, 7, 0x10000 + i * 0x1000, 0x11000 + i * 0x1000, names[i % 6]);
	for (uint64_t i = 1; i < 600; i += 2)
		map_at(&b, 7, 0x10000 + i * 0x1000, 0x11000 + i * 0x1000, names[i % 6]);
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(heap_find(&b.heap, 7)->entry.n, 2);
	assert_int_equal(b.p.objects.n, 0);
	bench_end(&b);
}

static void forks_share(void **state)
{
	struct bench b;

	bench_begin(&b, &small);
	skep_unwind_processes_on_exec(&b.p, 7, 1);
	map_at(&b, 7, 0x10000, 0x20000, "/a");
	skep_unwind_processes_flush(&b.p);
	for (uint32_t i = 100; i < 140; i++)
		skep_unwind_processes_on_fork(&b.p, i, 7, 2);
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(b.heap.n, 41);
	assert_int_equal(skep_unwind_space_taken(&b.p.blocks.space), 2);
	assert_int_equal(bench_look(&b, 120, 0x10000), SKEP_UNWIND_FILE_ASK);

	map_at(&b, 120, 0x30000, 0x31000, "/b"); /* of one child only */
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(bench_look(&b, 120, 0x30000), SKEP_UNWIND_FILE_ASK);
	assert_int_equal(bench_look(&b, 121, 0x30000), SKEP_UNWIND_FILE_NONE);
	assert_int_equal(bench_look(&b, 7, 0x30000), SKEP_UNWIND_FILE_NONE);

	skep_unwind_processes_on_exec(&b.p, 120, 3);
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(bench_look(&b, 120, 0x10000), SKEP_UNWIND_FILE_NONE);
	for (uint32_t i = 100; i < 140; i++)
		skep_unwind_processes_on_exit(&b.p, i, i, 4);
	assert_int_equal(b.heap.n, 1);
	skep_unwind_processes_on_exit(&b.p, 7, 8, 4); /* a thread */
	assert_int_equal(b.heap.n, 1);
	skep_unwind_processes_on_exit(&b.p, 7, 7, 4);
	assert_int_equal(b.heap.n, 0);
	assert_int_equal(b.p.blocks.n, 0);
	assert_int_equal(b.p.objects.n_retired, b.p.objects.n);
	skep_vec_foreach (struct skep_unwind_object *, object, &b.p.objects.numbers)
		assert_int_equal((*object)->n_users, 0);
	bench_end(&b);
}

/* Records from before /proc was read tell what is known. */
static void older_records(void **state)
{
	struct bench b;
	uint32_t tgid = (uint32_t)getpid();

	bench_begin(&b, &small);
	assert_int_equal(skep_unwind_processes_read(&b.p, tgid), 0);
	skep_unwind_processes_on_exec(&b.p, tgid, 1);
	skep_unwind_processes_on_exit(&b.p, tgid, tgid, 1);
	skep_unwind_processes_on_fork(&b.p, tgid, 1, 1);
	const struct skep_mapping all = {.end = UINT64_MAX};
	const struct skep_unwind_place place = {(pid_t)tgid, &all, "[uprobes]"};
	skep_unwind_processes_on_map(&b.p, &place, 1);
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(bench_look(&b, tgid, here()), SKEP_UNWIND_FILE_ASK);
	skep_unwind_processes_on_exec(&b.p, tgid, UINT64_MAX);
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(bench_look(&b, tgid, here()), SKEP_UNWIND_FILE_NONE);
	bench_end(&b);
}

/* Between the execution of a program and its first mapping, one who asks has it read. */
static void just_executed(void **state)
{
	struct bench b;
	uint32_t tgid = (uint32_t)getpid();

	bench_begin(&b, &small);
	skep_unwind_processes_on_exec(&b.p, tgid, 1);
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(b.heap.n, 0);
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, 0), 0);
	assert_int_equal(b.heap.n, 1);
	assert_int_equal(bench_look(&b, tgid, here()), SKEP_UNWIND_FILE_ASK);
	skep_unwind_processes_on_exec(&b.p, tgid, UINT64_MAX);
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(b.heap.n, 0);
	skep_unwind_processes_on_exit(&b.p, tgid, tgid, UINT64_MAX);
	bench_end(&b);
}

static void scans_again(void **state)
{
	struct bench b;
	uint32_t tgid = (uint32_t)getpid();

	bench_begin(&b, &small);
	skep_unwind_processes_begin_scan(&b.p);
	assert_int_equal(skep_unwind_processes_read(&b.p, tgid), 0);
	skep_unwind_processes_on_exec(&b.p, INT32_MAX, 1);
	map_at(&b, INT32_MAX, 0x10000, 0x20000, "/a");
	skep_unwind_processes_flush(&b.p);
	skep_unwind_processes_end_scan(&b.p);
	assert_int_equal(b.heap.n, 2);
	uint32_t n_set = b.heap.n_set;
	skep_unwind_processes_begin_scan(&b.p);
	assert_int_equal(skep_unwind_processes_read(&b.p, tgid), 0);
	skep_unwind_processes_end_scan(&b.p);
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(b.heap.n, 1);
	assert_int_equal(b.heap.n_set, n_set); /* nothing has changed */
	bench_end(&b);
}

/* Whatever there is no room for is counted, and found once there is. */
static void no_room(void **state)
{
	static const struct skep_unwind_sizes tiny = {
		.processes = 4, .mappings = 8, .files = 8, .pages = 8, .rows = 8, .rules = 8};
	struct bench b;

	bench_begin(&b, &tiny);
	for (uint32_t i = 1; i <= 5; i++) {
		skep_unwind_processes_on_exec(&b.p, i, 1);
		map_at(&b, i, 0x10000, 0x20000, "/a");
	}
	assert_int_equal(b.losses.n[SKEP_UNWIND_LOST_PROCESSES], 1);
	assert_false(skep_unwind_processes_flush(&b.p));
	assert_int_equal(b.heap.n, 4);
	map_at(&b, 1, 0x30000, 0x40000, "/a"); /* two entries more, and none is free */
	assert_true(skep_unwind_processes_flush(&b.p));
	assert_true(skep_unwind_processes_flush(&b.p));
	assert_int_equal(b.losses.n[SKEP_UNWIND_LOST_MAPPINGS], 1);
	assert_int_equal(b.heap.n, 3);
	skep_unwind_processes_on_exit(&b.p, 2, 2, 2);
	assert_true(skep_unwind_processes_flush(&b.p)); /* its room has to rest */
	bench_now_ns += SKEP_UNWIND_GRACE_NS;
	assert_false(skep_unwind_processes_flush(&b.p));
	assert_int_equal(bench_look(&b, 1, 0x30000), SKEP_UNWIND_FILE_ASK);
	bench_end(&b);
}

static void too_many_mappings(void **state)
{
	static const struct skep_unwind_sizes large = {.processes = 4,
						       .mappings = 2 * SKEP_UNWIND_MAPPINGS_MOST,
						       .files = 8,
						       .pages = 8,
						       .rows = 8,
						       .rules = 8};
	struct bench b;

	bench_begin(&b, &large);
	skep_unwind_processes_on_exec(&b.p, 1, 1);
	for (uint64_t i = 1; i <= SKEP_UNWIND_MAPPINGS_MOST; i++)
		map_at(&b, 1, i << 16, (i << 16) + 0x1000, "");
	assert_false(skep_unwind_processes_flush(&b.p));
	assert_true(heap_find(&b.heap, 1)->entry.n <= SKEP_UNWIND_MAPPINGS_MOST);
	assert_int_equal(bench_look(&b, 1, 1 << 16), SKEP_UNWIND_FILE_FRAMES);
	assert_true(b.losses.n[SKEP_UNWIND_LOST_CUT] > SKEP_UNWIND_MAPPINGS_MOST / 3);
	bench_end(&b);
}

/* One large mapping, and holes in it without end: each would leave one more piece of it. */
static void too_many_holes(void **state)
{
	static const struct skep_unwind_sizes large = {.processes = 4,
						       .mappings = 4 * SKEP_UNWIND_MAPPINGS_MOST,
						       .files = 8,
						       .pages = 8,
						       .rows = 8,
						       .rules = 8};
	struct bench b;

	bench_begin(&b, &large);
	skep_unwind_processes_on_exec(&b.p, 1, 1);
	map_at(&b, 1, 1 << 16, 1ull << 40, "/a");
	for (uint64_t i = 2; i <= 2 * SKEP_UNWIND_MAPPINGS_MOST; i++)
		map_at(&b, 1, i << 16, (i << 16) + 0x1000, i % 2 ? "[uprobes]" : "/b");
	assert_false(skep_unwind_processes_flush(&b.p));
	assert_true(heap_find(&b.heap, 1)->entry.n <= SKEP_UNWIND_MAPPINGS_MOST);
	assert_int_equal(bench_look(&b, 1, (1 << 16) + 1), SKEP_UNWIND_FILE_ASK);
	assert_int_equal(bench_look(&b, 1, 3 << 16), SKEP_UNWIND_FILE_NONE);
	assert_true(b.losses.n[SKEP_UNWIND_LOST_CUT] > SKEP_UNWIND_MAPPINGS_MOST / 2);
	bench_end(&b);
}

/* A file that nobody maps any more is known to the next who does, unless it has changed. */
static void comes_back(void **state)
{
	uint32_t tgid = (uint32_t)getpid();
	char path[] = "/tmp/skep-test-XXXXXX";
	int fd = mkstemp(path);
	struct stat st;
	struct bench b;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(fstat(fd, &st), 0);
	bench_begin(&b, &small);
	skep_unwind_processes_on_exec(&b.p, tgid, 1);
	const struct skep_mapping m = {
		.start = 0x10000, .end = 0x20000, .inode = st.st_ino, .dev = 1};
	map(&b, tgid, &m, path);
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(bench_look(&b, tgid, 0x10000), SKEP_UNWIND_FILE_ASK);
	uint32_t number = heap_number(&b.heap, tgid, 0x10000);
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, number), 0);
	assert_int_equal(bench_look(&b, tgid, 0x10000), SKEP_UNWIND_FILE_FRAMES); /* no ELF file */

	skep_unwind_processes_on_exec(&b.p, tgid, UINT64_MAX);
	map(&b, tgid, &m, path);
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(bench_look(&b, tgid, 0x10000), SKEP_UNWIND_FILE_FRAMES);

	skep_unwind_processes_on_exec(&b.p, tgid, UINT64_MAX);
	assert_int_equal(ftruncate(fd, 8192), 0);
	map(&b, tgid, &m, path);
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(bench_look(&b, tgid, 0x10000), SKEP_UNWIND_FILE_ASK);
	bench_end(&b);
	close(fd);
	unlink(path);
}

/* A program that has ended before anybody asked for it is loaded when it is started again. */
static void comes_back_unasked(void **state)
{
	const uint32_t tgid = INT32_MAX;
	struct bench b;
	struct stat st;

	assert_int_equal(stat("/bin/sh", &st), 0);
	bench_begin(&b, &small);
	const struct skep_mapping m = {.start = 0x10000,
				       .end = 0x20000,
				       .inode = st.st_ino,
				       .dev = major(st.st_dev) << 20 | minor(st.st_dev)};
	for (int i = 0; i < 2; i++) {
		skep_unwind_processes_on_exec(&b.p, tgid, UINT64_MAX);
		map(&b, tgid, &m, "/bin/sh");
		skep_unwind_processes_flush(&b.p);
		skep_unwind_processes_load_wanted(&b.p, 10);
		assert_int_equal(bench_look(&b, tgid, 0x10000) >= SKEP_UNWIND_FILE_FIRST, i);
	}
	assert_int_equal(b.p.objects.n_built, 1);
	bench_end(&b);
}

/* --- Files that are alike --------------------------------------------------------------------- */

static struct skep_mapping copy_file(const char *from, const char *to, uint64_t start)
{
	_cleanup_buf_ struct skep_buf file = {0};
	int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(skep_file_read(from, 64 << 20, &file), 0);
	assert_int_equal(skep_fd_write(fd, file.data, file.len), 0);
	assert_int_equal(fchmod(fd, 0755), 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	return (struct skep_mapping){
		.start = start, .end = start + (16 << 20), .inode = st.st_ino, .dev = 1};
}

static uint32_t ask_at(struct bench *b, uint64_t pc)
{
	uint32_t tgid = (uint32_t)getpid(), number;

	skep_unwind_processes_flush(&b->p);
	number = heap_number(&b->heap, tgid, pc);
	assert_int_equal(skep_unwind_processes_answer(&b->p, tgid, number), 0);
	return bench_look(b, tgid, pc);
}

/* An interpreter that is known by its build-id under a name that does not say what it is: who maps
 * it under its own name has its frames, too. */
static void interpreter_by_two_names(void **state)
{
	char folder[] = "/tmp/skep-test-XXXXXX", path[2][64], from[PATH_MAX];
	uint32_t tgid = (uint32_t)getpid(), file = 0;
	struct bench b;

	if (geteuid() || !realpath("/usr/bin/python3", from))
		skip(); /* only root's build-ids are believed */
	assert_non_null(mkdtemp(folder));
	bench_begin(&b, &skep_unwind_default_sizes);
	skep_unwind_processes_on_exec(&b.p, tgid, 1);
	for (int i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/%s", folder,
			 i ? strrchr(from, '/') + 1 : "tool");
		const struct skep_mapping m = copy_file(from, path[i], (i + 1) * 0x10000000ull);
		map(&b, tgid, &m, path[i]);
		uint32_t is = ask_at(&b, m.start);
		assert_true(is >= SKEP_UNWIND_FILE_FIRST);
		assert_true(!i || is == file);
		file = is;
		assert_int_equal(b.heap.arrays.runtimes[file].version != SKEP_INTERP_NONE, i);
	}
	assert_int_equal(b.p.objects.n_built, 1);
	bench_end(&b);
	for (int i = 0; i < 2; i++)
		unlink(path[i]);
	rmdir(folder);
}

static struct {
	uint32_t n, generation; /* entries, and that of the last one */
} told;

static void tell_code(void *ctx, const struct skep_unwind_code_key *key,
		      const struct skep_unwind_code *code)
{
	(void)ctx;
	(void)key;
	told.n = code != NULL;
	told.generation = code ? code->generation : 0;
}

/* What had an inode before says nothing of what has it now. */
static void inode_of_another(void **state)
{
	char path[] = "/tmp/skep-test-XXXXXX";
	uint32_t tgid = (uint32_t)getpid();
	struct bench b;

	close(mkstemp(path));
	bench_begin(&b, &small);
	b.heap.arrays.set_code = tell_code;
	skep_unwind_processes_on_exec(&b.p, tgid, 1);
	struct skep_mapping old = copy_file("/bin/true", path, 0x10000000), new = old;
	old.generation = 1;
	new.generation = 2;
	new.start += 0x10000000;
	new.end += 0x10000000;
	map(&b, tgid, &old, path);
	assert_true(ask_at(&b, old.start) >= SKEP_UNWIND_FILE_FIRST);
	assert_int_equal(told.generation, 1);
	map(&b, tgid, &new, path);
	assert_true(ask_at(&b, new.start) >= SKEP_UNWIND_FILE_FIRST);
	assert_int_equal(told.generation, 2);
	assert_int_equal(b.p.objects.n, 2);
	map_at(&b, tgid, old.start, old.end, "[uprobes]");
	copy_file("/bin/sh", path, 0); /* written over: it is not what it was */
	map(&b, tgid, &old, path);
	skep_unwind_processes_flush(&b.p);
	assert_int_equal(bench_look(&b, tgid, old.start), SKEP_UNWIND_FILE_ASK);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.generation, 2);
	bench_end(&b);
	unlink(path);
}

/* Two files do not fit at once: the one that is asked for takes the place of one that has not been
 * asked for for long, whose mappings ask again. */
static void evicts(void **state)
{
	uint32_t tgid = (uint32_t)getpid();
	struct skep_unwind_sizes sizes = small;
	uint64_t libc = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "qsort");
	struct bench b;

	sizes.files = SKEP_UNWIND_FILE_FIRST + 1;
	bench_begin(&b, &sizes);
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, 0), 0);
	uint32_t own = heap_number(&b.heap, tgid, here()), libcs = heap_number(&b.heap, tgid, libc);
	assert_int_not_equal(own, libcs);
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, own), 0);
	assert_true(bench_look(&b, tgid, here()) >= SKEP_UNWIND_FILE_FIRST);
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, libcs), -EAGAIN);
	assert_true(bench_look(&b, tgid, here()) >=
		    SKEP_UNWIND_FILE_FIRST); /* it was asked for just now */
	bench_now_ns += SKEP_UNWIND_SETTLE_NS + 1;
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, libcs), -EAGAIN);
	assert_int_equal(bench_look(&b, tgid, here()), SKEP_UNWIND_FILE_ASK);
	bench_now_ns += SKEP_UNWIND_GRACE_NS;
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, libcs), 0);
	assert_true(bench_look(&b, tgid, libc) >= SKEP_UNWIND_FILE_FIRST);
	assert_int_equal(b.losses.n[SKEP_UNWIND_LOST_EVICTED], 1);
	assert_int_equal(b.losses.n[SKEP_UNWIND_LOST_WAITING], 1);
	bench_end(&b);
}

/* What nobody has asked for goes at once. */
static void expected_goes_first(void **state)
{
	uint32_t tgid = (uint32_t)getpid();
	struct skep_unwind_sizes sizes = small;
	uint64_t libc = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "qsort");
	struct bench b;

	sizes.files = SKEP_UNWIND_FILE_FIRST + 1;
	bench_begin(&b, &sizes);
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, 0), 0);
	uint32_t own = heap_number(&b.heap, tgid, here()), libcs = heap_number(&b.heap, tgid, libc);
	assert_int_equal(skep_unwind_processes_expect(&b.p, tgid, own), 0);
	assert_true(bench_look(&b, tgid, here()) >= SKEP_UNWIND_FILE_FIRST);
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, libcs), -EAGAIN);
	assert_int_equal(bench_look(&b, tgid, here()), SKEP_UNWIND_FILE_ASK);
	bench_now_ns += SKEP_UNWIND_GRACE_NS;
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, libcs), 0);
	assert_true(bench_look(&b, tgid, libc) >= SKEP_UNWIND_FILE_FIRST);
	bench_end(&b);
}

static void never_fits(void **state)
{
	uint32_t tgid = (uint32_t)getpid();
	struct skep_unwind_sizes sizes = small;
	struct bench b;

	sizes.rows = 16;
	bench_begin(&b, &sizes);
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, 0), 0);
	uint32_t own = heap_number(&b.heap, tgid, here());
	assert_int_equal(skep_unwind_processes_answer(&b.p, tgid, own), 0);
	assert_int_equal(bench_look(&b, tgid, here()), SKEP_UNWIND_FILE_NONE);
	assert_int_equal(b.losses.n[SKEP_UNWIND_LOST_LARGE], 1);
	bench_end(&b);
}

/* Ten thousand are started and end: nothing of them is left. */
static void many_come_and_go(void **state)
{
	size_t before, after;
	struct bench b;

	bench_begin(&b, &small);
	skep_unwind_processes_on_exec(&b.p, 7, 1);
	map_at(&b, 7, 0x10000, 0x20000, "/a");
	skep_unwind_processes_flush(&b.p);
	before = skep_unwind_processes_memory(&b.p);
	for (uint32_t i = 1000; i < 11000; i++) {
		bench_now_ns += 6000000;
		skep_unwind_processes_on_fork(&b.p, i, 7, 2);
		skep_unwind_processes_on_exec(&b.p, i, 3);
		map_at(&b, i, 0x50000, 0x60000, "/b");
		skep_unwind_processes_flush(&b.p);
		assert_int_equal(bench_look(&b, i, 0x50000), SKEP_UNWIND_FILE_ASK);
		skep_unwind_processes_on_exit(&b.p, i, i, 4);
	}
	skep_unwind_processes_flush(&b.p);
	after = skep_unwind_processes_memory(&b.p);
	assert_int_equal(b.heap.n, 1);
	assert_int_equal(b.p.objects.n, 2);
	assert_true(after < before + 8192);
	for (int i = 0; i < SKEP_UNWIND_LOSS_CNT; i++)
		assert_int_equal(b.losses.n[i], 0);
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ourselves),
		cmocka_unit_test(two_files),
		cmocka_unit_test(unknown_processes),
		cmocka_unit_test(overlaps),
		cmocka_unit_test(neighbours),
		cmocka_unit_test(forks_share),
		cmocka_unit_test(older_records),
		cmocka_unit_test(just_executed),
		cmocka_unit_test(scans_again),
		cmocka_unit_test(no_room),
		cmocka_unit_test(comes_back),
		cmocka_unit_test(comes_back_unasked),
		cmocka_unit_test(too_many_mappings),
		cmocka_unit_test(too_many_holes),
		cmocka_unit_test(interpreter_by_two_names),
		cmocka_unit_test(inode_of_another),
		cmocka_unit_test(evicts),
		cmocka_unit_test(never_fits),
		cmocka_unit_test(expected_goes_first),
		cmocka_unit_test(many_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
