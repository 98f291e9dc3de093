/*
 * Code that the process's block does not have, see emit.h: the process began, or
 * mapped a library, less than a few milliseconds ago, and user space has not heard
 * of it. The kernel's own tree of mappings is read for it; which file it is says
 * whether its table is loaded already, which it mostly is: what is started now has
 * been started before.
 *
 * No lock is taken: who maps something at this moment is mostly the current thread
 * itself, or another one that we cannot wait for. What is read may be garbage then,
 * so a mapping counts only if it says itself that the address and the process are
 * its own.
 *
 *	node   word 0 its parent; then pivots, the last address of each slot, rising, the
 *	       last ones 0 where there are fewer; then slots. A leaf has 15 and 16, one
 *	       that also says where gaps are has 9 and 10
 *	entry  a node's address, and its kind in bits 3…6; in a leaf that of a mapping
 */
#include <linux/bpf.h>

#include "unwind/emit.h"

#define NODE_MASK   255
#define KIND_SHIFT  3
#define KIND_MASK   15
#define KIND_GAPS   3 /* maple_arange_64; leaves are below 2 */
#define PIVOTS      15
#define PIVOTS_GAPS 9
#define SLOTS_WORD  16
#define SLOTS_GAPS  10
#define NODE_WORDS  (SKEP_UNWIND_NODE_BYTES / 8)
#define LEVELS      5 /* over a hundred thousand mappings */
#define IS_NODE     3 /* the bits of the root that tell, */
#define IS_NODE_IS  2 /* and how */
#define VM_EXEC     4
#define PF_EXITING  4

/* A mask's worth of a word: 1 where @value is negative. */
static uint32_t sign_of(const struct emit_func *at, uint32_t value)
{
	return skep_emit_alu(at, SKEP_IR_SHR, value, I(63));
}

static uint32_t read_kernel(const struct emit_func *at, uint32_t to, uint32_t bytes, uint32_t from)
{
	return skep_ir_calln(at->f, BPF_FUNC_probe_read_kernel, R(to), I(bytes), R(from));
}

static uint32_t plus(const struct emit_func *at, uint32_t base, uint32_t off)
{
	return skep_emit_alu(at, SKEP_IR_ADD, base, I(off));
}

/* --- One step down the tree ------------------------------------------------------------------- */

/* Which slot has the address: how many pivots are below it. Without a branch, as elsewhere: one
 * less than 0, where there is no pivot, is negative, and so is not below. */
static uint32_t find_slot(const struct emit_func *at, uint32_t addr, uint32_t is_gaps)
{
	uint32_t before = skep_emit_alu(at, SKEP_IR_SUB, addr, I(1));
	uint32_t has_all = skep_emit_alu(at, SKEP_IR_XOR, is_gaps, I(1));
	uint32_t n = skep_ir_mov(at->f, I(0));

	for (int i = 0; i < PIVOTS; i++) {
		uint32_t last = skep_emit_alu(at, SKEP_IR_SUB, GET(at, node[1 + i]), I(1));
		uint32_t diff = skep_emit_alu(at, SKEP_IR_SUB, last, R(before));
		uint32_t is_some = skep_emit_alu(at, SKEP_IR_XOR, last, I(-1));
		uint32_t below = sign_of(at, skep_emit_alu(at, SKEP_IR_AND, diff, R(is_some)));
		if (i >= PIVOTS_GAPS)
			below = skep_emit_alu(at, SKEP_IR_AND, below, R(has_all));
		n = skep_emit_alu(at, SKEP_IR_ADD, n, R(below));
	}
	return n;
}

/* (walk, address): the entry is replaced by that of the slot that has the address. 1: it was a
 * leaf's, or there is none: 0. */
static struct skep_ir_func *emit_node(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_node", 2);
	uint32_t addr = skep_ir_param(at.f, 1), failed = skep_ir_block(at.f);
	uint32_t entry = GET(&at, entry), kind, is_gaps, slot, first;

	kind = skep_emit_alu(&at, SKEP_IR_SHR, entry, I(KIND_SHIFT));
	kind = skep_emit_alu(&at, SKEP_IR_AND, kind, I(KIND_MASK));
	skep_emit_go_if(&at, SKEP_IR_EQ,
			read_kernel(&at, ADDRESS(&at, node), SKEP_UNWIND_NODE_BYTES,
				    skep_emit_alu(&at, SKEP_IR_AND, entry, I(~NODE_MASK))),
			I(0), failed);
	is_gaps = skep_emit_alu(&at, SKEP_IR_XOR, kind, I(KIND_GAPS));
	is_gaps = sign_of(&at, skep_emit_alu(&at, SKEP_IR_SUB, is_gaps, I(1)));
	slot = find_slot(&at, addr, is_gaps);
	first = skep_emit_alu(&at, SKEP_IR_MUL, is_gaps, I(SLOTS_GAPS - SLOTS_WORD));
	slot = skep_emit_alu(&at, SKEP_IR_ADD, slot, R(plus(&at, first, SLOTS_WORD)));
	slot = skep_emit_alu(&at, SKEP_IR_AND, slot, I(NODE_WORDS - 1));
	slot = skep_emit_alu(&at, SKEP_IR_ADD, at.w,
			     R(skep_emit_alu(&at, SKEP_IR_SHL, slot, I(3))));
	PUT(&at, entry, R(skep_ir_load(at.f, 8, R(slot), FIELD(&at, node))));
	skep_ir_exit(at.f, R(sign_of(&at, skep_emit_alu(&at, SKEP_IR_SUB, kind, I(2)))));
	skep_ir_at(at.f, failed);
	PUT(&at, entry, I(0));
	skep_ir_exit(at.f, I(1));
	return at.f;
}

/* --- The mapping ------------------------------------------------------------------------------ */

static void read_root(const struct emit_func *at, uint32_t none)
{
	const struct skep_unwind_mm *mm = &at->e->maps->mm;
	uint32_t task = skep_ir_call(at->f, BPF_FUNC_get_current_task_btf, 0, NULL);

	skep_emit_go_if(at, SKEP_IR_EQ,
			read_kernel(at, ADDRESS(at, mm), 8, plus(at, task, mm->task_mm)), I(0),
			none);
	skep_emit_go_if(at, SKEP_IR_NE, GET(at, mm), I(0), none);
	skep_emit_go_if(at, SKEP_IR_EQ,
			read_kernel(at, ADDRESS(at, entry), 8, plus(at, GET(at, mm), mm->mm_root)),
			I(0), none);
	skep_emit_go_if(at, SKEP_IR_EQ, skep_emit_alu(at, SKEP_IR_AND, GET(at, entry), I(IS_NODE)),
			I(IS_NODE_IS), none);
}

static uint32_t vma_word(const struct emit_func *at, uint32_t off)
{
	return skep_ir_load(at->f, 8, R(at->w), FIELD(at, node) + (int32_t)off);
}

/* Read the mapping that has the address to `node`, and go on; else to @none. In line, as calls may
 * be nested no deeper than from here on they are. */
static void read_vma(const struct emit_func *at, uint32_t addr, uint32_t none)
{
	const struct skep_unwind_mm *mm = &at->e->maps->mm;
	struct skep_ir_func *node = emit_node(at->e);
	uint32_t leaf = skep_ir_block(at->f), start, size;

	read_root(at, none);
	for (int i = 0; i < LEVELS; i++) {
		uint32_t down = skep_ir_block(at->f);
		skep_ir_branch(at->f, SKEP_IR_NE, R(CALL(at, node, R(addr))), I(0), leaf, down);
		skep_ir_at(at->f, down);
	}
	skep_ir_jump(at->f, none);
	skep_ir_at(at->f, leaf);
	skep_emit_go_if(at, SKEP_IR_NE, GET(at, entry), I(0), none);
	skep_emit_go_if(at, SKEP_IR_EQ,
			read_kernel(at, ADDRESS(at, node), mm->vma_bytes, GET(at, entry)), I(0),
			none);
	start = vma_word(at, mm->vm_start);
	size = skep_emit_alu(at, SKEP_IR_SUB, vma_word(at, mm->vm_end), R(start));
	skep_emit_go_if(at, SKEP_IR_ULT, skep_emit_alu(at, SKEP_IR_SUB, addr, R(start)), R(size),
			none);
	skep_emit_go_if(at, SKEP_IR_EQ, vma_word(at, mm->vm_mm), R(GET(at, mm)), none);
}

struct skep_ir_func *skep_emit_vma(const struct emit *e)
{
	struct emit_func at = skep_emit_begin(e, "unwind_vma", 2);
	uint32_t addr = skep_ir_param(at.f, 1), none = skep_ir_block(at.f);

	read_vma(&at, addr, none);
	skep_ir_exit(at.f, I(1));
	skep_ir_at(at.f, none);
	skep_ir_exit(at.f, I(0));
	return at.f;
}

/* --- Is it leaving? --------------------------------------------------------------------------- */

/* One that ends gives its memory back behind its flag; one that executes another program has that
 * one's memory before its registers are set for it. */
struct skep_ir_func *skep_emit_leaving(const struct emit *e)
{
	const struct skep_unwind_mm *mm = &e->maps->mm;
	struct emit_func at = skep_emit_begin(e, "unwind_leaving", 1);
	uint32_t yes = skep_ir_block(at.f), no = skep_ir_block(at.f), see = skep_ir_block(at.f);
	uint32_t task = skep_ir_call(at.f, BPF_FUNC_get_current_task_btf, 0, NULL);

	PUT(&at, entry, I(0));
	skep_emit_go_if(&at, SKEP_IR_EQ,
			read_kernel(&at, ADDRESS(&at, mm), 8, plus(&at, task, mm->task_mm)), I(0),
			no);
	skep_ir_branch(at.f, SKEP_IR_EQ, R(GET(&at, mm)), I(0), yes, see);
	skep_ir_at(at.f, see);
	skep_emit_go_if(&at, SKEP_IR_EQ,
			read_kernel(&at, ADDRESS(&at, entry), 4, plus(&at, task, mm->task_flags)),
			I(0), no);
	see = skep_ir_block(at.f);
	skep_ir_branch(at.f, SKEP_IR_TEST, R(GET(&at, entry)), I(PF_EXITING), yes, see);
	skep_ir_at(at.f, see);
	if (mm->in_exec_mask) {
		PUT(&at, entry, I(0));
		skep_emit_go_if(
			&at, SKEP_IR_EQ,
			read_kernel(&at, ADDRESS(&at, entry), 1, plus(&at, task, mm->task_in_exec)),
			I(0), no);
		skep_ir_branch(at.f, SKEP_IR_TEST, R(GET(&at, entry)), I(mm->in_exec_mask), yes,
			       no);
	} else {
		skep_ir_jump(at.f, no);
	}
	skep_ir_at(at.f, yes);
	skep_ir_exit(at.f, I(1));
	skep_ir_at(at.f, no);
	skep_ir_exit(at.f, I(0));
	return at.f;
}

/* --- Its file --------------------------------------------------------------------------------- */

/* What the walk knows of the mapping that was found. */
static void take(const struct emit_func *at, uint32_t bias, struct skep_opnd file)
{
	const struct skep_unwind_mm *mm = &at->e->maps->mm;
	uint32_t start = vma_word(at, mm->vm_start);

	PUT(at, start, R(start));
	PUT(at, n_bytes, R(skep_emit_alu(at, SKEP_IR_SUB, vma_word(at, mm->vm_end), R(start))));
	PUT(at, bias, R(skep_emit_alu(at, SKEP_IR_ADD, start, R(bias))));
	PUT(at, file, file);
	skep_ir_exit(at->f, I(0));
}

/* The kernel's own code, in no file, is known by how large it is, and where: see blocks.c. */
static void name_vdso(const struct emit_func *at)
{
	const struct skep_unwind_mm *mm = &at->e->maps->mm;
	uint32_t start = vma_word(at, mm->vm_start);
	uint32_t size = skep_emit_alu(at, SKEP_IR_SUB, vma_word(at, mm->vm_end), R(start));
	uint32_t is_high = skep_ir_cmp(at->f, SKEP_IR_UGT, R(start), I(UINT32_MAX));

	PUT(at, code.inode, R(skep_emit_alu(at, SKEP_IR_OR, size, R(is_high))));
	PUT(at, code.page, I(0));
	PUT(at, code.dev, I(0));
	PUT(at, code_size, I(0));
	PUT(at, code_generation, I(0));
}

/* By its address, in `entry`. */
static void name_inode(const struct emit_func *at, uint32_t none)
{
	const struct skep_unwind_mm *mm = &at->e->maps->mm;
	uint32_t inode = GET(at, entry), failed;

	failed = read_kernel(at, ADDRESS(at, code.inode), 8, plus(at, inode, mm->inode_ino));
#define READ(field, bytes, from)                                                                   \
	failed = skep_emit_alu(at, SKEP_IR_OR, failed,                                             \
			       R(read_kernel(at, ADDRESS(at, field), bytes, from)))
	READ(code_generation, 4, plus(at, inode, mm->inode_generation));
	READ(entry, 8, plus(at, inode, mm->inode_sb));
	READ(code.dev, 4, plus(at, GET(at, entry), mm->sb_dev));
#undef READ
	skep_emit_go_if(at, SKEP_IR_EQ, failed, I(0), none);
}

static void follow(const struct emit_func *at, uint32_t from, uint32_t off, uint32_t none)
{
	skep_emit_go_if(at, SKEP_IR_EQ, read_kernel(at, ADDRESS(at, entry), 8, plus(at, from, off)),
			I(0), none);
}

static void name_file(const struct emit_func *at, uint32_t file, uint32_t none)
{
	const struct skep_unwind_mm *mm = &at->e->maps->mm;

	follow(at, file, mm->file_inode, none);
	skep_emit_go_if(at, SKEP_IR_EQ,
			read_kernel(at, ADDRESS(at, code_size), 8,
				    plus(at, GET(at, entry), mm->inode_size)),
			I(0), none);
	name_inode(at, none);
	PUT(at, code.page, R(vma_word(at, mm->vm_pgoff)));
}

/* What an overlay maps is a file of the layer below, and user space may know it as the overlay's:
 * that is behind the file. Behind one that is no such file is something else, which leads nowhere,
 * or at least not to a file of the same size whose table is loaded. */
static void name_overlay(const struct emit_func *at, uint32_t file, uint32_t none)
{
	const struct skep_unwind_mm *mm = &at->e->maps->mm;

	follow(at, file, mm->file_user_dentry, none);
	follow(at, GET(at, entry), mm->dentry_inode, none);
	name_inode(at, none);
}

/* Where both are known, they are to be the same: else it is another file by now. */
static void same_or_unknown(const struct emit_func *at, uint32_t is, uint32_t was, uint32_t none)
{
	uint32_t known = skep_ir_block(at->f), on = skep_ir_block(at->f);

	skep_ir_branch(at->f, SKEP_IR_NE, R(was), I(0), known, on);
	skep_ir_at(at->f, known);
	skep_ir_branch(at->f, SKEP_IR_EQ, R(is), R(was), on, none);
	skep_ir_at(at->f, on);
}

static void look_up_code(const struct emit_func *at, uint32_t none)
{
	uint32_t map = skep_ir_map(at->f, at->e->maps->of[SKEP_UNWIND_MAP_CODE]);
	uint32_t code =
		skep_ir_calln(at->f, BPF_FUNC_map_lookup_elem, R(map), R(ADDRESS(at, code)));

#define CODE(field)                                                                                \
	skep_ir_load(at->f, sizeof(((struct skep_unwind_code *)0)->field), R(code),                \
		     offsetof(struct skep_unwind_code, field))
	skep_emit_go_if(at, SKEP_IR_NE, code, I(0), none);
	same_or_unknown(at, GET(at, code_size), CODE(size), none);
	same_or_unknown(at, GET(at, code_generation), CODE(generation), none);
	take(at, CODE(bias), R(CODE(file)));
#undef CODE
}

/* (walk, address): like skep_emit_mapping(), by the kernel's tree; the walk's mapping stays as it
 * is where there is no code, or nothing is known of it. Returns 0. */
struct skep_ir_func *skep_emit_code(const struct emit *e)
{
	const struct skep_unwind_mm *mm = &e->maps->mm;
	struct emit_func at = skep_emit_begin(e, "unwind_code", 2);
	uint32_t addr = skep_ir_param(at.f, 1), none = skep_ir_block(at.f), file;
	uint32_t in_file = skep_ir_block(at.f), in_none = skep_ir_block(at.f);
	uint32_t memory = skep_ir_block(at.f), special = skep_ir_block(at.f);
	uint32_t named = skep_ir_block(at.f), other = skep_ir_block(at.f);

	read_vma(&at, addr, none);
	skep_emit_go_if(&at, SKEP_IR_TEST, vma_word(&at, mm->vm_flags), I(VM_EXEC), none);
	file = vma_word(&at, mm->vm_file);
	skep_ir_branch(at.f, SKEP_IR_NE, R(file), I(0), in_file, in_none);
	skep_ir_at(at.f, in_file);
	name_file(&at, file, none);
	skep_ir_jump(at.f, named);
	skep_ir_at(at.f, in_none);
	skep_ir_branch(at.f, SKEP_IR_EQ, R(vma_word(&at, mm->vm_ops)), I(0), memory, special);
	skep_ir_at(at.f, memory);
	take(&at, skep_ir_mov(at.f, I(0)), I(SKEP_UNWIND_FILE_FRAMES));
	skep_ir_at(at.f, special);
	name_vdso(&at);
	skep_ir_jump(at.f, named);
	skep_ir_at(at.f, named);
	look_up_code(&at, other);
	skep_ir_at(at.f, other);
	if (mm->has_overlays) {
		name_overlay(&at, file, none);
		look_up_code(&at, none);
	} else {
		skep_ir_jump(at.f, none);
	}
	skep_ir_at(at.f, none);
	skep_ir_exit(at.f, I(0));
	return at.f;
}
