/* Instructions as initializers of arrays: what the tests of this folder write programs with. */
#ifndef SKEP_TESTS_MACHINE_INSNS_H
#define SKEP_TESTS_MACHINE_INSNS_H

#include <skep/isa.h>

#define CALL(helper)                                                                               \
	{                                                                                          \
		SKEP_JMP | SKEP_CALL, 0, 0, 0, helper                                              \
	}
#define EXIT                                                                                       \
	{                                                                                          \
		SKEP_JMP | SKEP_EXIT                                                               \
	}
#define MOV_IMM(dst, i)                                                                            \
	{                                                                                          \
		SKEP_ALU64 | SKEP_MOV | SKEP_K, dst, 0, 0, i                                       \
	}
#define MOV(dst, src)                                                                              \
	{                                                                                          \
		SKEP_ALU64 | SKEP_MOV | SKEP_X, dst, src                                           \
	}
#define ADD_IMM(dst, i)                                                                            \
	{                                                                                          \
		SKEP_ALU64 | SKEP_ADD | SKEP_K, dst, 0, 0, i                                       \
	}

#endif
