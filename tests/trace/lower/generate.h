/*
 * Random scripts that mean something: grammar-driven and aware of types, so
 * that what comes out compiles, whatever is drawn. The same seed always gives
 * the same script. One statement a line, so that a script can be shrunk by lines.
 */
#ifndef TESTS_TRACE_LOWER_GENERATE_H
#define TESTS_TRACE_LOWER_GENERATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum gen_kind {
	GEN_INT,
	GEN_BOOL,
	GEN_STR,
	GEN_TUPLE,
	GEN_USYM,
	GEN_KSYM,
	GEN_KSTACK,
	GEN_USTACK,
	GEN_INET,
	GEN_MAC,
	GEN_BUF,
	GEN_USER,
	GEN_ERROR,
	GEN_SIGNAL,
	GEN_TIME,
	GEN_CGROUP,
	GEN_ARRAY,
	GEN_PROBE,
	GEN_N_KINDS
};

#define GEN_ELEMS    4
#define GEN_MAX_VARS 64
#define GEN_MAX_MAPS 10

struct gen_type {
	enum gen_kind kind;
	uint32_t n; /* TUPLE: elements; stacks: depth; ARRAY, BUF: bytes */
	const struct gen_type *elems[GEN_ELEMS];
};

/** Where a probe is, and what can be seen there. */
struct gen_place {
	const char *spec;
	const char *ints[8], *strs[4], *ptrs[6], *arrays[3]; /* expressions; NULL-terminated */
	bool has_regs, is_uprobe, is_perf;
};

struct gen_var {
	uint32_t number;
	const struct gen_type *type;
	bool is_element; /* of a for over a map: not assigned to */
	bool is_narrow;  /* a uint8: larger constants do not fit without a cast */
};

enum gen_use { GEN_PLAIN, GEN_AGG, GEN_HERE };

struct gen_map {
	enum gen_use use;
	const struct gen_type *key;   /* NULL: none */
	const struct gen_type *value; /* PLAIN, HERE */
	const char *here;             /* HERE: its only key, "tid" or "cpu" */
	const char *agg;              /* "count()", "hist(%)": % is the number */
	bool is_readable;             /* AGG: gives one number */
	bool is_known;                /* AGG: keys are constants, or chosen among such */
};

struct gen {
	struct skep_buf *out;
	uint64_t state; /* of the random numbers */
	const struct gen_place *place;
	struct gen_var vars[GEN_MAX_VARS];
	uint32_t n_vars, next_var;
	struct gen_map maps[GEN_MAX_MAPS];
	uint32_t n_maps;
	struct gen_type pool[256]; /* types made for this script */
	uint32_t n_types;
	uint32_t indent, loops, map_loops, budget; /* budget: statements left in this probe */
	bool in_predicate;
};

/** A script for @seed, appended to @out. */
void gen_script(uint64_t seed, struct skep_buf *out);

/* What the files share. */
uint32_t gen_below(struct gen *g, uint32_t n);
bool gen_one_in(struct gen *g, uint32_t n);
#define GEN_PICK(g, table) ((table)[gen_below((g), sizeof(table) / sizeof((table)[0]))])
void gen_put(struct gen *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const struct gen_type *gen_scalar_type(enum gen_kind kind);
const struct gen_type *gen_draw_type(struct gen *g, int depth);
/** An expression of @type. */
void gen_value(struct gen *g, const struct gen_type *type, int depth);
void gen_int(struct gen *g, int depth);
void gen_str(struct gen *g, int depth);
/** @m3 or @m3[key]. */
void gen_map_ref(struct gen *g, const struct gen_map *map, int depth);
/** Statements of a body, without its braces. */
void gen_body(struct gen *g, uint32_t most);
const struct gen_place *gen_draw_place(struct gen *g);

#endif
