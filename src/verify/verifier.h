/*
 * One verification: what all passes share, and what each file offers to the others.
 *
 *	verify.c     the list of passes
 *	graph.c      where paths part and meet again; loops
 *	live_*.c     which registers and stack slots are read again
 *	walk.c       every path, instruction by instruction: the walk
 *	  alu.c pointer.c branch.c load.c …   one file per kind of instruction
 *	  states.c same.c precision.c        when a path needs no second walk
 *	depth.c      how deep the stack gets
 *
 * Functions return 0, or the kernel's -errno when the program is refused; then the words are in
 * the log and v->refusal tells the rule. The rules are the rows of refusals.def.
 */
#ifndef SKEP_VERIFY_VERIFIER_H
#define SKEP_VERIFY_VERIFIER_H

#include <errno.h>

#include <skep/arena.h>
#include <skep/buf.h>
#include <skep/helper.h>
#include <skep/map.h>
#include <skep/verify.h>

#include "base/vec.h"
#include "verify/pool.h"
#include "verify/state.h"

#define NOWHERE UINT32_MAX

/* --- Refusals ------------------------------------------------------------------------------ */

enum refusal {
	REFUSE_NONE,
#define REFUSAL(NAME, name, err, fmt) REFUSE_##NAME,
#include "verify/refusals.def"
#undef REFUSAL
	REFUSAL_CNT
};

/* The formats by name, so that the compiler holds arguments against them. */
#define REFUSAL(NAME, name, err, fmt)                                                              \
	static const char REFUSAL_TEXT_##NAME[] __attribute__((unused)) = fmt;
#include "verify/refusals.def"
#undef REFUSAL

/** `return verify_refuse(v, UNINIT_REGISTER, regno);`: the row's words to the log, its -errno. */
#define verify_refuse(v, NAME, ...)                                                                \
	verify_refuse_row((v), REFUSE_##NAME, REFUSAL_TEXT_##NAME, ##__VA_ARGS__)
int verify_refuse_row(struct verifier *v, enum refusal row, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* --- What is found once of each instruction and function ----------------------------------- */

struct insn_facts {
	/* graph.c */
	bool prune_point;      /* paths meet here: states are kept and compared */
	bool force_checkpoint; /* a state is kept each time: loops that end by their state */
	bool jump_target;      /* of a jump, or a call's function */
	bool jump_point;       /* how a path came here is remembered: precision.c goes back */
	bool calls_callback; /* a call of a function that calls back, on its own stack of states */
	bool iter_next, may_goto;
	uint32_t scc; /* which strongly connected component; 0: in no loop */
	/* live_registers.c */
	uint16_t live_regs; /* bit r: register r is read before it is written, from here on */
	/* the walk */
	bool seen;
	uint8_t access_kind; /* load, store: the kind of pointer, the same on all paths */
	uint16_t access_flags;
	uint32_t alu_state,
		alu_limit;       /* speculation.c: how a number added to a pointer is masked */
	uint32_t n_states;       /* kept here */
	uint8_t fastcall_spills; /* fastcall.c: of a quick call, pairs around it to be taken out */
	bool fastcall_pattern;
	const struct kfunc *kfunc; /* kfunc_rules.c: a call's; NULL: not asked for yet */
};

struct func_facts {
	uint32_t start, end;  /* slots [start, end) */
	uint32_t stack_bytes; /* deepest touched on the walk */
	const char *name;     /* "" without BTF */
	bool is_global, is_callback, is_async_callback, is_exception_callback;
	bool verified; /* global: on its own */
	bool called;   /* global: so it must be */
	bool changes_packet, might_sleep, has_tail_call, has_ld_abs;
	bool keep_fastcall_stack;
	int16_t fastcall_off;            /* spills around quick calls are here and below */
	uint32_t order_start, order_end; /* in v->order */
	/* what the BTF says of the arguments (function_types.c) */
	struct func_argument *args;
	uint32_t n_args;
	bool args_known;
	bool unreliable; /* what it is called with, or its code, is not what the BTF says */
};

/** A path not yet walked: where it begins, and where it came from. */
struct pending {
	struct state *state; /* owned */
	uint32_t at, prev_at;
	size_t log_len; /* level 1 shows the path that failed alone: the log is cut back to this */
	uint32_t trail_len; /* so is the trail (explain_trail.h) */
	uint32_t since;     /* how many instructions had been processed */
};

struct verifier {
	const struct skep_verify_program *program;
	const struct skep_verify_opts *opts;
	const struct skep_image *image;
	const struct skep_insn *insns;
	uint32_t n_insns;
	struct skep_arena arena; /* what lives until the end */
	struct pool pool;        /* states */

	struct insn_facts *facts; /* [n_insns] */
	struct func_facts *funcs; /* [n_funcs] */
	uint32_t *order;          /* flow.c: instructions, each after those it leads to */
	uint32_t n_funcs;
	uint32_t n_sccs, n_logged_sccs;
	struct live_stack *live_stack;   /* live_stack.c */
	struct explored *explored;       /* states.c */
	struct trust_cache *trust_cache; /* btf_access.c */
	struct wide *wide; /* wide.h: extended mode's second walk; NULL: the kernel's */

	struct known_struct *known_structs; /* types.c */
	struct kfunc *kfuncs;               /* kfunc_rules.c: those that were asked for */
	struct local_type *local_types;     /* kptr.c: objects of the program's own */
	struct kptr_target *kptr_targets;   /* kptr.c */

	/* the walk */
	struct state *state; /* of the path under way */
	uint32_t at, prev_at;
	uint32_t next; /* where the path goes on; a step may set it */
	uint32_t func; /* which is verified on its own: 0 is main */
	SKEP_VEC(struct pending) pending;
	uint32_t last_id;
	bool strict_alignment, privileged;
	bool step_noted;         /* the last of v->state->steps is of the instruction under way */
	bool explore_alu_limits; /* pointer.c: what pointers may be added to must be the same
				  * number in states that are alike */

	struct {
		bool known;
		uint32_t proto, stub; /* FUNC_PROTOs of attach_btf; 0: none */
		const char *name;
		uint32_t ref_ids[12]; /* struct_ops: of arguments that are handed over; 0: not */
	} attach;                     /* context_btf.c: what it attaches to */
	struct helper_known {
		const struct skep_proto *proto; /* NULL: it may not call it */
		bool known;
	} * helpers; /* program_types.c: by number; NULL: none was asked for */

	/* what is said */
	struct skep_buf *log; /* NULL: nothing */
	uint32_t level;
	uint32_t last_line; /* index + 1 of the source line last shown */
	bool state_shown;   /* false: level 2 shows the whole state before the next instruction */
	uint16_t changed_regs;       /* bit r: register r is shown with the next state */
	uint64_t changed_slots;      /* bit s: slot s is */
	size_t log_start;            /* what was in the log before */
	size_t log_most;             /* where its end was at the furthest, of what was taken back */
	size_t insn_end, insn_width; /* of the instruction last shown: what it did goes behind it */
	enum refusal refusal;
	uint32_t refused_at;
	struct trail *trail; /* explain_trail.h: of a verification that explains; NULL: none */

	/* how much */
	uint32_t n_processed, n_states, peak_states, most_states_per_insn;
	uint64_t context_fields[SKEP_VERIFY_FIELD_WORDS]; /* context.c */
	uint32_t most_branches;                           /* that waited in `pending` at one time */
	uint32_t n_jumps, n_jumps_at_state,
		n_insns_at_state; /* states.c: is it time for another? */
	size_t memory_bytes;      /* of states; what lives until the end is the arena's */
	size_t peak_bytes;        /* of both */
	uint64_t started_ns;
	uint32_t stack_bytes; /* depth.c: of the deepest chain of calls */
	uint32_t ctx_bytes;   /* as the report's, as is the next */
	bool kernel_pointers;
};

/* Returned by steps besides 0 and -errno: this path is at its end. */
#define PATH_END 1

/* --- verify.c, walk.c ---------------------------------------------------------------------- */

/** One verification is begun, run and ended; extended mode does so twice. */
void verify_begin(struct verifier *v, const struct skep_verify_program *program,
		  const struct skep_verify_opts *opts, struct skep_buf *log);
/** All passes. Return 0 | the refusal's -errno */
int verify_passes(struct verifier *v);
void verify_report(struct verifier *v, int err, struct skep_verify_report *ret);
void verify_end(struct verifier *v);

#define MOST_PENDING 8192 /* paths that wait; more are too complex */
/** The kernel's limit of instructions, or what the caller set for it. */
static inline uint32_t verify_most_insns(const struct verifier *v)
{
	return v->opts->most_insns ? v->opts->most_insns : 1000000;
}
/** Of states. */
static inline uint64_t verify_most_memory(const struct verifier *v)
{
	return v->opts->memory_bytes ? v->opts->memory_bytes : 512ull << 20;
}

/** Walk all paths of function @func, whose first state is v->state. */
int verify_walk(struct verifier *v);
/** One instruction, v->insns[v->at]. Return 0: go on at v->next | PATH_END | -errno */
int verify_step(struct verifier *v);
/** The other way at a fork: it will be walked from @at with a copy of the state under way, which is
 *  returned to be told what holds there. NULL: no memory, or too many: `return verify_no_fork(v,
 *  err)`.
 *  Source: push_stack() */
struct state *verify_fork(struct verifier *v, uint32_t at, uint32_t prev_at, bool speculative);
/** The errno of a fork that there was none of: @too_many, which is another for each of those that
 *  fork in Linux 6.18, where too many paths wait. */
static inline int verify_no_fork(const struct verifier *v, int too_many)
{
	return v->refusal ? too_many : -ENOMEM;
}

/** The longest chain of calls (chains.c), for the report of an accepted program. */
struct chain_length {
	uint32_t frames, bytes;
};
struct chain_length verify_longest_chain(struct verifier *v);

/** How long the trail is; 0: there is none. */
uint32_t verify_trail_len(const struct verifier *v);
/** Since skep_verify() was called. */
uint64_t verify_elapsed_ns(const struct verifier *v);
/** Has it taken longer than opts->time_ns? Then refuse. Cost: looks at the clock. */
int verify_check_time(struct verifier *v);

/* --- reg.c: operands ------------------------------------------------------------------------ */

static inline struct reg *verify_reg(struct verifier *v, unsigned regno)
{
	return &top_frame(v->state)->regs[regno];
}

#define VERIFY_KIND_TEXT_BYTES 96
/** The kind with what narrows it, as the kernel's log and refusals name it: "map_value_or_null",
 *  "rdonly_mem", "trusted_ptr_". Return it, in @text where it has parts. Source: reg_type_str() */
const char *verify_kind_text(const struct reg *reg, char text[VERIFY_KIND_TEXT_BYTES]);
/** The same, in memory of the block it is used in. */
#define KIND_TEXT(reg)         verify_kind_text((reg), (char[VERIFY_KIND_TEXT_BYTES]){0})
#define VERIFY_TNUM_TEXT_BYTES 48
/** A tristate number as refusals have it: "(0x0; 0xff)", or just the number. Return @text.
 *  Source: tnum_strn() */
const char *verify_tnum_text(struct skep_tnum t, char text[VERIFY_TNUM_TEXT_BYTES]);
#define TNUM_TEXT(t) verify_tnum_text((t), (char[VERIFY_TNUM_TEXT_BYTES]){0})

/** The instruction reads @regno. */
int verify_read_reg(struct verifier *v, unsigned regno);
/** It writes it; what it holds then is unset until the caller says. */
int verify_write_reg(struct verifier *v, unsigned regno);
/** As a loader's and verifier's caller must: -EACCES for pointers where numbers must not show
 *  where they are (unprivileged). */
bool verify_leaks_pointer(struct verifier *v, unsigned regno);

/* --- alu.c, pointer.c: arithmetic ------------------------------------------------------------ */

int verify_alu(struct verifier *v, const struct skep_insn *insn);
/** A number that is about to be in two places gets an id, unless it is one number only.
 *  Source: assign_scalar_id_before_mov() */
void verify_name_number(struct verifier *v, struct reg *reg);
/**
 * dst = ptr + off, or ptr - off, where one is a pointer and the other a number.
 *
 * @ptr, @off  copies are made before @insn's destination is written
 * Source      adjust_ptr_min_max_vals()
 */
int verify_pointer_alu(struct verifier *v, const struct skep_insn *insn, const struct reg *ptr,
		       const struct reg *off);

/* --- branch.c: conditional jumps -------------------------------------------------------------- */

/** JA, JCOND and the conditional jumps. */
int verify_jump(struct verifier *v, const struct skep_insn *insn);
/** A pointer that may be NULL is found to be, or not to be, by its id; everywhere. */
void verify_mark_null(struct verifier *v, struct state *state, uint32_t regno, bool is_null);
/** It is not: what kind that makes it (a map of maps' value is a map). Source:
 * mark_ptr_not_null_reg() */
void verify_not_null(struct reg *reg);

/* --- load.c and the files of memory: access -------------------------------------------------- */

enum access { ACCESS_READ, ACCESS_WRITE };

/* One access to memory as an instruction makes it. */
struct mem_access {
	unsigned regno; /* the address's register */
	int32_t off;
	uint32_t bytes;
	enum access kind;
	int value; /* the register stored, or loaded into; -1: an immediate, or nothing */
	bool strict_alignment, sign_extends;
	/* of memory that a call is given: see verify_call_memory() */
	bool by_call, zero_ok;
	struct call *call;
};

int verify_load(struct verifier *v, const struct skep_insn *insn);   /* LDX */
int verify_store(struct verifier *v, const struct skep_insn *insn);  /* ST, STX */
int verify_atomic(struct verifier *v, const struct skep_insn *insn); /* STX | ATOMIC */
int verify_ld_abs(struct verifier *v, const struct skep_insn *insn); /* LD | ABS, IND */
/** Source: check_mem_access() */
int verify_mem_access(struct verifier *v, const struct mem_access *access);

struct call;
/**
 * A call is given @bytes of memory at @regno, to read or to write.
 *
 * @zero_ok  0 bytes may be asked for (then NULL will do)
 * @call     what is collected of the call: uninitialised stack it fills; may be NULL
 * Source    check_helper_mem_access()
 */
int verify_call_memory(struct verifier *v, unsigned regno, uint32_t bytes, enum access kind,
		       bool zero_ok, struct call *call);
/** The stack at fp + @off of @frame, @bytes of it, is overwritten by what is not known (or, with
 *  @value >= 0, by register @value). Source: check_stack_write() */
int verify_stack_write(struct verifier *v, const struct mem_access *at, struct frame *frame);
int verify_stack_read(struct verifier *v, const struct mem_access *at, struct frame *frame);
/** A kptr or uptr in a map's value is loaded, or stored: whole, at a known offset.
 *  Source: check_map_kptr_access() */
int verify_kptr_access(struct verifier *v, const struct mem_access *access,
		       const struct skep_map_field *field);
/** A 64-bit load names a variable of the kernel's: what it points to. Source: check_pseudo_btf_id()
 */
int verify_load_variable(struct verifier *v, const struct skep_insn *insn);

/* --- context.c: what r1 points to at first --------------------------------------------------- */

/* What a context's field is. sign_extends is the caller's: the load extends the sign. */
struct ctx_field {
	enum reg_kind kind; /* SCALAR, or a pointer */
	uint16_t flags;
	uint32_t field_bytes; /* narrow loads are of a field of so many */
	const struct skep_btf *btf;
	uint32_t btf_id;
	uint32_t ref_id;          /* struct_ops: an argument that is acquired */
	struct range32 ret_range; /* if has_range: LSM's return value and the like */
	bool has_range, sign_extends;
};

/** May a program of this type access @bytes at @off of its context, and what is there?
 *  Return 0 | -EACCES (nothing is logged: the caller does) */
int verify_ctx_access(struct verifier *v, int32_t off, uint32_t bytes, enum access kind,
		      struct ctx_field *ret);
/** May @bytes at @off be loaded from what a pointer of that kind (SOCKET, SOCK_COMMON, TCP_SOCK,
 *  XDP_SOCK) leads to? Source: check_sock_access() */
bool verify_socket_access(enum reg_kind kind, int32_t off, uint32_t bytes);
/** The prototype of what a tracing, LSM or struct_ops program attaches to, in program->attach_btf;
 * 0: none. And: does it return nothing? */
uint32_t verify_attach_proto(struct verifier *v);
bool verify_attach_returns_void(struct verifier *v);
/** struct_ops: the program begins with references to the arguments that it must give back, return
 * or keep. Is it given any? Source: the arguments named "…__ref" of prepare_arg_info() */
void verify_take_arguments(struct verifier *v);
bool verify_is_handed_something(struct verifier *v);
/** The helper's prototype if the program's type may call it, NULL else. */
const struct skep_proto *verify_helper_allowed(struct verifier *v, int32_t id);
/** What the program may return, by its type. Return whether it is limited at all. */
bool verify_return_range(struct verifier *v, struct range32 *ret);
/** May data of packets be accessed so? (types whose packets are read-only, or not linear) */
bool verify_packet_access_allowed(struct verifier *v, const struct call *call, enum access kind);

/* --- call.c and its files -------------------------------------------------------------------- */

int verify_call(struct verifier *v, const struct skep_insn *insn);
int verify_exit(struct verifier *v);
int verify_call_helper(struct verifier *v, const struct skep_insn *insn); /* helper_call.c */
int verify_call_kfunc(struct verifier *v, const struct skep_insn *insn);  /* kfunc_call.c */
int verify_call_local(struct verifier *v, const struct skep_insn *insn);  /* functions.c */
/** The registers with which function v->func begins. Source: do_check_common() */
int verify_first_state(struct verifier *v);
/** What must not be held when the program ends or calls so. Source: check_resource_leak() */
int verify_nothing_held(struct verifier *v, bool exception_exit, bool locks, const char *what);

/* --- graph.c, live_*.c, depth.c, fastcall.c -------------------------------------------------- */

/** A kernel function that is not there may be called where no path comes to.
 *  Source: fixup_kfunc_call() */
int verify_no_absent_kfunc(struct verifier *v);
int verify_graph(struct verifier *v);
/** unprivileged.c: what programs of users without privileges may not have at all. */
int verify_unprivileged(struct verifier *v);
/** May a program of its type use the maps it names? (maps.c) */
int verify_maps(struct verifier *v);
/** May it attach to what it names? (attach.c) */
int verify_attach(struct verifier *v);
/** May a program there call helper @id? Few are for some functions only. Source: the `allowed` of
 *  struct bpf_func_proto */
bool verify_helper_fits_target(const struct verifier *v, int32_t id);
/** function_facts.c, for graph.c. */
int verify_function_facts(struct verifier *v);
/** The kernel function that the call at @at names, with its "bpf_"; never NULL. */
const char *verify_kfunc_name(const struct verifier *v, uint32_t at);
int verify_live_registers(struct verifier *v);
int verify_live_stack(struct verifier *v);
/** The slots of frame @frame of @state that are read again, from state->at on: bit s is slot s. */
uint64_t verify_live_slots(struct verifier *v, const struct state *state, uint32_t frame);
/** The walk saw the instruction read, or wholly overwrite, the slots of @mask in frame @frame. */
void verify_note_stack_read(struct verifier *v, uint32_t frame, uint64_t mask);
void verify_note_stack_write(struct verifier *v, uint32_t frame, uint64_t mask);
/** Around each instruction: its writes are collected, and count where it was not refused. */
void verify_live_stack_begin(struct verifier *v);
void verify_live_stack_end(struct verifier *v);
/** A path ends, or a function is about to return: what was noted comes to bear. */
void verify_live_stack_update(struct verifier *v);
int verify_fastcall(struct verifier *v);
/** The instruction under way accesses the stack at fp + @off of @frame, or from there on: spills
 *  around quick calls stay where others touch them. Source: check_fastcall_stack_contract() */
void verify_fastcall_access(struct verifier *v, const struct frame *frame, int32_t off);
/** A pass after the walk: those that do not stay take no stack. */
int verify_fastcall_stack(struct verifier *v);
int verify_stack_depth(struct verifier *v);

/* --- states.c, same.c, precision.c ----------------------------------------------------------- */

enum step_flag {
	STEP_STACK = 1 << 0, /* it accesses stack slot .slot of frame .frame */
	STEP_FRAME_SHIFT = 1,
	STEP_FRAME_MASK = 7,
	STEP_SLOT_SHIFT = 4,
	STEP_SLOT_MASK = 63,
	STEP_DST_SPILL = 1 << 10,
	STEP_SRC_SPILL = 1 << 11, /* linked: which side was a pointer */
};

/* How much alike an old state and one under way must be. */
enum likeness {
	LIKE_SAFE,   /* what the old one was found safe for has all that the other can be */
	LIKE_WITHIN, /* so, and not even a number of which nothing is asked may be outside */
	LIKE_EXACT,  /* the same */
};

/* Registers and slots that hold one number, or numbers a constant apart. */
#define MOST_LINKED 6
struct linked {
	uint32_t n;
	struct {
		uint8_t frame, number; /* of the register or slot */
		bool is_reg;
	} places[MOST_LINKED];
};

/** Is the state under way one that was seen here already, and found safe? Keeps it if not.
 *  Return 0 no | PATH_END | -errno. Source: is_state_visited() */
int verify_prune(struct verifier *v);
/** A path of @state has ended. Source: update_branch_counts() */
int verify_path_ended(struct verifier *v, struct state *state);
/** All paths of a function have: what was kept is let go of. */
void verify_states_done(struct verifier *v);
/** Is all that @cur can be among what @old was found safe for? Source: states_equal() */
bool verify_states_equal(struct verifier *v, const struct state *old, const struct state *cur,
			 enum likeness likeness);
/** The instruction that frame @frame of @state is at, or is to return behind. */
static inline uint32_t verify_frame_at(const struct state *state, uint32_t frame)
{
	return frame + 1 == state->n_frames ? state->at : state->frames[frame + 1]->call_at;
}

/** The latest state before @state on its path that was kept at @at, called from the same places:
 *  the loop's last round. NULL: none. Source: find_prev_entry() */
struct state *verify_last_round(struct verifier *v, const struct state *state, uint32_t at);
/** Numbers of @state that differ from the last round's, and of which nothing is asked, may be any:
 *  so the rounds become alike. Source: widen_imprecise_scalars() */
void verify_widen(struct verifier *v, const struct state *last_round, struct state *state);

/** The instruction under way is one that precision.c must know of. @flags, @linked are added to
 *  what was told of it before. Return 0 | -ENOMEM. Source: push_jmp_history() */
int verify_push_step(struct verifier *v, uint32_t flags, uint64_t linked);
/** As a step keeps it: six times ten bits, and how many. */
uint64_t verify_linked_pack(const struct linked *linked);
struct linked verify_linked_unpack(uint64_t packed);
/** A decision was made on @regno's bounds: it and whatever it came from must be kept exactly.
 *  Source: mark_chain_precision() */
int verify_mark_precise(struct verifier *v, unsigned regno);
/** The same of a number that was spilled. */
int verify_mark_slot_precise(struct verifier *v, uint32_t frame, uint32_t slot);

/* --- log.c ----------------------------------------------------------------------------------- */

#define VERIFY_LOG_STEPS 3 /* levels 1 and 2 */
/** Are steps told of? (At level 4 alone only the end is.) */
static inline bool verify_logs_steps(const struct verifier *v)
{
	return v->log && v->level & VERIFY_LOG_STEPS;
}
void verify_log(struct verifier *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * What the instruction under way wrote, or only looked at: the log shows it behind the instruction.
 * Operands are noted by verify_read_reg() and verify_write_reg(), r0 to r5 of calls by who clobbers
 * them, slots by who stores there.
 */
static inline void verify_note_reg(struct verifier *v, unsigned regno)
{
	v->changed_regs |= (uint16_t)(1u << regno);
}
static inline void verify_note_slot(struct verifier *v, uint32_t slot)
{
	v->changed_slots |= (uint64_t)1 << (slot & 63);
}
/** All of it: a path begins. */
static inline void verify_note_all(struct verifier *v)
{
	v->changed_regs = UINT16_MAX;
	v->changed_slots = UINT64_MAX;
}
/** "func#1 @4": where functions begin (level 2). */
void verify_log_functions(struct verifier *v);
/** "; x = 1; @ file.c:12", unless it was said last. @prefix before it ("; "). */
void verify_log_line(struct verifier *v, uint32_t at, const char *prefix);
/** What the instruction under way changed so far, behind it: before other things are said of it. */
void verify_log_changes(struct verifier *v, const struct state *state);
/** Take back what was said from @len on. */
void verify_log_cut(struct verifier *v, size_t len);
/** Bytes that the log had at its longest. */
size_t verify_log_most(const struct verifier *v);
/** A function was verified: level 1 forgets what was said of it. */
void verify_log_forget(struct verifier *v);
/** Before a step: at level 2, or where a path begins, the state; the source line; the
 *  instruction. */
void verify_log_step(struct verifier *v);
/** The path came to a state found safe before: "from 3 to 7: safe". */
void verify_log_safe(struct verifier *v);
/** "Func#1 ('name') is safe for any args that match its prototype" */
void verify_log_function_safe(struct verifier *v, uint32_t func);
/** The instruction as it was loaded, with the end of the line; there is a log. */
void verify_log_insn(struct verifier *v, uint32_t at);
/** A frame's registers and slots in the kernel's form, to the end of the line: all of them, or what
 *  was noted as changed. */
void verify_log_frame(struct verifier *v, const struct state *state, const struct frame *frame,
		      bool all);
/** One register: "ctx()", "scalar(umin=1)", "map_value(map=m,ks=4,vs=8)". */
void verify_reg_print(const struct verifier *v, const struct reg *reg, struct skep_buf *out);
void verify_log_summary(struct verifier *v);

#endif
