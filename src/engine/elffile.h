/*
 * Objects built by clang, opened and loaded by libbpf on the engine that is open.
 *
 * libbpf's words never reach the terminal: they are kept, and become diagnostics.
 */
#ifndef SKEP_ENGINE_ELFFILE_H
#define SKEP_ENGINE_ELFFILE_H

#include <stdbool.h>
#include <stddef.h>

#include <skep/diag.h>

#include "base/buf.h"

struct bpf_object;
struct bpf_program;

struct skep_elffile {
	const char *path;          /* borrowed */
	struct bpf_object *object; /* owned */
	struct skep_buf bytes;     /* the file; owned */
	struct skep_buf said;      /* by libbpf, all levels but debug; owned */
};

#define SKEP_ELFFILE_MOST_BYTES (64u << 20)

/** Does this begin as an ELF file does? */
bool skep_elffile_is(const void *data, size_t len);

/**
 * Open an object. Nothing is loaded.
 *
 * @bytes  the file, taken over also where this fails; looked at before libbpf sees it: that it is
 *         an ELF file for BPF of 64 bits and this byte order, with its tables inside
 * @ret    closed with skep_elffile_close(); untouched on error
 * Return  0 | -EINVAL no such object | what libbpf returned; see @diag
 */
int skep_elffile_open(const char *path, struct skep_buf *bytes, struct skep_elffile *ret,
		      struct skep_diag *diag);
/** Unloads what was loaded. A zeroed one is fine. */
void skep_elffile_close(struct skep_elffile *elf);

/**
 * The program called @name, or the only one if @name is NULL.
 * @ret    borrowed
 * Return  0 | -ENOENT none of that name, or none at all | -EINVAL there are several; see @diag
 */
int skep_elffile_find(const struct skep_elffile *elf, const char *name, struct bpf_program **ret,
		      struct skep_diag *diag);

/**
 * Load @only (NULL: all programs) and the maps.
 *
 * Sizes that an object leaves to whoever loads it are set: 10240 entries, stacks of 127 frames; a
 * note tells so. Programs of tail calls are loaded with the one that is asked for.
 * Return  0 | what bpf(2) said, through libbpf; @diag has the verifier's line and the source's
 */
int skep_elffile_load(struct skep_elffile *elf, const struct bpf_program *only,
		      struct skep_diag *diag);

#define _cleanup_elffile_ __attribute__((cleanup(skep_elffile_close)))

/* --- said.c ---------------------------------------------------------------------------------- */

/** Why libbpf did not open (@loading: load) the object, from what it said. Return @err */
int skep_elffile_explain(const struct skep_elffile *elf, bool loading, int err,
			 struct skep_diag *diag);
/** A program's refusal, from its verifier's log (any bytes); also of programs not from libbpf.
 *  Return @err */
int skep_engine_refused(const char *name, const char *log, size_t len, int err,
			struct skep_diag *diag);

#endif
