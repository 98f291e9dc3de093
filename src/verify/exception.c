/*
 * The function that goes on where bpf_throw() ends the program: the main function's BTF names it by
 * a declaration tag, "exception_callback:NAME". It must be a global function of the program's.
 *
 * Source  behaviour of Linux 6.18, bpf_find_exception_callback_insn_off()
 */
#include "verify/call.h"

#include <string.h>

static const char prefix[] = "exception_callback:";

/* The name that the tag of main says; "" if there is none. */
static int find_name(struct verifier *v, const char **ret)
{
	const struct skep_btf *btf = v->program->btf;
	uint32_t main_id = v->program->funcs[0].type_id, n = skep_btf_n_types(btf);

	*ret = "";
	for (uint32_t id = 1; id <= n; id++) {
		const char *text;

		if (skep_btf_kind(btf, id) != SKEP_BTF_DECL_TAG ||
		    skep_btf_target(btf, id) != main_id || skep_btf_tag_component(btf, id) != -1)
			continue;
		text = skep_btf_name(btf, id);
		if (strncmp(text, prefix, sizeof(prefix) - 1))
			continue;
		if (**ret)
			return verify_refuse(v, EXCEPTION_CALLBACKS);
		*ret = text + sizeof(prefix) - 1;
	}
	return 0;
}

static int find_function(struct verifier *v, uint32_t type_id)
{
	for (uint32_t f = 1; f < v->program->n_funcs; f++)
		if (v->program->funcs[f].type_id == type_id) {
			v->exception_func = f;
			return 0;
		}
	return verify_refuse(v, EXCEPTION_CALLBACK_NO_INFO);
}

int verify_exception_callback(struct verifier *v)
{
	struct skep_btf *btf = (struct skep_btf *)v->program->btf;
	const char *name;
	uint32_t id;
	int err;

	if (!btf || !v->program->n_funcs)
		return 0;
	err = find_name(v, &name);
	if (err || !*name)
		return err;
	id = skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_FUNC));
	if (!id)
		return verify_refuse(v, EXCEPTION_CALLBACK_UNKNOWN, name);
	if (!skep_btf_is_global(btf, id))
		return verify_refuse(v, EXCEPTION_CALLBACK_STATIC, name);
	return find_function(v, id);
}
