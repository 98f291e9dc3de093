/*
 * Mapped files as processes come by them: deleted ones, ones that are no programs, and ones that
 * were made to hurt. Each is mapped by ourselves, and asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "heap.h"
#include "unwind/processes.h"

#define MB (1u << 20)

static const struct skep_unwind_sizes small = {.processes = 4,
					       .mappings = 1024,
					       .files = 64,
					       .pages = 1 << 14,
					       .rows = 1 << 18,
					       .rules = 8192};

struct image_bench {
	struct bench on;
	char path[64];
	void *at; /* where it is mapped */
	size_t size;
};

static void begin(struct image_bench *b)
{
	*b = (struct image_bench){0};
	bench_begin(&b->on, &small);
}

static void end(struct image_bench *b)
{
	if (b->at)
		munmap(b->at, b->size);
	unlink(b->path);
	bench_end(&b->on);
}

static int make_file(struct image_bench *b, const void *data, size_t size)
{
	strcpy(b->path, "/tmp/skep-test-XXXXXX");
	int fd = mkstemp(b->path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	return fd;
}

static void map_fd(struct image_bench *b, int fd, size_t size)
{
	b->size = size;
	b->at = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_true(b->at != MAP_FAILED);
	close(fd);
}

static uint32_t look(const struct image_bench *b, uint64_t off)
{
	return bench_look(&b->on, (uint32_t)getpid(), (uint64_t)(uintptr_t)b->at + off);
}

/* What is at the mapping once its file has been asked for. */
static uint32_t ask(struct image_bench *b)
{
	uint32_t tgid = (uint32_t)getpid();

	assert_int_equal(skep_unwind_processes_answer(&b->on.p, tgid, UINT32_MAX), 0);
	assert_int_equal(look(b, 0), SKEP_UNWIND_FILE_ASK);
	uint32_t number = heap_number(&b->on.heap, tgid, (uint64_t)(uintptr_t)b->at);
	assert_int_equal(skep_unwind_processes_answer(&b->on.p, tgid, number), 0);
	return look(b, 0);
}

static uint32_t ask_for(const void *data, size_t size)
{
	struct image_bench b;

	begin(&b);
	map_fd(&b, make_file(&b, data, size), size);
	uint32_t file = ask(&b);
	end(&b);
	return file;
}

static void read_own_program(struct skep_buf *ret)
{
	assert_int_equal(skep_file_read("/proc/self/exe", 64 * MB, ret), 0);
}

/* The file is gone from its folder, and another one is where it was. */
static void deleted(void **state)
{
	_cleanup_buf_ struct skep_buf program = {0};
	struct image_bench b;

	read_own_program(&program);
	begin(&b);
	map_fd(&b, make_file(&b, program.data, program.len), program.len);
	assert_int_equal(unlink(b.path), 0);
	int other = open(b.path, O_WRONLY | O_CREAT, 0600);
	assert_true(other >= 0);
	close(other);
	if (geteuid()) /* the kernel's links to mapped files are for root */
		skip();
	assert_true(ask(&b) >= SKEP_UNWIND_FILE_FIRST);
	end(&b);
}

/* The mapping's borders have moved since it was seen: the file is found by its path, or else by the
 * borders that it has now. */
static void moved(bool is_deleted)
{
	_cleanup_buf_ struct skep_buf program = {0};
	uint32_t tgid = (uint32_t)getpid();
	struct image_bench b;

	read_own_program(&program);
	begin(&b);
	map_fd(&b, make_file(&b, program.data, program.len), program.len);
	assert_int_equal(skep_unwind_processes_answer(&b.on.p, tgid, UINT32_MAX), 0);
	uint32_t number = heap_number(&b.on.heap, tgid, (uint64_t)(uintptr_t)b.at);
	assert_int_equal(mprotect((char *)b.at + 8192, 4096, PROT_NONE), 0);
	if (is_deleted)
		unlink(b.path);
	assert_int_equal(skep_unwind_processes_answer(&b.on.p, tgid, number), 0);
	assert_true(look(&b, 0) >= SKEP_UNWIND_FILE_FIRST);
	assert_int_equal(look(&b, 8192) == SKEP_UNWIND_FILE_NONE, is_deleted);
	assert_int_equal(look(&b, 12288), look(&b, 0));
	end(&b);
}

static void moved_there(void **state)
{
	moved(false);
}

static void moved_deleted(void **state)
{
	if (geteuid())
		skip();
	moved(true);
}

/* Something else is mapped in the middle: what is behind it is looked up as before. */
static void split(void **state)
{
	_cleanup_buf_ struct skep_buf program = {0};
	uint32_t tgid = (uint32_t)getpid();
	struct skep_unwind_table table;
	uint64_t was = 0, bias = 0, start;
	struct image_bench b;

	read_own_program(&program);
	begin(&b);
	map_fd(&b, make_file(&b, program.data, program.len), program.len);
	assert_true(ask(&b) >= SKEP_UNWIND_FILE_FIRST);
	start = (uint64_t)(uintptr_t)b.at;
	heap_look(&b.on.heap, tgid, start + 12288, &table, &was);
	const struct skep_mapping other = {.start = start + 8192, .end = start + 12288};
	const struct skep_unwind_place place = {getpid(), &other, "[uprobes]"};
	skep_unwind_processes_on_map(&b.on.p, &place, UINT64_MAX);
	skep_unwind_processes_flush(&b.on.p);
	assert_int_equal(look(&b, 8192), SKEP_UNWIND_FILE_NONE);
	uint32_t file = heap_look(&b.on.heap, tgid, start + 12288, &table, &bias);
	assert_true(file >= SKEP_UNWIND_FILE_FIRST);
	assert_int_equal(bias, was);
	end(&b);
}

/* Two mappings of one file, and a copy of it: one table for all three. */
static void shared(void **state)
{
	_cleanup_buf_ struct skep_buf program = {0};
	struct image_bench b;

	read_own_program(&program);
	begin(&b);
	map_fd(&b, make_file(&b, program.data, program.len), program.len);
	uint32_t copy = ask(&b), tgid = (uint32_t)getpid();
	uint64_t here = (uint64_t)(uintptr_t)shared, bias;
	uint32_t number = heap_number(&b.on.heap, tgid, here);
	struct skep_unwind_table table;
	assert_int_equal(heap_look(&b.on.heap, tgid, here, &table, &bias), SKEP_UNWIND_FILE_ASK);
	assert_int_equal(skep_unwind_processes_answer(&b.on.p, tgid, number), 0);
	assert_int_equal(heap_look(&b.on.heap, tgid, here, &table, &bias), copy);
	assert_int_equal(b.on.p.objects.n_built, 1);
	assert_int_equal(b.on.p.objects.store.stored[copy].n_live, 2);
	end(&b);
}

/* A copy that is somebody else's may have that build-id and any rules: it has a table of its own.
 * So has one that others than root may write to. */
static void of_others(uid_t owner, mode_t mode)
{
	_cleanup_buf_ struct skep_buf program = {0};
	uint64_t here = (uint64_t)(uintptr_t)of_others, bias;
	uint32_t tgid = (uint32_t)getpid(), number, copy;
	struct skep_unwind_table table;
	struct image_bench b;

	read_own_program(&program);
	begin(&b);
	int fd = make_file(&b, program.data, program.len);
	assert_int_equal(fchown(fd, owner, 0), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	map_fd(&b, fd, program.len);
	copy = ask(&b);
	number = heap_number(&b.on.heap, tgid, here);
	assert_int_equal(skep_unwind_processes_answer(&b.on.p, tgid, number), 0);
	assert_true(copy >= SKEP_UNWIND_FILE_FIRST);
	uint32_t own = heap_look(&b.on.heap, tgid, here, &table, &bias);
	assert_true(own >= SKEP_UNWIND_FILE_FIRST);
	assert_int_not_equal(own, copy);
	end(&b);
}

static void not_shared(void **state)
{
	if (geteuid())
		skip();
	of_others(12345, 0755);
	of_others(0, 0757);
	of_others(0, 0775);
}

/* A child whose vdso has been written over, as its tracer may; 0: this kernel does not let us. */
static pid_t start_forger(uint64_t at)
{
	static const Elf64_Half machine = EM_386;
	const off_t to = (off_t)(at + offsetof(Elf64_Ehdr, e_machine));
	char path[64];
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		for (;;)
			pause();
	}
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	_cleanup_close_ int fd = open(path, O_WRONLY);
	if (pwrite(fd, &machine, sizeof(machine), to) == sizeof(machine))
		return pid;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}

/* A process may write over its copy of the kernel's own code: what is read is ours. */
static void forged_vdso(void **state)
{
	uint64_t at = getauxval(AT_SYSINFO_EHDR), bias;
	struct skep_unwind_table table;
	struct image_bench b;

	if (!at || geteuid())
		skip();
	pid_t pid = start_forger(at);
	if (!pid)
		skip();
	begin(&b);
	assert_int_equal(skep_unwind_processes_answer(&b.on.p, (uint32_t)pid, UINT32_MAX), 0);
	uint32_t number = heap_number(&b.on.heap, (uint32_t)pid, at);
	skep_unwind_processes_answer(&b.on.p, (uint32_t)pid, number);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(heap_look(&b.on.heap, (uint32_t)pid, at, &table, &bias) >=
		    SKEP_UNWIND_FILE_FIRST);
	end(&b);
}

/* What cannot be opened however often it is tried is not asked for for ever: here the file has
 * another number than the mapping says, as some file systems have it. */
static void never_opened(void **state)
{
	static const char text[4096] = "text";
	struct skep_unwind_object *object;
	struct image_bench b;
	int n = 0;

	begin(&b);
	map_fd(&b, make_file(&b, text, sizeof(text)), sizeof(text));
	const struct skep_mapping m = {.start = (uint64_t)(uintptr_t)b.at,
				       .end = (uint64_t)(uintptr_t)b.at + sizeof(text),
				       .inode = 1};
	const struct skep_unwind_place place = {getpid(), &m, b.path};
	object = skep_unwind_objects_use(&b.on.p.objects, &place);
	while (skep_unwind_objects_load(&b.on.p.objects, object, &place, true) == -ENOENT && n < 20)
		n++;
	assert_true(n > 1 && n < 20);
	assert_int_equal(object->file, SKEP_UNWIND_FILE_NONE);
	assert_int_equal(b.on.losses.n[SKEP_UNWIND_LOST_UNREADABLE], 1);
	skep_unwind_objects_unuse(&b.on.p.objects, object);
	end(&b);
}

/* Of a process that has ended: by its path, if the file there is the same on the same device. */
static void left_behind(void **state)
{
	static const char text[4096] = "text";
	struct skep_unwind_version version;
	struct image_bench b;
	struct stat st;

	begin(&b);
	int fd = make_file(&b, text, sizeof(text));
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	struct skep_mapping m = {.start = 4096,
				 .end = 8192,
				 .inode = st.st_ino,
				 .dev = major(st.st_dev) << 20 | minor(st.st_dev)};
	const struct skep_unwind_place place = {INT32_MAX, &m, b.path};
	assert_int_equal(skep_unwind_image_version(&place, &version), 0);
	assert_int_equal(version.inode, st.st_ino);
	m.dev++;
	assert_int_equal(skep_unwind_image_version(&place, &version), -ESRCH);
	m.dev--;
	m.inode++;
	assert_int_equal(skep_unwind_image_version(&place, &version), -ESRCH);
	end(&b);
}

/* A file of an overlay in a mount namespace of our own; false: it is not allowed here. */
static bool make_overlay(const char *folder, char *ret_file, size_t size)
{
	char low[64], up[64], work[64], options[256];

	snprintf(low, sizeof(low), "%s/low", folder);
	snprintf(up, sizeof(up), "%s/up", folder);
	snprintf(work, sizeof(work), "%s/work", folder);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", low, up, work);
	snprintf(ret_file, size, "%s/low/file", folder);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", folder, "tmpfs", 0, NULL) || mkdir(low, 0755) || mkdir(up, 0755) ||
	    mkdir(work, 0755))
		return false;
	_cleanup_close_ int fd = open(ret_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (fd < 0 || ftruncate(fd, 4096))
		return false;
	return !mount("overlay", low, "overlay", 0, options);
}

/* What an overlay's mapping is called is not what its file is: it is found nevertheless. */
static int find_in_overlay(const char *folder)
{
	struct skep_unwind_version version;
	struct skep_maps maps;
	char path[128];

	if (!make_overlay(folder, path, sizeof(path)))
		return 77;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (at == MAP_FAILED || skep_maps_read(getpid(), &maps))
		return 1;
	struct skep_mapping m = *skep_maps_find(&maps, (uint64_t)(uintptr_t)at);
	const struct skep_unwind_place place = {INT32_MAX, &m, path};
	if (skep_unwind_image_version(&place, &version) || version.size != 4096)
		return 2;
	m.inode ^= 1;
	return skep_unwind_image_version(&place, &version) == -ESRCH ? 0 : 3;
}

static void left_in_overlay(void **state)
{
	char folder[] = "/tmp/skep-test-XXXXXX";
	int status;

	assert_non_null(mkdtemp(folder));
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(find_in_overlay(folder));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rmdir(folder);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

static void no_programs(void **state)
{
	static const char text[8192] = "#!/bin/sh\n";
	_cleanup_buf_ struct skep_buf program = {0};

	assert_int_equal(ask_for(text, sizeof(text)), SKEP_UNWIND_FILE_FRAMES);
	read_own_program(&program);
	((Elf64_Ehdr *)program.data)->e_machine = EM_386;
	assert_int_equal(ask_for(program.data, program.len), SKEP_UNWIND_FILE_NONE);
	assert_int_equal(ask_for(program.data, 4096), SKEP_UNWIND_FILE_NONE); /* cut off */
}

/* What is not a regular file is not opened: a device may act on it. */
static void devices(void **state)
{
	struct image_bench b;
	int fd = open("/dev/zero", O_RDONLY);

	begin(&b);
	map_fd(&b, fd, 4096);
	assert_int_equal(skep_unwind_processes_answer(&b.on.p, (uint32_t)getpid(), UINT32_MAX), 0);
	assert_int_equal(look(&b, 0), SKEP_UNWIND_FILE_FRAMES);
	end(&b);
}

/* --- Files that were made to hurt ------------------------------------------------------------- */

#define LINKED_TO 0x400000

/* An ELF file whose .eh_frame is @frames. */
static void make_elf(struct skep_buf *to, const struct skep_buf *frames)
{
	static const char names[] = "\0.eh_frame\0.names";
	Elf64_Ehdr head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			   .e_type = ET_DYN,
			   .e_machine = EM_X86_64,
			   .e_phoff = sizeof(Elf64_Ehdr),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 1,
			   .e_shentsize = sizeof(Elf64_Shdr),
			   .e_shnum = 3,
			   .e_shstrndx = 2};
	Elf64_Phdr code = {.p_type = PT_LOAD,
			   .p_flags = PF_R | PF_X,
			   .p_vaddr = LINKED_TO,
			   .p_filesz = MB,
			   .p_memsz = MB};
	uint64_t off = sizeof(head) + sizeof(code);
	Elf64_Shdr sections[3] = {
		{0},
		{.sh_name = 1,
		 .sh_type = SHT_PROGBITS,
		 .sh_offset = off,
		 .sh_size = frames->len,
		 .sh_addr = off},
		{.sh_name = 11,
		 .sh_type = SHT_STRTAB,
		 .sh_offset = off + frames->len,
		 .sh_size = sizeof(names)},
	};

	head.e_shoff = off + frames->len + sizeof(names);
	skep_buf_add(to, &head, sizeof(head));
	skep_buf_add(to, &code, sizeof(code));
	skep_buf_add(to, frames->data, frames->len);
	skep_buf_add(to, names, sizeof(names));
	skep_buf_add(to, sections, sizeof(sections));
}

/* @n bytes of instructions that do nothing follow those that every CIE has. */
static void put_cie(struct skep_buf *to, uint32_t n)
{
	static const uint8_t cie[] = {0, 0, 0, 0, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1};
	uint32_t size = sizeof(cie) + n;

	skep_buf_add(to, &size, sizeof(size));
	skep_buf_add(to, cie, sizeof(cie));
	memset(skep_buf_reserve(to, n), 0, n);
	to->len += n;
}

/* A function with the CIE at @cie whose program is @n times @op. */
static void put_function(struct skep_buf *to, size_t cie, uint64_t from, uint8_t op, uint32_t n)
{
	uint32_t head[2] = {20 + n, (uint32_t)(to->len + 4 - cie)};
	uint64_t range[2] = {from, 0x100000};

	skep_buf_add(to, head, sizeof(head));
	skep_buf_add(to, range, sizeof(range));
	memset(skep_buf_reserve(to, n), op, n);
	to->len += n;
}

static uint32_t ask_for_frames(const struct skep_buf *frames)
{
	_cleanup_buf_ struct skep_buf file = {0};

	make_elf(&file, frames);
	return ask_for(file.data, file.len);
}

static void sound(void **state)
{
	_cleanup_buf_ struct skep_buf frames = {0}, file = {0};
	struct skep_unwind_table table;
	uint64_t bias = 0, at;
	struct image_bench b;

	put_cie(&frames, 2);
	put_function(&frames, 0, LINKED_TO + 0x100, 0x41, 8);
	make_elf(&file, &frames);
	begin(&b);
	map_fd(&b, make_file(&b, file.data, file.len), 4096);
	assert_true(ask(&b) >= SKEP_UNWIND_FILE_FIRST);
	at = (uint64_t)(uintptr_t)b.at;
	heap_look(&b.on.heap, (uint32_t)getpid(), at, &table, &bias);
	assert_int_equal(at - bias, LINKED_TO);
	assert_int_equal(skep_unwind_table_find(&table, at + 0xff - bias)->cfa, SKEP_CFA_NONE);
	assert_int_equal(skep_unwind_table_find(&table, at + 0x100 - bias)->cfa, SKEP_CFA_SP);
	end(&b);
}

/* Eight million rows, two rules in turn: more than there is room for. */
static void endless_rows(void **state)
{
	_cleanup_buf_ struct skep_buf frames = {0};
	static const uint8_t program[] = {0x41, 0x0e, 16, 0x41, 0x0e, 24};

	put_cie(&frames, 2);
	for (uint32_t i = 0; i < 4; i++) {
		put_function(&frames, 0, 0x1000 + i * 0x100000ull, 0x41, 6 * MB);
		char *at = frames.data + frames.len - 6 * MB;
		for (size_t j = 0; j + sizeof(program) <= 6 * MB; j += sizeof(program))
			memcpy(at + j, program, sizeof(program));
	}
	assert_int_equal(ask_for_frames(&frames), SKEP_UNWIND_FILE_NONE);
}

/* Two large CIEs in turn, for half a million functions: if each were read anew each time, this
 * would go on for days. */
static void large_cies(void **state)
{
	_cleanup_buf_ struct skep_buf frames = {0};
	size_t other;

	put_cie(&frames, 2 * MB);
	other = frames.len;
	put_cie(&frames, 2 * MB);
	for (uint32_t i = 0; i < MB / 2; i++)
		put_function(&frames, i % 2 ? 0 : other, i * 0x100000ull, 0, 0);
	assert_int_equal(ask_for_frames(&frames), SKEP_UNWIND_FILE_NONE);
}

static int ignore(void *ctx, const struct skep_cfi_row *row)
{
	return 0;
}

/* Two CIEs that want the same place in memory, in turn: reading them is paid for by bytes. */
static void cies_in_turn(void **state)
{
	_cleanup_buf_ struct skep_buf frames = {0};
	struct skep_cfi_counts counts;
	size_t other;

	put_cie(&frames, 1006); /* 1024 bytes with all that is before */
	other = frames.len;
	assert_int_equal(other, 1024);
	put_cie(&frames, 1006);
	for (uint32_t i = 0; i < 20000; i++)
		put_function(&frames, i % 2 ? 0 : other, 0x100000 * (i + 1ull), 0, 0);
	const struct skep_cfi_section section = {.data = (const uint8_t *)frames.data,
						 .size = frames.len,
						 .machine = skep_cfi_machine(EM_X86_64)};
	assert_int_equal(skep_cfi_read(&section, ignore, NULL, &counts), 0);
	assert_true(counts.n_functions > 1000);
	assert_true(counts.n_skipped > 10000);
}

/* Functions that lie in one another give no rows, and are no more than the rows there may be. */
static void within_another(void **state)
{
	_cleanup_buf_ struct skep_buf frames = {0};
	struct skep_unwind_table table;

	put_cie(&frames, 2);
	for (uint32_t i = 0; i < 10000; i++)
		put_function(&frames, 0, LINKED_TO + i, 0, 0);
	const struct skep_cfi_section section = {.data = (const uint8_t *)frames.data,
						 .size = frames.len,
						 .machine = skep_cfi_machine(EM_X86_64)};
	assert_int_equal(skep_unwind_table_build_within(&section, 9999, &table), -E2BIG);
	assert_int_equal(skep_unwind_table_build_within(&section, 10000, &table), 0);
	skep_unwind_table_done(&table);
}

/* Call frame information without end, in a file that is mostly a hole. */
static void holes(void **state)
{
	_cleanup_buf_ struct skep_buf frames = {0}, file = {0};
	struct image_bench b;

	put_cie(&frames, 2);
	make_elf(&file, &frames);
	const uint64_t endless = 1ull << 33;
	memcpy(file.data + file.len - 2 * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_size),
	       &endless, sizeof(endless));
	begin(&b);
	int fd = make_file(&b, file.data, file.len);
	assert_int_equal(ftruncate(fd, 1ll << 34), 0);
	map_fd(&b, fd, 4096);
	assert_int_equal(ask(&b), SKEP_UNWIND_FILE_NONE);
	end(&b);
}

/* Any byte of it may be any: an answer comes, and what the arrays have is what a table has. */
static void broken(void **state)
{
	_cleanup_buf_ struct skep_buf frames = {0}, file = {0};
	struct skep_unwind_image image;
	struct skep_unwind_table table;
	uint32_t n_tables = 0;

	put_cie(&frames, 2);
	put_function(&frames, 0, 0x1000, 0x41, 8);
	make_elf(&file, &frames);
	for (size_t i = 0; i < file.len * 8; i++) {
		file.data[i / 8] ^= (char)(1 << i % 8);
		if (!skep_unwind_image_parse(file.data, file.len, &image)) {
			if (image.kind == SKEP_UNWIND_IMAGE_TABLE &&
			    !skep_unwind_table_build_within(&image.section, 10000, &table)) {
				n_tables++;
				skep_unwind_table_done(&table);
			}
			skep_unwind_image_done(&image);
		}
		file.data[i / 8] ^= (char)(1 << i % 8);
	}
	assert_true(n_tables > 100 && n_tables < file.len * 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deleted),         cmocka_unit_test(moved_there),
		cmocka_unit_test(moved_deleted),   cmocka_unit_test(split),
		cmocka_unit_test(shared),          cmocka_unit_test(no_programs),
		cmocka_unit_test(devices),         cmocka_unit_test(sound),
		cmocka_unit_test(endless_rows),    cmocka_unit_test(large_cies),
		cmocka_unit_test(holes),           cmocka_unit_test(broken),
		cmocka_unit_test(not_shared),      cmocka_unit_test(forged_vdso),
		cmocka_unit_test(never_opened),    cmocka_unit_test(cies_in_turn),
		cmocka_unit_test(within_another),  cmocka_unit_test(left_behind),
		cmocka_unit_test(left_in_overlay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
