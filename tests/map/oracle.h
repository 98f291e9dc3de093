/*
 * The same operations on a map of the running kernel and on one of ours.
 *
 * A case is a map's attributes and a list of operations, made from a seed. Each
 * operation is done on both sides; its result, its error and every byte of its
 * outputs must be the same. What depends on the order of a hash whose seed is
 * random is compared as a set.
 *
 *	oracle_type ─► case (random) ─► oracle_run() ─► mismatch? ─► oracle_shrink() ─► printed
 *
 * Adding a map type is a row in test_oracle.c.
 */
#ifndef SKEP_TESTS_MAP_ORACLE_H
#define SKEP_TESTS_MAP_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/map.h>

#define ORACLE_MOST_OPS 64
#define ORACLE_BUFFER   (64 << 10)

struct oracle_rng {
	uint64_t state;
};

uint64_t oracle_random(struct oracle_rng *rng);
static inline uint32_t oracle_below(struct oracle_rng *rng, uint32_t n)
{
	return (uint32_t)(oracle_random(rng) % n);
}
static inline bool oracle_one_in(struct oracle_rng *rng, uint32_t n)
{
	return !oracle_below(rng, n);
}

/* OP(name, side it is done on) */
#define ORACLE_OPS(OP)                                                                             \
	OP(LOOKUP)                                                                                 \
	OP(UPDATE)                                                                                 \
	OP(DELETE)                                                                                 \
	OP(LOOKUP_AND_DELETE)                                                                      \
	OP(NEXT_KEY)                                                                               \
	OP(LOOKUP_BATCH)                                                                           \
	OP(LOOKUP_AND_DELETE_BATCH)                                                                \
	OP(UPDATE_BATCH)                                                                           \
	OP(DELETE_BATCH)                                                                           \
	OP(FREEZE)                                                                                 \
	OP(DUMP)                                                                                   \
	OP(PROG_LOOKUP)                                                                            \
	OP(PROG_UPDATE)                                                                            \
	OP(PROG_DELETE)                                                                            \
	OP(PROG_PUSH)                                                                              \
	OP(PROG_POP)                                                                               \
	OP(PROG_PEEK)

enum oracle_kind {
#define OP(name) ORACLE_##name,
	ORACLE_OPS(OP)
#undef OP
		ORACLE_KIND_CNT
};

struct oracle_op {
	enum oracle_kind kind;
	bool skip;   /* left out while shrinking */
	bool no_key; /* a null pointer for the key */
	uint8_t cpu; /* 0: where the one before was; else 1 + where it is done */
	uint32_t key, count;
	uint64_t value, flags, elem_flags;
	enum { ORACLE_FROM_START, ORACLE_FROM_LAST, ORACLE_FROM_KEY } from; /* batches */
};

struct oracle_type {
	uint32_t type;
	bool ordered;  /* keys come in the kernel's order, whatever the seed */
	bool programs; /* PROG_LOOKUP, _UPDATE, _DELETE are allowed by the verifier */
	bool values;   /* keyless: PROG_PUSH, _POP, _PEEK are */
	bool cpus;     /* operations go from CPU to CPU, in turn */
	/** Attributes that are mostly valid. */
	void (*attr)(struct oracle_rng *rng, struct skep_map_attr *attr);
	/** Key number @n in @key; NULL: the number, then bytes made of it. */
	void (*key)(const struct skep_map_attr *attr, uint32_t n, uint8_t *key);
	/** An object that both sides' values name (a descriptor for the kernel); NULL: bytes. */
	void (*value)(const struct skep_map_attr *attr, uint64_t seed, bool kernel, uint8_t *value);
	/** What bpf(2) needs beside the attributes; @bpf_attr: union bpf_attr. NULL: nothing. */
	void (*kernel_attr)(const struct skep_map_attr *attr, void *bpf_attr);
};

struct oracle_case {
	const struct oracle_type *type;
	struct skep_map_attr attr;
	bool ordered;
	bool programs;
	uint32_t n_ops;
	struct oracle_op ops[ORACLE_MOST_OPS];
};

/** Everything an operation gives back. */
struct oracle_result {
	long ret;
	uint32_t count;
	size_t key_bytes, value_bytes; /* of keys and values, to be compared */
	uint8_t batch[512];
	uint8_t keys[ORACLE_BUFFER], values[ORACLE_BUFFER];
};

/** A map on one side. */
struct oracle_side {
	const struct oracle_case *test;
	struct skep_map *map; /* ours */
	int fd, prog;         /* the kernel's */
	void *control;        /* the kernel's program's: what to do, and the result */
	int control_fd;
	uint32_t value_size;
	uint8_t last_batch[512];
};

/** Return 0 | -errno of creating the map. */
int oracle_ours_open(struct oracle_side *side, const struct oracle_case *test);
void oracle_ours_close(struct oracle_side *side);
void oracle_ours_do(struct oracle_side *side, const struct oracle_op *op,
		    struct oracle_result *result);
int oracle_kernel_open(struct oracle_side *side, const struct oracle_case *test);
void oracle_kernel_close(struct oracle_side *side);
void oracle_kernel_do(struct oracle_side *side, const struct oracle_op *op,
		      struct oracle_result *result);

/* What an operation's number means. */
void oracle_key(const struct oracle_case *test, uint32_t n, uint8_t *key);
void oracle_value(const struct oracle_side *side, uint64_t seed, uint8_t *value);

void oracle_make(struct oracle_case *test, const struct oracle_type *type, uint64_t seed);
/** Return the operation that differs (n_ops: creating the map), or -1; @why in words. */
int oracle_run(const struct oracle_case *test, char *why, size_t why_size);
/** Leave out operations that the mismatch does not need. */
void oracle_shrink(struct oracle_case *test);
void oracle_print(const struct oracle_case *test);
/** The kernel keeps lists for each CPU; both sides must mean the same one. @cpu of those that there
 *  are, going round. Return 0 | -1 with errno */
int oracle_go_to_cpu(uint32_t cpu);

#endif
