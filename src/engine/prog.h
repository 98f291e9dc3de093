/*
 * What an engine knows of a loaded program: its instructions as they are run, the functions and
 * source lines they are of, its maps, the machine code made of it.
 */
#ifndef SKEP_ENGINE_PROG_H
#define SKEP_ENGINE_PROG_H

#include <skep/diag.h>
#include <skep/isa.h>

#include "base/buf.h"
#include "linux/bpf.h"

struct skep_btf;
struct skep_engine;
struct skep_ksyms;

struct skep_prog {
	int fd;                    /* owned; -1: none */
	struct bpf_prog_info info; /* its arrays are the ones below */
	struct skep_insn *insns;   /* owned; info.xlated_prog_len bytes */
	uint32_t n_insns;
	struct bpf_line_info *lines; /* owned; ascending by insn_off */
	struct bpf_func_info *funcs; /* owned */
	uint32_t *map_ids;           /* owned */
	uint8_t *jited;              /* owned; info.jited_prog_len bytes */
	struct skep_btf *btf;        /* owned; NULL: none */
	struct skep_ksyms *ksyms;    /* owned; of linux, for what it calls; NULL: not asked yet */
	uint64_t call_base;          /* what calls of the kernel's xlated code count from */
};

/**
 * Ask for everything. What this process may not see is left empty.
 * @fd     taken over
 * @ret    freed with skep_prog_done(); untouched on error
 * Return  0 | -errno of BPF_OBJ_GET_INFO_BY_FD
 */
int skep_prog_read(int fd, struct skep_prog *ret);
void skep_prog_done(struct skep_prog *prog);

/** Where an instruction comes from. Strings are the program's BTF's. */
struct skep_prog_line {
	const char *file, *text;
	uint32_t line, col;
};
/** false: it has no line. */
bool skep_prog_line(const struct skep_prog *prog, uint32_t insn, struct skep_prog_line *ret);
/** "count+3", or the program's own name where it has no functions' names. */
const char *skep_prog_func(const struct skep_prog *prog, uint32_t insn, uint32_t *ret_start);

/** The text of one instruction, calls and maps by name. @linux_code: calls are relative to the
 *  kernel's base of helpers, as its xlated code has them. */
void skep_prog_insn_text(struct skep_prog *prog, bool linux_code, uint32_t insn,
			 struct skep_buf *out);

/** The id of the next program or map behind @id (0: the first); 0: there is none. */
uint32_t skep_prog_next_id(uint32_t id);
/** Return a descriptor | -errno */
int skep_prog_open_id(uint32_t id);

/** The object's BTF of this id. Return 0 | -ENOENT id 0 | -errno; @ret freed by the caller */
int skep_engine_btf(uint32_t id, struct skep_btf **ret);

#define _cleanup_prog_ __attribute__((cleanup(skep_prog_done)))

#endif
