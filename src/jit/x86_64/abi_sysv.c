/* Calling C where its convention is the one that code has anyway: nothing but the call. */
#include "jit/x86_64/asm.h"

void x_call_c(struct jit_unit *u, const void *function)
{
	x_call_abs(u, function);
}
