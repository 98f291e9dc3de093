/*
 * Line info: which source line each instruction came from, in the kernel's
 * form. With it bpftool and the verifier's log show the script beside the
 * instructions.
 */
#ifndef SKEP_LOAD_LINES_H
#define SKEP_LOAD_LINES_H

#include <linux/bpf.h>
#include <skep/object.h>

#include "base/vec.h"

struct load_line_vec {
	struct bpf_line_info *data;
	size_t len, cap;
};

/** Lines of the source, and where their texts are in the object's BTF. */
struct load_lines {
	const struct skep_source *source; /* borrowed; NULL: no line info */
	uint32_t *starts;                 /* owned; offset of each line, ascending */
	uint32_t *texts;                  /* owned; BTF string of each line; 0: not used */
	uint32_t n, file;                 /* lines; BTF string of the source's name */
};

/** Put the texts of all lines the object's programs use into its BTF, before it is finished. */
void load_lines_init(struct load_lines *lines, const struct skep_object *object);
void load_lines_done(struct load_lines *lines);
/** The line info of one program into @ret (emptied first): ascending, and one at the start of
 *  every function, as the kernel demands. */
void load_lines_of(const struct load_lines *lines, const struct skep_object_prog *prog,
		   struct load_line_vec *ret);

#endif
