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

struct skep_ksyms;
/** Reads nothing yet. */
struct skep_ksyms *skep_ksyms_new(void);
void skep_ksyms_free(struct skep_ksyms *syms);
/** First use reads /proc/kallsyms. Return 0 | -ENOENT not known | -EPERM addresses hidden
 *  (kernel.kptr_restrict) | -errno */
int skep_ksyms_lookup(struct skep_ksyms *syms, uint64_t addr, struct skep_symbol *ret);
/** Address of a kernel symbol. Return 0 | -ENOENT | -EPERM | -errno */
int skep_ksyms_find(struct skep_ksyms *syms, const char *name, uint64_t *ret_addr);

struct skep_usyms;
struct skep_usyms *skep_usyms_new(bool demangle);
void skep_usyms_free(struct skep_usyms *syms);
/**
 * Name @addr of process @pid: through its mappings, the mapped files' symbol
 * tables (.symtab, .dynsym, separate debug files by build-id or debug link),
 * the vdso, and /tmp/perf-PID.map for code made at run time. C++ and Rust names
 * are demangled if so asked. A process that has ended since it was first seen
 * keeps its names.
 * Return 0 (name may still be NULL, with module and offset known) | -ENOENT
 */
int skep_usyms_lookup(struct skep_usyms *syms, pid_t pid, uint64_t addr, struct skep_symbol *ret);
/** Read @pid's mappings now, so that its addresses can be named after it ended. Cheap when known. */
void skep_usyms_note_process(struct skep_usyms *syms, pid_t pid);
/** Address of @name in @path's symbol table. Return 0 | -ENOENT | -errno */
int skep_usyms_find(struct skep_usyms *syms, const char *path, const char *name,
		    uint64_t *ret_addr);

/** Demangled copy (heap) of a C++ or Rust name; NULL if it is not a mangled name. */
char *skep_demangle(const char *name);

#endif
