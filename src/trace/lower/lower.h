/*
 * Lowering: the typed syntax tree becomes IR, maps and event descriptors.
 *
 * Values come in two shapes. A scalar (see skep_type_is_scalar()) is an
 * operand: a constant or a register. Everything else is memory: an address
 * and the space it lies in. Memory in the kernel's or a process's space is
 * only named, not read, until something needs its bytes: so a->b.c[3] costs
 * one read.
 *
 * Destination-driven: lower_into() evaluates an expression straight into the
 * place where its bytes are wanted (a key, an event in the ring buffer), so
 * that `@[comm]` is one helper call into the key and printf("%s", str(p)) reads
 * into the event itself.
 *
 * Files: program.c (the order of things), storage.c (how maps are kept),
 * expr.c, cond.c, field.c, memory.c (reading and copying), string.c, stmt.c,
 * loop.c, mentions.c, typed.c (members that are loaded), thread.c and choice.c
 * (maps of certain keys), iter.c, packet.c and packet_use.c, hook.c (what a packet
 * or socket is answered with), bundle.c (many functions by one link), gather.c
 * (many system calls through one tracepoint), mapop.c, agg.c (count() … lhist()),
 * event.c, func_*.c, builtin.c.
 */
#ifndef SKEP_TRACE_LOWER_H
#define SKEP_TRACE_LOWER_H

#include <skep/ir.h>

#include "base/vec.h"
#include "trace/program.h"

struct skep_value {
	const struct skep_type *type;
	struct skep_opnd opnd; /* scalar: the value; memory: the base address */
	int32_t off;           /* memory: from the base */
	enum skep_space space; /* memory: whose */
	/* A string to be read no further than the script says (str(p, n)): */
	bool is_limited;
	struct skep_opnd limit; /* a register, at most the room there is; IMM: the room decides */
};

/** Where break and continue go in the innermost loop. */
struct skep_loop {
	struct skep_loop *outer;
	uint32_t break_block, continue_block;
	bool is_callback; /* a for over a map: leave by returning from the callback */
};

/** Where a variable lives. */
struct skep_var_home {
	enum { SKEP_VAR_REG, SKEP_VAR_SLOT, SKEP_VAR_BOX } kind;
	uint32_t reg;  /* REG */
	uint32_t slot; /* SLOT */
	uint32_t off;  /* BOX: from the captured variables' start */
};

#define SKEP_CURRENT_TASK UINT32_MAX /* where the number of an argument that is a task stands */

/** A thread's or a CPU's entry of a map that is known to be there. */
struct skep_proof {
	const struct skep_trace_map *map;
	int64_t key; /* which thread's: skep_lower_thread() */
	uint32_t at; /* the register that holds its address */
};

struct skep_packet_homes;
struct skep_choice;

#define SKEP_MOST_PROOFS 4 /* each is a register, or a stack slot, as long as it holds */

struct skep_lower {
	struct skep_arena *arena;
	struct skep_types *types;
	struct skep_diag *diag;
	const struct skep_compile_opts *opts;
	struct skep_trace_program *program;
	struct skep_ir *ir;
	struct skep_object *object;
	SKEP_VEC(struct skep_event) events;
	SKEP_VEC(const char *) strings;
	uint32_t globals_bytes;
	/* Per-CPU globals: the last element's bytes so far, and the longest's; how many. */
	uint32_t page_bytes, longest_page, n_pages;
	uint32_t zeroes;             /* map index */
	struct skep_choice *choices; /* by the script's maps (choice.c) */
	const bool *has_other_keys;  /* by them, too: not threads alone (thread.c) */
	uint32_t n_programs, n_gathers;
	bool failed;

	/* of the program being lowered */
	struct skep_ir_func *f;
	const struct skep_probe *probe;   /* the one place, or the first of several */
	bool many_places;                 /* `probe` is told by the attach cookie, or by `place` */
	struct skep_opnd place;           /* in gathered programs: the place's index + 1 */
	struct skep_opnd ctx;             /* the program's context */
	struct skep_opnd answer;          /* what the program returns (hook.c) */
	struct skep_packet_homes *packet; /* NULL: the probe asks for no packet */
	struct skep_loop *loop;
	struct skep_span span;     /* of the call or statement being lowered, for its events */
	struct skep_opnd box;      /* what callbacks are given: see skep_lower_box() */
	struct skep_opnd captured; /* the variables they share */
	uint32_t captured_bytes;
	bool has_box;
	bool in_callback;
	bool is_untyped; /* members are read by helpers only (typed.c) */
	uint32_t n_callbacks;
	struct skep_ir_func *unwind; /* the walk up user stacks; NULL: not needed so far */
	struct skep_proof proofs[SKEP_MOST_PROOFS]; /* what holds in the current block (cond.c) */
	uint32_t n_proofs;
};

/* --- expr.c ---------------------------------------------------------------------------- */
struct skep_value skep_lower_expr(struct skep_lower *l, const struct skep_expr *expr);
/** A scalar expression as an operand. */
struct skep_opnd skep_lower_scalar(struct skep_lower *l, const struct skep_expr *expr);
/** Evaluate into memory at @dst + @off, in the layout of @type; all of type->size bytes are set. */
void skep_lower_into(struct skep_lower *l, const struct skep_expr *expr, struct skep_opnd dst,
		     int32_t off, const struct skep_type *type);
/** The builtins and functions that can write their result where it is wanted (comm, str(), buf(),
 *  stacks…). Return whether @expr was one of them (builtin.c). */
bool skep_lower_special_into(struct skep_lower *l, const struct skep_expr *expr,
			     struct skep_opnd dst, int32_t off, const struct skep_type *type);
/** Branch on a truth value (cond.c). */
void skep_lower_cond(struct skep_lower *l, const struct skep_expr *expr, uint32_t then_block,
		     uint32_t else_block);
/** The same, and l->proofs keeps what it shows: true in @then_block and what only that leads to;
 *  the caller sets l->n_proofs back where it ends. */
void skep_lower_test(struct skep_lower *l, const struct skep_expr *given, uint32_t then_block,
		     uint32_t else_block);
/** An integer of @type's width and sign from one that may be wider. */
struct skep_opnd skep_lower_fit(struct skep_lower *l, struct skep_opnd value,
				const struct skep_type *type);
struct skep_value skep_value_int(struct skep_opnd opnd, const struct skep_type *type);
/** What moves a pointer of type @ptr by @n elements: bytes. @n where it is no pointer. */
struct skep_opnd skep_lower_steps(struct skep_lower *l, struct skep_opnd n,
				  const struct skep_type *ptr);

/* --- memory.c --------------------------------------------------------------------------- */
/** A fresh temporary of @type. */
struct skep_value skep_lower_temp(struct skep_lower *l, const struct skep_type *type);
/** The widest access that @base + @off is aligned for: 1, 2, 4 or 8. */
uint32_t skep_lower_align(struct skep_opnd base, int32_t off);
void skep_lower_zero(struct skep_lower *l, struct skep_opnd dst, int32_t off, uint32_t bytes);
void skep_lower_copy(struct skep_lower *l, struct skep_opnd dst, int32_t off, struct skep_opnd src,
		     int32_t src_off, uint32_t bytes);
/** Read @bytes at @src's address + @off into @dst + @dst_off; failure is counted, and zeroes. */
void skep_lower_read(struct skep_lower *l, struct skep_opnd dst, int32_t dst_off, uint32_t bytes,
		     const struct skep_value *src, int32_t off);
/** A pointer that the verifier knows as one, as a number: it allows less with the former. */
struct skep_opnd skep_lower_as_number(struct skep_lower *l, struct skep_opnd ptr);
/** Load an integer of @bytes from @src's address + @off, whatever its space. */
struct skep_opnd skep_lower_load(struct skep_lower *l, const struct skep_value *src, int32_t off,
				 uint32_t bytes, bool is_signed);
/** Store a value in the layout of @type. */
void skep_lower_store(struct skep_lower *l, const struct skep_value *value, struct skep_opnd dst,
		      int32_t off, const struct skep_type *type);
/** The value's bytes in our own memory (space BPF), reading or storing them if need be. */
struct skep_value skep_lower_own(struct skep_lower *l, const struct skep_value *value);
/** A value of @type found at an address (a pointer followed, a member, a map value). */
struct skep_value skep_lower_at(struct skep_lower *l, struct skep_opnd base, int32_t off,
				const struct skep_type *type, enum skep_space space);
/** The address of a memory value as an operand. */
struct skep_opnd skep_lower_address(struct skep_lower *l, const struct skep_value *value);
/** Add one to a loss counter, out of line. */
void skep_lower_loss(struct skep_lower *l, uint32_t loss_off);
uint32_t skep_loss_off(const struct skep_lower *l, enum skep_loss loss);
uint32_t skep_loss_map_off(const struct skep_lower *l, uint32_t map);

/* --- string.c ---------------------------------------------------------------------------- */
/** Read a string of at most @size bytes with its NUL to @dst + @off; returns the length with NUL
 *  (0 after a failure), and counts failures and cuts. Does not clear what is behind the NUL. */
struct skep_opnd skep_lower_read_str(struct skep_lower *l, struct skep_opnd dst, int32_t off,
				     uint32_t size, const struct skep_value *src);
/** Where a string expression's bytes can be read from, without copying them first if possible. */
struct skep_value skep_lower_string_source(struct skep_lower *l, const struct skep_expr *expr);
/** The bytes of a buffer expression at @dst, at most @max; returns how many (func_string.c). */
struct skep_opnd skep_lower_buffer_bytes(struct skep_lower *l, const struct skep_expr *expr,
					 struct skep_opnd dst, uint32_t max);
/** 0 or 1: are the first @limit bytes, or all up to the NUL, the same? */
struct skep_opnd skep_lower_str_eq(struct skep_lower *l, const struct skep_expr *a,
				   const struct skep_expr *b, uint32_t limit);
void skep_lower_literal(struct skep_lower *l, const char *text, uint32_t len, struct skep_opnd dst,
			int32_t off, uint32_t size);

/* --- field.c ------------------------------------------------------------------------------ */
struct skep_value skep_lower_field(struct skep_lower *l, const struct skep_expr *expr);
struct skep_value skep_lower_index(struct skep_lower *l, const struct skep_expr *expr);
struct skep_value skep_lower_deref(struct skep_lower *l, const struct skep_expr *expr);

/* --- typed.c ------------------------------------------------------------------------------- */
/** Load @probe, which has been checked, so that the verifier knows its arguments' types, if that
 *  saves something (probe->is_typed). */
void skep_lower_type_args(struct skep_lower *l, struct skep_probe *probe);
/** Could it be so, if there were something to save? */
bool skep_lower_can_type(struct skep_lower *l, const struct skep_probe *probe);
/** The argument that a pointer is, by its number; true and SKEP_CURRENT_TASK for curtask. */
bool skep_lower_find_argument(const struct skep_lower *l, const struct skep_expr *expr,
			      uint32_t *ret_slot);
/** What a variable of the probe's is wherever it can be read; NULL: not always the same. */
const struct skep_expr *skep_lower_only_value(const struct skep_lower *l,
					      const struct skep_var *var);
/** A member that can then be loaded; false: it is to be read in the usual way. */
bool skep_lower_typed_field(struct skep_lower *l, const struct skep_expr *expr,
			    struct skep_value *ret);

/* --- thread.c ------------------------------------------------------------------------------ */
/** Find the maps whose keys are threads (l->has_other_keys). */
void skep_lower_find_threads(struct skep_lower *l);
/** The key of such a map, a constant: the argument that is the thread, or SKEP_CURRENT_TASK. */
struct skep_opnd skep_lower_thread(struct skep_lower *l, const struct skep_expr *key);

/* --- packet.c, packet_use.c, hook.c -------------------------------------------------------- */
/** Read all that the probe uses of its packet, from here on (l->packet). */
void skep_lower_packet_walk(struct skep_lower *l);
/** pkt.ip.src */
struct skep_value skep_lower_packet(struct skep_lower *l, const struct skep_expr *expr);
/** The same straight to where it is wanted; false: not such an expression. */
bool skep_lower_packet_into(struct skep_lower *l, const struct skep_expr *expr,
			    struct skep_opnd dst, int32_t off, const struct skep_type *type);
/** The bits of the layers that the packet has. */
struct skep_opnd skep_lower_packet_present(struct skep_lower *l);
/** Which layers @expr (or NULL) wants whatever happens. */
uint32_t skep_lower_packet_needs(const struct skep_expr *expr);
/** Go on where the packet has all these layers, else to @else_block. */
void skep_lower_packet_require(struct skep_lower *l, uint32_t needs, uint32_t else_block);
/** sock.dst, sysctl.name */
struct skep_value skep_lower_member(struct skep_lower *l, const struct skep_expr *expr);
struct skep_value skep_lower_ifindex(struct skep_lower *l, const struct skep_expr *expr);
struct skep_value skep_lower_ifname(struct skep_lower *l, const struct skep_expr *expr);
/** Begin a program: it lets pass what it is not told to drop (l->answer). */
void skep_lower_answer(struct skep_lower *l);
/** End it; not in callbacks. */
void skep_lower_exit(struct skep_lower *l);

/* --- builtin.c, func_*.c ------------------------------------------------------------------- */
struct skep_value skep_lower_builtin(struct skep_lower *l, const struct skep_expr *expr);
struct skep_value skep_lower_call(struct skep_lower *l, const struct skep_expr *expr);
/* One for each row of functions.def: skep_fn_printf() … */
#define FUNCTION(name, ...)                                                                        \
	struct skep_value skep_fn_##name(struct skep_lower *l, const struct skep_expr *call);
#include "trace/functions.def"
#undef FUNCTION
/** Whether a place has its arguments in words, each by its number: a function's. */
bool skep_lower_has_slots(const struct skep_lower *l);
struct skep_opnd skep_lower_slot(struct skep_lower *l, uint32_t n);
struct skep_value skep_lower_stack(struct skep_lower *l, const struct skep_type *type);
/** The address with the process it belongs to (func_symbol.c). */
struct skep_value skep_lower_usym(struct skep_lower *l, struct skep_opnd addr,
				  const struct skep_type *type);
/** The id of the current process, or thread: as the initial namespace of them sees it, or ours
 *  (func_system.c). */
struct skep_value skep_lower_ids(struct skep_lower *l, const struct skep_type *type,
				 bool is_process, bool is_initial);
/** A 32-bit member of the current task, through the kernel's BTF (builtin.c). */
struct skep_value skep_lower_task_number(struct skep_lower *l, const struct skep_type *type,
					 const char *member);
/** The helper that gives nsecs (func_system.c). */
int32_t skep_lower_clock(struct skep_lower *l);
/** The current task's address. */
struct skep_opnd skep_lower_curtask(struct skep_lower *l);

/* --- unwind.c -------------------------------------------------------------------------------- */
/** Are user stacks taken by call frame information? */
bool skep_lower_unwinds(struct skep_lower *l);
/** The number of the current user stack, of so many frames at most; UINT32_MAX: none. */
struct skep_opnd skep_lower_unwind(struct skep_lower *l, uint32_t depth);
/** How many frames the one of this number has, whosever it was; 0 where there is none. */
struct skep_opnd skep_lower_unwind_len(struct skep_lower *l, struct skep_opnd number);

/* --- stmt.c, loop.c ------------------------------------------------------------------------ */
void skep_lower_stmts(struct skep_lower *l, const struct skep_stmt *stmt);
void skep_lower_loop(struct skep_lower *l, const struct skep_stmt *stmt);
/** Make the box that this program's callbacks are given, its captured variables zero (loop.c). */
void skep_lower_box(struct skep_lower *l);
/** The same number, but unknown to the verifier: for what a guarded loop counts (loop.c). */
struct skep_opnd skep_lower_blur(struct skep_lower *l, struct skep_opnd value);
/** A variable's value after ++ or +=, unknown to the verifier where that is in a loop (loop.c). */
struct skep_opnd skep_lower_step(struct skep_lower *l, struct skep_opnd value,
				 const struct skep_type *type);
struct skep_value skep_lower_var(struct skep_lower *l, const struct skep_var *var);
void skep_lower_set_var(struct skep_lower *l, const struct skep_var *var,
			const struct skep_value *value);
/** Leave the program (or, in a callback, the loop and then the program). */
void skep_lower_leave(struct skep_lower *l);
/** Give every variable of the probe its home. */
void skep_lower_homes(struct skep_lower *l, const struct skep_probe_def *def);
/** The same for the body of a for over a map, in its callback's frame. */
void skep_lower_homes_of(struct skep_lower *l, const struct skep_stmt *loop);

/* --- mapop.c, agg.c ------------------------------------------------------------------------ */
const struct skep_trace_map *skep_lower_map_of(struct skep_lower *l, const struct skep_map *map);
struct skep_value skep_lower_map_read(struct skep_lower *l, const struct skep_expr *expr);
/** Element @i of the tuple that a map holds; the others are not copied. */
struct skep_value skep_lower_map_element(struct skep_lower *l, const struct skep_expr *expr,
					 uint32_t i);
void skep_lower_map_assign(struct skep_lower *l, const struct skep_expr *target,
			   const struct skep_expr *value);
/** target op= value in place; returns the new value, or the old one if @want_old. */
struct skep_opnd skep_lower_map_update(struct skep_lower *l, const struct skep_expr *target,
				       enum skep_operator op, struct skep_opnd value,
				       bool want_old);
/** Branch on a thread's or a CPU's value, or an element of it, and prove that its entry is there;
 *  false: it is something else. */
bool skep_lower_map_test(struct skep_lower *l, const struct skep_expr *expr, uint32_t then_block,
			 uint32_t else_block);
/** Returns whether there was such an entry. */
struct skep_opnd skep_lower_map_delete(struct skep_lower *l, const struct skep_map *ast,
				       const struct skep_expr *key);
struct skep_opnd skep_lower_map_has(struct skep_lower *l, const struct skep_map *ast,
				    const struct skep_expr *key);
/** How many bytes a hash has for keys of @type: those behind the key are zero. */
uint32_t skep_lower_key_bytes(const struct skep_type *type);
/** The key's bytes in a slot; for what is in the per-CPU globals, a u32, the element; for task
 *  storage as skep_lower_thread(). */
struct skep_opnd skep_lower_key(struct skep_lower *l, const struct skep_trace_map *map,
				const struct skep_expr *key);
/** @map[key] = count() and its kin. */
void skep_lower_aggregate(struct skep_lower *l, const struct skep_expr *target,
			  const struct skep_expr *call);
/** An aggregate over all CPUs as one integer. @key: operand of the key's bytes. */
struct skep_opnd skep_lower_agg_read(struct skep_lower *l, const struct skep_trace_map *map,
				     struct skep_opnd key);

/* --- choice.c ------------------------------------------------------------------------------ */
/** Is a condition's way known, by options, wherever the probe is? */
bool skep_lower_is_told(const struct skep_expr *cond);
/** Find the maps of which all keys are known (l->choices). */
void skep_lower_find_choices(struct skep_lower *l);
void skep_lower_forget_choices(struct skep_lower *l);
/** How many keys it may have; 0: that is not known, or they are too many. */
uint32_t skep_lower_choices(const struct skep_lower *l, const struct skep_map *map);
/** All @n of them, map->key->size bytes each, on the arena. */
const uint8_t *skep_lower_choice_keys(const struct skep_lower *l, const struct skep_map *map,
				      uint32_t n);
/** Which of them @key is: a constant, or a register of which the verifier knows no bounds. */
struct skep_opnd skep_lower_choice(struct skep_lower *l, const struct skep_map *map,
				   const struct skep_expr *key);
/** The row of a call's number in the table of names, the last for those that have none. */
struct skep_opnd skep_lower_syscall_row(struct skep_lower *l, const struct skep_expr *given);

/* --- event.c ------------------------------------------------------------------------------- */
/** Send an event: @args are evaluated straight into it. */
void skep_lower_event(struct skep_lower *l, enum skep_event_kind kind, const char *text,
		      uint32_t map, const struct skep_expr *args, uint32_t n_args);
/** Send the first @bytes of a slot as an event; a full ring is counted. */
void skep_lower_output(struct skep_lower *l, uint32_t slot, struct skep_opnd bytes, bool control);
/** Register @end, the length of a record so far, += @len, which together are at most @most. */
void skep_lower_advance(struct skep_lower *l, uint32_t end, struct skep_opnd len, uint32_t most);
/** The index of @text among the program's strings. */
uint32_t skep_lower_string_id(struct skep_lower *l, const char *text);

/* --- mentions.c, gather.c ------------------------------------------------------------------ */
/** Does the predicate or the body mention @builtin, or call @function? */
bool skep_lower_mentions(const struct skep_probe_def *def, enum skep_builtin_id builtin);
bool skep_lower_mentions_call(const struct skep_probe_def *def, enum skep_function_id function);
/** Gather the places that one raw tracepoint can reach (probe->gather). Before any program. */
void skep_lower_gather(struct skep_lower *l);
/** Begin a gathered program: leave, or know l->place. Nothing in other programs. */
void skep_lower_gathered_place(struct skep_lower *l);

/* --- program.c ---------------------------------------------------------------------------- */
/** The same body, of the same kind and reached the same way. */
bool skep_lower_same_program(const struct skep_probe *a, const struct skep_probe *b);

/* --- bundle.c ----------------------------------------------------------------------------- */
/** Before the program of probe @first, which has many places, is made: for which kind of link? */
void skep_lower_choose_multi(struct skep_lower *l, uint32_t first);
/** Bundle the @n places of that program, their attachments filled in, where there are links. */
void skep_lower_bundle(struct skep_lower *l, uint32_t first, uint32_t n);

/* --- iter.c ------------------------------------------------------------------------------- */
/** At the start of an iterator's program: leave if there is no object, and pace the pass. */
void skep_lower_iter_object(struct skep_lower *l);

/* --- storage.c ----------------------------------------------------------------------------- */
/** Decide how each map is kept and make the BPF maps. */
void skep_lower_storage(struct skep_lower *l);
/* The shared maps, made at first use; each returns its index among the object's maps. */
uint32_t skep_lower_globals(struct skep_lower *l);
uint32_t skep_lower_cpu_globals(struct skep_lower *l);
uint32_t skep_lower_zeroes(struct skep_lower *l, uint32_t bytes);
/** Ring buffers, or where the kernel has none, perf event arrays. */
bool skep_lower_has_ringbuf(struct skep_lower *l);
uint32_t skep_lower_ring(struct skep_lower *l);
/** It has room for what the probe at work prints here, as config.perf_rb_pages says; else for a few
 *  records of control. */
void skep_lower_ring_for_data(struct skep_lower *l);
uint32_t skep_lower_control_ring(struct skep_lower *l);
uint32_t skep_lower_stack_map(struct skep_lower *l, bool user, uint32_t depth);

/** The program that sets scalar aggregates back to zero; made if one is ever cleared or deleted. */
void skep_lower_eraser(struct skep_lower *l);

/** Does the target have the best way for @purpose? If not, the program says so (program.c). */
bool skep_lower_best(struct skep_lower *l, enum skep_purpose purpose);
/** The type of a program that skep_session_run() can run. */
uint32_t skep_lower_run_type(struct skep_lower *l);
/** Report something the kernel's BPF cannot do, once, and go on with zeroes. */
void skep_lower_cannot(struct skep_lower *l, struct skep_span span, const char *what);

#endif
