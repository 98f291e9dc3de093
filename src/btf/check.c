/*
 * The strict look at BTF that comes from elsewhere: every record whole and of
 * a known kind, every name in the strings, every reference to a type that
 * there is. What it lets pass the readers still do not trust (cycles, sizes
 * and offsets may be anything); it is here so that a broken file is refused
 * with the record that is broken, rather than answered from in part.
 *
 * Cost: O(bytes), about 10 ns a record.
 */
#include "btf/reader.h"

#include <errno.h>

#define NO_FIELD UINT8_MAX

/* Where the elements of a kind have their name and their type: words from the element's begin. */
static const struct element {
	uint8_t words, name, type;
} elements[SKEP_BTF_N_KINDS] = {
	[SKEP_BTF_STRUCT] = {3, 0, 1},         [SKEP_BTF_UNION] = {3, 0, 1},
	[SKEP_BTF_ENUM] = {2, 0, NO_FIELD},    [SKEP_BTF_FUNC_PROTO] = {2, 0, 1},
	[SKEP_BTF_DATASEC] = {3, NO_FIELD, 0}, [SKEP_BTF_ENUM64] = {3, 0, NO_FIELD},
};

struct check {
	const struct skep_btf *btf;
	struct skep_diag *diag;
	uint32_t id; /* of the type looked at */
	uint32_t n_types;
};

static int check_name(const struct check *check, uint32_t off)
{
	if (btf_string(check->btf, off))
		return 0;
	return skep_diag_fail(check->diag, -EINVAL, SKEP_DIAG_BTF_NAME, SKEP_NOWHERE, check->id,
			      off);
}

static int check_reference(const struct check *check, uint32_t id)
{
	if (id <= check->n_types)
		return 0;
	return skep_diag_fail(check->diag, -EINVAL, SKEP_DIAG_BTF_REFERENCE, SKEP_NOWHERE,
			      check->id, id, check->n_types);
}

static int check_elements(const struct check *check, const struct wire_type *type)
{
	struct element element = elements[wire_kind(type->info)];
	const uint32_t *words = btf_behind(type);
	int err = 0;

	if (!element.words)
		return 0;
	for (uint32_t i = wire_vlen(type->info); i && !err; i--, words += element.words) {
		if (element.name != NO_FIELD)
			err = check_name(check, words[element.name]);
		if (element.type != NO_FIELD && !err)
			err = check_reference(check, words[element.type]);
	}
	return err;
}

static int check_type(const struct check *check, const struct wire_type *type)
{
	uint32_t kind = wire_kind(type->info);
	const struct wire_array *array = btf_behind(type);
	int err = check_name(check, type->name_off);

	if (!err && BTF_REFERRING & SKEP_BTF_MASK(kind))
		err = check_reference(check, type->type);
	if (!err && kind == SKEP_BTF_ARRAY)
		err = check_reference(check, array->type);
	return err ? err : check_elements(check, type);
}

int btf_check(const struct skep_btf *btf, struct skep_diag *diag)
{
	struct check check = {btf, diag, btf->first_id, skep_btf_n_types(btf)};
	const unsigned char *at = btf->types;
	const struct wire_type *type;

	for (; check.id <= check.n_types; check.id++, at += btf_record_size(type)) {
		type = (const struct wire_type *)at;
		int err = check_type(&check, type);
		if (err)
			return err;
	}
	type = (const struct wire_type *)at;
	if (btf->index->bad == SKEP_DIAG_BTF_KIND)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_BTF_KIND, SKEP_NOWHERE, check.id,
				      wire_kind(type->info));
	if (btf->index->bad)
		return skep_diag_fail(diag, -EINVAL, btf->index->bad, SKEP_NOWHERE, check.id);
	return 0;
}
