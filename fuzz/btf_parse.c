/* Bytes as BTF: parse, ask everything about every type, print everything. */
#include <stdlib.h>
#include <string.h>

#include "skep/btf.h"

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_members(struct skep_btf *btf, uint32_t id)
{
	uint32_t n = skep_btf_n_members(btf, id);
	struct skep_btf_member member, found;
	int64_t value;
	const char *name;
	uint32_t in;

	for (uint32_t i = 0; i <= n; i++) {
		if (!skep_btf_member(btf, id, i, &member) && *member.name && i < 64)
			skep_btf_find_member(btf, id, member.name, strlen(member.name), &found);
		if (!skep_btf_enumerator(btf, id, i, &name, &value) && i < 64)
			skep_btf_find_enumerator(btf, name, strlen(name), &value, &in);
	}
	skep_btf_find_member(btf, id, "absent", 6, &found);
}

static void ask(struct skep_btf *btf, uint32_t id)
{
	const char *name = skep_btf_name(btf, id);
	struct skep_buf out = {0};
	struct skep_btf_int info;
	uint32_t first = skep_btf_find(btf, name, strlen(name), SKEP_BTF_ANY_KIND);

	/* What a name leads to must bear the name, and be no later than what we came from. */
	if (*name && (!first || first > id || strcmp(skep_btf_name(btf, first), name)))
		abort();
	skep_btf_size(btf, id);
	skep_btf_strip(btf, id);
	skep_btf_target(btf, id);
	skep_btf_array_len(btf, id);
	skep_btf_int_info(btf, id, &info);
	ask_members(btf, id);
	skep_btf_print_decl(btf, id, "var", &out);
	skep_btf_print_def(btf, id, true, &out);
	skep_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_btf *btf = NULL, *above = NULL;

	if (skep_btf_parse(data, size, NULL, &btf, NULL))
		return 0;
	/* The first types: printing what refers to itself is bounded, but not cheap. */
	for (uint32_t id = 0; id <= skep_btf_n_types(btf) + 1 && id < 16; id++)
		ask(btf, id);
	if (!skep_btf_parse(data, size, btf, &above, NULL))
		ask(above, skep_btf_n_types(btf) + 1);
	skep_btf_free(above);
	skep_btf_free(btf);
	return 0;
}
