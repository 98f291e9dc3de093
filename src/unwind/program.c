/* The walk as a whole, see program.h and emit.h. */
#include "unwind/program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "interp/keep.h"
#include "linux/choice.h"
#include "unwind/emit.h"

#define HASH_SEED  0xcbf29ce484222325ull
#define ASKED_CNT  4096
#define ASKS_BYTES (64 * 1024)
#define USER_MODE  3 /* of the code segment's privilege level, which is 0 in the kernel */

bool skep_unwind_knows_machine(void)
{
#ifdef __x86_64__
	return true;
#else
	return false;
#endif
}

bool skep_unwind_is_possible(void)
{
	return skep_unwind_knows_machine() && skep_has_best_way(SKEP_FOR_USER_STACKS);
}

/* --- Maps ------------------------------------------------------------------------------------- */

static uint32_t add_map(struct skep_object *object, const struct skep_unwind_map_shape *shape)
{
	bool is_hash = shape->type == BPF_MAP_TYPE_HASH;
	struct skep_object_map map = {.type = shape->type,
				      .key_size = shape->key_size,
				      .value_size = shape->value_size,
				      .max_entries = shape->max_entries,
				      .flags = shape->flags,
				      .prefer_no_prealloc = is_hash};

	snprintf(map.name, sizeof(map.name), "%s", shape->name);
	return skep_object_add_map(object, &map);
}

void skep_unwind_add_maps(struct skep_object *object, const struct skep_unwind_sizes *sizes,
			  uint32_t stacks_cnt, struct skep_btf *btf,
			  struct skep_unwind_walk_maps *ret)
{
	const struct skep_unwind_map_shape stacks = {.name = "uw_stacks",
						     .type = BPF_MAP_TYPE_HASH,
						     .key_size = 4,
						     .value_size = sizeof(struct skep_unwind_stack),
						     .max_entries = stacks_cnt};
	const struct skep_unwind_map_shape asked = {.name = "uw_asked",
						    .type = BPF_MAP_TYPE_HASH,
						    .key_size = sizeof(struct skep_unwind_asked),
						    .value_size = 8,
						    .max_entries = ASKED_CNT};
	const struct skep_unwind_map_shape asks = {
		.name = "uw_asks", .type = BPF_MAP_TYPE_RINGBUF, .max_entries = ASKS_BYTES};

	ret->sizes = *sizes;
	ret->mm = skep_unwind_mm_of(btf);
	for (int i = 0; i < SKEP_UNWIND_MAP_CNT; i++) {
		struct skep_unwind_map_shape shape = skep_unwind_map_shape(i, sizes);
		ret->of[i] = add_map(object, &shape);
	}
	ret->stacks = add_map(object, &stacks);
	ret->asked = add_map(object, &asked);
	ret->asks = add_map(object, &asks);
}

void skep_unwind_add_interpreters(struct skep_object *object, uint32_t stacks_cnt,
				  uint32_t thread_pointer_off, struct skep_unwind_walk_maps *maps)
{
	skep_interp_add_maps(object, stacks_cnt, &maps->interp);
	maps->interp.runtimes = maps->of[SKEP_UNWIND_MAP_RUNTIMES];
	maps->interp.runtimes_cnt = maps->sizes.files;
	maps->interp.thread_pointer_off = thread_pointer_off;
}

/* --- The beginning ---------------------------------------------------------------------------- */

/* Leave where there is no user stack: threads of the kernel have nothing in their registers, or,
 * where they work for a process, no program counter. */
static void take_registers(const struct emit_func *at)
{
	struct skep_ir_func *f = at->f;
	uint32_t task = skep_ir_call(f, BPF_FUNC_get_current_task_btf, 0, NULL);
	uint32_t regs = skep_ir_calln(f, BPF_FUNC_task_pt_regs, R(task));
	uint32_t mode = skep_ir_block(f), none = skep_ir_block(f), some = skep_ir_block(f);

	skep_ir_calln(f, BPF_FUNC_probe_read_kernel, R(ADDRESS(at, regs)), I(FIELD_BYTES(regs)),
		      R(regs));
	skep_ir_branch(f, SKEP_IR_TEST, R(GET(at, regs[PT_CS])), I(USER_MODE), mode, none);
	skep_ir_at(f, none);
	skep_ir_exit(f, I(0));
	skep_ir_at(f, mode);
	uint32_t pc = GET(at, regs[PT_RIP]);
	skep_ir_branch(f, SKEP_IR_NE, R(pc), I(0), some, none);
	skep_ir_at(f, some);
	PUT(at, pc, R(pc));
	PUT(at, sp, R(GET(at, regs[PT_RSP])));
	PUT(at, fp, R(GET(at, regs[PT_RBP])));
	PUT(at, base, R(GET(at, regs[PT_RBX])));
	PUT(at, zero, I(0));
	PUT(at, back, I(0));
	PUT(at, hash, I((int64_t)HASH_SEED));
	PUT(at, guessed, I(0));
	PUT(at, by_pointer, I(0));
	PUT(at, runtime, I(0));
	for (int i = 0; i < SKEP_UNWIND_FRAME_WORDS; i++)
		PUT(at, stack.in_interpreter[i], I(0));
	PUT(at, java.is_looked_for, I(0));
	PUT(at, java.is_asked_for, I(0));
	PUT(at, java.stack.n, I(0));
	PUT(at, stack.end, I(SKEP_UNWIND_FULL));
}

/* Of a process that is not known there are no mappings. */
static void take_process(const struct emit_func *at)
{
	struct skep_ir_func *f = at->f;
	uint32_t both = skep_ir_call(f, BPF_FUNC_get_current_pid_tgid, 0, NULL);
	uint32_t known = skep_ir_block(f), unknown = skep_ir_block(f), done = skep_ir_block(f);

	PUT(at, asked.tgid, R(skep_emit_alu(at, SKEP_IR_SHR, both, I(32))));
	uint32_t entry =
		skep_ir_calln(f, BPF_FUNC_map_lookup_elem,
			      R(skep_ir_map(f, at->e->maps->of[SKEP_UNWIND_MAP_PROCESSES])),
			      R(ADDRESS(at, asked.tgid)));
	PUT(at, start, I(0));
	PUT(at, n_bytes, I(0));
	skep_ir_branch(f, SKEP_IR_NE, R(entry), I(0), known, unknown);
	skep_ir_at(f, known);
	PUT(at, first,
	    R(skep_ir_load(f, 4, R(entry), offsetof(struct skep_unwind_process_entry, first))));
	PUT(at, n, R(skep_ir_load(f, 4, R(entry), offsetof(struct skep_unwind_process_entry, n))));
	skep_ir_jump(f, done);
	skep_ir_at(f, unknown);
	PUT(at, n, I(0));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
}

/* --- Keeping the stack ------------------------------------------------------------------------ */

static void branch_on_end(const struct emit_func *at, enum skep_unwind_end end, uint32_t then)
{
	uint32_t other = skep_ir_block(at->f);

	skep_ir_branch(at->f, SKEP_IR_EQ, R(GET(at, stack.end)), I(end), then, other);
	skep_ir_at(at->f, other);
}

/* Was what was assumed of code without rules right? What still waits for a table cannot be told
 * yet. Frame pointers may have left out some frames; a return address that all the others agree
 * with has not. */
static void judge_guess(const struct emit_func *at)
{
	struct skep_ir_func *f = at->f;
	uint32_t guessed = skep_ir_block(f), good = skep_ir_block(f), done = skep_ir_block(f);
	uint32_t by_pointer = skep_ir_block(f);

	skep_ir_branch(f, SKEP_IR_NE, R(GET(at, guessed)), I(0), guessed, done);
	skep_ir_at(f, guessed);
	branch_on_end(at, SKEP_UNWIND_ROOT, good);
	branch_on_end(at, SKEP_UNWIND_FULL, done);
	branch_on_end(at, SKEP_UNWIND_ASKED, done);
	PUT(at, stack.end, I(SKEP_UNWIND_NO_RULE));
	PUT(at, stack.n, R(GET(at, guessed)));
	skep_ir_jump(f, done);
	skep_ir_at(f, good);
	skep_ir_branch(f, SKEP_IR_NE, R(GET(at, by_pointer)), I(0), by_pointer, done);
	skep_ir_at(f, by_pointer);
	PUT(at, stack.end, I(SKEP_UNWIND_GUESSED));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
}

/* What the interpreter that was met has of its own. */
static void take_interpreter(const struct emit_func *at)
{
	uint32_t some = skep_ir_block(at->f), done = skep_ir_block(at->f);
	uint32_t methods = skep_ir_block(at->f), none = skep_ir_block(at->f);
	struct skep_interp_maps maps = at->e->maps->interp;

	PUT(at, stack.interp, I(0));
	PUT(at, stack.unused, I(0));
	if (!maps.thread_pointer_off)
		return;
	maps.lost_map = at->e->lost.map;
	maps.lost_off = at->e->lost.off;
	skep_ir_branch(at->f, SKEP_IR_NE, R(GET(at, java.stack.n)), I(0), methods, none);
	skep_ir_at(at->f, methods);
	PUT(at, stack.interp,
	    R(skep_ir_call_func(at->f, skep_emit_methods(at->e), 1,
				(struct skep_opnd[]){R(at->w)})));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, none);
	const struct skep_opnd args[] = {R(GET(at, runtime)), R(GET(at, runtime_bias))};
	skep_ir_branch(at->f, SKEP_IR_NE, args[0], I(0), some, done);
	skep_ir_at(at->f, some);
	PUT(at, stack.interp,
	    R(skep_ir_call_func(at->f, skep_interp_program(at->e->prog, &maps), 2, args)));
	skep_ir_jump(at->f, done);
	skep_ir_at(at->f, done);
}

/* Code made at run time had no frame pointers; perhaps it will be known what it has. */
static void judge_asked(const struct emit_func *at)
{
	struct skep_ir_func *f = at->f;
	uint32_t see = skep_ir_block(f), asked = skep_ir_block(f), done = skep_ir_block(f);

	skep_ir_branch(f, SKEP_IR_NE, R(GET(at, java.is_asked_for)), I(0), see, done);
	skep_ir_at(f, see);
	branch_on_end(at, SKEP_UNWIND_UNREADABLE, asked);
	branch_on_end(at, SKEP_UNWIND_UNMAPPED, asked);
	branch_on_end(at, SKEP_UNWIND_STUCK, asked);
	skep_ir_jump(f, done);
	skep_ir_at(f, asked);
	PUT(at, stack.end, I(SKEP_UNWIND_ASKED));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
}

/* A thread that ends, or executes another program, has no stack any more before it stops having
 * registers: what it was at is not mapped. Of any other thread that tells nothing: it may have been
 * unmapped, or could not be looked up at this moment. */
static void judge_gone(const struct emit_func *at)
{
	struct skep_ir_func *f = at->f;
	uint32_t see = skep_ir_block(f), leaves = skep_ir_block(f), gone = skep_ir_block(f);
	uint32_t done = skep_ir_block(f);

	branch_on_end(at, SKEP_UNWIND_UNREADABLE, see);
	branch_on_end(at, SKEP_UNWIND_UNMAPPED, see);
	branch_on_end(at, SKEP_UNWIND_ASKED, see);
	skep_ir_jump(f, done);
	skep_ir_at(f, see);
	const struct skep_opnd walk = R(at->w);
	uint32_t is_leaving = skep_ir_call_func(f, skep_emit_leaving(at->e), 1, &walk);
	skep_ir_branch(f, SKEP_IR_NE, R(is_leaving), I(0), leaves, done);
	skep_ir_at(f, leaves);
	skep_ir_branch(f, SKEP_IR_EQ, R(CALL(at, skep_emit_vma(at->e), R(GET(at, stack.pcs[0])))),
		       I(0), gone, done);
	skep_ir_at(f, gone);
	PUT(at, stack.end, I(SKEP_UNWIND_GONE));
	PUT(at, stack.n, I(1));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
}

static void keep_stack(const struct emit_func *at)
{
	const struct skep_keeping keeping = {.f = at->f,
					     .map = at->e->maps->stacks,
					     .key = ADDRESS(at, key),
					     .value = ADDRESS(at, stack),
					     .lost_map = at->e->lost.map,
					     .lost_off = at->e->lost.off};
	uint32_t hash = skep_emit_alu(at, SKEP_IR_XOR, GET(at, hash), R(GET(at, stack.end)));
	uint32_t interp = skep_emit_alu(at, SKEP_IR_SHL, GET(at, stack.interp), I(16)), is_fresh;

	hash = skep_emit_alu(at, SKEP_IR_XOR, hash, R(interp));
	skep_ir_exit(at->f, R(skep_keep(&keeping, hash, &is_fresh)));
}

struct skep_ir_func *skep_unwind_program(struct skep_ir_func *prog,
					 const struct skep_unwind_walk_maps *maps,
					 struct skep_unwind_counter lost)
{
	struct emit e = {.prog = prog, .maps = maps, .lost = lost};
	struct emit_func at = {.e = &e, .f = skep_ir_subprog(prog, "unwind", 1)};
	uint32_t walk = skep_ir_slot(at.f, sizeof(struct walk), 8);
	uint32_t box = skep_ir_slot(at.f, 8, 8);

	e.mapping = skep_emit_mapping(&e);
	at.w = skep_ir_addr(at.f, S(walk, 0), 0);
	take_registers(&at);
	take_process(&at);
	skep_ir_store(at.f, 8, S(box, 0), 0, R(at.w));
	skep_ir_calln(at.f, BPF_FUNC_loop, R(skep_ir_param(at.f, 0)),
		      R(skep_ir_func_addr(at.f, skep_emit_frame(&e))), S(box, 0), I(0));
	judge_guess(&at);
	judge_asked(&at);
	if (maps->mm.is_known)
		judge_gone(&at);
	take_interpreter(&at);
	keep_stack(&at);
	return at.f;
}
