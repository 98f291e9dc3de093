/*
 * Line info in the kernel's form, from the spans of an object's programs: what
 * both an ELF file's .BTF.ext and a program load hold.
 */
#ifndef SKEP_OBJECT_LINES_H
#define SKEP_OBJECT_LINES_H

#include <skep/object.h>

#include "base/vec.h"

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

#endif
