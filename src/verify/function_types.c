/*
 * What a function of the program takes, by its BTF: what a global function is verified for, and
 * what its callers are held to.
 *
 *	int, enum                   a number
 *	the context's struct *      the context; also any pointer marked __arg_ctx
 *	struct bpf_dynptr *         a dynptr that is not released or changed
 *	T * __arg_trusted           an object of the kernel's, valid
 *	T * __arg_untrusted         one that is read with faults caught; of a number type, bytes
 *	T * __arg_arena             into the arena
 *	T *                         sizeof(T) bytes or NULL; __arg_nonnull: not NULL
 *
 * Marks are declaration tags "arg:…" of the function. Of static functions only numbers and contexts
 * are understood: they are walked at every call anyway.
 *
 * Source  behaviour of Linux 6.18, btf_prepare_func_args()
 */
#include "verify/call.h"

#include <string.h>

enum tag {
	TAG_CTX = 1 << 0,
	TAG_TRUSTED = 1 << 1,
	TAG_UNTRUSTED = 1 << 2,
	TAG_NONNULL = 1 << 3,
	TAG_NULLABLE = 1 << 4,
	TAG_ARENA = 1 << 5,
};

/* One argument being looked at. */
struct look {
	struct verifier *v;
	const struct skep_btf *btf;
	uint32_t func_id, pointee; /* what it points to, not stripped */
	uint32_t i;
	bool global;
	unsigned tags;
};

static bool is_number(const struct skep_btf *btf, uint32_t id)
{
	enum skep_btf_kind kind = skep_btf_kind(btf, id);

	return id && (kind == SKEP_BTF_INT || kind == SKEP_BTF_ENUM || kind == SKEP_BTF_ENUM64);
}

static bool is_struct(const struct skep_btf *btf, uint32_t id)
{
	enum skep_btf_kind kind = skep_btf_kind(btf, id);

	return kind == SKEP_BTF_STRUCT || kind == SKEP_BTF_UNION;
}

static const char *kind_name(const struct skep_btf *btf, uint32_t id)
{
	return skep_btf_kind_word(skep_btf_kind(btf, id));
}

/* --- Marks ----------------------------------------------------------------------------------- */

static int tag_of(struct look *look, const char *text)
{
	static const struct {
		const char *name;
		unsigned tag;
	} tags[] = {
		{"ctx", TAG_CTX},         {"trusted", TAG_TRUSTED},   {"untrusted", TAG_UNTRUSTED},
		{"nonnull", TAG_NONNULL}, {"nullable", TAG_NULLABLE}, {"arena", TAG_ARENA},
	};

	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++)
		if (!strcmp(text, tags[i].name)) {
			look->tags |= tags[i].tag;
			return 0;
		}
	return verify_refuse(look->v, FUNC_ARG_TAGS, look->i);
}

static int find_tags(struct look *look)
{
	uint32_t n = skep_btf_n_types(look->btf);

	for (uint32_t id = 1; id <= n; id++) {
		const char *text;
		int err;

		if (skep_btf_kind(look->btf, id) != SKEP_BTF_DECL_TAG ||
		    skep_btf_target(look->btf, id) != look->func_id ||
		    skep_btf_tag_component(look->btf, id) != (int32_t)look->i)
			continue;
		text = skep_btf_name(look->btf, id);
		if (strncmp(text, "arg:", 4))
			continue;
		if (!look->global)
			return verify_refuse(look->v, FUNC_ARG_STATIC_TAG, look->i);
		err = tag_of(look, text + 4);
		if (err)
			return err;
	}
	return 0;
}

/* --- The context ----------------------------------------------------------------------------- */

static const char *ctx_name(const struct verifier *v)
{
	static const char *const names[] = {
#define CTX_TYPE(number, NAME, name) [number] = name,
#include "verify/ctx_types.def"
#undef CTX_TYPE
	};
	uint32_t type = verify_type(v);

	return type < sizeof(names) / sizeof(*names) && names[type] ? names[type] : "";
}

/* The name of the first typedef on the way to the struct; "" if there is none. */
static const char *typedef_name(const struct skep_btf *btf, uint32_t id)
{
	for (unsigned i = 0; i < 32; i++) {
		switch (skep_btf_kind(btf, id)) {
		case SKEP_BTF_TYPEDEF: return skep_btf_name(btf, id);
		case SKEP_BTF_CONST:
		case SKEP_BTF_VOLATILE:
		case SKEP_BTF_RESTRICT:
		case SKEP_BTF_TYPE_TAG: id = skep_btf_target(btf, id); break;
		default: return "";
		}
	}
	return "";
}

static bool may_be_pt_regs_typedef(const struct look *look)
{
	uint32_t type = verify_type(look->v);

	return (type == PROG_TYPE_KPROBE || (type == PROG_TYPE_PERF_EVENT && look->tags)) &&
	       !strcmp(typedef_name(look->btf, look->pointee), "bpf_user_pt_regs_t");
}

/* Is it the context without being marked? */
static bool is_ctx(const struct look *look)
{
	static const char *const kernels[][2] = {{"__sk_buff", "sk_buff"}, {"xdp_md", "xdp_buff"}};
	const char *expected = ctx_name(look->v), *name;
	uint32_t type = skep_btf_strip(look->btf, look->pointee);

	if (may_be_pt_regs_typedef(look))
		return true;
	if (skep_btf_kind(look->btf, type) != SKEP_BTF_STRUCT || !*expected)
		return false;
	name = skep_btf_name(look->btf, type);
	for (size_t i = 0; i < 2; i++)
		if (!strcmp(expected, kernels[i][0]) && !strcmp(name, kernels[i][1]))
			return true;
	if (verify_type(look->v) == PROG_TYPE_KPROBE && !strcmp(name, "pt_regs"))
		return true;
	return !strcmp(name, expected);
}

bool verify_is_ctx_type(struct verifier *v, const struct skep_btf *btf, uint32_t pointee)
{
	const struct look look = {.v = v, .btf = btf, .pointee = pointee};

	return is_ctx(&look);
}

static bool is_u64(const struct look *look, uint32_t type)
{
	return skep_btf_kind(look->btf, type) == SKEP_BTF_INT &&
	       skep_btf_size(look->btf, type) == 8;
}

/* What tracing programs may call their context, by what they are attached to. */
static bool is_tracing_ctx(const struct look *look, uint32_t type, const char *name)
{
	enum { RAW_TP = 23, FENTRY = 24, FEXIT = 25, MODIFY_RETURN = 26, ITER = 28 };
	bool named = is_struct(look->btf, type);

	switch (look->v->program->attach_type) {
	case RAW_TP:
		return (named && !strcmp(name, "bpf_raw_tracepoint_args")) || is_u64(look, type);
	case ITER: return named && !strncmp(name, "bpf_iter__", 10);
	case FENTRY:
	case FEXIT:
	case MODIFY_RETURN: return is_u64(look, type);
	default: return false;
	}
}

static bool is_marked_ctx(const struct look *look, uint32_t type, const char *name)
{
	switch (verify_type(look->v)) {
	case PROG_TYPE_KPROBE:
	case PROG_TYPE_PERF_EVENT: return is_struct(look->btf, type) && !strcmp(name, "pt_regs");
	case PROG_TYPE_RAW_TRACEPOINT:
	case PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
	case PROG_TYPE_LSM:
	case PROG_TYPE_STRUCT_OPS: return is_u64(look, type);
	case PROG_TYPE_TRACING: return is_tracing_ctx(look, type, name);
	case PROG_TYPE_TRACEPOINT:
	case PROG_TYPE_SYSCALL:
	case PROG_TYPE_EXT: return true;
	default: return false;
	}
}

/* Source: btf_validate_prog_ctx_type() */
static int check_marked_ctx(const struct look *look)
{
	uint32_t type = skep_btf_strip(look->btf, look->pointee);
	const char *name = skep_btf_name(look->btf, type), *expected = ctx_name(look->v);

	if (may_be_pt_regs_typedef(look) || !type)
		return 0;
	if (!*name)
		return verify_refuse(look->v, FUNC_ARG_NAMELESS, look->i);
	if (is_marked_ctx(look, type, name))
		return 0;
	if (!strcmp(expected, "bpf_user_pt_regs_t"))
		expected = "pt_regs";
	if (!*expected)
		return verify_refuse(look->v, FUNC_ARG_NOT_VOID, look->i);
	if (!is_struct(look->btf, type) || strcmp(expected, name))
		return verify_refuse(look->v, FUNC_ARG_NOT_CTX, look->i, expected);
	return 0;
}

/* --- Pointers -------------------------------------------------------------------------------- */

/* The kernel's type that the program's is by name. Source: btf_get_ptr_to_btf_id() */
static int kernel_type(const struct look *look, uint32_t *ret)
{
	struct skep_btf *kernel = (struct skep_btf *)look->v->program->kernel_btf;
	uint32_t type = skep_btf_strip(look->btf, look->pointee);
	const char *name = skep_btf_name(look->btf, type), *flavor = strstr(name, "___");
	size_t len = flavor && flavor != name ? (size_t)(flavor - name) : strlen(name);
	uint32_t kinds = SKEP_BTF_MASK(skep_btf_kind(look->btf, type));

	*ret = kernel && *name ? skep_btf_find(kernel, name, len, kinds) : 0;
	if (*ret)
		return 0;
	verify_refuse(look->v, FUNC_ARG_NO_MATCH, look->i, kind_name(look->btf, type), name);
	return -ENOENT;
}

static int trusted(const struct look *look, struct func_argument *arg)
{
	if (look->tags & TAG_NONNULL)
		return verify_refuse(look->v, FUNC_ARG_TAG_MIX, look->i);
	arg->kind = FUNC_ARG_OBJECT;
	arg->flags = PTR_TRUSTED | (look->tags & TAG_NULLABLE ? PTR_MAYBE_NULL : 0);
	return kernel_type(look, &arg->btf_id);
}

static int untrusted(const struct look *look, struct func_argument *arg)
{
	const struct skep_btf *kernel = look->v->program->kernel_btf;
	uint32_t type = skep_btf_strip(look->btf, look->pointee);
	int err;

	if (look->tags & ~(unsigned)TAG_UNTRUSTED)
		return verify_refuse(look->v, FUNC_ARG_UNTRUSTED_MIX, look->i);
	if (!type || is_number(look->btf, type)) {
		*arg = (struct func_argument){FUNC_ARG_MEM, MEM_RDONLY | PTR_UNTRUSTED, 0, 0};
		return 0;
	}
	arg->kind = FUNC_ARG_OBJECT;
	arg->flags = PTR_UNTRUSTED;
	err = kernel_type(look, &arg->btf_id);
	if (!err && !is_struct(kernel, arg->btf_id))
		return verify_refuse(look->v, FUNC_ARG_UNTRUSTED_KIND, look->i,
				     kind_name(kernel, arg->btf_id),
				     skep_btf_name(look->btf, type));
	return err;
}

static int memory(const struct look *look, struct func_argument *arg)
{
	uint32_t type = skep_btf_strip(look->btf, look->pointee);
	int64_t bytes = type ? skep_btf_size(look->btf, type) : -EINVAL;

	if (look->tags & TAG_NULLABLE)
		return verify_refuse(look->v, FUNC_ARG_TAG_MIX, look->i);
	if (bytes < 0 || bytes > UINT32_MAX)
		return verify_refuse(look->v, FUNC_ARG_SIZE, look->i, kind_name(look->btf, type),
				     skep_btf_name(look->btf, type), -EINVAL);
	arg->kind = FUNC_ARG_MEM;
	arg->flags = look->tags & TAG_NONNULL ? 0 : PTR_MAYBE_NULL;
	arg->mem_bytes = (uint32_t)bytes;
	return 0;
}

static bool is_dynptr(const struct look *look)
{
	uint32_t type = skep_btf_strip(look->btf, look->pointee);
	enum skep_btf_kind kind = skep_btf_kind(look->btf, type);

	return (kind == SKEP_BTF_STRUCT || kind == SKEP_BTF_FWD) &&
	       !strcmp(skep_btf_name(look->btf, type), "bpf_dynptr");
}

/* Neither a number nor a pointer that is understood: a static function's BTF is not used then. */
static int pointer(const struct look *look, struct func_argument *arg)
{
	if (look->tags & TAG_CTX || is_ctx(look)) {
		arg->kind = FUNC_ARG_CTX;
		if (look->tags & ~(unsigned)TAG_CTX)
			return verify_refuse(look->v, FUNC_ARG_TAG_MIX, look->i);
		return look->tags ? check_marked_ctx(look) : 0;
	}
	if (is_dynptr(look)) {
		arg->kind = FUNC_ARG_DYNPTR;
		return look->tags ? verify_refuse(look->v, FUNC_ARG_TAG_MIX, look->i) : 0;
	}
	if (look->tags & TAG_TRUSTED)
		return trusted(look, arg);
	if (look->tags & TAG_UNTRUSTED)
		return untrusted(look, arg);
	if (look->tags & TAG_ARENA) {
		arg->kind = FUNC_ARG_ARENA;
		return look->tags & ~(unsigned)TAG_ARENA
			       ? verify_refuse(look->v, FUNC_ARG_ARENA_MIX, look->i)
			       : 0;
	}
	return look->global ? memory(look, arg) : -EINVAL;
}

/* --- The function ---------------------------------------------------------------------------- */

static int argument(struct look *look, uint32_t type, struct func_argument *arg)
{
	uint32_t stripped = skep_btf_strip(look->btf, type);
	int err = find_tags(look);

	if (err)
		return err;
	if (skep_btf_kind(look->btf, stripped) == SKEP_BTF_PTR) {
		look->pointee = skep_btf_target(look->btf, stripped);
		return pointer(look, arg);
	}
	if (look->tags)
		return verify_refuse(look->v, FUNC_ARG_NO_POINTER, look->i);
	if (is_number(look->btf, stripped)) {
		arg->kind = FUNC_ARG_SCALAR;
		return 0;
	}
	if (!look->global)
		return -EINVAL;
	return verify_refuse(look->v, FUNC_ARG_KIND, look->i, kind_name(look->btf, stripped),
			     skep_btf_name(look->btf, look->func_id));
}

/* It returns a number, and takes no more than registers hold. */
static int prototype(struct verifier *v, const struct look *look, uint32_t proto, uint32_t *ret_n)
{
	const char *name = skep_btf_name(look->btf, look->func_id);

	*ret_n = skep_btf_n_members(look->btf, proto);
	if (*ret_n > 5)
		return look->global ? verify_refuse(v, FUNC_ARG_COUNT, name, *ret_n) : -EINVAL;
	if (is_number(look->btf, skep_btf_strip(look->btf, skep_btf_target(look->btf, proto))))
		return 0;
	return look->global ? verify_refuse(v, FUNC_RETURNS, name) : -EINVAL;
}

int verify_function_types(struct verifier *v, uint32_t func)
{
	struct func_facts *facts = &v->funcs[func];
	struct look look = {.v = v, .btf = v->program->btf, .global = facts->is_global};
	struct func_argument args[5] = {{0}};
	uint32_t proto, n;
	int err;

	if (facts->args_known)
		return 0;
	if (!look.btf || func >= v->program->n_funcs)
		return -EINVAL;
	look.func_id = v->program->funcs[func].type_id;
	proto = skep_btf_target(look.btf, look.func_id);
	err = prototype(v, &look, proto, &n);
	for (look.i = 0; look.i < n && !err; look.i++) {
		struct skep_btf_member param;

		look.tags = 0;
		err = skep_btf_member(look.btf, proto, look.i, &param);
		if (!err)
			err = argument(&look, param.type, &args[look.i]);
	}
	if (err)
		return err;
	facts->args = skep_arena_array(&v->arena, struct func_argument, n ? n : 1);
	memcpy(facts->args, args, n * sizeof(*args));
	facts->n_args = n;
	facts->args_known = true;
	return 0;
}
