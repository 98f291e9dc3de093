/*
 * An object: programs, maps and BTF, ready for an engine. What a compiler of
 * ours emits and what the loader takes; --emit-elf writes it as an ordinary
 * BPF ELF file.
 *
 * Instructions name maps by index: a 64-bit immediate load with
 * SKEP_PSEUDO_MAP_IDX (the map itself) or SKEP_PSEUDO_MAP_IDX_VALUE (an address
 * within an array map's value, offset in the second slot's imm) whose first imm
 * is the index into `maps`. Calls between functions of one program are already
 * relative.
 */
#ifndef SKEP_OBJECT_H
#define SKEP_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/diag.h>
#include <skep/isa.h>

#include <skep/begin.h>

struct skep_btf_writer;

/** A member of a struct_ops map's value that is a function. */
struct skep_object_op {
	uint32_t off, prog; /* byte in the value; index into the object's programs */
};

struct skep_object_map {
	char name[16]; /* NUL-terminated; [A-Za-z0-9_.] */
	uint32_t type, key_size, value_size, max_entries, flags;
	uint32_t btf_key, btf_value; /* ids in the object's BTF, 0: none */
	const void *init;            /* array maps: the first value, value_size bytes; borrowed */
	bool freeze;                 /* read-only for programs and user space once `init` is in */
	uint32_t
		btf_vmlinux_value; /* struct_ops: id of the kernel's bpf_struct_ops_NAME; 0: none */
	/* struct_ops: which program is at which byte of `init`; owned by whoever made the map */
	const struct skep_object_op *ops;
	uint32_t n_ops;
	/* Ask first without preallocation, and preallocate where the kernel refuses that. */
	bool prefer_no_prealloc;
};

/** An instruction range and the source it came from, ascending by insn. */
struct skep_object_line {
	uint32_t insn;
	struct skep_span span;
};

struct skep_object_func {
	uint32_t insn;     /* first instruction */
	uint32_t btf_func; /* BTF FUNC id */
	const char *name;  /* borrowed */
};

struct skep_object_prog {
	char name[16];
	uint32_t type;                 /* enum bpf_prog_type */
	uint32_t expected_attach_type; /* enum bpf_attach_type, 0 if it does not matter */
	uint32_t attach_btf_id;        /* of the kernel's BTF, or of what attach_fd is; 0: none */
	int attach_fd;                 /* another program, or a module's BTF; borrowed; 0: none */
	uint32_t flags;                /* BPF_F_SLEEPABLE … */
	const char *section;           /* ELF section name ("tracepoint/syscalls/sys_enter_open") */
	struct skep_insn *insns;       /* owned */
	size_t n_insns;
	struct skep_object_func *funcs; /* owned; funcs[0].insn == 0 */
	size_t n_funcs;
	struct skep_object_line *lines; /* owned */
	size_t n_lines;
	uint32_t stack_bytes; /* deepest use of the 512-byte stack, all frames */
};

struct skep_object {
	char license[16];
	struct skep_object_map *maps; /* owned */
	size_t n_maps;
	struct skep_object_prog *progs; /* owned, with what they own */
	size_t n_progs;
	struct skep_btf_writer *btf;      /* owned */
	const struct skep_source *source; /* what spans point into; borrowed, may be NULL */
};

void skep_object_init(struct skep_object *object);
void skep_object_done(struct skep_object *object);
/** Append a map; returns its index. */
uint32_t skep_object_add_map(struct skep_object *object, const struct skep_object_map *map);

/**
 * Write the object as a BPF ELF file (.maps with BTF-defined maps, one section
 * a program, relocations, .BTF, .BTF.ext, license) that libbpf and bpftool load.
 *
 * A map whose value programs use by address becomes the data section that libbpf
 * makes such a map from: .rodata.NAME if it is frozen, .data.NAME otherwise.
 * The format has no map that is used both ways, and no first contents for
 * other maps: such objects are refused. prefer_no_prealloc is not in the file.
 *
 * @object  its BTF gets the maps' types and the lines' texts; otherwise not modified
 * Return   0 | -EINVAL it cannot be said in ELF | -E2BIG too many sections | -errno of write()
 *          (see @diag)
 * Cost     O(size), and O(sections²) comparisons of names
 */
int skep_object_write_elf(const struct skep_object *object, int fd, struct skep_diag *diag);

/* --- Line info in the kernel's form: what an ELF file's .BTF.ext and a program load hold --- */

/* The same layout as Linux's struct bpf_line_info. */
struct skep_line_record {
	uint32_t insn, file, text, line_col;
};

struct skep_line_records {
	struct skep_line_record *data;
	size_t len, cap;
};

/** Lines of a source, and where their texts are in a BTF. */
struct skep_line_index {
	const struct skep_source *source; /* borrowed; NULL: no line info */
	struct skep_btf_writer *btf;      /* borrowed */
	uint32_t *starts;                 /* owned; offset of each line, ascending */
	uint32_t *texts;                  /* owned; BTF string of each line; 0: not yet there */
	uint32_t n, file;                 /* lines; BTF string of the source's name */
};

void skep_line_index_init(struct skep_line_index *index, const struct skep_source *source,
			  struct skep_btf_writer *btf);
void skep_line_index_done(struct skep_line_index *index);
/**
 * Append one program's line info to @ret, ascending: instructions with a place in the source, and
 * the start of every function, which the kernel demands. The texts go into the BTF.
 */
void skep_line_index_records(struct skep_line_index *index, const struct skep_object_prog *prog,
			     struct skep_line_records *ret);

#include <skep/end.h>

#endif
