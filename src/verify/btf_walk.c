/*
 * From an offset in a structure to the member that is there.
 *
 * A load of size bytes at an offset is of the member that covers both; members that are structures
 * are gone into, arrays are taken as so many elements behind each other. What the load brings is
 *
 *	a number          an integer, or part of one, or several elements of an array of them
 *	a pointer         to a structure, which may be gone on with
 *	another pointer   to something without members: it may be read, with faults caught
 *
 * Pointers are loaded whole. A union of several members may hold any of them, so a pointer out of
 * it is not trusted. Type tags say what is special: __user, __percpu, __rcu.
 *
 * Source  behaviour of Linux 6.18, btf_struct_walk()
 */
#include "verify/btf_walk.h"

#include <string.h>

#include <skep/btf.h>

static bool is_struct(const struct skep_btf *btf, uint32_t type)
{
	enum skep_btf_kind kind = skep_btf_kind(btf, type);

	return kind == SKEP_BTF_STRUCT || kind == SKEP_BTF_UNION;
}

/* --- Beyond the end -------------------------------------------------------------------------- */

static int beyond(struct verifier *v, const struct btf_place *place)
{
	return verify_refuse(v, BTF_BEYOND_STRUCT, skep_btf_name(place->btf, place->type),
			     (unsigned)place->off, place->bytes);
}

/* The structure may end in an array of no length: more of it can be there. Return BTF_NUMBER,
 * BTF_STRUCT to go on in an element, or -EACCES */
static int in_open_array(struct verifier *v, struct btf_place *place)
{
	uint32_t n = skep_btf_n_members(place->btf, place->type), array, elem;
	struct skep_btf_member last;
	int64_t bytes;

	if (!place->grows || !n || skep_btf_member(place->btf, place->type, n - 1, &last))
		return beyond(v, place);
	array = skep_btf_strip(place->btf, last.type);
	if (skep_btf_kind(place->btf, array) != SKEP_BTF_ARRAY ||
	    skep_btf_array_len(place->btf, array) || (uint32_t)place->off < last.bit_off / 8)
		return beyond(v, place);
	elem = skep_btf_strip(place->btf, skep_btf_target(place->btf, array));
	if (skep_btf_kind(place->btf, elem) == SKEP_BTF_INT)
		return BTF_NUMBER;
	bytes = skep_btf_size(place->btf, elem);
	if (!is_struct(place->btf, elem) || bytes <= 0)
		return beyond(v, place);
	place->off = (int32_t)((place->off - (int32_t)(last.bit_off / 8)) % bytes);
	place->type = elem;
	return BTF_STRUCT;
}

/* --- One member ------------------------------------------------------------------------------ */

/* A member as it lies in the structure; an array's element in its place. */
struct part {
	const char *name;
	uint32_t type; /* stripped */
	uint32_t off, bytes;
	uint32_t end; /* of the whole member */
};

/* The element of an array, or of an array of arrays, that @off is in. */
static void pick_element(const struct skep_btf *btf, struct part *part, uint32_t off)
{
	uint32_t n = 1;

	if (skep_btf_kind(btf, part->type) != SKEP_BTF_ARRAY)
		return;
	while (skep_btf_kind(btf, part->type) == SKEP_BTF_ARRAY) {
		n *= skep_btf_array_len(btf, part->type);
		part->type = skep_btf_strip(btf, skep_btf_target(btf, part->type));
	}
	part->bytes /= n;
	part->off += (off - part->off) / part->bytes * part->bytes;
}

static uint16_t flag_of_tag(const struct skep_btf *btf, uint32_t pointee)
{
	static const struct {
		const char *tag;
		uint16_t flag;
	} tags[] = {{"user", MEM_USER}, {"percpu", MEM_PERCPU}, {"rcu", MEM_RCU}};

	if (skep_btf_kind(btf, pointee) != SKEP_BTF_TYPE_TAG)
		return 0;
	for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++)
		if (!strcmp(skep_btf_name(btf, pointee), tags[i].tag))
			return tags[i].flag;
	return 0;
}

static int at_pointer(struct verifier *v, struct btf_place *place, const struct part *part)
{
	uint32_t pointee = skep_btf_target(place->btf, part->type);
	uint32_t type = skep_btf_strip(place->btf, pointee);

	if (part->bytes != place->bytes || part->off != (uint32_t)place->off)
		return verify_refuse(v, BTF_PART_OF_POINTER, part->name, part->off,
				     skep_btf_name(place->btf, place->type), (unsigned)place->off,
				     place->bytes);
	if (!is_struct(place->btf, type))
		return BTF_OTHER_PTR;
	place->type = type;
	place->flags |= flag_of_tag(place->btf, pointee);
	place->name = part->name;
	return BTF_STRUCT_PTR;
}

static int at_member(struct verifier *v, struct btf_place *place, const struct part *part)
{
	uint32_t off = (uint32_t)place->off;

	if (is_struct(place->btf, part->type)) {
		place->type = part->type;
		place->off = (int32_t)(off - part->off);
		return BTF_STRUCT;
	}
	if (skep_btf_kind(place->btf, part->type) == SKEP_BTF_PTR)
		return at_pointer(v, place, part);
	if (off + place->bytes > part->end && !(place->flags & PTR_UNTRUSTED))
		return verify_refuse(v, BTF_BEYOND_MEMBER, part->name, part->end,
				     skep_btf_name(place->btf, place->type), off, place->bytes);
	return BTF_NUMBER;
}

/* --- All members ----------------------------------------------------------------------------- */

enum look { LOOK_NEXT, LOOK_NO_FURTHER, LOOK_FOUND, LOOK_FOUND_BITS };

static enum look look_at(const struct btf_place *place, const struct skep_btf_member *member)
{
	uint32_t start = member->bit_off / 8, off = (uint32_t)place->off;
	uint32_t bits_end = (member->bit_off + member->bit_size + 7) / 8;

	if (off + place->bytes <= start)
		return LOOK_NO_FURTHER;
	if (member->bit_size)
		return off <= start && bits_end <= off + place->bytes ? LOOK_FOUND_BITS : LOOK_NEXT;
	return off < start ? LOOK_NO_FURTHER : LOOK_FOUND;
}

static int no_field(struct verifier *v, const struct btf_place *place)
{
	return verify_refuse(v, BTF_NO_FIELD, skep_btf_name(place->btf, place->type), place->off);
}

static int find_member(struct verifier *v, struct btf_place *place)
{
	uint32_t n = skep_btf_n_members(place->btf, place->type);

	for (uint32_t i = 0; i < n; i++) {
		struct skep_btf_member member;
		struct part part;
		enum look look;
		int64_t bytes;

		if (skep_btf_member(place->btf, place->type, i, &member))
			break;
		look = look_at(place, &member);
		if (look == LOOK_NO_FURTHER)
			break;
		if (look == LOOK_FOUND_BITS)
			return BTF_NUMBER;
		if (look == LOOK_NEXT)
			continue;
		bytes = skep_btf_size(place->btf, member.type);
		if (bytes < 0)
			return verify_refuse(v, BTF_NO_SIZE, member.name);
		part = (struct part){member.name, skep_btf_strip(place->btf, member.type),
				     member.bit_off / 8, (uint32_t)bytes, 0};
		part.end = part.off + part.bytes;
		if ((uint32_t)place->off >= part.end)
			continue;
		pick_element(place->btf, &part, (uint32_t)place->off);
		return at_member(v, place, &part);
	}
	return no_field(v, place);
}

static bool is_open_union(const struct btf_place *place)
{
	return skep_btf_kind(place->btf, place->type) == SKEP_BTF_UNION &&
	       skep_btf_n_members(place->btf, place->type) != 1;
}

int verify_btf_step(struct verifier *v, struct btf_place *place)
{
	for (;;) {
		int found;

		place->type = skep_btf_strip(place->btf, place->type);
		if (!is_struct(place->btf, place->type))
			return verify_refuse(v, BTF_NO_STRUCT,
					     skep_btf_name(place->btf, place->type));
		if (is_open_union(place))
			place->flags |= PTR_UNTRUSTED;
		if (place->off + (int64_t)place->bytes > skep_btf_size(place->btf, place->type)) {
			found = in_open_array(v, place);
			if (found != BTF_STRUCT)
				return found;
			continue;
		}
		found = find_member(v, place);
		if (found != BTF_STRUCT || !place->off)
			return found;
	}
}

int verify_btf_walk(struct verifier *v, struct btf_place *place)
{
	int found;

	do
		found = verify_btf_step(v, place);
	while (found == BTF_STRUCT);
	return found;
}
