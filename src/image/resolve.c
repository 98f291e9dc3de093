/*
 * What 64-bit loads and calls name becomes what engines can use: addresses,
 * and indices of callables. Maps are held by the image from here on.
 */
#include "image/link.h"

#include <errno.h>
#include <string.h>

#include <skep/map.h>

#include "base/arena.h"

/* --- maps ----------------------------------------------------------------------------------- */

/* Takes over the reference; a map that is there already gives it back. */
static int keep_map(struct skep_linker *linker, struct skep_map *map, uint32_t *ret_index)
{
	struct skep_image *image = linker->image;

	for (uint32_t i = 0; i < image->n_maps; i++) {
		if (image->maps[i] != map)
			continue;
		skep_map_unref(map);
		*ret_index = i;
		return 0;
	}
	if (image->n_maps >= MOST_MAPS) {
		skep_map_unref(map);
		skep_link_log(linker,
			      "The total number of maps per program has reached the limit of %u\n",
			      MOST_MAPS);
		return -E2BIG;
	}
	if (!image->maps)
		image->maps = skep_xcalloc(MOST_MAPS, sizeof(struct skep_map *));
	image->maps[image->n_maps] = map;
	*ret_index = image->n_maps++;
	return 0;
}

/* Where @off in the value of a map is, if its values can be reached by address. */
static int value_address(const struct skep_map *map, uint32_t off, uint64_t *ret)
{
	if (map->type == SKEP_MAP_ARENA) {
		if (off >> 12 > map->max_entries)
			return -ERANGE;
		*ret = skep_arena_user_start(map) + off;
		return 0;
	}
	if (map->max_entries != 1)
		return -KERNEL_ENOTSUPP;
	if (off >= map->value_size)
		return -EINVAL;
	*ret = (uintptr_t)map->values + off;
	return 0;
}

static int load_map_value(struct skep_linker *linker, const struct skep_map *map, uint32_t off,
			  uint64_t *ret)
{
	if (off >= MOST_VAR_OFF) {
		skep_link_log(linker, "direct value offset of %u is not allowed\n", off);
		return -EINVAL;
	}
	if (map->type != SKEP_MAP_ARRAY && map->type != SKEP_MAP_ARENA) {
		skep_link_log(linker, "no direct value access support for this map type\n");
		return -EINVAL;
	}
	int err = value_address(map, off, ret);
	if (err)
		skep_link_log(linker, "invalid access to map value pointer, value_size=%u off=%u\n",
			      map->value_size, off);
	return err;
}

static int note_arena(struct skep_linker *linker, struct skep_map *map)
{
	if (map->type != SKEP_MAP_ARENA || linker->image->arena == map)
		return 0;
	if (linker->image->arena) {
		skep_link_log(linker, "Only one arena per program\n");
		return -EBUSY;
	}
	if (!skep_arena_user_start(map)) {
		skep_link_log(linker, "arena's user address must be set via map_extra or mmap()\n");
		return -EINVAL;
	}
	linker->image->arena = map;
	return 0;
}

static int load_map(struct skep_linker *linker, uint32_t at, uint64_t *ret)
{
	const struct skep_insn *insn = &linker->image->insns[at];
	bool value = insn->src == SKEP_PSEUDO_MAP_VALUE || insn->src == SKEP_PSEUDO_MAP_IDX_VALUE;
	struct skep_ref *ref = &linker->image->refs[at];
	struct skep_map *map = NULL;
	uint32_t off = (uint32_t)insn[1].imm, index = 0;

	int err = linker->env->map ? linker->env->map(linker->env->ctx, insn, &map) : -EBADF;
	if (!err)
		err = keep_map(linker, map, &index);
	*ret = (uintptr_t)map;
	if (!err && value)
		err = load_map_value(linker, map, off, ret);
	if (!err)
		err = note_arena(linker, map);
	if (!err)
		*ref = (struct skep_ref){value ? SKEP_REF_MAP_VALUE : SKEP_REF_MAP, index,
					 value ? off : 0};
	return err;
}

/* --- 64-bit loads --------------------------------------------------------------------------- */

static int load_func(struct skep_linker *linker, uint32_t at, uint64_t *ret)
{
	struct skep_image *image = linker->image;
	uint32_t start = at + 1 + (uint32_t)image->insns[at].imm;
	uint32_t func = skep_image_func_at(image, start), i = 0;

	if (!image->callbacks)
		image->callbacks = skep_xcalloc(image->n_funcs, sizeof(*image->callbacks));
	while (i < image->n_callbacks && image->callbacks[i].func != func)
		i++;
	if (i == image->n_callbacks)
		image->callbacks[image->n_callbacks++] = (struct skep_callback){image, func};
	image->funcs[func].is_callback = true;
	image->refs[at] = (struct skep_ref){SKEP_REF_FUNC, i, 0};
	*ret = (uintptr_t)&image->callbacks[i];
	return 0;
}

static int load_variable(struct skep_linker *linker, uint32_t at, uint64_t *ret)
{
	const struct skep_link_env *env = linker->env;

	linker->image->refs[at].kind = SKEP_REF_VARIABLE;
	if (env->variable)
		return env->variable(env->ctx, &linker->image->insns[at], ret);
	skep_link_log(linker, "kernel is missing BTF, make sure CONFIG_DEBUG_INFO_BTF=y is "
			      "specified in Kconfig.\n");
	return -EINVAL;
}

static int unrecognized(struct skep_linker *linker)
{
	skep_link_log(linker, "unrecognized bpf_ld_imm64 insn\n");
	return -EINVAL;
}

static int load_by_kind(struct skep_linker *linker, uint32_t at, uint64_t *ret)
{
	const struct skep_insn *insn = &linker->image->insns[at];

	switch (insn->src) {
	case SKEP_PSEUDO_MAP_FD:
	case SKEP_PSEUDO_MAP_IDX:
		return insn[1].imm ? unrecognized(linker) : load_map(linker, at, ret);
	case SKEP_PSEUDO_MAP_VALUE:
	case SKEP_PSEUDO_MAP_IDX_VALUE: return load_map(linker, at, ret);
	case SKEP_PSEUDO_BTF_ID: return load_variable(linker, at, ret);
	case SKEP_PSEUDO_FUNC: return load_func(linker, at, ret);
	default: return unrecognized(linker);
	}
}

/* A load that is wrong in its own slot (off, dst) is refused in the walk, after this. */
int skep_link_load(struct skep_linker *linker, uint32_t at)
{
	struct skep_insn *insn = &linker->image->insns[at];
	uint64_t value = 0;

	if (at + 1 == linker->image->n_insns || insn[1].code || insn[1].dst || insn[1].src ||
	    insn[1].off) {
		skep_link_log(linker, "invalid bpf_ld_imm64 insn\n");
		return -EINVAL;
	}
	if (!insn->src)
		return 0;
	int err = load_by_kind(linker, at, &value);
	if (err)
		return err;
	insn[0].src = 0;
	insn[0].imm = (int32_t)value;
	insn[1].imm = (int32_t)(value >> 32);
	if (linker->image->ops[at] != SKEP_OP_INVALID)
		linker->image->ops[at] = SKEP_OP_LD64_IMM;
	return 0;
}

/* --- calls ---------------------------------------------------------------------------------- */

static uint32_t keep_call(struct skep_image *image, const struct skep_callable *row)
{
	for (uint32_t i = 0; i < image->n_calls; i++) {
		if (image->calls[i] == row)
			return i;
	}
	image->calls = skep_xrealloc(image->calls, (image->n_calls + 1) * sizeof(*image->calls));
	image->calls[image->n_calls] = row;
	return image->n_calls++;
}

enum { HELPER_TAIL_CALL = 12 };

static int no_helper(struct skep_linker *linker, int32_t id, bool known)
{
	const char *name = skep_helper_name(id);

	if (known)
		skep_link_log(linker, "program of this type cannot use helper bpf_%s#%d\n",
			      name ? name : "unknown", id);
	else
		skep_link_log(linker, "invalid func %s%s#%d\n", name ? "bpf_" : "",
			      name ? name : "unknown", id);
	return -EINVAL;
}

static int link_helper(struct skep_linker *linker, struct skep_insn *insn)
{
	const struct skep_link_env *env = linker->env;
	const struct skep_callable *row = NULL;
	struct skep_image *image = linker->image;
	bool tail_call = insn->imm == HELPER_TAIL_CALL;

	int err = env->helper ? env->helper(env->ctx, insn->imm, &row) : -EINVAL;
	if (err)
		return env->helper ? err : no_helper(linker, insn->imm, false);
	if (!row->call && !tail_call)
		return no_helper(linker, insn->imm, true);
	insn->imm = (int32_t)keep_call(image, row);
	if (tail_call) {
		image->has_tail_call = true;
		image->tail_call = (uint32_t)insn->imm;
	}
	return 0;
}

/* From here on it is a call of a helper like any other. */
static int link_by_register(struct skep_linker *linker, struct skep_insn *insn)
{
	const struct skep_callable *row = NULL;

	int err = linker->env->by_register(linker->env->ctx, insn->dst, &row);
	if (!err)
		*insn = skep_insn_raw(SKEP_JMP | SKEP_CALL, 0, SKEP_CALL_HELPER, 0,
				      (int32_t)keep_call(linker->image, row));
	return err;
}

int skep_link_kfunc(struct skep_linker *linker, uint32_t at)
{
	struct skep_insn *insn = &linker->image->insns[at];
	const struct skep_link_env *env = linker->env;
	const struct skep_callable *row = NULL;

	int err = env->kfunc ? env->kfunc(env->ctx, insn, &row) : -EINVAL;
	if (err && env->kfunc)
		return err;
	if (err || !row->call) {
		skep_link_log(linker, "kernel btf_id %d is not a kernel function\n", insn->imm);
		return err ? err : -EINVAL;
	}
	linker->image->may_throw |= !strcmp(row->name, "bpf_throw");
	insn->imm = (int32_t)keep_call(linker->image, row);
	return 0;
}

int skep_link_calls(struct skep_linker *linker)
{
	struct skep_image *image = linker->image;
	int err = 0;

	for (uint32_t i = 0; !err && i < linker->n_order; i++) {
		uint32_t at = linker->order[i];
		if (skep_is_call_by_register(&image->insns[at]))
			err = link_by_register(linker, &image->insns[at]);
		else if (image->ops[at] == SKEP_OP_CALL_HELPER)
			err = link_helper(linker, &image->insns[at]);
		image->has_may_goto |= image->ops[at] == SKEP_OP_MAY_GOTO;
	}
	return err;
}
