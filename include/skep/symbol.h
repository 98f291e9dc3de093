/*
 * Addresses to names, for the kernel and for processes, lazily and cached.
 */
#ifndef SKEP_SYMBOL_H
#define SKEP_SYMBOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** What is known of an address. Strings are owned by the symbolizer and good until it is freed. */
struct skep_symbol {
	const char *name;   /* NULL: unknown */
	const char *module; /* kernel module, or the file it lies in; NULL: unknown */
	uint64_t offset;    /* from the symbol's start; from the module's start if name is NULL */
};

struct skep_diag;
struct skep_ksyms;
/** Reads nothing yet. */
struct skep_ksyms *skep_ksyms_new(void);
void skep_ksyms_free(struct skep_ksyms *syms);
/**
 * Name a code address. The first use reads /proc/kallsyms (tens of ms, most of
 * them the kernel's); later ones cost a binary search. What the kernel loads
 * after that (modules, BPF programs) is not seen.
 * Return 0 | -ENOENT not known, or data | -EPERM addresses are hidden from us
 * (kernel.kptr_restrict; see skep_ksyms_explain()) | -errno
 */
int skep_ksyms_lookup(struct skep_ksyms *syms, uint64_t addr, struct skep_symbol *ret);
/** Address of a kernel symbol of any kind; reads on until it is found, keeps nothing.
 *  Return 0 | -ENOENT | -EPERM | -errno */
int skep_ksyms_find(struct skep_ksyms *syms, const char *name, uint64_t *ret_addr);
/** Say in @diag why one of the two returned @err (not -ENOENT); returns @err. */
int skep_ksyms_explain(int err, struct skep_diag *diag);
/** Bytes held. */
size_t skep_ksyms_memory(const struct skep_ksyms *syms);

struct skep_usyms;
/**
 * Names addresses of processes. Not for several threads at a time.
 *
 * Bounded: 4096 processes, 512 files and 256 MiB of symbol tables, each with
 * the least recently used one leaving first; a process's last 4 sets of
 * mappings; 64 MiB of names handed out (then names are NULL, modules stay).
 */
struct skep_usyms *skep_usyms_new(bool demangle);
void skep_usyms_free(struct skep_usyms *syms);
/**
 * Name @addr of process @pid: through its mappings, the mapped files' symbol
 * tables (.symtab, .dynsym, separate debug files by build-id or debug link),
 * the vdso, and /tmp/perf-PID.map for code made at run time. Files are looked
 * up in the process's own root folder. C++ and Rust names are demangled if so
 * asked; control characters in names become '?'. A process that has ended since
 * it was first seen keeps its names; one that loads libraries or executes
 * another program is read again.
 *
 * Return 0 (name may still be NULL, with module and offset known) | -ENOENT
 */
int skep_usyms_lookup(struct skep_usyms *syms, pid_t pid, uint64_t addr, struct skep_symbol *ret);
/** Read @pid's mappings now, so that its addresses can be named after it ended. Cheap when known.
 */
void skep_usyms_note_process(struct skep_usyms *syms, pid_t pid);
/** Address of @name (function or variable) as @path's symbol table has it, before the file is
 *  moved to where it runs. Return 0 | -ENOENT | -errno */
int skep_usyms_find(struct skep_usyms *syms, const char *path, const char *name,
		    uint64_t *ret_addr);

/** Demangled copy (heap) of a C++ or Rust name, with parameters, without Rust's hash. NULL if it
 *  is not a mangled name, or one that is too long or grows beyond reason (64 KiB). */
char *skep_demangle(const char *name);

#endif
