/*
 * What each row of isa.def does, a line a row, as the threaded interpreter
 * runs it: d and s point to the registers, p to the instruction.
 *
 *	DO_<row>(d, s, p)    for rows that go on with the next instruction
 *	IF_<row>(d, s, p)    the condition of rows that may jump
 *
 * interp.c makes a handler of each; a row without its line does not compile.
 * Names of the machine's state that some lines use: r (registers), arena.
 */
#ifndef SKEP_VM_SEMANTICS_H
#define SKEP_VM_SEMANTICS_H

#include <endian.h>
#include <stdint.h>

#define IMM(p)   ((uint64_t)(int64_t)(p)->imm)
#define IMM32(p) ((uint32_t)(p)->imm)
#define U32(x)   ((uint32_t)(x))
#define S32(x)   ((int32_t)(x))
#define S64(x)   ((int64_t)(x))

/* --- division: by zero it is defined, and so is the one quotient that overflows --------------- */

static inline uint64_t div64(uint64_t a, uint64_t b)
{
	return b ? a / b : 0;
}
static inline uint64_t mod64(uint64_t a, uint64_t b)
{
	return b ? a % b : a;
}
static inline uint64_t div32(uint32_t a, uint32_t b)
{
	return b ? a / b : 0;
}
static inline uint64_t mod32(uint32_t a, uint32_t b)
{
	return b ? a % b : a;
}
static inline uint64_t sdiv64(int64_t a, int64_t b)
{
	return !b ? 0 : b == -1 ? -(uint64_t)a : (uint64_t)(a / b);
}
static inline uint64_t smod64(int64_t a, int64_t b)
{
	return !b ? (uint64_t)a : b == -1 ? 0 : (uint64_t)(a % b);
}
static inline uint64_t sdiv32(int32_t a, int32_t b)
{
	return !b ? 0 : b == -1 ? -(uint32_t)a : (uint32_t)(a / b);
}
static inline uint64_t smod32(int32_t a, int32_t b)
{
	return !b ? (uint32_t)a : b == -1 ? 0 : (uint32_t)(a % b);
}

/* --- 64-bit arithmetic ------------------------------------------------------------------------ */

#define DO_ADD64_IMM(d, s, p)       (*(d) += IMM(p))
#define DO_ADD64_REG(d, s, p)       (*(d) += *(s))
#define DO_SUB64_IMM(d, s, p)       (*(d) -= IMM(p))
#define DO_SUB64_REG(d, s, p)       (*(d) -= *(s))
#define DO_MUL64_IMM(d, s, p)       (*(d) *= IMM(p))
#define DO_MUL64_REG(d, s, p)       (*(d) *= *(s))
#define DO_DIV64_IMM(d, s, p)       (*(d) = div64(*(d), IMM(p)))
#define DO_DIV64_REG(d, s, p)       (*(d) = div64(*(d), *(s)))
#define DO_SDIV64_IMM(d, s, p)      (*(d) = sdiv64(S64(*(d)), (p)->imm))
#define DO_SDIV64_REG(d, s, p)      (*(d) = sdiv64(S64(*(d)), S64(*(s))))
#define DO_OR64_IMM(d, s, p)        (*(d) |= IMM(p))
#define DO_OR64_REG(d, s, p)        (*(d) |= *(s))
#define DO_AND64_IMM(d, s, p)       (*(d) &= IMM(p))
#define DO_AND64_REG(d, s, p)       (*(d) &= *(s))
#define DO_LSH64_IMM(d, s, p)       (*(d) <<= (p)->imm & 63)
#define DO_LSH64_REG(d, s, p)       (*(d) <<= *(s)&63)
#define DO_RSH64_IMM(d, s, p)       (*(d) >>= (p)->imm & 63)
#define DO_RSH64_REG(d, s, p)       (*(d) >>= *(s)&63)
#define DO_MOD64_IMM(d, s, p)       (*(d) = mod64(*(d), IMM(p)))
#define DO_MOD64_REG(d, s, p)       (*(d) = mod64(*(d), *(s)))
#define DO_SMOD64_IMM(d, s, p)      (*(d) = smod64(S64(*(d)), (p)->imm))
#define DO_SMOD64_REG(d, s, p)      (*(d) = smod64(S64(*(d)), S64(*(s))))
#define DO_XOR64_IMM(d, s, p)       (*(d) ^= IMM(p))
#define DO_XOR64_REG(d, s, p)       (*(d) ^= *(s))
#define DO_MOV64_IMM(d, s, p)       (*(d) = IMM(p))
#define DO_MOV64_REG(d, s, p)       (*(d) = *(s))
#define DO_ARSH64_IMM(d, s, p)      (*(d) = (uint64_t)(S64(*(d)) >> ((p)->imm & 63)))
#define DO_ARSH64_REG(d, s, p)      (*(d) = (uint64_t)(S64(*(d)) >> (*(s)&63)))
#define DO_NEG64(d, s, p)           (*(d) = -*(d))
#define DO_MOVSX64_8(d, s, p)       (*(d) = (uint64_t)(int64_t)(int8_t) * (s))
#define DO_MOVSX64_16(d, s, p)      (*(d) = (uint64_t)(int64_t)(int16_t) * (s))
#define DO_MOVSX64_32(d, s, p)      (*(d) = (uint64_t)(int64_t)(int32_t) * (s))
#define DO_ADDR_SPACE_CAST(d, s, p) (*(d) = skep_vm_cast(arena, *(s), IMM32(p)))

/* --- 32-bit arithmetic: the upper half becomes 0 ---------------------------------------------- */

#define DO_ADD32_IMM(d, s, p)  (*(d) = U32(*(d)) + IMM32(p))
#define DO_ADD32_REG(d, s, p)  (*(d) = U32(*(d)) + U32(*(s)))
#define DO_SUB32_IMM(d, s, p)  (*(d) = U32(*(d)) - IMM32(p))
#define DO_SUB32_REG(d, s, p)  (*(d) = U32(*(d)) - U32(*(s)))
#define DO_MUL32_IMM(d, s, p)  (*(d) = U32(*(d)) * IMM32(p))
#define DO_MUL32_REG(d, s, p)  (*(d) = U32(*(d)) * U32(*(s)))
#define DO_DIV32_IMM(d, s, p)  (*(d) = div32(U32(*(d)), IMM32(p)))
#define DO_DIV32_REG(d, s, p)  (*(d) = div32(U32(*(d)), U32(*(s))))
#define DO_SDIV32_IMM(d, s, p) (*(d) = sdiv32(S32(*(d)), (p)->imm))
#define DO_SDIV32_REG(d, s, p) (*(d) = sdiv32(S32(*(d)), S32(*(s))))
#define DO_OR32_IMM(d, s, p)   (*(d) = U32(*(d)) | IMM32(p))
#define DO_OR32_REG(d, s, p)   (*(d) = U32(*(d)) | U32(*(s)))
#define DO_AND32_IMM(d, s, p)  (*(d) = U32(*(d)) & IMM32(p))
#define DO_AND32_REG(d, s, p)  (*(d) = U32(*(d)) & U32(*(s)))
#define DO_LSH32_IMM(d, s, p)  (*(d) = U32(*(d)) << ((p)->imm & 31))
#define DO_LSH32_REG(d, s, p)  (*(d) = U32(*(d)) << (*(s)&31))
#define DO_RSH32_IMM(d, s, p)  (*(d) = U32(*(d)) >> ((p)->imm & 31))
#define DO_RSH32_REG(d, s, p)  (*(d) = U32(*(d)) >> (*(s)&31))
#define DO_MOD32_IMM(d, s, p)  (*(d) = mod32(U32(*(d)), IMM32(p)))
#define DO_MOD32_REG(d, s, p)  (*(d) = mod32(U32(*(d)), U32(*(s))))
#define DO_SMOD32_IMM(d, s, p) (*(d) = smod32(S32(*(d)), (p)->imm))
#define DO_SMOD32_REG(d, s, p) (*(d) = smod32(S32(*(d)), S32(*(s))))
#define DO_XOR32_IMM(d, s, p)  (*(d) = U32(*(d)) ^ IMM32(p))
#define DO_XOR32_REG(d, s, p)  (*(d) = U32(*(d)) ^ U32(*(s)))
#define DO_MOV32_IMM(d, s, p)  (*(d) = IMM32(p))
#define DO_MOV32_REG(d, s, p)  (*(d) = U32(*(s)))
#define DO_ARSH32_IMM(d, s, p) (*(d) = U32(S32(*(d)) >> ((p)->imm & 31)))
#define DO_ARSH32_REG(d, s, p) (*(d) = U32(S32(*(d)) >> (*(s)&31)))
#define DO_NEG32(d, s, p)      (*(d) = -U32(*(d)))
#define DO_MOVSX32_8(d, s, p)  (*(d) = U32((int8_t) * (s)))
#define DO_MOVSX32_16(d, s, p) (*(d) = U32((int16_t) * (s)))

/* --- byte order ------------------------------------------------------------------------------- */

#define DO_LE16(d, s, p)    (*(d) = htole16((uint16_t) * (d)))
#define DO_LE32(d, s, p)    (*(d) = htole32(U32(*(d))))
#define DO_LE64(d, s, p)    (*(d) = htole64(*(d)))
#define DO_BE16(d, s, p)    (*(d) = htobe16((uint16_t) * (d)))
#define DO_BE32(d, s, p)    (*(d) = htobe32(U32(*(d))))
#define DO_BE64(d, s, p)    (*(d) = htobe64(*(d)))
#define DO_BSWAP16(d, s, p) (*(d) = __builtin_bswap16((uint16_t) * (d)))
#define DO_BSWAP32(d, s, p) (*(d) = __builtin_bswap32(U32(*(d))))
#define DO_BSWAP64(d, s, p) (*(d) = __builtin_bswap64(*(d)))

/* --- conditions ------------------------------------------------------------------------------- */

#define IF_JEQ64_IMM(d, s, p)  (*(d) == IMM(p))
#define IF_JEQ64_REG(d, s, p)  (*(d) == *(s))
#define IF_JEQ32_IMM(d, s, p)  (U32(*(d)) == IMM32(p))
#define IF_JEQ32_REG(d, s, p)  (U32(*(d)) == U32(*(s)))
#define IF_JGT64_IMM(d, s, p)  (*(d) > IMM(p))
#define IF_JGT64_REG(d, s, p)  (*(d) > *(s))
#define IF_JGT32_IMM(d, s, p)  (U32(*(d)) > IMM32(p))
#define IF_JGT32_REG(d, s, p)  (U32(*(d)) > U32(*(s)))
#define IF_JGE64_IMM(d, s, p)  (*(d) >= IMM(p))
#define IF_JGE64_REG(d, s, p)  (*(d) >= *(s))
#define IF_JGE32_IMM(d, s, p)  (U32(*(d)) >= IMM32(p))
#define IF_JGE32_REG(d, s, p)  (U32(*(d)) >= U32(*(s)))
#define IF_JSET64_IMM(d, s, p) (*(d)&IMM(p))
#define IF_JSET64_REG(d, s, p) (*(d) & *(s))
#define IF_JSET32_IMM(d, s, p) (U32(*(d)) & IMM32(p))
#define IF_JSET32_REG(d, s, p) (U32(*(d)) & U32(*(s)))
#define IF_JNE64_IMM(d, s, p)  (*(d) != IMM(p))
#define IF_JNE64_REG(d, s, p)  (*(d) != *(s))
#define IF_JNE32_IMM(d, s, p)  (U32(*(d)) != IMM32(p))
#define IF_JNE32_REG(d, s, p)  (U32(*(d)) != U32(*(s)))
#define IF_JSGT64_IMM(d, s, p) (S64(*(d)) > (p)->imm)
#define IF_JSGT64_REG(d, s, p) (S64(*(d)) > S64(*(s)))
#define IF_JSGT32_IMM(d, s, p) (S32(*(d)) > (p)->imm)
#define IF_JSGT32_REG(d, s, p) (S32(*(d)) > S32(*(s)))
#define IF_JSGE64_IMM(d, s, p) (S64(*(d)) >= (p)->imm)
#define IF_JSGE64_REG(d, s, p) (S64(*(d)) >= S64(*(s)))
#define IF_JSGE32_IMM(d, s, p) (S32(*(d)) >= (p)->imm)
#define IF_JSGE32_REG(d, s, p) (S32(*(d)) >= S32(*(s)))
#define IF_JLT64_IMM(d, s, p)  (*(d) < IMM(p))
#define IF_JLT64_REG(d, s, p)  (*(d) < *(s))
#define IF_JLT32_IMM(d, s, p)  (U32(*(d)) < IMM32(p))
#define IF_JLT32_REG(d, s, p)  (U32(*(d)) < U32(*(s)))
#define IF_JLE64_IMM(d, s, p)  (*(d) <= IMM(p))
#define IF_JLE64_REG(d, s, p)  (*(d) <= *(s))
#define IF_JLE32_IMM(d, s, p)  (U32(*(d)) <= IMM32(p))
#define IF_JLE32_REG(d, s, p)  (U32(*(d)) <= U32(*(s)))
#define IF_JSLT64_IMM(d, s, p) (S64(*(d)) < (p)->imm)
#define IF_JSLT64_REG(d, s, p) (S64(*(d)) < S64(*(s)))
#define IF_JSLT32_IMM(d, s, p) (S32(*(d)) < (p)->imm)
#define IF_JSLT32_REG(d, s, p) (S32(*(d)) < S32(*(s)))
#define IF_JSLE64_IMM(d, s, p) (S64(*(d)) <= (p)->imm)
#define IF_JSLE64_REG(d, s, p) (S64(*(d)) <= S64(*(s)))
#define IF_JSLE32_IMM(d, s, p) (S32(*(d)) <= (p)->imm)
#define IF_JSLE32_REG(d, s, p) (S32(*(d)) <= S32(*(s)))

/* --- memory: what is not aligned is read and written all the same ---------------------------- */

#define AT(base, p) ((void *)(uintptr_t)(*(base) + (uint64_t)(int64_t)(p)->off))
#define LOAD(type, base, p)                                                                        \
	({                                                                                         \
		type loaded_;                                                                      \
		__builtin_memcpy(&loaded_, AT(base, p), sizeof(loaded_));                          \
		loaded_;                                                                           \
	})
#define STORE(type, base, p, value)                                                                \
	do {                                                                                       \
		type stored_ = (type)(value);                                                      \
		__builtin_memcpy(AT(base, p), &stored_, sizeof(stored_));                          \
	} while (0)

#define DO_LDX8(d, s, p)   (*(d) = LOAD(uint8_t, s, p))
#define DO_LDX16(d, s, p)  (*(d) = LOAD(uint16_t, s, p))
#define DO_LDX32(d, s, p)  (*(d) = LOAD(uint32_t, s, p))
#define DO_LDX64(d, s, p)  (*(d) = LOAD(uint64_t, s, p))
#define DO_LDXS8(d, s, p)  (*(d) = (uint64_t)(int64_t)LOAD(int8_t, s, p))
#define DO_LDXS16(d, s, p) (*(d) = (uint64_t)(int64_t)LOAD(int16_t, s, p))
#define DO_LDXS32(d, s, p) (*(d) = (uint64_t)(int64_t)LOAD(int32_t, s, p))
#define DO_ST8(d, s, p)    STORE(uint8_t, d, p, (p)->imm)
#define DO_ST16(d, s, p)   STORE(uint16_t, d, p, (p)->imm)
#define DO_ST32(d, s, p)   STORE(uint32_t, d, p, (p)->imm)
#define DO_ST64(d, s, p)   STORE(uint64_t, d, p, IMM(p))
#define DO_STX8(d, s, p)   STORE(uint8_t, d, p, *(s))
#define DO_STX16(d, s, p)  STORE(uint16_t, d, p, *(s))
#define DO_STX32(d, s, p)  STORE(uint32_t, d, p, *(s))
#define DO_STX64(d, s, p)  STORE(uint64_t, d, p, *(s))

/* --- atomics ---------------------------------------------------------------------------------- */

#define FETCH(op, type, d, s, p)                                                                   \
	__atomic_fetch_##op((type *)AT(d, p), (type) * (s), __ATOMIC_SEQ_CST)

#define DO_ATOMIC_ADD32(d, s, p) ((void)FETCH(add, uint32_t, d, s, p))
#define DO_ATOMIC_OR32(d, s, p)  ((void)FETCH(or, uint32_t, d, s, p))
#define DO_ATOMIC_AND32(d, s, p) ((void)FETCH(and, uint32_t, d, s, p))
#define DO_ATOMIC_XOR32(d, s, p) ((void)FETCH(xor, uint32_t, d, s, p))
#define DO_ATOMIC_ADD64(d, s, p) ((void)FETCH(add, uint64_t, d, s, p))
#define DO_ATOMIC_OR64(d, s, p)  ((void)FETCH(or, uint64_t, d, s, p))
#define DO_ATOMIC_AND64(d, s, p) ((void)FETCH(and, uint64_t, d, s, p))
#define DO_ATOMIC_XOR64(d, s, p) ((void)FETCH(xor, uint64_t, d, s, p))
#define DO_FETCH_ADD32(d, s, p)  (*(s) = FETCH(add, uint32_t, d, s, p))
#define DO_FETCH_OR32(d, s, p)   (*(s) = FETCH(or, uint32_t, d, s, p))
#define DO_FETCH_AND32(d, s, p)  (*(s) = FETCH(and, uint32_t, d, s, p))
#define DO_FETCH_XOR32(d, s, p)  (*(s) = FETCH(xor, uint32_t, d, s, p))
#define DO_FETCH_ADD64(d, s, p)  (*(s) = FETCH(add, uint64_t, d, s, p))
#define DO_FETCH_OR64(d, s, p)   (*(s) = FETCH(or, uint64_t, d, s, p))
#define DO_FETCH_AND64(d, s, p)  (*(s) = FETCH(and, uint64_t, d, s, p))
#define DO_FETCH_XOR64(d, s, p)  (*(s) = FETCH(xor, uint64_t, d, s, p))

#define XCHG(type, d, s, p)                                                                        \
	(*(s) = __atomic_exchange_n((type *)AT(d, p), (type) * (s), __ATOMIC_SEQ_CST))
#define DO_XCHG32(d, s, p) XCHG(uint32_t, d, s, p)
#define DO_XCHG64(d, s, p) XCHG(uint64_t, d, s, p)

/* What was found lands in `found_`, whether it was what r0 says or not. */
#define CMPXCHG(type, d, s, p)                                                                     \
	do {                                                                                       \
		type found_ = (type)r[0];                                                          \
		__atomic_compare_exchange_n((type *)AT(d, p), &found_, (type) * (s), false,        \
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                   \
		r[0] = found_;                                                                     \
	} while (0)
#define DO_CMPXCHG32(d, s, p)   CMPXCHG(uint32_t, d, s, p)
#define DO_CMPXCHG64(d, s, p)   CMPXCHG(uint64_t, d, s, p)

#define ACQUIRE(type, d, s, p)  (*(d) = __atomic_load_n((type *)AT(s, p), __ATOMIC_ACQUIRE))
#define RELEASE(type, d, s, p)  __atomic_store_n((type *)AT(d, p), (type) * (s), __ATOMIC_RELEASE)
#define DO_LOAD_ACQ8(d, s, p)   ACQUIRE(uint8_t, d, s, p)
#define DO_LOAD_ACQ16(d, s, p)  ACQUIRE(uint16_t, d, s, p)
#define DO_LOAD_ACQ32(d, s, p)  ACQUIRE(uint32_t, d, s, p)
#define DO_LOAD_ACQ64(d, s, p)  ACQUIRE(uint64_t, d, s, p)
#define DO_STORE_REL8(d, s, p)  RELEASE(uint8_t, d, s, p)
#define DO_STORE_REL16(d, s, p) RELEASE(uint16_t, d, s, p)
#define DO_STORE_REL32(d, s, p) RELEASE(uint32_t, d, s, p)
#define DO_STORE_REL64(d, s, p) RELEASE(uint64_t, d, s, p)

#endif
