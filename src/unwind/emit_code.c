/*
 * Frames of code that was made at run time, see emit.h. Of most such code nothing is known but that
 * it has frame pointers, one hopes. HotSpot's has none in what it compiles, but says how large a
 * frame is:
 *
 *	compiled     frame_size words up to the caller's stack pointer: below that the return
 *	             address, and below that the frame pointer of the caller
 *	interpreted  by the frame pointer; below it is what the caller's stack pointer was before
 *	             arguments were moved, and the Method
 *	stubs, adapters  by the frame pointer, or with nothing but the return address
 *
 * Where a thread was interrupted the frame may not be there yet, or any more: the instructions
 * around tell, as they are few, and always the same.
 *
 *	    push rbp            only the return address
 *	    sub  rsp, size      the frame pointer, too
 *	    …                   the frame
 *	    add  rsp, size
 *	    pop  rbp            the frame pointer and the return address
 *	    cmp  rsp, [r15+…]   only the return address: is there a safepoint?
 *	    ja   …
 *	    ret
 */
#include <linux/bpf.h>

#include "unwind/emit.h"

/* In an interpreted frame, from its frame pointer down: the stack pointer of its caller, its own,
 * and the Method. HotSpot for x86-64 has always had them so. */
enum { IN_METHOD, IN_LAST_SP, IN_SENDER_SP, IN_FP, IN_PC, IN_WORDS };
#define IN_BELOW_BYTES 24

#define MOVED_MOST     (1u << 20) /* bytes of arguments */
#define PUSHED_MOST    5          /* words below a frame, and one more */

/* The first characters of names of code, as a word. */
#define WORD(a, b, c, d, e, f, g, h)                                                               \
	((int64_t)((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 |                      \
		   (uint64_t)(d) << 24 | (uint64_t)(e) << 32 | (uint64_t)(f) << 40 |               \
		   (uint64_t)(g) << 48 | (uint64_t)(h) << 56))
#define NMETHOD     WORD('n', 'm', 'e', 't', 'h', 'o', 'd', 0)
#define NATIVE      WORD('n', 'a', 't', 'i', 'v', 'e', ' ', 'n')
#define INTERPRETER WORD('I', 'n', 't', 'e', 'r', 'p', 'r', 'e')
#define ADAPTERS    WORD('I', '2', 'C', '/', 'C', '2', 'I', ' ')
#define VTABLE      WORD('v', 't', 'a', 'b', 'l', 'e', ' ', 'c')
#define HANDLES     WORD('M', 'e', 't', 'h', 'o', 'd', 'H', 'a')

/* Go to @then where it is so. */
static void if_is(const struct emit_func *at, enum skep_ir_cond cond, uint32_t a,
		  struct skep_opnd b, uint32_t then)
{
	uint32_t other = skep_ir_block(at->f);

	skep_ir_branch(at->f, cond, R(a), b, then, other);
	skep_ir_at(at->f, other);
}

static uint32_t blob_number(const struct emit_func *at, uint32_t off)
{
	uint32_t inside = skep_emit_alu(at, SKEP_IR_AND, off, I(SKEP_HOTSPOT_BLOB_BYTES - 1));
	uint32_t from = skep_emit_alu(at, SKEP_IR_ADD, at->w, R(inside));

	return skep_ir_extend(at->f, R(skep_ir_load(at->f, 4, R(from), FIELD(at, java.blob))), 4,
			      true);
}
#define BLOB_NUMBER(at, field) blob_number(at, GET(at, java.hotspot.field))

/* To the caller. */
static void leave(const struct emit_func *at, uint32_t cfa, uint32_t pc)
{
	skep_emit_end_if(at, SKEP_IR_ULE, cfa, R(GET(at, sp)), SKEP_UNWIND_STUCK);
	PUT(at, sp, R(cfa));
	PUT(at, pc, R(pc));
	PUT(at, back, I(1));
	skep_emit_end_if(at, SKEP_IR_EQ, pc, I(0), SKEP_UNWIND_ROOT);
	skep_ir_exit(at->f, I(0));
}

/* (walk, address): is it in any heap? But for the first, code in one is called from one. */
static struct skep_ir_func *in_heap(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_in_heap", 2);
	uint32_t addr = skep_ir_param(at.f, 1), is = skep_ir_block(at.f);

	for (uint32_t i = 0; i < SKEP_HOTSPOT_HEAPS; i++) {
		int32_t heap = FIELD(&at, java.hotspot.heaps) +
			       (int32_t)(i * sizeof(struct skep_hotspot_heap));
		uint32_t low = skep_ir_load(at.f, 8, R(at.w), heap);
		uint32_t n_bytes =
			skep_ir_load(at.f, 8, R(at.w),
				     heap + (int32_t)offsetof(struct skep_hotspot_heap, n_bytes));
		if_is(&at, SKEP_IR_ULT, skep_emit_alu(&at, SKEP_IR_SUB, addr, R(low)), R(n_bytes),
		      is);
	}
	skep_ir_exit(at.f, I(0));
	skep_ir_at(at.f, is);
	skep_ir_exit(at.f, I(1));
	return at.f;
}

/* --- What was interrupted --------------------------------------------------------------------- */

/* The eight bytes before the instruction, and those from it on. */
static void read_around(const struct emit_func *at)
{
	uint32_t before = skep_emit_alu(at, SKEP_IR_SUB, GET(at, pc), I(8));
	uint32_t failed = skep_emit_read(at, ADDRESS(at, java.was), 16, before);
	uint32_t none = skep_ir_block(at->f), done = skep_ir_block(at->f);

	skep_ir_branch(at->f, SKEP_IR_NE, R(failed), I(0), none, done);
	skep_ir_at(at->f, none);
	PUT(at, java.was, I(0));
	PUT(at, java.now, I(0));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, done);
}

/* The first @n bytes of what is there now; the last @n of what was before. */
static uint32_t now(const struct emit_func *at, uint32_t n)
{
	return skep_emit_alu(at, SKEP_IR_AND, GET(at, java.now), I((INT64_C(1) << 8 * n) - 1));
}

static uint32_t was(const struct emit_func *at, uint32_t n)
{
	return skep_emit_alu(at, SKEP_IR_SHR, GET(at, java.was), I(64 - 8 * n));
}

/* Where to go on, by what of a frame there is. */
struct shapes {
	uint32_t bare;           /* block: only the return address */
	uint32_t pushed;         /* the frame pointer, too */
	uint32_t unsaved, whole; /* the frame, without the frame pointer in it, or with it */
};

/* From where the frame is taken down: byte by byte, as they lie in memory. */
static void tell_end(const struct emit_func *at, const struct shapes *to)
{
	uint32_t first = now(at, 1), three = now(at, 3), jump = skep_ir_block(at->f);
	uint32_t other = skep_ir_block(at->f);

	if_is(at, SKEP_IR_EQ, first, I(0x5d), to->pushed);   /* pop rbp */
	if_is(at, SKEP_IR_EQ, first, I(0xc3), to->bare);     /* ret */
	if_is(at, SKEP_IR_EQ, three, I(0xa73b49), to->bare); /* cmp rsp, [r15+disp32] */
	if_is(at, SKEP_IR_EQ, three, I(0x673b49), to->bare); /* cmp rsp, [r15+disp8] */
	if_is(at, SKEP_IR_EQ, now(at, 2), I(0x870f), jump);  /* ja, of that one? */
	skep_ir_jump(at->f, other);
	skep_ir_at(at->f, jump);
	if_is(at, SKEP_IR_EQ, skep_emit_alu(at, SKEP_IR_AND, was(at, 7), I(0xffffff)), I(0xa73b49),
	      to->bare);
	if_is(at, SKEP_IR_EQ, skep_emit_alu(at, SKEP_IR_AND, was(at, 4), I(0xffffff)), I(0x673b49),
	      to->bare);
	skep_ir_jump(at->f, other);
	skep_ir_at(at->f, other);
}

/* In what comes before the frame is whole. */
static void tell_begin(const struct emit_func *at, const struct shapes *to)
{
	uint32_t three = now(at, 3), four = now(at, 4), two = now(at, 2);
	uint32_t sub = skep_ir_block(at->f);

	if_is(at, SKEP_IR_EQ, three, I(0xec8348), sub);          /* sub rsp, imm8 */
	if_is(at, SKEP_IR_EQ, three, I(0xec8148), sub);          /* sub rsp, imm32 */
	if_is(at, SKEP_IR_EQ, four, I(0x246c8948), to->unsaved); /* mov [rsp+disp8], rbp */
	if_is(at, SKEP_IR_EQ, four, I(0x24ac8948), to->unsaved); /* mov [rsp+disp32], rbp */
	if_is(at, SKEP_IR_EQ, three, I(0x7f8141), to->whole);    /* cmp [r15+…], …: a barrier */
	if_is(at, SKEP_IR_EQ, two, I(0x850f), to->whole);        /* jne, of that */
	if_is(at, SKEP_IR_EQ, two, I(0x840f), to->whole);        /* je */
	if_is(at, SKEP_IR_EQ, three, I(0xec8b48), to->pushed);   /* mov rbp, rsp */
	skep_ir_jump(at->f, to->bare);
	skep_ir_at(at->f, sub);
	if_is(at, SKEP_IR_EQ, was(at, 1), I(0x55), to->pushed);       /* push rbp */
	if_is(at, SKEP_IR_EQ, was(at, 4), I(0xec8b4855), to->pushed); /* push rbp; mov rbp, rsp */
	skep_ir_jump(at->f, to->bare);
}

/* (walk): sets cfa and java.keeps_fp to what the interrupted code's frame is. */
static struct skep_ir_func *interrupted(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_interrupted", 1);
	struct shapes to = {skep_ir_block(at.f), skep_ir_block(at.f), skep_ir_block(at.f),
			    skep_ir_block(at.f)};
	uint32_t off = skep_emit_alu(&at, SKEP_IR_SUB, GET(&at, pc), R(GET(&at, java.blob_code)));
	uint32_t begin = skep_ir_block(at.f), sp = GET(&at, sp);

	read_around(&at);
	tell_end(&at, &to);
	if_is(&at, SKEP_IR_ULT, off, R(BLOB_NUMBER(&at, complete)), begin);
	skep_ir_jump(at.f, to.whole);
	skep_ir_at(at.f, begin);
	tell_begin(&at, &to);
	skep_ir_at(at.f, to.bare);
	PUT(&at, cfa, R(skep_emit_alu(&at, SKEP_IR_ADD, sp, I(8))));
	PUT(&at, java.keeps_fp, I(1));
	skep_ir_exit(at.f, I(0));
	skep_ir_at(at.f, to.pushed);
	PUT(&at, cfa, R(skep_emit_alu(&at, SKEP_IR_ADD, sp, I(16))));
	skep_ir_exit(at.f, I(0));
	skep_ir_at(at.f, to.unsaved);
	PUT(&at, java.keeps_fp, I(1));
	skep_ir_jump(at.f, to.whole);
	skep_ir_at(at.f, to.whole);
	skep_ir_exit(at.f, I(0));
	return at.f;
}

/* (walk): some code keeps a few words below its frame for a moment (comparing strings does). Then
 * what is taken for the return address is none; the next ones are tried. */
static struct skep_ir_func *settle(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_settle", 1);
	uint32_t done = skep_ir_block(at.f), cfa = GET(&at, cfa);

	for (int32_t i = 0; i < PUSHED_MOST; i++) {
		uint32_t from = skep_emit_alu(&at, SKEP_IR_ADD, cfa, I(8 * i - 16));
		uint32_t failed = skep_emit_read(&at, ADDRESS(&at, java.below), 16, from);
		if_is(&at, SKEP_IR_NE, failed, I(0), done);
		PUT(&at, cfa, R(skep_emit_alu(&at, SKEP_IR_ADD, cfa, I(8 * i))));
		if_is(&at, SKEP_IR_NE, CALL(&at, in_heap(e), R(GET(&at, java.below[1]))), I(0),
		      done);
	}
	PUT(&at, cfa, R(cfa));
	skep_ir_jump(at.f, done);
	skep_ir_at(at.f, done);
	skep_ir_exit(at.f, I(0));
	return at.f;
}

/* --- Code that says how large its frame is ---------------------------------------------------- */

/* Keep the method, if it is one that was compiled. */
static void note_compiled(const struct emit_func *at)
{
	uint32_t some = skep_ir_block(at->f), done = skep_ir_block(at->f), from, off;

	if_is(at, SKEP_IR_EQ, GET(at, java.name), I(NMETHOD), some);
	if_is(at, SKEP_IR_EQ, GET(at, java.name), I(NATIVE), some);
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, some);
	off = skep_emit_alu(at, SKEP_IR_AND, GET(at, java.hotspot.method),
			    I(SKEP_HOTSPOT_BLOB_BYTES - 1));
	from = skep_emit_alu(at, SKEP_IR_ADD, at->w, R(off));
	PUT(at, java.method, R(skep_ir_load(at->f, 8, R(from), FIELD(at, java.blob))));
	CALL(at, skep_emit_method(at->e), I(SKEP_HOTSPOT_COMPILED));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, done);
}

/* (walk, words of the frame) */
static struct skep_ir_func *compiled(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_compiled", 2);
	uint32_t bytes = skep_emit_alu(&at, SKEP_IR_SHL, skep_ir_param(at.f, 1), I(3));
	uint32_t now_in = skep_ir_block(at.f), go = skep_ir_block(at.f), kept = skep_ir_block(at.f);
	uint32_t saved = skep_ir_block(at.f), cfa, failed;

	PUT(&at, cfa, R(skep_emit_alu(&at, SKEP_IR_ADD, GET(&at, sp), R(bytes))));
	PUT(&at, java.keeps_fp, I(0));
	note_compiled(&at);
	skep_ir_branch(at.f, SKEP_IR_EQ, R(GET(&at, back)), I(0), now_in, go);
	skep_ir_at(at.f, now_in);
	CALL(&at, interrupted(e));
	CALL(&at, settle(e));
	skep_ir_jump(at.f, go);
	skep_ir_at(at.f, go);
	cfa = GET(&at, cfa);
	failed = skep_emit_read(&at, ADDRESS(&at, java.below), 16,
				skep_emit_alu(&at, SKEP_IR_SUB, cfa, I(16)));
	skep_emit_end_if(&at, SKEP_IR_NE, failed, I(0), SKEP_UNWIND_UNREADABLE);
	skep_ir_branch(at.f, SKEP_IR_EQ, R(GET(&at, java.keeps_fp)), I(0), saved, kept);
	skep_ir_at(at.f, saved);
	PUT(&at, fp, R(GET(&at, java.below[0])));
	skep_ir_jump(at.f, kept);
	skep_ir_at(at.f, kept);
	leave(&at, cfa, GET(&at, java.below[1]));
	return at.f;
}

/* --- The interpreter, stubs and adapters ------------------------------------------------------ */

/* (walk): leaves code that has only its return address yet, or no frame at all. */
static struct skep_ir_func *bare(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_bare", 1);
	uint32_t sp = GET(&at, sp);
	uint32_t failed = skep_emit_read(&at, ADDRESS(&at, java.below), 8, sp);

	skep_emit_end_if(&at, SKEP_IR_NE, failed, I(0), SKEP_UNWIND_UNREADABLE);
	leave(&at, skep_emit_alu(&at, SKEP_IR_ADD, sp, I(8)), GET(&at, java.below[0]));
	return at.f;
}

/* What was interrupted before it had a frame of its own, or after. */
static void leave_interrupted(const struct emit_func *at, uint32_t is_read)
{
	uint32_t top = skep_ir_block(at->f), on = skep_ir_block(at->f), name = GET(at, java.name);
	uint32_t see = skep_ir_block(at->f);

	skep_ir_branch(at->f, SKEP_IR_EQ, R(GET(at, back)), I(0), see, on);
	skep_ir_at(at->f, see);
	read_around(at);
	if_is(at, SKEP_IR_EQ, now(at, 1), I(0xc3), top);
	if_is(at, SKEP_IR_EQ, now(at, 4), I(0xec8b4855), top);
	if_is(at, SKEP_IR_EQ, name, I(ADAPTERS), top);
	if_is(at, SKEP_IR_EQ, name, I(VTABLE), top);
	if_is(at, SKEP_IR_EQ, name, I(HANDLES), top);
	if_is(at, SKEP_IR_EQ, is_read, I(0), top);
	if_is(at, SKEP_IR_ULT, GET(at, fp), R(GET(at, sp)), top);
	if_is(at, SKEP_IR_EQ, CALL(at, in_heap(at->e), R(GET(at, java.below[IN_PC]))), I(0), top);
	skep_ir_jump(at->f, on);
	skep_ir_at(at->f, top);
	skep_ir_exit(at->f, R(CALL(at, bare(at->e))));
	skep_ir_at(at->f, on);
}

/* The caller's stack pointer is what it was before arguments were moved for the interpreter. */
static void note_interpreted(const struct emit_func *at, uint32_t cfa)
{
	uint32_t moved = skep_emit_alu(at, SKEP_IR_SUB, GET(at, java.below[IN_SENDER_SP]), R(cfa));
	uint32_t is = skep_ir_block(at->f), done = skep_ir_block(at->f);
	uint32_t some = skep_ir_block(at->f);

	skep_ir_branch(at->f, SKEP_IR_EQ, R(GET(at, java.name)), I(INTERPRETER), is, done);
	skep_ir_at(at->f, is);
	PUT(at, java.method, R(GET(at, java.below[IN_METHOD])));
	CALL(at, skep_emit_method(at->e), I(0));
	skep_ir_branch(at->f, SKEP_IR_ULT, R(moved), I(MOVED_MOST), some, done);
	skep_ir_at(at->f, some);
	skep_ir_set(at->f, cfa, R(GET(at, java.below[IN_SENDER_SP])));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, done);
}

/* (walk) */
static struct skep_ir_func *other(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_stub", 1);
	uint32_t from = skep_emit_alu(&at, SKEP_IR_SUB, GET(&at, fp), I(IN_BELOW_BYTES));
	uint32_t failed = skep_emit_read(&at, ADDRESS(&at, java.below), 8 * IN_WORDS, from);
	uint32_t is_read = skep_ir_cmp(at.f, SKEP_IR_EQ, R(failed), I(0)), cfa = skep_ir_var(at.f);

	leave_interrupted(&at, is_read);
	skep_emit_end_if(&at, SKEP_IR_EQ, is_read, I(0), SKEP_UNWIND_UNREADABLE);
	skep_ir_set(at.f, cfa, R(skep_emit_alu(&at, SKEP_IR_ADD, GET(&at, fp), I(16))));
	note_interpreted(&at, cfa);
	PUT(&at, fp, R(GET(&at, java.below[IN_FP])));
	leave(&at, cfa, GET(&at, java.below[IN_PC]));
	return at.f;
}

/* --- The whole -------------------------------------------------------------------------------- */

static void leave_by_pointer(const struct emit_func *at)
{
	uint32_t fp = GET(at, fp), cfa = skep_emit_alu(at, SKEP_IR_ADD, fp, I(16));
	uint32_t failed = skep_emit_read(at, ADDRESS(at, java.below), 16, fp);

	skep_emit_end_if(at, SKEP_IR_NE, failed, I(0), SKEP_UNWIND_UNREADABLE);
	PUT(at, fp, R(GET(at, java.below[0])));
	leave(at, cfa, GET(at, java.below[1]));
}

/* Leave by what HotSpot says of the code, if it is its own. */
static void leave_by_hotspot(const struct emit_func *at)
{
	uint32_t look = skep_ir_block(at->f), known = skep_ir_block(at->f);
	uint32_t none = skep_ir_block(at->f), sized = skep_ir_block(at->f), words;
	uint32_t addr = skep_emit_alu(at, SKEP_IR_SUB, GET(at, pc), R(GET(at, back)));

	skep_ir_branch(at->f, SKEP_IR_EQ, R(GET(at, java.is_looked_for)), I(0), look, known);
	skep_ir_at(at->f, look);
	CALL(at, skep_emit_hotspot(at->e));
	skep_ir_jump(at->f, known);
	skep_ir_at(at->f, known);
	if_is(at, SKEP_IR_EQ, GET(at, java.hotspot.version), I(SKEP_INTERP_NONE), none);
	if_is(at, SKEP_IR_NE, CALL(at, skep_emit_blob(at->e), R(addr)), I(0), none);
	words = BLOB_NUMBER(at, frame_size);
	if_is(at, SKEP_IR_SGT, words, I(0), sized);
	skep_ir_exit(at->f, R(CALL(at, other(at->e))));
	skep_ir_at(at->f, sized);
	skep_ir_exit(at->f, R(CALL(at, compiled(at->e), R(words))));
	skep_ir_at(at->f, none);
}

struct skep_ir_func *skep_emit_code_frame(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_code_frame", 1);

	PUT(&at, base, I(0));
	if (e->maps->interp.thread_pointer_off)
		leave_by_hotspot(&at);
	leave_by_pointer(&at);
	return at.f;
}
