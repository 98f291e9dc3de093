/*
 * struct pt_regs of this machine's architecture: where a program on a function
 * finds registers, arguments and the return value. Rows of regs.def.
 */
#ifndef SKEP_TRACE_REGS_H
#define SKEP_TRACE_REGS_H

#include <stdint.h>

/** Offset of a register in struct pt_regs by the names that reg() takes (also "ip", "sp",
 *  "retval"); -1: there is none. */
int32_t skep_regs_find(const char *name);
/** Offset of the register that holds argument @n (from 0) of a function; -1: on the stack. */
int32_t skep_regs_arg(uint32_t n);
/** Offset from the stack pointer of argument @n at the function's entry. */
int32_t skep_regs_stack_arg(uint32_t n);

#if defined(__x86_64__)
#define SKEP_REGS_MODE      "cs"
#define SKEP_REGS_MODE_MASK 3
#define SKEP_REGS_MODE_USER 3
#elif defined(__aarch64__)
#define SKEP_REGS_MODE      "pstate"
#define SKEP_REGS_MODE_MASK 0xf
#define SKEP_REGS_MODE_USER 0
#endif

#endif
