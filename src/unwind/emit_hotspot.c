/*
 * What HotSpot knows of its code, see emit.h and interp/hotspot_layout.h: which block an address
 * is in, what kind of code that has, and of which method it is.
 *
 * All of it is the process's own memory, and may be garbage: offsets in what was read are masked,
 * a search for a block's begin ends after 64 steps.
 */
#include <linux/bpf.h>

#include "interp/keep.h"
#include "unwind/emit.h"

#define SEGMENT_STEPS 64
#define NO_BLOCK      0xff
#define BLOB_MASK     (SKEP_HOTSPOT_BLOB_BYTES - 1)
#define HASH_FACTOR   0x9e3779b97f4a7c15ull
_Static_assert((BLOB_MASK & (BLOB_MASK + 1)) == 0, "one less than a power of two");

/* --- The machine ------------------------------------------------------------------------------ */

/* The first entry of the stack of methods is where their names are. */
static void begin_methods(const struct emit_func *at)
{
	skep_ir_copy(at->f, R(at->w), FIELD(at, java.stack.frames), R(at->w),
		     FIELD(at, java.hotspot.names), sizeof(struct skep_hotspot_names), 2);
	PUT(at, java.stack.end, I(SKEP_INTERP_WHOLE));
	PUT(at, java.stack.version, I(SKEP_INTERP_HOTSPOT));
	PUT(at, java.fresh.tgid, R(GET(at, asked.tgid)));
	PUT(at, java.hash, R(GET(at, asked.tgid)));
}

struct skep_ir_func *skep_emit_hotspot(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_hotspot", 1);
	uint32_t known = skep_ir_block(at.f), unknown = skep_ir_block(at.f);
	uint32_t map = skep_ir_map(at.f, e->maps->of[SKEP_UNWIND_MAP_HOTSPOTS]);
	uint32_t entry =
		skep_ir_calln(at.f, BPF_FUNC_map_lookup_elem, R(map), R(ADDRESS(&at, asked.tgid)));

	PUT(&at, java.is_looked_for, I(1));
	PUT(&at, java.blob_bytes, I(0));
	PUT(&at, java.hotspot.version, I(SKEP_INTERP_NONE));
	skep_ir_branch(at.f, SKEP_IR_NE, R(entry), I(0), known, unknown);
	skep_ir_at(at.f, known);
	skep_ir_copy(at.f, R(at.w), FIELD(&at, java.hotspot), R(entry), 0,
		     sizeof(struct skep_hotspot), 8);
	begin_methods(&at);
	skep_ir_exit(at.f, I(0));
	skep_ir_at(at.f, unknown);
	PUT(&at, java.is_asked_for, I(1));
	PUT(&at, asked.number, I(SKEP_UNWIND_ASK_MACHINE));
	skep_emit_ask(&at);
	skep_ir_exit(at.f, I(0));
	return at.f;
}

/* --- Its code --------------------------------------------------------------------------------- */

#define HEAP(at, i, field)                                                                         \
	skep_ir_load((at)->f, 8, R((at)->w),                                                       \
		     FIELD(at, java.hotspot.heaps) +                                               \
			     (int32_t)((i) * sizeof(struct skep_hotspot_heap) +                    \
				       offsetof(struct skep_hotspot_heap, field)))

/* The heap and the segment of @addr; leaves the function where it is in none. */
static void find_segment(const struct emit_func *at, uint32_t addr)
{
	uint32_t found = skep_ir_block(at->f);

	for (uint32_t i = 0; i < SKEP_HOTSPOT_HEAPS; i++) {
		uint32_t in = skep_ir_block(at->f), out = skep_ir_block(at->f);
		uint32_t low = HEAP(at, i, low), shift;
		uint32_t off = skep_emit_alu(at, SKEP_IR_SUB, addr, R(low));
		skep_ir_branch(at->f, SKEP_IR_ULT, R(off), R(HEAP(at, i, n_bytes)), in, out);
		skep_ir_at(at->f, in);
		shift = skep_emit_alu(at, SKEP_IR_AND, HEAP(at, i, shift), I(63));
		PUT(at, java.low, R(low));
		PUT(at, java.map, R(HEAP(at, i, map)));
		PUT(at, java.shift, R(shift));
		PUT(at, java.segment, R(skep_emit_alu(at, SKEP_IR_SHR, off, R(shift))));
		skep_ir_jump(at->f, found);
		skep_ir_at(at->f, out);
	}
	skep_ir_exit(at->f, I(1));
	skep_ir_at(at->f, found);
}

static void exit_if(const struct emit_func *at, enum skep_ir_cond cond, uint32_t a,
		    struct skep_opnd b, int64_t answer)
{
	uint32_t over = skep_ir_block(at->f), on = skep_ir_block(at->f);

	skep_ir_branch(at->f, cond, R(a), b, over, on);
	skep_ir_at(at->f, over);
	skep_ir_exit(at->f, I(answer));
	skep_ir_at(at->f, on);
}

/* The callback of bpf_loop(): (number of the step, where the walk's address is). */
static struct skep_ir_func *one_step(const struct emit *e)
{
	struct emit_func at = {.e = e, .f = skep_ir_subprog(e->prog, "unwind_segment", 2)};
	uint32_t from, failed, hop;

	at.w = skep_ir_load(at.f, 8, R(skep_ir_param(at.f, 1)), 0);
	from = skep_emit_alu(&at, SKEP_IR_ADD, GET(&at, java.map), R(GET(&at, java.segment)));
	failed = skep_emit_read(&at, ADDRESS(&at, java.hop), 1, from);
	exit_if(&at, SKEP_IR_NE, failed, I(0), 1);
	hop = GET(&at, java.hop);
	exit_if(&at, SKEP_IR_EQ, hop, I(NO_BLOCK), 1);
	PUT(&at, java.segment, R(skep_emit_alu(&at, SKEP_IR_SUB, GET(&at, java.segment), R(hop))));
	exit_if(&at, SKEP_IR_NE, hop, I(0), 0);
	PUT(&at, java.is_start, I(1));
	skep_ir_exit(at.f, I(1));
	return at.f;
}

static uint32_t blob_word(const struct emit_func *at, uint32_t off)
{
	uint32_t inside = skep_emit_alu(at, SKEP_IR_AND, off, I(BLOB_MASK));

	return skep_ir_load(at->f, 8, R(skep_emit_alu(at, SKEP_IR_ADD, at->w, R(inside))),
			    FIELD(at, java.blob));
}
#define BLOB(at, field) blob_word(at, GET(at, java.hotspot.field))

/* Is @addr in the code of the blob that was read? */
static void take_blob(const struct emit_func *at, uint32_t addr)
{
	uint32_t code = BLOB(at, code),
		 n_bytes = skep_emit_alu(at, SKEP_IR_SUB, BLOB(at, end), R(code));
	uint32_t off = skep_emit_alu(at, SKEP_IR_SUB, addr, R(code));
	uint32_t failed = skep_emit_read(at, ADDRESS(at, java.name), 8, BLOB(at, name));

	exit_if(at, SKEP_IR_NE, failed, I(0), 1);
	exit_if(at, SKEP_IR_UGE, off, R(n_bytes), 1);
	PUT(at, java.blob_code, R(code));
	PUT(at, java.blob_bytes, R(n_bytes));
	skep_ir_exit(at->f, I(0));
}

struct skep_ir_func *skep_emit_blob(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_blob", 2);
	uint32_t addr = skep_ir_param(at.f, 1), box = skep_ir_slot(at.f, 8, 8), from;
	uint32_t off = skep_emit_alu(&at, SKEP_IR_SUB, addr, R(GET(&at, java.blob_code)));

	exit_if(&at, SKEP_IR_ULT, off, R(GET(&at, java.blob_bytes)), 0);
	PUT(&at, java.blob_bytes, I(0));
	PUT(&at, java.is_start, I(0));
	find_segment(&at, addr);
	skep_ir_store(at.f, 8, S(box, 0), 0, R(at.w));
	skep_ir_calln(at.f, BPF_FUNC_loop, I(SEGMENT_STEPS),
		      R(skep_ir_func_addr(at.f, one_step(e))), S(box, 0), I(0));
	exit_if(&at, SKEP_IR_EQ, GET(&at, java.is_start), I(0), 1);
	from = skep_emit_alu(&at, SKEP_IR_SHL, GET(&at, java.segment), R(GET(&at, java.shift)));
	from = skep_emit_alu(&at, SKEP_IR_ADD, from, R(GET(&at, java.low)));
	from = skep_emit_alu(&at, SKEP_IR_ADD, from, R(GET(&at, java.hotspot.header_bytes)));
	exit_if(&at, SKEP_IR_NE,
		skep_emit_read(&at, ADDRESS(&at, java.blob), SKEP_HOTSPOT_BLOB_BYTES, from), I(0),
		1);
	take_blob(&at, addr);
	return at.f;
}

/* --- Methods ---------------------------------------------------------------------------------- */

/* As skep_interp_check(). */
static uint32_t check(const struct emit_func *at)
{
	uint32_t mixed = skep_ir_mov(at->f, I(0));

	for (int i = 0; i < SKEP_INTERP_CHECK_WORDS; i++) {
		uint32_t word = skep_ir_load(at->f, 8, R(at->w), FIELD(at, java.words) + 8 * i);
		mixed = skep_emit_alu(at, SKEP_IR_XOR, mixed, R(word));
		mixed = skep_emit_alu(at, SKEP_IR_MUL, mixed, I((int64_t)HASH_FACTOR));
	}
	return skep_emit_alu(at, SKEP_IR_SHR, mixed, I(32));
}

static void mix(const struct emit_func *at, uint32_t value)
{
	uint32_t hash = skep_emit_alu(at, SKEP_IR_XOR, GET(at, java.hash), R(value));

	hash = skep_emit_alu(at, SKEP_IR_MUL, hash, I((int64_t)HASH_FACTOR));
	PUT(at, java.hash,
	    R(skep_emit_alu(at, SKEP_IR_XOR, hash,
			    R(skep_emit_alu(at, SKEP_IR_SHR, hash, I(32))))));
}

/* Behind those that are there; the first is behind the entry that is no frame. */
static void put_method(const struct emit_func *at, uint32_t where_and_check)
{
	uint32_t n = skep_ir_var(at->f), none = skep_ir_block(at->f), some = skep_ir_block(at->f);
	uint32_t off, to;

	skep_ir_set(at->f, n, R(GET(at, java.stack.n)));
	skep_ir_branch(at->f, SKEP_IR_EQ, R(n), I(0), none, some);
	skep_ir_at(at->f, none);
	skep_ir_set(at->f, n, I(1));
	skep_ir_jump(at->f, some);
	skep_ir_at(at->f, some);
	off = skep_emit_alu(at, SKEP_IR_AND, n, I(PCS_MASK));
	off = skep_emit_alu(at, SKEP_IR_MUL, off, I(sizeof(struct skep_interp_frame)));
	to = skep_emit_alu(at, SKEP_IR_ADD, at->w, R(off));
	skep_ir_store(at->f, 8, R(to), FIELD(at, java.stack.frames), R(GET(at, java.method)));
	skep_ir_store(at->f, 8, R(to), FIELD(at, java.stack.frames) + 8, R(where_and_check));
	PUT(at, java.stack.n, R(skep_emit_alu(at, SKEP_IR_ADD, n, I(1))));
}

/* What cannot be read is no method. */
struct skep_ir_func *skep_emit_method(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_method", 2);
	uint32_t method = GET(&at, java.method), place, word, from;

	from = skep_emit_alu(&at, SKEP_IR_ADD, method,
			     R(GET(&at, java.hotspot.names.const_method)));
	exit_if(&at, SKEP_IR_NE, skep_emit_read(&at, ADDRESS(&at, java.part), 8, from), I(0), 0);
	from = skep_emit_alu(&at, SKEP_IR_ADD, GET(&at, java.part),
			     R(GET(&at, java.hotspot.names.constants)));
	exit_if(&at, SKEP_IR_NE,
		skep_emit_read(&at, ADDRESS(&at, java.words), FIELD_BYTES(java.words), from), I(0),
		0);
	place = skep_emit_alu(&at, SKEP_IR_SUB, GET(&at, stack.n), I(1));
	place = skep_emit_alu(&at, SKEP_IR_AND, place, I(SKEP_HOTSPOT_PLACE));
	place = skep_emit_alu(&at, SKEP_IR_OR, place, R(skep_ir_param(at.f, 1)));
	word = skep_emit_alu(&at, SKEP_IR_SHL, check(&at), I(32));
	word = skep_emit_alu(&at, SKEP_IR_OR, word, R(place));
	put_method(&at, word);
	mix(&at, GET(&at, java.method));
	mix(&at, word);
	skep_ir_exit(at.f, I(0));
	return at.f;
}

/* As the frames of other interpreters: keep them, and tell who reads names of a new one. */
struct skep_ir_func *skep_emit_methods(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_methods", 1);
	const struct skep_keeping keeping = {.f = at.f,
					     .map = e->maps->interp.stacks,
					     .key = ADDRESS(&at, java.key),
					     .value = ADDRESS(&at, java.stack),
					     .lost_map = e->lost.map,
					     .lost_off = e->lost.off};
	uint32_t is_fresh, number = skep_keep(&keeping, GET(&at, java.hash), &is_fresh);
	uint32_t tell = skep_ir_block(at.f), done = skep_ir_block(at.f);

	skep_ir_branch(at.f, SKEP_IR_NE, R(is_fresh), I(0), tell, done);
	skep_ir_at(at.f, tell);
	PUT(&at, java.fresh.number, R(number));
	skep_ir_calln(at.f, BPF_FUNC_ringbuf_output, R(skep_ir_map(at.f, e->maps->interp.fresh)),
		      R(ADDRESS(&at, java.fresh)), I(FIELD_BYTES(java.fresh)), I(0));
	skep_ir_jump(at.f, done);
	skep_ir_at(at.f, done);
	skep_ir_exit(at.f, R(number));
	return at.f;
}
