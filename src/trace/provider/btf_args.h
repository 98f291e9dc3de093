/* What the kernel's BTF knows of places: their names, and arguments as u64 slots with types. */
#ifndef SKEP_TRACE_BTF_ARGS_H
#define SKEP_TRACE_BTF_ARGS_H

#include <skep/btf.h>

#include "trace/provider/provider.h"

/** Add NAME of every type PREFIXNAME of that kind that matches @pattern; of a module's BTF only its
 *  own types. Names are @btf's; NULL: none are added. */
void skep_btf_match(struct skep_expand *x, const struct skep_btf *btf, enum skep_btf_kind kind,
		    const char *prefix, const char *pattern, struct skep_names *names);
/**
 * The parameters of prototype @proto of @btf from the @skip-th on, as a record
 * whose fields are at 8 * i of the context, each read with its own size.
 *
 * @btf  the kernel's, or a module's on top of it: of a module's own types only
 *       the size is known
 */
const struct skep_record *skep_btf_args_record(struct skep_expand *x, const struct skep_btf *btf,
					       uint32_t proto, uint32_t skip, const char *name);
/** The type of one parameter or result; @id is of @btf, see above. */
const struct skep_type *skep_btf_arg_type(struct skep_expand *x, const struct skep_btf *btf,
					  uint32_t id);
/** "    TYPE NAME" for each of the same parameters. */
void skep_btf_args_list(const struct skep_btf *btf, uint32_t proto, uint32_t skip,
			struct skep_buf *out);
/** The prototype of the kernel's function @func in its BTF; 0: it has none. */
uint32_t skep_btf_func_proto(struct skep_expand *x, const char *func);

#endif
