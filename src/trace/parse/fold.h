/* Constant numbers where the grammar asks for one: array lengths, enumerators, #if. */
#ifndef SKEP_TRACE_PARSE_FOLD_H
#define SKEP_TRACE_PARSE_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/ast.h"

/** Signed 64-bit arithmetic, wrapping. False: no result (division by 0, shift out of range). */
bool skep_fold_binary(enum skep_operator op, int64_t left, int64_t right, int64_t *ret);

/** The value of a name, for skep_fold_expr(); false: not a constant. */
typedef bool skep_fold_name_fn(void *arg, const char *name, int64_t *ret);
/** False: not a constant, or nested too deep to be one worth having. */
bool skep_fold_expr(const struct skep_expr *expr, skep_fold_name_fn *find, void *arg, int64_t *ret);

#endif
