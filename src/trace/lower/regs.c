#include "trace/lower/regs.h"

#include <stddef.h>
#include <string.h>

#if defined(__x86_64__)
/* In the order of struct pt_regs; arguments as the System V calling convention passes them. */
static const char *const in_order[] = {"r15", "r14",     "r13", "r12", "bp",    "bx", "r11",
				       "r10", "r9",      "r8",  "ax",  "cx",    "dx", "si",
				       "di",  "orig_ax", "ip",  "cs",  "flags", "sp", "ss"};
static const char *const args[] = {"di", "si", "dx", "cx", "r8", "r9"};
#define RETVAL      "ax"
#define STACK_FIRST 8 /* behind the return address */
#elif defined(__aarch64__)
static const char *const in_order[] = {
	"r0",  "r1",  "r2",  "r3",  "r4",  "r5",  "r6",  "r7",  "r8",  "r9",    "r10", "r11",
	"r12", "r13", "r14", "r15", "r16", "r17", "r18", "r19", "r20", "r21",   "r22", "r23",
	"r24", "r25", "r26", "r27", "r28", "r29", "r30", "sp",  "pc",  "pstate"};
static const char *const args[] = {"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"};
#define RETVAL      "r0"
#define STACK_FIRST 0
#else
#error "no description of struct pt_regs for this architecture"
#endif

#define N_ARGS (sizeof(args) / sizeof(args[0]))

static const struct alias {
	const char *name, *means;
} aliases[] = {
	{"retval", RETVAL},
#if defined(__aarch64__)
	{"ip", "pc"},
	{"lr", "r30"},
#endif
};

int32_t skep_regs_find(const char *name)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (!strcmp(aliases[i].name, name))
			name = aliases[i].means;
	}
	for (size_t i = 0; i < sizeof(in_order) / sizeof(in_order[0]); i++) {
		if (!strcmp(in_order[i], name))
			return (int32_t)(8 * i);
	}
	return -1;
}

int32_t skep_regs_arg(uint32_t n)
{
	return n < N_ARGS ? skep_regs_find(args[n]) : -1;
}

int32_t skep_regs_stack_arg(uint32_t n)
{
	return (int32_t)(STACK_FIRST + 8 * (n - N_ARGS));
}
