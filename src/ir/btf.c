/*
 * BTF for the functions of programs that have more than one: the kernel wants
 * to know a callback's name and that it is static. Of the parameters only
 * their number matters.
 */
#include <ctype.h>

#include <skep/btf.h>

#include "ir/ir.h"

/* BTF names are C identifiers. */
static const char *identifier(struct skep_ir *ir, const char *name)
{
	char *copy = skep_arena_strdup(ir->arena, *name ? name : "_");

	for (char *at = copy; *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '_')
			*at = '_';
	if (isdigit((unsigned char)*copy))
		*copy = '_';
	return copy;
}

uint32_t skep_ir_btf_func(struct skep_ir *ir, const struct skep_ir_func *f)
{
	static const char *const names[] = {"a", "b", "c", "d", "e"};
	struct skep_btf_writer *btf = ir->object->btf;
	uint32_t number, result, proto, any = 0;

	if (!btf)
		btf = ir->object->btf = skep_btf_writer_new();
	number = skep_btf_add_int(btf, "unsigned long", 8, false);
	result = skep_btf_add_int(btf, "int", 4, true);
	if (f->prog == f)
		any = skep_btf_add_ptr(btf, 0);
	proto = skep_btf_add_func_proto(btf, result);
	for (uint32_t i = 0; i < f->n_params; i++)
		skep_btf_add_param(btf, f->prog == f ? "ctx" : names[i], any ? any : number);
	return skep_btf_add_func(btf, identifier(ir, f->name), proto, f->prog != f);
}
