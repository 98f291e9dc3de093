/* What a program attaches to: attach.c asks, extension.c where that is another program. */
#ifndef SKEP_VERIFY_ATTACH_H
#define SKEP_VERIFY_ATTACH_H

#include "verify/verifier.h"

/** The target against the program, by their types and what each does. Source: the part of
 *  bpf_check_attach_target() for extensions, btf_check_type_match() */
int verify_extension(struct verifier *v);

#endif
