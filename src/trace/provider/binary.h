/* Programs and libraries that uprobes and USDT probes name. */
#ifndef SKEP_TRACE_BINARY_H
#define SKEP_TRACE_BINARY_H

#include "trace/provider/provider.h"

/**
 * The files that part @part of @spec, @target, means: a path, a command, a
 * library ("libc"), a glob, "*" for everything mapped by -p's process (or by any
 * process), "" for the program of -p or -c. With -p, paths are those of its mount
 * namespace, reached through /proc/PID/root.
 *
 * @ret    paths on x->arena, each once; for a glob there may be none
 * Return  0 | -ENOENT | -errno (see x->diag)
 */
int skep_binary_find(struct skep_expand *x, const struct skep_probe_spec *spec, uint32_t part,
		     const char *target, struct skep_names *ret);
/**
 * The file at @path, which is on x->arena. It stays open for the next that asks for the same.
 *
 * @ret    borrowed; until the next call, or skep_binary_close()
 * Return  0 | -errno (see @diag)
 */
int skep_binary_open(struct skep_expand *x, const char *path, const struct skep_elf **ret,
		     struct skep_diag *diag);
/** Close what is open, and forget what names stood for. */
void skep_binary_close(struct skep_expand *x);
/** Files that @pid has mapped executable, as paths on @arena; added to @ret.
 *  Return 0 | -errno */
int skep_binary_mapped(struct skep_arena *arena, pid_t pid, struct skep_names *ret);

#endif
