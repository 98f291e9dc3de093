/*
 * The syntax tree of a script. Made by the parser, annotated by types/, read
 * by lower/. Everything lives on the compilation's arena; nodes are linked by
 * `next`, in source order.
 *
 * Fields below a "types:" comment are filled by types/ and zero before that.
 */
#ifndef SKEP_TRACE_AST_H
#define SKEP_TRACE_AST_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/diag.h>

#include "trace/table.h"
#include "trace/type.h"

struct skep_arena;
struct skep_buf;
struct skep_hook_member;
struct skep_packet_field;

/** No path from a probe's body to a leaf is longer, macros expanded: so recursion is safe. */
#define SKEP_TREE_MAX 400

enum skep_expr_kind {
	SKEP_E_INT,       /* 42, 0x2a, 1e6, 1_000, 10ms (nanoseconds), 'c', true */
	SKEP_E_STRING,    /* "text", escapes resolved */
	SKEP_E_PARAM,     /* $1: number in `integer` */
	SKEP_E_PARAM_CNT, /* $# */
	SKEP_E_IDENT,     /* a name: builtin, enumerator, constant, stack mode, type */
	SKEP_E_VAR,       /* $name */
	SKEP_E_MAP,       /* @name or @name[args…]; args: key expressions */
	SKEP_E_CALL,      /* name(args…) */
	SKEP_E_FIELD,     /* left.name, left->name (is_arrow) */
	SKEP_E_TUPLE_AT,  /* left.integer */
	SKEP_E_INDEX,     /* left[right] */
	SKEP_E_UNARY,     /* op right: ! ~ - + * & */
	SKEP_E_INCDEC,    /* ++x x++ --x x--: op, is_postfix, right */
	SKEP_E_BINARY,    /* left op right, && and || included */
	SKEP_E_TERNARY,   /* cond ? left : right */
	SKEP_E_CAST,      /* (type_name)right, or left: a TYPEOF */
	SKEP_E_SIZEOF,    /* sizeof(type_name) or sizeof(right) */
	SKEP_E_OFFSETOF,  /* offsetof(type_name or right, name[.name…]) */
	SKEP_E_TYPEOF,    /* typeof(type_name or right): only where a type is wanted */
	SKEP_E_TUPLE,     /* (a, b, …): args; maybe none. (x = a, y = b): elem_name on each */
	SKEP_E_BLOCK,     /* { body; right }: statements, then the value */
	SKEP_E_N_KINDS
};

enum skep_operator {
	SKEP_OPR_NONE, /* for plain = */
	SKEP_OPR_ADD,
	SKEP_OPR_SUB,
	SKEP_OPR_MUL,
	SKEP_OPR_DIV,
	SKEP_OPR_MOD,
	SKEP_OPR_AND,
	SKEP_OPR_OR,
	SKEP_OPR_XOR,
	SKEP_OPR_SHL,
	SKEP_OPR_SHR,
	SKEP_OPR_EQ,
	SKEP_OPR_NE,
	SKEP_OPR_LT,
	SKEP_OPR_LE,
	SKEP_OPR_GT,
	SKEP_OPR_GE,
	SKEP_OPR_LAND,
	SKEP_OPR_LOR,
	SKEP_OPR_NOT,
	SKEP_OPR_COMPL,
	SKEP_OPR_NEG,
	SKEP_OPR_PLUS,
	SKEP_OPR_DEREF,
	SKEP_OPR_ADDR,
	SKEP_OPR_INC,
	SKEP_OPR_DEC,
};

struct skep_stmt;

struct skep_expr {
	enum skep_expr_kind kind;
	struct skep_span span;
	struct skep_expr *next; /* in a list of arguments */
	enum skep_operator op;
	bool is_arrow, is_postfix;
	bool is_unsigned_lit; /* 42u, or too large for int64 */
	bool is_bool_lit;     /* true, false */
	int64_t integer;
	const char *text; /* STRING (may hold NULs: see text_len), IDENT, VAR and MAP ("@x"),
			     CALL, FIELD, OFFSETOF ("a.b") */
	uint32_t text_len;
	const char *type_name; /* CAST, SIZEOF, OFFSETOF: "struct foo *", "uint64[4]"; else NULL */
	struct skep_expr *cond, *left, *right, *args;
	uint32_t n_args;
	const char *elem_name;  /* element of a named tuple: its name; else NULL */
	struct skep_stmt *body; /* BLOCK */

	/* types: */
	const struct skep_type *type;
	bool is_const;                  /* value known: `integer`, or `text` for strings */
	enum skep_builtin_id builtin;   /* IDENT: SKEP_BI_NONE if it is none */
	enum skep_function_id function; /* CALL */
	struct skep_var *var;
	struct skep_map *map;
	struct skep_field field; /* FIELD: the member */
	/* FIELD: pkt.ip.src, or sock.dst, as a whole (packet.h); else NULL */
	const struct skep_packet_field *packet;
	const struct skep_hook_member *member;
	struct skep_expr *key; /* MAP: the key as one expression (a TUPLE if several); NULL: none */
	bool is_taken; /* MAP: of print() and table(), it is emptied as it is read, as clear() is
			* next; of clear(), that has been done */
	uint64_t percpu_offsets; /* CALL of percpu_kaddr(): where the kernel keeps them */
	uint32_t param;          /* PARAM: its number; `integer` (and `text`) then are its value */
};

enum skep_stmt_kind {
	SKEP_S_EXPR,
	SKEP_S_ASSIGN,  /* target op= value; target: VAR, MAP */
	SKEP_S_LET,     /* let $x; let $x = value; let $x: type = value; cond: a TYPEOF for type */
	SKEP_S_IF,      /* cond, body, else_body */
	SKEP_S_WHILE,   /* cond, body */
	SKEP_S_UNROLL,  /* value: how often; body */
	SKEP_S_FOR_MAP, /* for $kv : @map { body }: target $kv, value the map */
	SKEP_S_FOR_RANGE, /* for $i : from..to { body }: target $i, value from, limit to */
	SKEP_S_BREAK,
	SKEP_S_CONTINUE,
	SKEP_S_RETURN, /* RETURN: value may be NULL */
	SKEP_S_BLOCK,  /* body */
	SKEP_S_N_KINDS
};

struct skep_stmt {
	enum skep_stmt_kind kind;
	struct skep_span span;
	struct skep_stmt *next;
	enum skep_operator op; /* ASSIGN: SKEP_OPR_NONE for plain = */
	struct skep_expr *target, *value, *cond, *limit;
	const char *type_name; /* LET */
	struct skep_stmt *body, *else_body;
	bool is_value; /* EXPR, IF, BLOCK: last of its block without ';', so the block's value */

	/* types: */
	struct skep_stmt *foreign; /* a branch of has_field() that was taken out */
	bool foreign_is_else;
	uint64_t unroll_cnt;
	struct skep_var **captures; /* FOR_MAP: variables of outer scopes used in the body */
	uint32_t n_captures;
};

/** A scratch variable; one for each declaration. */
struct skep_var {
	const char *name; /* "$x" */
	struct skep_span span;
	const struct skep_type *type; /* NULL: not known yet */
	uint32_t id;                  /* within its probe */
	bool is_hoisted;  /* read outside of the block that assigns it: 0 until it was assigned */
	bool is_let;      /* declared by let: 0 until assigned */
	bool is_typed;    /* with a type, which then does not grow */
	bool is_broken;   /* what was assigned has no type: reported there */
	bool is_flexible; /* its sign is not settled: only non-negative literals so far */
	uint32_t round;   /* of the walk that its type belongs to */
	void *lowered;    /* lower/'s own */
};

/** A map, as all probes together use it. */
struct skep_map {
	const char *name;      /* "@x"; "@" has the empty name */
	struct skep_span span; /* first use */
	struct skep_map *next;
	const struct skep_type *key, *value; /* key NULL: scalar; value NULL: not known yet */
	uint32_t index;                      /* in order of first use */
	uint32_t max_keys;                   /* 0: the configured default */
	const char *decl_kind; /* let @x = KIND(n): "hash", "lruhash", "percpuhash", … or NULL */
	/* What it is used for decides how it is kept: */
	bool is_assigned, is_read, is_iterated; /* @x = v; read as a value; for, print(@), len */
	bool is_used;                           /* read as a value by programs, not only printed */
	bool is_live;    /* assigned, and not only by what options have turned off */
	bool is_cleared; /* clear(), zero() */
	bool is_deleted;
	bool only_tid_keys; /* every key in the script is exactly the builtin tid; or cpu */
	bool only_cpu_keys;
	struct skep_span key_span, value_span, scalar_span; /* what settled key and value; len 0 */
};

/** One attach point of a probe as written: "tracepoint:syscalls:sys_enter_*". */
struct skep_probe_spec {
	struct skep_span span;
	struct skep_probe_spec *next;
	const char *text;   /* whole, positional parameters filled in, quotes removed */
	const char **parts; /* split at ':', quotes respected */
	uint32_t n_parts;
};

struct skep_probe_def {
	struct skep_span span;
	struct skep_probe_def *next;
	struct skep_probe_spec *specs;
	struct skep_expr *predicate; /* or NULL */
	struct skep_stmt *body;      /* list; may be NULL */
	/* types: */
	bool uses_args; /* depends on the layout of the place it is attached to */
	uint32_t n_vars;
	bool is_off; /* its predicate is known to be false: it is attached nowhere */
};

struct skep_config_item {
	struct skep_config_item *next;
	struct skep_span span;
	const char *name, *value;
	struct skep_span value_span;
};

struct skep_map_decl { /* let @x = lruhash(100); */
	struct skep_map_decl *next;
	struct skep_span span;
	const char *name, *kind;
	int64_t max_keys;
};

struct skep_field_def {
	struct skep_field_def *next;
	struct skep_span span;
	const char *type_name, *name;
	int64_t array_len;             /* -1: not an array */
	uint32_t bit_size;             /* 0: not a bit field */
	struct skep_struct_def *inner; /* definition without a name that this is of, or NULL; named
					  ones stand among the script's structs */
};

struct skep_struct_def { /* struct foo { … }; union; enum has values instead of fields */
	struct skep_struct_def *next;
	struct skep_span span;
	const char *name; /* "struct foo", "union bar", "enum baz", or "" */
	bool is_union, is_enum;
	struct skep_field_def *fields;
	struct skep_expr *values; /* enum: IDENT name with `integer` */
	bool is_packed;
};

struct skep_include { /* #include <name> or "name": recorded, not read */
	struct skep_include *next;
	struct skep_span span;
	const char *name;
};

/** getopt("name", fallback) in an attach point. */
struct skep_spec_option {
	struct skep_spec_option *next;
	const char *name, *fallback;
};

struct skep_script {
	struct skep_include *includes;
	struct skep_spec_option *spec_options;
	struct skep_config_item *config;
	struct skep_map_decl *map_decls;
	struct skep_struct_def *structs;
	struct skep_probe_def *probes;
	/* types: */
	struct skep_map *maps;
	uint32_t n_maps;
	bool selects; /* it calls selected(): whose events count is its own affair */
};

/** The tree as text, one node a line (-d ast); with types once they are known. */
void skep_script_print(const struct skep_script *script, struct skep_buf *out);

/** An operator as it is written: "+", "&&". */
const char *skep_operator_name(enum skep_operator op);

#endif
