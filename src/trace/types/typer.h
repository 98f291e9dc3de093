/*
 * What the files of this folder share: the state of a walk, and how they call
 * one another.
 *
 * A walk goes over a probe's tree for one place it is attached to. Walks are
 * repeated until maps and variables have settled; only the last one reports.
 * So a type of NULL means "not known yet, or reported already": whoever meets
 * one gives NULL in turn and says nothing.
 *
 * Files: check.c (rounds), preamble.c, structs.c, stmt.c, vars.c, maps.c,
 * unify.c, expr.c, arith.c, cast.c, access.c, names of builtins in
 * builtins.c, fold.c, format.c, functions.c with fn_*.c.
 */
#ifndef SKEP_TRACE_TYPER_H
#define SKEP_TRACE_TYPER_H

#include "base/strmap.h"
#include "trace/types/format.h"
#include "trace/types/types.h"

struct skep_scope;
struct skep_known;
struct skep_ksyms;
struct skep_script_option;

struct skep_typer {
	struct skep_check *check;
	struct skep_types *types;
	struct skep_arena *arena;
	struct skep_diag *diag; /* NULL while nothing is reported */
	struct skep_probe *probe;
	struct skep_probe_def *def;
	struct skep_scope *scope;
	const struct skep_expr *agg_call;   /* the one call that may be count() … now */
	struct skep_known *known;           /* addresses looked up so far */
	struct skep_script_option *options; /* that getopt() has asked for so far (fn_option.c) */
	uint32_t round;                     /* number of this walk's place; see struct skep_var */
	uint32_t loop_depth;
	uint32_t dead_depth; /* in branches that a constant condition rules out */
	uint32_t n_errors;   /* of this walk, reported or not */
	bool maps_changed, vars_changed;
	bool maps_settled;
	bool may_guess; /* all is known that can be: a variable without a type is a number */
};

/* Note an error and give NULL: `return TYPE_ERROR(t, span, DEREF, name);` */
#define TYPE_ERROR(t, span, id, ...)                                                               \
	(skep_diag_add((t)->diag, SKEP_DIAG_##id, span, ##__VA_ARGS__), skep_typer_failed(t))
#define TYPE_WARN(t, span, id, ...) skep_diag_add((t)->diag, SKEP_DIAG_##id, span, ##__VA_ARGS__)

static inline const struct skep_type *skep_typer_failed(struct skep_typer *t)
{
	t->n_errors++;
	return NULL;
}

/** @type as text, on the arena; only where it will be shown ("" otherwise). */
const char *skep_typer_name(const struct skep_typer *t, const struct skep_type *type);
/** Add "TEXT (line L, column C)" to the last item's reasons, if @span is known. */
void skep_typer_why_at(const struct skep_typer *t, struct skep_span span, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* expr.c */
/** Type @expr and what is below it. Return its type | NULL: not known, or an error. */
const struct skep_type *skep_type_expr(struct skep_typer *t, struct skep_expr *expr);
/** The same, for where a value is needed: a value of void is an error. */
const struct skep_type *skep_type_value(struct skep_typer *t, struct skep_expr *expr);
/** Type a condition: integers and pointers only. */
void skep_type_condition(struct skep_typer *t, struct skep_expr *expr);
/** The common type of two values one of which is taken; NULL: they have none. */
const struct skep_type *skep_type_common(struct skep_typer *t, const struct skep_type *a,
					 const struct skep_type *b);

/** All of @text as a number, in any base of C. Return whether it is one. */
bool skep_parse_number(const char *text, int64_t *ret);

/* arith.c, cast.c, access.c: kinds of expressions, called through the table in expr.c */
const struct skep_type *skep_type_unary(struct skep_typer *t, struct skep_expr *expr);
const struct skep_type *skep_type_incdec(struct skep_typer *t, struct skep_expr *expr);
const struct skep_type *skep_type_binary(struct skep_typer *t, struct skep_expr *expr);
const struct skep_type *skep_type_cast(struct skep_typer *t, struct skep_expr *expr);
const struct skep_type *skep_type_sizeof(struct skep_typer *t, struct skep_expr *expr);
const struct skep_type *skep_type_offsetof(struct skep_typer *t, struct skep_expr *expr);
const struct skep_type *skep_type_field(struct skep_typer *t, struct skep_expr *expr);
const struct skep_type *skep_type_index(struct skep_typer *t, struct skep_expr *expr);
const struct skep_type *skep_type_tuple_at(struct skep_typer *t, struct skep_expr *expr);
const struct skep_type *skep_type_ident(struct skep_typer *t, struct skep_expr *expr);
/** The IDENT @expr as an enumerator or a constant of the system; NULL: it is none (not reported).
 */
const struct skep_type *skep_type_enumerator(struct skep_typer *t, struct skep_expr *expr);
/** The type that `a op b` has; reports what cannot be, at @span. */
const struct skep_type *skep_type_operation(struct skep_typer *t, enum skep_operator op,
					    const struct skep_expr *left,
					    const struct skep_expr *right, struct skep_span span);
/** The type that @expr is (typeof(…)) or has. */
const struct skep_type *skep_type_of(struct skep_typer *t, struct skep_expr *expr);
/** A type by name, with an error where there is none. */
const struct skep_type *skep_type_named(struct skep_typer *t, const char *name,
					struct skep_span span);
/** The address space that a plain number is taken to point into here. */
enum skep_space skep_typer_space(const struct skep_typer *t);

/* builtins.c */
const struct skep_type *skep_type_builtin(struct skep_typer *t, struct skep_expr *expr);
/** Ask the provider what the arguments are. Return 0 | -errno */
int skep_typer_layout(struct skep_typer *t);

/* packet.c */
/** Is @expr a chain such as pkt.ip.src or sock.dst? Then @ret is its type, NULL if it has none
 *  (reported); expr->packet or expr->member is the row. */
bool skep_type_chain(struct skep_typer *t, struct skep_expr *expr, const struct skep_type **ret);
const struct skep_type *skep_type_chain_root(struct skep_typer *t, struct skep_expr *expr);
const struct skep_type *skep_type_ifindex(struct skep_typer *t, struct skep_expr *expr);
const struct skep_type *skep_type_ifname(struct skep_typer *t, struct skep_expr *expr);
/** Does the place know the builtin @expr? False: reported. */
bool skep_hook_has_builtin(struct skep_typer *t, const struct skep_expr *expr);
/** Does @function work where the probe is, if that is a hook? */
bool skep_hook_has_function(const struct skep_typer *t, enum skep_function_id function);

/* fold.c */
/** Mark @expr as a constant where its operands are; sets `integer`. */
void skep_fold(struct skep_expr *expr);
/** Whether @expr is an integer constant. */
bool skep_is_const_int(const struct skep_expr *expr);
bool skep_is_const_string(const struct skep_expr *expr);
/** @value as @type holds it. */
int64_t skep_fold_to(const struct skep_type *type, int64_t value);

/* vars.c */
void skep_scope_open(struct skep_typer *t, struct skep_scope *scope, struct skep_stmt *map_loop);
void skep_scope_close(struct skep_typer *t);
/** The variable read by @expr. Return it | NULL (reported) */
struct skep_var *skep_var_read(struct skep_typer *t, struct skep_expr *expr);
/** The variable that an assignment of @type (NULL: not known) to @expr means; made if there is
 *  none. */
struct skep_var *skep_var_target(struct skep_typer *t, struct skep_expr *expr,
				 const struct skep_type *type, const struct skep_expr *value);
/** A new one in this scope. Return it | NULL (reported) */
struct skep_var *skep_var_declare(struct skep_typer *t, struct skep_expr *expr);
/** It is given @value (typed). */
void skep_var_assign(struct skep_typer *t, struct skep_var *var, const struct skep_type *type,
		     const struct skep_expr *value);

/* One block of a script; on the stack of whoever walks it. */
struct skep_scope {
	struct skep_scope *outer;
	struct skep_binding *bindings; /* visible here */
	struct skep_binding *left;     /* of blocks inside that have ended */
	struct skep_stmt *map_loop;    /* the for over a map whose body this is, or NULL */
};

/* maps.c */
/** The map called @expr->text; made at its first use. Sets expr->map. */
struct skep_map *skep_map_use(struct skep_typer *t, struct skep_expr *expr);
/** Type the key of a MAP expression, and settle the map's. False: nothing is known of it. */
bool skep_map_key(struct skep_typer *t, struct skep_expr *expr);
/** @key (typed) is used as a key of @map. */
bool skep_map_add_key(struct skep_typer *t, struct skep_map *map, struct skep_expr *key);
const struct skep_type *skep_type_map_read(struct skep_typer *t, struct skep_expr *expr);
/** Something is stored in @map here. */
void skep_map_assigned(const struct skep_typer *t, struct skep_map *map);
/** A value of @type is stored in the map of @expr. */
void skep_map_add_value(struct skep_typer *t, struct skep_expr *expr, const struct skep_type *type,
			struct skep_span span);
/** The type that a value of @map has when it is read; NULL: none (reported), or not known yet. */
const struct skep_type *skep_map_value(struct skep_typer *t, const struct skep_map *map,
				       struct skep_span span);
/** Some probes have no place: what nothing else says of maps is taken to be a number. */
void skep_maps_guess(struct skep_typer *t);
/** What is left to be said when all is known: maps never assigned, declared kinds. */
void skep_maps_finish(struct skep_typer *t);

/* format.c */
/** Can @conv print the value @arg? Else an error at it. */
void skep_check_conversion(struct skep_typer *t, const struct skep_conversion *conv,
			   const struct skep_expr *arg);

/* fn_option.c */
/** The value of a script's option as given ("" for one without): NULL: not given. It counts as
 *  one that the script takes. */
const char *skep_option_given(struct skep_typer *t, const char *name, const char *help);
/** Options given that no getopt() asked for are an error. */
void skep_typer_check_options(struct skep_typer *t);

/* unify.c */
/** @type as it is kept in a map: integers of 64 bits, strings of bounded size. */
const struct skep_type *skep_type_kept(struct skep_typer *t, const struct skep_type *type);
/** The type that holds both; NULL: there is none. */
const struct skep_type *skep_type_unify(struct skep_typer *t, const struct skep_type *a,
					const struct skep_type *b);

/* stmt.c */
void skep_type_stmts(struct skep_typer *t, struct skep_stmt *list);
/** Note in @list, which has been typed, which maps are emptied as they are printed: taken.c. */
void skep_type_taken(struct skep_stmt *list);
/** A block of its own. */
void skep_type_block(struct skep_typer *t, struct skep_stmt *body, struct skep_stmt *map_loop);
/** A SKEP_E_BLOCK: its statements, then its value, in one scope. */
const struct skep_type *skep_type_block_value(struct skep_typer *t, struct skep_expr *expr);
/** A call or ?: whose value is not wanted. */
void skep_type_discarded(struct skep_typer *t, struct skep_expr *expr);

/* functions.c, fn_*.c */
const struct skep_type *skep_type_call(struct skep_typer *t, struct skep_expr *call);
#define FUNCTION(name, least, most, flags, synopsis, help)                                         \
	const struct skep_type *skep_check_fn_##name(struct skep_typer *t, struct skep_expr *call);
#include "trace/functions.def"
#undef FUNCTION
const char *skep_function_name(const struct skep_expr *call);
/** The @i-th argument; it is there. */
struct skep_expr *skep_call_arg(const struct skep_expr *call, uint32_t i);
/** Whether there is an @i-th argument, and it is no parameter that was not given. */
bool skep_arg_is_given(const struct skep_expr *call, uint32_t i);
/** Check one argument (typed); false: it does not fit (reported), or its type is not known. */
bool skep_want_int(struct skep_typer *t, const struct skep_expr *call, uint32_t i);
bool skep_want_address(struct skep_typer *t, const struct skep_expr *call, uint32_t i);
bool skep_want_string(struct skep_typer *t, const struct skep_expr *call, uint32_t i);
/** A string literal, or a parameter taken as one. */
bool skep_want_text(struct skep_typer *t, const struct skep_expr *call, uint32_t i);
bool skep_want_const(struct skep_typer *t, const struct skep_expr *call, uint32_t i, int64_t least,
		     int64_t most);
/** What a call is found to be when compiling: it becomes this text, for lower/. */
void skep_call_becomes(struct skep_typer *t, struct skep_expr *call, const void *text, size_t len);
/** Report that the @i-th argument should be @wanted. Return NULL */
const struct skep_type *skep_bad_arg(struct skep_typer *t, const struct skep_expr *call, uint32_t i,
				     const char *wanted);
/** Report that the function does not work in this place's probes. Return NULL */
const struct skep_type *skep_bad_probe(struct skep_typer *t, const struct skep_expr *call);

/* format.c */
/** Check a format (argument @first) and what it is given. */
void skep_check_format(struct skep_typer *t, const struct skep_expr *call);

/* preamble.c, structs.c */
int skep_check_structs(struct skep_check *check);

/* enums.c */
/** Fill types->enums with the script's. */
void skep_check_enums(struct skep_check *check);
/** That of one of the script's definitions. */
const struct skep_enum *skep_enum_of(const struct skep_check *check,
				     const struct skep_struct_def *def);
/** An enumerator of the script's own enums: its type (64 bits) and value; NULL: there is none. */
const struct skep_type *skep_enumerator_find(struct skep_types *types, const char *name,
					     int64_t *ret);

#endif
