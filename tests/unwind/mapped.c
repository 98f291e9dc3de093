/* See mapped.h. */
#include "mapped.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

int mapped_open(struct mapped *process, pid_t pid)
{
	process->pid = pid;
	process->n_files = 0;
	return skep_maps_read(pid, &process->maps);
}

void mapped_done(struct mapped *process)
{
	for (size_t i = 0; i < process->n_files; i++) {
		if (process->files[i].has_table)
			skep_unwind_table_done(&process->files[i].table);
		skep_elf_free(process->files[i].elf);
	}
	skep_maps_done(&process->maps);
}

static void build(struct mapped_file *file)
{
	struct skep_elf_section found;

	if (skep_elf_find_section(file->elf, ".eh_frame", &found) || !found.data)
		return;
	struct skep_cfi_section section = {.data = found.data,
					   .size = found.size,
					   .addr = found.addr,
					   .machine =
						   skep_cfi_machine(skep_elf_machine(file->elf))};
	file->has_table = section.machine && !skep_unwind_table_build(&section, &file->table);
}

static int open_mapped(const struct mapped *process, const struct skep_mapping *mapping,
		       struct skep_elf **ret)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, process->pid,
		 mapping->start, mapping->end);
	return skep_elf_open(path, ret, NULL);
}

static struct mapped_file *file_of(struct mapped *process, const struct skep_mapping *mapping)
{
	for (size_t i = 0; i < process->n_files; i++) {
		if (process->files[i].inode == mapping->inode)
			return &process->files[i];
	}
	if (process->n_files == MAPPED_FILES_MOST)
		return NULL;
	struct mapped_file *file = &process->files[process->n_files++];
	*file = (struct mapped_file){.inode = mapping->inode};
	if (!open_mapped(process, mapping, &file->elf))
		build(file);
	return file;
}

static const struct skep_unwind_table *frame_pointers(uint64_t *ret_bias)
{
	static struct skep_unwind_rule rule = {.cfa = SKEP_CFA_FP,
					       .fp = SKEP_CFI_AT_CFA,
					       .ra = SKEP_CFI_AT_CFA,
					       .cfa_off = 16,
					       .fp_off = -16};
	static const struct skep_unwind_table table = {.rules = &rule, .n_rules = 1};

	*ret_bias = 0;
	return &table;
}

const struct skep_unwind_table *mapped_table(struct mapped *process,
					     const struct skep_mapping *mapping, uint64_t *ret_bias)
{
	const struct mapped_file *file;
	uint64_t addr;

	if (!mapping->exec)
		return NULL;
	if (!mapping->inode)
		return process->maps.paths[mapping->path] ? NULL : frame_pointers(ret_bias);
	file = file_of(process, mapping);
	if (!file || !file->has_table || skep_elf_off_to_addr(file->elf, mapping->off, &addr))
		return NULL;
	*ret_bias = mapping->start - addr;
	return &file->table;
}

static const struct skep_unwind_table *find(void *ctx, uint64_t pc, uint64_t *ret_bias)
{
	struct mapped *process = ctx;
	const struct skep_mapping *mapping = skep_maps_find(&process->maps, pc);

	return mapping ? mapped_table(process, mapping, ret_bias) : NULL;
}

int mapped_read(pid_t pid, uint64_t addr, void *ret, size_t n)
{
	struct iovec ours = {ret, n}, theirs = {(void *)(uintptr_t)addr, n};

	return process_vm_readv(pid, &ours, 1, &theirs, 1, 0) == (ssize_t)n ? 0 : -EFAULT;
}

static int read_memory(void *ctx, uint64_t addr, void *ret, size_t n)
{
	const struct mapped *process = ctx;

	return mapped_read(process->pid, addr, ret, n);
}

struct skep_unwind_process mapped_process(struct mapped *process)
{
	return (struct skep_unwind_process){find, read_memory, process};
}

struct skep_unwind_regs mapped_stop(pid_t tid, uint64_t *ret_all)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_SEIZE, tid, 0, 0) || ptrace(PTRACE_INTERRUPT, tid, 0, 0) ||
	    waitpid(tid, NULL, __WALL) != tid || ptrace(PTRACE_GETREGS, tid, 0, &r)) {
		perror("ptrace");
		exit(1);
	}
	const uint64_t all[SKEP_UNWIND_REGS_CNT] = {r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi,
						    r.rbp, r.rsp, r.r8,  r.r9,  r.r10, r.r11,
						    r.r12, r.r13, r.r14, r.r15};
	for (int i = 0; i < SKEP_UNWIND_REGS_CNT; i++)
		ret_all[i] = all[i];
	return (struct skep_unwind_regs){
		.pc = r.rip,
		.sp = r.rsp,
		.fp = r.rbp,
		.is_new = !r.rax && (r.orig_rax == SYS_clone || r.orig_rax == SYS_clone3),
		.all = ret_all};
}

void mapped_go_on(pid_t tid)
{
	ptrace(PTRACE_DETACH, tid, 0, 0);
}

void mapped_threads(struct mapped *process, void (*each)(struct mapped *process, pid_t tid))
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", process->pid);
	DIR *tasks = opendir(path);
	if (!tasks) {
		fprintf(stderr, "no process %d\n", process->pid);
		exit(1);
	}
	for (const struct dirent *entry; (entry = readdir(tasks));) {
		if (atoi(entry->d_name) > 0)
			each(process, atoi(entry->d_name));
	}
	closedir(tasks);
}
