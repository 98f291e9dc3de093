/*
 * What is known at one point of one path: of each register, each stack slot, each frame, and of
 * what the program holds (references, locks).
 *
 *	state ─► frame[0] (main) ─► regs[11], slots[] (8 bytes of stack each, downwards from fp)
 *	      ─► frame[1] (called) …
 *	      ─► refs[]    what must be given back before the end
 *
 * A state is copied where a path forks, and kept where paths may meet again (states.c).
 *
 * Memory: a state owns its frames, a frame its slots, as far as they were touched. All of it is
 * counted in v->memory_bytes. States that are kept, and those that wait long to be walked, have
 * packed frames: kept_reg() and its like read these as well as others, frame->regs and frame->slots
 * only those of the state under way (kept_frame.c).
 */
#ifndef SKEP_VERIFY_STATE_H
#define SKEP_VERIFY_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <skep/image.h>
#include <skep/isa.h>

#include "verify/scalar.h"

struct skep_btf;
struct skep_map;
struct verifier;

enum reg_kind {
#define REG_KIND(NAME, word) REG_##NAME,
#include "verify/reg_kinds.def"
#undef REG_KIND
	REG_KIND_CNT
};

/* What narrows a kind of pointer; names as the kernel's enum bpf_type_flag. */
enum reg_flag {
	PTR_MAYBE_NULL = 1 << 0,
	MEM_RDONLY = 1 << 1,
	MEM_RINGBUF = 1 << 2, /* of a ring buffer: to be submitted or discarded */
	MEM_USER = 1 << 3,
	MEM_PERCPU = 1 << 4,
	PTR_UNTRUSTED = 1 << 5,     /* may point nowhere: only read, with faults caught */
	MEM_ALLOC = 1 << 6,         /* the program's own object: bpf_obj_new() */
	PTR_TRUSTED = 1 << 7,       /* valid, and stays so */
	MEM_RCU = 1 << 8,           /* valid within the RCU read section */
	NON_OWN_REF = 1 << 9,       /* a node in a collection: valid while its lock is held */
	MEM_DYNPTR_SLICE = 1 << 10, /* goes with the dynptr it is from */
};

enum dynptr_kind {
	DYNPTR_NONE,
	DYNPTR_LOCAL,
	DYNPTR_RINGBUF,
	DYNPTR_SKB,
	DYNPTR_XDP,
	DYNPTR_FILE,
	DYNPTR_SKB_META,
};

enum iter_state { ITER_NONE, ITER_ACTIVE, ITER_DRAINED };

/* Behind a packet pointer whose distance to the end is known only to be too short. */
#define RANGE_AT_END     (-1)
#define RANGE_BEYOND_END (-2)

/*
 * A register, or what was spilled from one.
 *
 *	scalar    value is the number
 *	pointer   off + value is what was added to where it points first; value is const 0 where
 *	          nothing unknown was added
 */
struct reg {
	uint8_t kind;   /* enum reg_kind */
	uint8_t frame;  /* STACK: whose */
	uint16_t flags; /* enum reg_flag */
	bool precise;   /* scalar: two states are the same only if this one's bounds hold */
	uint8_t form;   /* of a packed register, what there is behind id: kept_frame.c */
	int32_t off;
	/*
	 * Scalars: those with the same id are the same number (ID_ADD: but for a constant, in off).
	 * Pointers: where learning of one (not NULL, so many packet bytes) tells of others.
	 */
	uint32_t id;
	uint32_t ref_id;    /* goes when this reference is given back; 0: none */
	uint32_t dynptr_id; /* a slice: goes when this dynptr does; 0: none */
	/* which of them: the kind says */
	union {
		struct {
			const struct skep_map *map; /* MAP_PTR, MAP_VALUE, MAP_KEY */
			uint32_t map_uid;           /* of an inner map: which look-up brought it */
		};
		struct {
			const struct skep_btf *btf; /* BTF_PTR */
			uint32_t btf_id;
		};
		uint32_t mem_bytes; /* MEM */
		int32_t range;      /* PACKET, PACKET_META: bytes from value on that are there */
		uint32_t func;      /* FUNC: which, as image->funcs */
		/* in slots alone, and as DYNPTR in arguments of callbacks and global functions */
		struct {
			uint8_t dynptr;  /* enum dynptr_kind */
			bool first_slot; /* of the two */
		};
		struct {
			const struct skep_btf *iter_btf;
			uint32_t iter_btf_id;
			uint8_t iter_state; /* enum iter_state */
			uint32_t iter_depth;
		};
		uint8_t irq_class; /* an IRQ flag: by which pair of kfuncs it was saved */
	};
	struct skep_scalar value;
};

/* id of scalars: the number is another's plus off, which the next addition ends. */
#define ID_ADD64 (1u << 31)
#define ID_ADD32 (1u << 30)
#define ID_ADD   (ID_ADD64 | ID_ADD32)

/* Of a byte. Those with SLOT_HAS_REG go with a register, slot.spilled. */
#define SLOT_HAS_REG 4
enum slot_kind {
	SLOT_INVALID,
	SLOT_MISC,
	SLOT_ZERO,
	SLOT_SPILL = SLOT_HAS_REG,
	SLOT_DYNPTR,
	SLOT_ITER,
	SLOT_IRQ_FLAG
};

/* Eight bytes of stack: slot i is fp-8*(i+1) and up. kinds[0] is its byte at the highest address,
 * as the kernel counts, so that a spill of 4 bytes fills kinds[4..7] or [0..3] by its address. */
struct slot {
	uint8_t kinds[8];
	struct reg spilled; /* kept states have it only where kinds ask for it: kept_frame.c */
};

#define SLOT_BYTES 8

/** All of a slot's kinds at once: byte b is kinds[b]. And: @kind in each of them. */
static inline uint64_t slot_kinds(const uint8_t kinds[SLOT_BYTES])
{
	uint64_t word;

	memcpy(&word, kinds, sizeof(word));
	return word;
}
#define SLOT_ALL(kind) (UINT64_MAX / 255 * (kind))

/** Do some of the kinds go with a register? */
static inline bool slot_has_reg(const uint8_t kinds[SLOT_BYTES])
{
	return slot_kinds(kinds) & SLOT_ALL(SLOT_HAS_REG);
}

/** Was a register spilled here, whole or its lower bytes? They begin at the lowest address. */
static inline bool slot_is_spill(const struct slot *slot)
{
	return slot->kinds[SLOT_BYTES - 1] == SLOT_SPILL;
}

/** Was a number? */
static inline bool slot_is_spilled_scalar(const struct slot *slot)
{
	return slot_is_spill(slot) && slot->spilled.kind == REG_SCALAR;
}

/** Its register is unset, and nothing else of it told. */
static inline void verify_slot_no_reg(struct slot *slot)
{
	memset(&slot->spilled, 0, offsetof(struct reg, value));
}

#define MOST_SLOTS (SKEP_STACK_BYTES / SLOT_BYTES)

struct range32 {
	int32_t min, max;
};

/* One function under way. */
struct frame {
	struct slot *slots; /* owned */
	uint32_t n_slots;   /* touched so far */
	uint32_t call_at;   /* the slot of its call; UINT32_MAX: main, or a function on its own */
	uint32_t func;      /* as image->funcs */
	uint32_t number;    /* in state->frames */
	bool in_callback, in_async_callback, in_exception_callback;
	struct range32 callback_ret; /* what the callback may return */
	uint32_t callback_depth;     /* how often it was gone into */
	uint32_t async_entries;
	/* Of a kept state, whose frames have no slots and end before regs: see kept_frame.c. */
	uint16_t *places;
	uint32_t kept_bytes;
	struct reg regs[SKEP_N_REGS];
};

enum ref_kind { REF_PTR, REF_IRQ, REF_LOCK, REF_RES_LOCK, REF_RES_LOCK_IRQ };

/* Something acquired. */
struct ref {
	enum ref_kind kind;
	uint32_t id;
	uint32_t insn;   /* where; the log names it */
	const void *ptr; /* locks: the map or BTF their object is of */
};

#define STEP_AT_BITS 26 /* programs are shorter by far */
#define STEP_NOWHERE ((1u << STEP_AT_BITS) - 1)
/* One instruction on the way here: what precision.c goes back along. */
struct step {
	uint64_t at : STEP_AT_BITS, prev_at : STEP_AT_BITS; /* STEP_NOWHERE: none */
	uint64_t flags : 64 - 2 * STEP_AT_BITS; /* what the instruction accessed: enum step_flag */
	uint64_t linked; /* registers and slots of one number, six of them packed (precision.c) */
};

struct state {
	struct frame *frames[SKEP_MOST_FRAMES]; /* owned */
	uint32_t n_frames;                      /* >= 1 */
	const struct ref *refs;                 /* shared with other states: ref_rows.c */
	uint32_t n_refs, n_locks;
	uint32_t preempt_off, rcu_locked; /* how deep */
	uint32_t irq_id, lock_id;         /* the innermost; 0: none */
	const void *lock_ptr;
	bool speculative; /* a path that only the CPU goes, guessing */
	bool in_sleepable;
	bool cleaned; /* what is dead was taken out (states.c) */
	uint32_t may_goto_depth, callback_unroll_depth;

	/* Where it stands among the others; states.c, loops.c. */
	struct state *parent, *equal_to;
	struct state *older, *newer; /* of those kept in one list */
	uint32_t branches;           /* paths from here that have not ended */
	uint32_t at;                 /* the instruction that comes next */
	uint32_t first_at, last_at;  /* after the parent; just before this one */
	uint32_t depth;              /* how many parents */
	uint32_t hits, misses;       /* how often it ended a path, and did not */
	bool evicted;                /* no path is compared with it any more */
	bool kept;                   /* its frames are packed */
	bool forced; /* all its numbers are precise, and those of all parents (precision.c) */
	struct step *steps; /* owned: since the parent */
	uint32_t n_steps, cap_steps;
};

static inline struct frame *top_frame(const struct state *s)
{
	return s->frames[s->n_frames - 1];
}

/* --- state.c ------------------------------------------------------------------------------- */

struct state *verify_state_new(struct verifier *v);
/** Everything but where it stands among the others, and the steps; NULL: no memory. */
struct state *verify_state_copy(struct verifier *v, const struct state *from);
/** Has the verification taken more memory than opts->memory_bytes? Then refuse. */
int verify_check_memory(struct verifier *v);
/** The most that it took is found where states are copied, and in the end. */
void verify_note_peak(struct verifier *v);
/** Memory of states, which is counted: not zeroed, NULL if there is none. And: it goes back, @bytes
 *  as it was asked for; NULL: nothing. */
void *verify_take(struct verifier *v, size_t bytes);
void verify_give_back(struct verifier *v, void *piece, size_t bytes);
void verify_state_free(struct verifier *v, struct state *state);
/** A copy to be kept: of its frames, ask kept_reg() and its like. */
struct state *verify_state_keep(struct verifier *v, const struct state *from);
/** Pack the frames of one that waits, and make it one to go on with. Return 0 | -ENOMEM, then it is
 *  as it was. */
int verify_state_pack(struct verifier *v, struct state *state);
int verify_state_unpack(struct verifier *v, struct state *state);
/** Room for more steps. Return 0 | -ENOMEM */
int verify_steps_grow(struct verifier *v, struct state *state);
/** A frame for function @func on top, called at @call_at, registers unset but fp; -E2BIG: too many.
 */
int verify_frame_push(struct verifier *v, struct state *state, uint32_t func, uint32_t call_at);
void verify_frame_pop(struct verifier *v, struct state *state);
/** At least @n slots, the new ones invalid. Return 0 | -ENOMEM */
int verify_frame_grow(struct verifier *v, struct frame *frame, uint32_t n);

/** A reference of @kind taken at v->at; returns its id. Source: acquire_reference(). */
uint32_t verify_ref_acquire(struct verifier *v, enum ref_kind kind);
/** Drop the reference and whatever registers and slots go with it. -EINVAL: there is none */
int verify_ref_release(struct verifier *v, uint32_t id);
const struct ref *verify_ref_find(const struct state *state, uint32_t id);

/* --- ref_rows.c ---------------------------------------------------------------------------- */

/** @copy has the rows of the state that it is a copy of. */
void verify_refs_share(struct state *copy);
/** @state has none any more. */
void verify_refs_leave(struct verifier *v, struct state *state);
/** The rows of @state, to be changed. Cost O(n_refs) where others have them too */
struct ref *verify_refs_own(struct verifier *v, struct state *state);
/** Of the state under way: a row more, and row @i less. */
void verify_refs_add(struct verifier *v, struct ref ref);
void verify_refs_remove(struct verifier *v, uint32_t i);

/* --- kept_frame.c -------------------------------------------------------------------------- */

/** The most that a packed frame takes. */
#define KEPT_FRAME_MOST_BYTES                                                                      \
	(sizeof(struct frame) + (SKEP_N_REGS + MOST_SLOTS) * sizeof(uint16_t) + SLOT_BYTES +       \
	 MOST_SLOTS * (SLOT_BYTES + sizeof(struct reg)))
/** Pack @from into @memory, of so many bytes, 8 aligned; return how many it takes. It may be moved
 *  from there, to where kept_frame_moved() must be told. */
size_t kept_frame_pack(const struct frame *from, void *memory);
struct frame *kept_frame_moved(void *memory);
/** @ret has room for all of kept->n_slots in ret->slots. */
void kept_frame_unpack(const struct frame *kept, struct frame *ret);

extern const struct reg verify_reg_unset;
extern const struct reg kept_frame_pointers[SKEP_MOST_FRAMES];
#define KEPT_ALIKE_CNT (SLOT_ZERO + 1) /* kinds of slots that are told by their place */
extern const uint8_t kept_alike_kinds[KEPT_ALIKE_CNT][SLOT_BYTES];

static inline void *kept_at(const struct frame *frame, uint16_t place)
{
	return (char *)frame->places + place;
}

/** The kinds of a slot's bytes, of any frame. */
static inline const uint8_t *kept_kinds(const struct frame *frame, uint32_t s)
{
	uint16_t place;

	if (!frame->places)
		return frame->slots[s].kinds;
	place = frame->places[SKEP_N_REGS + s];
	return place < KEPT_ALIKE_CNT ? kept_alike_kinds[place] : kept_at(frame, place);
}

/**
 * A register, or a slot's, of any frame, packed or not. Of a packed one only what comes before
 * ref_id is there to be looked at (kind, flags, precise, off and id), and precise to be changed:
 * reg_whole() for the rest. One that is unset must not be changed.
 */
static inline struct reg *kept_reg(const struct frame *frame, unsigned regno)
{
	if (!frame->places)
		return (struct reg *)&frame->regs[regno];
	if (regno == SKEP_R10)
		return (struct reg *)&kept_frame_pointers[frame->number];
	return frame->places[regno] ? (struct reg *)kept_at(frame, frame->places[regno])
				    : (struct reg *)&verify_reg_unset;
}
static inline struct reg *kept_spilled(const struct frame *frame, uint32_t s)
{
	uint8_t *kinds;

	if (!frame->places)
		return &frame->slots[s].spilled;
	kinds = (uint8_t *)kept_kinds(frame, s);
	return slot_has_reg(kinds) ? (struct reg *)(kinds + SLOT_BYTES)
				   : (struct reg *)&verify_reg_unset;
}
/** All of @reg: itself if it is not packed, or else put together in @room. */
const struct reg *reg_whole(const struct reg *reg, struct reg *room);
/** Of a packed frame: the register, the slot, is unset from now on. */
void kept_reg_gone(struct frame *frame, unsigned regno);
void kept_slot_gone(struct frame *frame, uint32_t s);
/** A number was spilled there. */
static inline bool kept_is_spilled_scalar(const struct frame *frame, uint32_t s)
{
	return kept_kinds(frame, s)[SLOT_BYTES - 1] == SLOT_SPILL &&
	       kept_spilled(frame, s)->kind == REG_SCALAR;
}

/* --- reg.c --------------------------------------------------------------------------------- */

static inline bool reg_is_pointer(const struct reg *reg)
{
	return reg->kind != REG_UNSET && reg->kind != REG_SCALAR;
}

/** Any number (precise where the verification is not to rely on states' likeness). */
void verify_reg_unknown(const struct verifier *v, struct reg *reg);
void verify_reg_const(const struct verifier *v, struct reg *reg, uint64_t value);
/** A pointer of @kind with @flags, nothing added; the rest zero. */
void verify_reg_pointer(struct reg *reg, enum reg_kind kind, unsigned flags);
/** Exactly 0, as the kernel's register_is_null(). */
bool verify_reg_is_null(const struct reg *reg);
bool verify_reg_is_const(const struct reg *reg);
/** Is it a packet pointer (PACKET, PACKET_META) or its end? */
bool verify_reg_is_packet(const struct reg *reg);
/** A new id that no other has. */
uint32_t verify_new_id(struct verifier *v);
/** Every register of every frame, spilled ones included: @each is called with those in use. */
void verify_each_reg(struct state *state, void (*each)(struct reg *reg, void *ctx), void *ctx);

#endif
