/*
 * Special fields of a map's value or of an object of the program's own: locks, timers, pointers to
 * kernel objects, lists, trees.
 *
 * A field is found by its type's name in the value's struct, in structs and arrays within, or, for
 * the value of a section, in its variables. Errors are those of the kernel's parser: -E2BIG too
 * many, -EEXIST a lock or timer twice, -EINVAL not aligned or of another size.
 *
 * The machine asks for a map's when it is made; the verifier for those of what bpf_obj_new() gives.
 */

#include <skep/verify.h>

#include <errno.h>
#include <string.h>

#include <skep/btf.h>

#define MAX_DEPTH 4 /* structs and arrays in one another */

struct field_type {
	const char *name;
	enum skep_field_kind kind;
	uint32_t size;
	bool once; /* one in a value */
};

static const struct field_type types[] = {
	{"bpf_spin_lock", SKEP_FIELD_SPIN_LOCK, 4, true},
	{"bpf_res_spin_lock", SKEP_FIELD_RES_SPIN_LOCK, 4, true},
	{"bpf_timer", SKEP_FIELD_TIMER, 16, true},
	{"bpf_wq", SKEP_FIELD_WORKQUEUE, 16, true},
	{"bpf_task_work", SKEP_FIELD_TASK_WORK, 8, true},
	{"bpf_list_head", SKEP_FIELD_LIST_HEAD, 16, false},
	{"bpf_rb_root", SKEP_FIELD_RB_ROOT, 16, false},
	{"bpf_refcount", SKEP_FIELD_REFCOUNT, 4, true},
	/* objects of the program's own alone: */
	{"bpf_list_node", SKEP_FIELD_LIST_NODE, 24, false},
	{"bpf_rb_node", SKEP_FIELD_RB_NODE, 32, false},
};

/* pointers, by the tag of what they point to */
static const struct {
	const char *tag;
	enum skep_field_kind kind;
	enum skep_kptr_kind kptr;
} pointers[] = {
	{"kptr_untrusted", SKEP_FIELD_KPTR, SKEP_KPTR_UNTRUSTED},
	{"kptr", SKEP_FIELD_KPTR, SKEP_KPTR_REF},
	{"percpu_kptr", SKEP_FIELD_KPTR, SKEP_KPTR_PERCPU},
	{"uptr", SKEP_FIELD_UPTR, SKEP_KPTR_UNTRUSTED},
};

struct search {
	struct skep_btf *btf;
	struct skep_map_field *fields;
	int n;
	uint32_t size; /* of the value */
	bool object;   /* of the program's own, not a map's value */
};

static bool is_node(enum skep_field_kind kind)
{
	return kind == SKEP_FIELD_LIST_NODE || kind == SKEP_FIELD_RB_NODE;
}

static const struct field_type *type_called(const char *name, bool object)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(name, types[i].name))
			return object || !is_node(types[i].kind) ? &types[i] : NULL;
	return NULL;
}

static int add(struct search *search, struct skep_map_field field)
{
	if (search->n == SKEP_MAP_MOST_FIELDS)
		return -E2BIG;
	if (field.off + field.size > search->size)
		return -EINVAL;
	search->fields[search->n++] = field;
	return 0;
}

static int add_typed(struct search *search, const struct field_type *type, uint32_t id,
		     uint32_t off)
{
	uint32_t align = type->size < 8 ? type->size : 8;

	if (skep_btf_size(search->btf, id) != type->size || off % align)
		return -EINVAL;
	for (int i = 0; type->once && i < search->n; i++)
		if (search->fields[i].kind == type->kind)
			return -EEXIST;
	return add(search,
		   (struct skep_map_field){.kind = type->kind, .off = off, .size = type->size});
}

static int add_pointer(struct search *search, uint32_t id, uint32_t off)
{
	uint32_t tag = skep_btf_target(search->btf, id), to;
	const char *name;

	if (skep_btf_kind(search->btf, tag) != SKEP_BTF_TYPE_TAG)
		return 0;
	name = skep_btf_name(search->btf, tag);
	to = skep_btf_strip(search->btf, tag);
	for (size_t i = 0; i < sizeof(pointers) / sizeof(*pointers); i++) {
		if (strcmp(name, pointers[i].tag))
			continue;
		if (off % 8 || skep_btf_kind(search->btf, to) != SKEP_BTF_STRUCT)
			return -EINVAL;
		return add(search, (struct skep_map_field){.kind = pointers[i].kind,
							   .kptr = pointers[i].kptr,
							   .off = off,
							   .size = 8,
							   .btf_id = to});
	}
	return 0;
}

static int search_type(struct search *search, uint32_t id, uint32_t off, int depth);

static int search_members(struct search *search, uint32_t id, uint32_t off, int depth)
{
	uint32_t n = skep_btf_n_members(search->btf, id);

	for (uint32_t i = 0; i < n; i++) {
		struct skep_btf_member member;
		int err = skep_btf_member(search->btf, id, i, &member);

		if (!err && !member.bit_size && member.bit_off % 8 == 0)
			err = search_type(search, member.type, off + member.bit_off / 8, depth + 1);
		if (err)
			return err;
	}
	return 0;
}

static int search_array(struct search *search, uint32_t id, uint32_t off, int depth)
{
	uint32_t elem = skep_btf_target(search->btf, id);
	int64_t size = skep_btf_size(search->btf, elem);
	uint32_t n = skep_btf_array_len(search->btf, id);
	int before = search->n;

	for (uint32_t i = 0; size > 0 && i < n; i++) {
		int err = search_type(search, elem, off + i * (uint32_t)size, depth + 1);

		if (err)
			return err;
		if (search->n == before)
			return 0; /* nothing in one, nothing in any */
	}
	return 0;
}

static int search_type(struct search *search, uint32_t id, uint32_t off, int depth)
{
	uint32_t stripped = skep_btf_strip(search->btf, id);
	const struct field_type *type;

	if (depth > MAX_DEPTH)
		return 0;
	switch (skep_btf_kind(search->btf, stripped)) {
	case SKEP_BTF_STRUCT:
		type = type_called(skep_btf_name(search->btf, stripped), search->object);
		if (type)
			return depth ? add_typed(search, type, stripped, off) : 0;
		return search_members(search, stripped, off, depth);
	case SKEP_BTF_ARRAY: return search_array(search, stripped, off, depth);
	case SKEP_BTF_PTR: return depth ? add_pointer(search, stripped, off) : 0;
	case SKEP_BTF_VAR:
		return search_type(search, skep_btf_target(search->btf, stripped), off, depth);
	case SKEP_BTF_DATASEC: return search_members(search, stripped, off, depth);
	default: return 0;
	}
}

/* --- What lists and trees hold: a tag "contains:<struct>:<member>" on the head ---------------- */

struct holder {
	uint32_t id, member;
};

static int find_tag(struct skep_btf *btf, struct holder holder, const char **ret)
{
	uint32_t n = skep_btf_n_types(btf);

	for (uint32_t id = 1; id <= n; id++) {
		if (skep_btf_kind(btf, id) != SKEP_BTF_DECL_TAG ||
		    skep_btf_target(btf, id) != holder.id ||
		    skep_btf_tag_component(btf, id) != (int32_t)holder.member ||
		    strncmp(skep_btf_name(btf, id), "contains:", 9))
			continue;
		*ret = skep_btf_name(btf, id) + 9;
		return 0;
	}
	return -EINVAL;
}

static int read_contained(struct skep_btf *btf, const char *text, struct skep_map_field *field)
{
	const char *colon = strchr(text, ':');
	struct skep_btf_member node;

	if (!colon)
		return -EINVAL;
	field->btf_id =
		skep_btf_find(btf, text, (size_t)(colon - text), SKEP_BTF_MASK(SKEP_BTF_STRUCT));
	if (!field->btf_id ||
	    skep_btf_find_member(btf, field->btf_id, colon + 1, strlen(colon + 1), &node))
		return -EINVAL;
	field->node_off = node.bit_off / 8;
	return 0;
}

/* The struct or section that has @field as its member, and which. */
static int find_holder(struct skep_btf *btf, uint32_t id, uint32_t off, struct holder *ret)
{
	uint32_t n;

	id = skep_btf_strip(btf, id);
	n = skep_btf_n_members(btf, id);
	for (uint32_t i = 0; i < n; i++) {
		struct skep_btf_member member;

		if (skep_btf_member(btf, id, i, &member) || member.bit_off / 8 != off)
			continue;
		*ret = (struct holder){id, i};
		if (skep_btf_kind(btf, id) == SKEP_BTF_DATASEC)
			*ret = (struct holder){member.type, UINT32_MAX};
		return 0;
	}
	return -EINVAL;
}

static int read_heads(struct search *search, uint32_t value_type)
{
	for (int i = 0; i < search->n; i++) {
		struct skep_map_field *field = &search->fields[i];
		struct holder holder;
		const char *text;
		int err;

		if (field->kind != SKEP_FIELD_LIST_HEAD && field->kind != SKEP_FIELD_RB_ROOT)
			continue;
		err = find_holder(search->btf, value_type, field->off, &holder);
		if (!err)
			err = find_tag(search->btf, holder, &text);
		if (!err)
			err = read_contained(search->btf, text, field);
		if (err)
			return err;
	}
	return 0;
}

int skep_fields_find(struct skep_btf *btf, uint32_t value_type, uint32_t value_size, bool object,
		     struct skep_map_field *ret)
{
	struct search search = {.btf = btf, .fields = ret, .size = value_size, .object = object};
	int err = search_type(&search, value_type, 0, 0);

	if (!err)
		err = read_heads(&search, value_type);
	return err ? err : search.n;
}
