/*
 * Structs and unions: their members, by name. Those of the kernel are looked
 * up in BTF once for each struct and kept.
 */
#include <string.h>

#include <skep/btf.h>

#include "base/vec.h"
#include "trace/run/output_impl.h"

#define MEMBERS_MOST  65536
#define ANONYMOUS_MAX 8

struct skep_record_fields {
	struct skep_record_fields *next;
	const struct skep_record *record;
	SKEP_VEC(struct skep_field) fields;
};

void skep_records_free(struct skep_record_fields *records)
{
	while (records) {
		struct skep_record_fields *next = records->next;
		skep_vec_done(&records->fields);
		free(records);
		records = next;
	}
}

/* --- Members of the kernel's structs ---------------------------------------------------------- */

static struct skep_field field_of(struct skep_types *types, const struct skep_btf_member *member)
{
	struct skep_field field = {.name = member->name, .bit_size = member->bit_size};

	field.type = skep_type_from_btf(types, member->type, SKEP_SPACE_NONE);
	if (!member->bit_size) {
		field.off = member->bit_off / 8;
		return field;
	}
	uint32_t unit = field.type->size ? field.type->size * 8 : 8;
	field.off = member->bit_off / unit * (unit / 8);
	field.bit_off = (uint8_t)(member->bit_off % unit);
	return field;
}

/* Members of anonymous members are members. */
static void collect(struct skep_types *types, struct skep_record_fields *ret, uint32_t id,
		    uint32_t base_bits, int depth)
{
	const struct skep_btf *btf = types->btf;
	uint32_t n = skep_btf_n_members(btf, id);

	for (uint32_t i = 0; i < n && ret->fields.len < MEMBERS_MOST; i++) {
		struct skep_btf_member member;
		if (skep_btf_member(btf, id, i, &member))
			continue;
		member.bit_off += base_bits;
		if (!*member.name && depth < ANONYMOUS_MAX)
			collect(types, ret, skep_btf_strip(btf, member.type), member.bit_off,
				depth + 1);
		else if (*member.name)
			skep_vec_push(&ret->fields, field_of(types, &member));
	}
}

static const struct skep_record_fields *fields_of(struct skep_output *out,
						  const struct skep_record *record)
{
	struct skep_output_state *state = skep_output_state(out);
	/* The program is ours to read; its types are made as they are asked for. */
	struct skep_types *types = (struct skep_types *)&out->program->types;

	for (struct skep_record_fields *it = state->records; it; it = it->next) {
		if (it->record == record)
			return it;
	}
	struct skep_record_fields *ret = skep_xcalloc(1, sizeof(*ret));
	ret->record = record;
	for (uint32_t i = 0; i < record->n_fields; i++)
		skep_vec_push(&ret->fields, record->fields[i]);
	if (record->btf_id && !record->n_fields && skep_types_btf(types))
		collect(types, ret, skep_btf_strip(types->btf, record->btf_id), 0, 0);
	ret->next = state->records;
	state->records = ret;
	return ret;
}

/* --- Printing -------------------------------------------------------------------------------- */

/* A bit field's value as an integer of its type, at @room. */
static struct skep_view bit_field(const struct skep_field *field, const struct skep_view *view,
				  uint64_t *room)
{
	struct skep_view at = *view;
	uint32_t size = field->type->size < 8 ? field->type->size : 8;

	at.type = field->type;
	at.at = view->at + field->off;
	at.len = size;
	uint64_t bits = 0;
	memcpy(&bits, at.at, size);
	unsigned left = 64 - (field->bit_size < 64 ? field->bit_size : 64);
	unsigned up = left > field->bit_off ? left - field->bit_off : 0;
	bits <<= up & 63;
	*room = bits >> (left & 63); /* no sign: see lower/field.c */
	at.at = (const uint8_t *)room;
	return at;
}

static void print_field(struct skep_printer *p, const struct skep_field *field,
			const struct skep_view *view)
{
	uint64_t room;
	struct skep_view at = {.type = field->type};

	if (view->at && field->off <= view->len && field->type->size <= view->len - field->off) {
		if (field->bit_size)
			at = bit_field(field, view, &room);
		else
			at = skep_view_of(field->type, view->at + field->off,
					  view->len - field->off);
	}
	skep_print_value(p, &at);
}

void skep_print_record(struct skep_printer *p, const struct skep_view *view)
{
	const struct skep_record_fields *known = fields_of(p->out, view->type->record);
	struct skep_field *fields = known->fields.data;
	size_t n = known->fields.len;

	if (!n) {
		skep_buf_puts(p->buf, "{}");
		return;
	}
	skep_print_open(p);
	for (size_t i = 0; i < n; i++) {
		skep_print_member(p, (uint32_t)i, fields[i].name);
		print_field(p, &fields[i], view);
	}
	skep_print_close(p);
}
