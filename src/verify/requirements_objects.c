/*
 * What is around the instructions: the program's type, how it is loaded and attached, its maps, and
 * the types of its functions.
 *
 * What a loader hides from older kernels does not count: libbpf leaves out names of programs and
 * maps, BTF that a kernel does not know, that a function is global, and that memory of global data
 * can be mapped.
 */
#include "verify/requirements.h"

#include <string.h>

#include <skep/btf.h>
#include <skep/map.h>

#include "verify/program.h"

/* --- The program ------------------------------------------------------------------------------ */

static void add_attach(struct asking *asking)
{
	bool optional;
	const struct version_row *row = version_of_attach(asking->program->attach_type, &optional);

	if (asking->program->attach_type && !optional)
		requirements_add(asking, row, UINT32_MAX);
}

static void add_program(struct asking *asking)
{
	const struct skep_verify_program *program = asking->program;

	requirements_add(asking, version_of_program(program->image->type), UINT32_MAX);
	for (uint32_t bit = 0; bit < 32; bit++)
		if (program->flags >> bit & 1)
			requirements_add(asking, version_of_program_flag(bit), UINT32_MAX);
	if (program->image->type == PROGRAM_KPROBE && program->flags & PROGRAM_SLEEPS)
		requirements_add(asking, version_of_feature(FEATURE_SLEEPABLE_KPROBE), UINT32_MAX);
	add_attach(asking);
}

/* Where they are accessed the verifier does not keep: that they are is found out on its walk. */
static void add_context_fields(struct asking *asking)
{
	const uint64_t *fields = asking->report->context_fields;

	for (uint32_t row = 0; row < 64 * SKEP_VERIFY_FIELD_WORDS; row++)
		if (fields[row / 64] >> (row % 64) & 1)
			requirements_add(asking, version_of_context_field(row), UINT32_MAX);
}

/* --- Maps ------------------------------------------------------------------------------------- */

#define OF_SECTIONS (1u << 7 | 1u << 10) /* BPF_F_RDONLY_PROG, BPF_F_MMAPABLE */

/* Flags as the program's author gave them. A name with a dot is of a section of global data: what
 * kernels these need the instructions tell that use them. */
static uint32_t flags_of(const struct skep_map *map)
{
	return strchr(map->name, '.') ? map->flags & ~OF_SECTIONS : map->flags;
}

static void add_map(struct asking *asking, const struct skep_map *map, uint32_t slot)
{
	requirements_add(asking, version_of_map(map->type), slot);
	for (uint32_t bit = 0; bit < 32; bit++)
		if (flags_of(map) >> bit & 1)
			requirements_add(asking, version_of_map_flag(bit), slot);
	for (uint32_t i = 0; i < map->n_fields; i++) {
		requirements_add(asking, version_of_field(map->fields[i].kind), slot);
		if (map->fields[i].kind == SKEP_FIELD_KPTR &&
		    map->fields[i].kptr == SKEP_KPTR_PERCPU)
			requirements_add(asking, version_of_feature(FEATURE_PERCPU_KPTR), slot);
	}
}

/* The first instruction that names a map. */
static uint32_t slot_of_map(const struct skep_image *image, uint32_t index)
{
	for (uint32_t at = 0; at < image->n_insns; at++) {
		const struct skep_ref *ref = &image->refs[at];

		if ((ref->kind == SKEP_REF_MAP || ref->kind == SKEP_REF_MAP_VALUE) &&
		    ref->index == index)
			return at;
	}
	return UINT32_MAX;
}

/* --- Functions -------------------------------------------------------------------------------- */

static bool is_context(uint32_t type, const char *name)
{
	static const char *const names[] = {
#define CTX_TYPE(number, NAME, name) [number] = name,
#include "verify/ctx_types.def"
#undef CTX_TYPE
	};

	return type < sizeof(names) / sizeof(*names) && names[type] && names[type][0] &&
	       !strcmp(names[type], name);
}

/* A pointer to anything but the context: Linux 5.6 to 5.11 take none in a global function. */
static bool takes_pointer(const struct asking *asking, uint32_t func_id)
{
	const struct skep_btf *btf = asking->program->btf;
	uint32_t proto = skep_btf_target(btf, func_id);
	struct skep_btf_member argument;

	for (uint32_t i = 0; !skep_btf_member(btf, proto, i, &argument); i++) {
		uint32_t type = skep_btf_strip(btf, argument.type), pointee;

		if (skep_btf_kind(btf, type) != SKEP_BTF_PTR)
			continue;
		pointee = skep_btf_strip(btf, skep_btf_target(btf, type));
		if (!is_context(asking->program->image->type, skep_btf_name(btf, pointee)))
			return true;
	}
	return false;
}

/* The program's global function that @tag is on; its slot, or UINT32_MAX. */
static uint32_t slot_of_tagged(const struct skep_verify_program *program, uint32_t tag)
{
	uint32_t func_id = skep_btf_target(program->btf, tag);

	for (uint32_t f = 1; f < program->n_funcs; f++)
		if (program->funcs[f].type_id == func_id)
			return program->funcs[f].insn;
	return UINT32_MAX;
}

static void add_tags(struct asking *asking)
{
	const struct skep_btf *btf = asking->program->btf;
	uint32_t n = skep_btf_n_types(btf);

	for (uint32_t id = 1; id <= n; id++) {
		uint32_t slot;

		if (skep_btf_kind(btf, id) != SKEP_BTF_DECL_TAG ||
		    strncmp(skep_btf_name(btf, id), "arg:", 4))
			continue;
		slot = slot_of_tagged(asking->program, id);
		if (slot != UINT32_MAX)
			requirements_add(asking, version_of_tag(skep_btf_name(btf, id) + 4), slot);
	}
}

static void add_functions(struct asking *asking)
{
	const struct skep_verify_program *program = asking->program;

	for (uint32_t f = 1; f < program->n_funcs; f++) {
		const struct skep_verify_func *func = &program->funcs[f];

		if (skep_btf_is_global(program->btf, func->type_id) &&
		    takes_pointer(asking, func->type_id))
			requirements_add(asking, version_of_feature(FEATURE_POINTER_ARGUMENT),
					 func->insn);
	}
	add_tags(asking);
}

void requirements_of_objects(struct asking *asking)
{
	const struct skep_image *image = asking->program->image;

	add_program(asking);
	add_context_fields(asking);
	for (uint32_t i = 0; i < image->n_maps; i++)
		add_map(asking, image->maps[i], slot_of_map(image, i));
	if (asking->program->btf && asking->program->n_funcs)
		add_functions(asking);
}
