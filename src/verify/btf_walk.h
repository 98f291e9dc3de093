/*
 * From an offset in a structure to the member that is there.
 */
#ifndef SKEP_VERIFY_BTF_WALK_H
#define SKEP_VERIFY_BTF_WALK_H

#include "verify/verifier.h"

/* What is there. */
enum btf_found { BTF_NUMBER, BTF_STRUCT_PTR, BTF_OTHER_PTR, BTF_STRUCT };

struct btf_place {
	const struct skep_btf *btf;
	uint32_t type; /* in: the structure; out: what the pointer points to, or the one inside */
	int32_t off;   /* in it */
	uint32_t bytes;
	bool grows;       /* the last member may be an array without a length */
	uint16_t flags;   /* out, enum reg_flag: of the pointer, or that a union was gone through */
	const char *name; /* out: of the pointer */
};

/** One step: to a number, a pointer, or a structure that begins exactly there (to be gone on with
 *  at offset 0). Return enum btf_found | -EACCES | -EINVAL. Source: btf_struct_walk() */
int verify_btf_step(struct verifier *v, struct btf_place *place);
/** All steps, to a number or pointer. Source: btf_struct_access() */
int verify_btf_walk(struct verifier *v, struct btf_place *place);

#endif
