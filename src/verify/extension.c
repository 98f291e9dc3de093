/*
 * A program that replaces a function of another program: its type must be the function's, and it
 * may not do what those who call the function do not expect.
 *
 * Types are of two BTFs, so they are compared by kind, size and name: numbers by their size, and of
 * pointers those to structures alone, which are contexts.
 *
 * Source  behaviour of Linux 6.18, btf_check_func_type_match(), bpf_check_attach_target()
 */
#include "verify/attach.h"

#include <string.h>

#include <skep/btf.h>

/* Of the two: what replaces, and what is replaced. */
struct side {
	const struct skep_btf *btf;
	const char *name;
	uint32_t func, proto;
};

struct pair {
	struct verifier *v;
	struct side mine, theirs;
};

static struct side side_of(const struct skep_btf *btf, uint32_t func)
{
	return (struct side){btf, skep_btf_name(btf, func), func, skep_btf_target(btf, func)};
}

/* --- Types ----------------------------------------------------------------------------------- */

static uint32_t parameter(const struct side *side, uint32_t i)
{
	struct skep_btf_member param = {0};

	skep_btf_member(side->btf, side->proto, i, &param);
	return skep_btf_strip(side->btf, param.type);
}

static const char *word(const struct side *side, uint32_t type)
{
	return skep_btf_kind_word(skep_btf_kind(side->btf, type));
}

/* The same kind, and of structures and enumerations as many members. */
static bool is_alike(const struct pair *pair, uint32_t mine, uint32_t theirs)
{
	return skep_btf_kind(pair->mine.btf, mine) == skep_btf_kind(pair->theirs.btf, theirs) &&
	       skep_btf_n_members(pair->mine.btf, mine) ==
		       skep_btf_n_members(pair->theirs.btf, theirs);
}

static bool has_size(enum skep_btf_kind kind)
{
	switch (kind) {
	case SKEP_BTF_INT:
	case SKEP_BTF_STRUCT:
	case SKEP_BTF_UNION:
	case SKEP_BTF_ENUM:
	case SKEP_BTF_ENUM64:
	case SKEP_BTF_FLOAT:
	case SKEP_BTF_DATASEC: return true;
	default: return false;
	}
}

static bool is_number(enum skep_btf_kind kind)
{
	return kind == SKEP_BTF_INT || kind == SKEP_BTF_ENUM || kind == SKEP_BTF_ENUM64;
}

static uint32_t struct_behind(const struct side *side, uint32_t pointer)
{
	uint32_t to = skep_btf_strip(side->btf, skep_btf_target(side->btf, pointer));
	enum skep_btf_kind kind = skep_btf_kind(side->btf, to);

	return kind == SKEP_BTF_STRUCT || kind == SKEP_BTF_UNION ? to : 0;
}

static int check_context(const struct pair *pair, uint32_t i, uint32_t mine, uint32_t theirs)
{
	const struct side *a = &pair->mine, *b = &pair->theirs;
	uint32_t of_mine = struct_behind(a, mine), of_theirs = struct_behind(b, theirs);
	const char *name[2];

	if (!of_mine)
		return verify_refuse(pair->v, EXTENSION_NO_CONTEXT, i, a->name);
	if (!of_theirs)
		return verify_refuse(pair->v, EXTENSION_NO_CONTEXT, i, b->name);
	name[0] = skep_btf_name(a->btf, of_mine);
	name[1] = skep_btf_name(b->btf, of_theirs);
	return strcmp(name[0], name[1]) ? verify_refuse(pair->v, EXTENSION_STRUCT, i, a->name,
							name[0], b->name, name[1])
					: 0;
}

static int check_argument(const struct pair *pair, uint32_t i)
{
	const struct side *a = &pair->mine, *b = &pair->theirs;
	uint32_t mine = parameter(a, i), theirs = parameter(b, i);
	enum skep_btf_kind kind = skep_btf_kind(a->btf, mine);

	if (!is_alike(pair, mine, theirs))
		return verify_refuse(pair->v, EXTENSION_KIND, i, a->name, word(a, mine), b->name,
				     word(b, theirs));
	if (has_size(kind) && skep_btf_size(a->btf, mine) != skep_btf_size(b->btf, theirs))
		return verify_refuse(pair->v, EXTENSION_SIZE, i, a->name,
				     (int)skep_btf_size(a->btf, mine), b->name,
				     (int)skep_btf_size(b->btf, theirs));
	if (is_number(kind))
		return 0;
	if (kind != SKEP_BTF_PTR)
		return verify_refuse(pair->v, EXTENSION_ARGUMENT, i, a->name);
	return check_context(pair, i, mine, theirs);
}

static int check_result(const struct pair *pair)
{
	const struct side *a = &pair->mine, *b = &pair->theirs;
	uint32_t mine = skep_btf_strip(a->btf, skep_btf_target(a->btf, a->proto));
	uint32_t theirs = skep_btf_strip(b->btf, skep_btf_target(b->btf, b->proto));

	return is_alike(pair, mine, theirs)
		       ? 0
		       : verify_refuse(pair->v, EXTENSION_RESULT, word(a, mine), a->name,
				       word(b, theirs), b->name);
}

static int check_types(const struct pair *pair)
{
	const struct side *a = &pair->mine, *b = &pair->theirs;
	uint32_t n = skep_btf_n_members(a->btf, a->proto);
	uint32_t n_theirs = skep_btf_n_members(b->btf, b->proto);
	int err;

	if (!skep_btf_is_global(a->btf, a->func))
		return verify_refuse(pair->v, EXTENSION_NOT_GLOBAL, a->name);
	if (n != n_theirs)
		return verify_refuse(pair->v, EXTENSION_ARGUMENTS, a->name, n, b->name, n_theirs);
	err = check_result(pair);
	for (uint32_t i = 0; i < n && !err; i++)
		err = check_argument(pair, i);
	return err;
}

/* --- What they do ---------------------------------------------------------------------------- */

static int check_effects(struct verifier *v)
{
	const struct func_facts *main = &v->funcs[0];

	if (main->changes_packet && !v->program->target_changes_packet)
		return verify_refuse(v, EXTENSION_CHANGES_PACKET);
	if (main->might_sleep && !v->program->target_might_sleep)
		return verify_refuse(v, EXTENSION_SLEEPS);
	return 0;
}

int verify_extension(struct verifier *v)
{
	const struct skep_verify_program *program = v->program;
	struct pair pair = {.v = v};
	int err;

	if (!program->attach_btf || !program->attach_btf_id)
		return 0;
	err = check_effects(v);
	if (err)
		return err;
	if (!program->n_funcs)
		return verify_refuse(v, EXTENSION_NO_BTF);
	pair.mine = side_of(program->btf, program->funcs[0].type_id);
	pair.theirs = side_of(program->attach_btf, program->attach_btf_id);
	return check_types(&pair);
}
