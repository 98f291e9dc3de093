/* Checks of the functions on addresses, stacks and registers: ksym() … ustack(). */
#include "trace/types/typer.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include <skep/elf.h>
#include <skep/symbol.h>

#include "base/arena.h"
#include "trace/lower/regs.h"

#define CHECK(name)                                                                                \
	const struct skep_type *skep_check_fn_##name(struct skep_typer *t, struct skep_expr *call)

#define MAX_STACK_DEPTH 1024

/* Addresses looked up before: a script is walked several times, a symbol table is long. */
struct skep_known {
	struct skep_known *next;
	const char *path; /* NULL: the kernel */
	const char *name;
	uint64_t addr, size;
	bool is_moved; /* files: loaded at another address in every process */
	int err;
};

CHECK(ksym)
{
	return skep_want_address(t, call, 0) ? &skep_type_ksym : NULL;
}

CHECK(usym)
{
	return skep_want_address(t, call, 0) ? &skep_type_usym : NULL;
}

static struct skep_known *find_known(const struct skep_typer *t, const char *path, const char *name)
{
	for (struct skep_known *known = t->known; known; known = known->next) {
		bool same_path = path ? known->path && !strcmp(known->path, path) : !known->path;
		if (same_path && !strcmp(known->name, name))
			return known;
	}
	return NULL;
}

static void look_up_kernel(struct skep_known *known)
{
	struct skep_ksyms *syms = skep_ksyms_new();

	known->err = skep_ksyms_find(syms, known->name, &known->addr);
	skep_ksyms_free(syms);
}

static int take_symbol(void *ctx, const struct skep_elf_sym *sym)
{
	struct skep_known *known = ctx;

	if (strcmp(sym->name, known->name))
		return 0;
	known->addr = sym->addr;
	known->size = sym->size;
	return 1;
}

/* A program linked to fixed addresses has none at 0. */
static bool is_moved(const struct skep_elf *elf)
{
	struct skep_elf_segment segment;

	for (uint32_t i = 0; i < skep_elf_n_segments(elf); i++) {
		if (!skep_elf_segment(elf, i, &segment) && segment.type == PT_LOAD)
			return segment.addr < 0x1000;
	}
	return true;
}

static void look_up_file(struct skep_known *known)
{
	struct skep_elf *elf = NULL;

	known->err = skep_elf_open(known->path, &elf, NULL);
	if (!known->err && skep_elf_for_each_symbol(elf, take_symbol, known) != 1)
		known->err = -ENOENT;
	known->is_moved = !known->err && is_moved(elf);
	skep_elf_free(elf);
}

/* The address of the probed instruction in the file's own terms. */
static uint64_t probed_address(const struct skep_attach *attach)
{
	uint64_t off = attach->uprobe.file_off, addr;
	struct skep_elf *elf = NULL;

	if (skep_elf_open(attach->uprobe.path, &elf, NULL))
		return off;
	if (skep_elf_off_to_addr(elf, off, &addr))
		addr = off;
	skep_elf_free(elf);
	return addr;
}

static const struct skep_known *look_up(struct skep_typer *t, const char *path, const char *name)
{
	struct skep_known *known = find_known(t, path, name);

	if (known)
		return known;
	known = skep_arena_new(t->arena, struct skep_known);
	known->path = path;
	known->name = name;
	known->next = t->known;
	t->known = known;
	if (path)
		look_up_file(known);
	else
		look_up_kernel(known);
	return known;
}

CHECK(kaddr)
{
	if (!skep_want_text(t, call, 0))
		return NULL;
	const struct skep_known *known = look_up(t, NULL, call->args->text);
	if (known->err) {
		TYPE_ERROR(t, call->args->span, KADDR, call->args->text);
		if (t->diag && known->err == -EPERM)
			skep_diag_why(t->diag, "addresses are hidden: see kernel.kptr_restrict");
		return NULL;
	}
	call->is_const = true;
	call->integer = (int64_t)known->addr;
	return &skep_type_u64;
}

CHECK(percpu_kaddr)
{
	if (call->n_args > 1 && !skep_want_int(t, call, 1))
		return NULL;
	if (!skep_check_fn_kaddr(t, call))
		return NULL;
	const struct skep_known *offsets = look_up(t, NULL, SKEP_PERCPU_OFFSETS);
	if (offsets->err)
		return TYPE_ERROR(t, call->args->span, KADDR, SKEP_PERCPU_OFFSETS);
	call->is_const = false;
	call->percpu_offsets = offsets->addr;
	return skep_type_ptr(t->types, &skep_type_u64, SKEP_SPACE_KERNEL);
}

/*
 * The symbol's size says how much lies there: 1, 2, 4 or else 8 bytes. Where the
 * file lies in the process nobody knows now; the distance from the probed
 * instruction is the same everywhere.
 */
CHECK(uaddr)
{
	const struct skep_attach *attach = &t->probe->attach;

	if (attach->type != SKEP_ATTACH_UPROBE)
		return skep_bad_probe(t, call);
	if (!skep_want_text(t, call, 0))
		return NULL;
	t->def->uses_args = true;
	const struct skep_known *known = look_up(t, attach->uprobe.path, call->args->text);
	if (known->err)
		return TYPE_ERROR(t, call->args->span, UADDR, attach->uprobe.path,
				  call->args->text);
	uint32_t bytes = known->size == 1 || known->size == 2 || known->size == 4
				 ? (uint32_t)known->size
				 : 8;
	call->is_const = !known->is_moved;
	call->integer = (int64_t)known->addr;
	if (known->is_moved)
		call->integer -= (int64_t)probed_address(attach);
	return skep_type_ptr(t->types, skep_type_int(bytes, false), SKEP_SPACE_USER);
}

static bool has_regs(const struct skep_probe *probe)
{
	enum skep_ctx_kind ctx = probe->provider->ctx;

	return ctx == SKEP_CTX_REGS || ctx == SKEP_CTX_USDT || ctx == SKEP_CTX_PERF;
}

CHECK(reg)
{
	if (!has_regs(t->probe))
		return skep_bad_probe(t, call);
	if (!skep_want_text(t, call, 0))
		return NULL;
	if (skep_regs_find(call->args->text) < 0)
		return TYPE_ERROR(t, call->args->span, REGISTER, call->args->text);
	return &skep_type_u64;
}

static const struct skep_type *in_space(struct skep_typer *t, const struct skep_expr *call,
					enum skep_space space)
{
	const struct skep_type *type = call->args->type;

	if (!type)
		return NULL;
	if (type->kind == SKEP_T_INT)
		return skep_type_ptr(t->types, &skep_type_none, space);
	if (type->kind == SKEP_T_PTR && type->elem->kind == SKEP_T_RECORD)
		return skep_type_ptr(t->types,
				     skep_type_record(t->types, type->elem->record, space), space);
	if (type->kind == SKEP_T_PTR)
		return skep_type_ptr(t->types, type->elem, space);
	return skep_bad_arg(t, call, 0, "an address");
}

CHECK(kptr)
{
	return in_space(t, call, SKEP_SPACE_KERNEL);
}

CHECK(uptr)
{
	return in_space(t, call, SKEP_SPACE_USER);
}

static bool find_mode(const char *name, enum skep_stack_mode *ret)
{
	static const char *const names[] = {
		[SKEP_STACK_BPFTRACE] = "bpftrace",
		[SKEP_STACK_PERF] = "perf",
		[SKEP_STACK_RAW] = "raw",
		[SKEP_STACK_BUILD_ID] = "build_id",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(names[i], name)) {
			*ret = (enum skep_stack_mode)i;
			return true;
		}
	}
	return false;
}

/* stack(), stack(mode), stack(depth), stack(mode, depth) */
static const struct skep_type *stack(struct skep_typer *t, const struct skep_expr *call, bool user)
{
	const struct skep_config *config = t->check->config;
	enum skep_stack_mode mode = config->stack_mode;
	uint32_t depth = (uint32_t)config->max_stack_depth;
	bool has_mode = call->n_args && call->args->kind == SKEP_E_IDENT;

	if (has_mode && !find_mode(call->args->text, &mode))
		return TYPE_ERROR(t, call->args->span, STACK_MODE, call->args->text);
	if (call->n_args == 2 && !has_mode)
		return skep_bad_arg(t, call, 0, "a stack mode");
	if (skep_arg_is_given(call, has_mode)) {
		if (!skep_want_const(t, call, has_mode, 0, MAX_STACK_DEPTH))
			return NULL;
		depth = (uint32_t)skep_call_arg(call, has_mode)->integer;
	}
	return skep_type_stack(t->types, user, mode, depth);
}

CHECK(kstack)
{
	return stack(t, call, false);
}

CHECK(ustack)
{
	return stack(t, call, true);
}

CHECK(folded)
{
	const struct skep_expr *arg = call->args;
	int mode = SKEP_STACK_FOLDED;

	if (!arg->type)
		return NULL;
	if (!skep_type_is_stack(arg->type))
		return skep_bad_arg(t, call, 0, "a stack");
	for (uint32_t i = 1; i < call->n_args; i++) {
		if (!skep_want_const(t, call, i, 0, 1))
			return NULL;
		mode += skep_call_arg(call, i)->integer << (i - 1);
	}
	return skep_type_stack(t->types, arg->type->kind == SKEP_T_USTACK,
			       (enum skep_stack_mode)mode, arg->type->n);
}
