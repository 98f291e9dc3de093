/*
 * Types of the kernel's and the program's: is what a pointer points to what is asked for?
 *
 * A struct is what it is called, and also what lies at its beginning: a struct tcp_sock is a struct
 * sock is a struct sock_common. Within it, a pointer that was moved to a member is that member.
 *
 *	struct a { struct b { struct c { int x; } c; } b; }     a, off 0: a, b, c
 *
 * Source  behaviour of Linux 6.18, btf_struct_ids_match(), btf_struct_walk()
 */
#include "verify/call.h"

#include <stdio.h>
#include <string.h>

/* --- Kernel structs by name ------------------------------------------------------------------ */

struct known_struct {
	struct known_struct *next;
	const char *name;
	uint32_t id;
};

uint32_t verify_kernel_struct(struct verifier *v, const char *name)
{
	struct known_struct *known;

	for (known = v->known_structs; known; known = known->next)
		if (known->name == name)
			return known->id;
	if (!v->program->kernel_btf)
		return 0;
	known = skep_arena_array(&v->arena, struct known_struct, 1);
	known->name = name;
	known->id = skep_btf_find((struct skep_btf *)v->program->kernel_btf, name, strlen(name),
				  SKEP_BTF_MASK(SKEP_BTF_STRUCT));
	known->next = v->known_structs;
	v->known_structs = known;
	return known->id;
}

/* --- Structs within structs ------------------------------------------------------------------ */

static bool is_struct(const struct skep_btf *btf, uint32_t id)
{
	enum skep_btf_kind kind = skep_btf_kind(btf, id);

	return kind == SKEP_BTF_STRUCT || kind == SKEP_BTF_UNION;
}

/* The member that has byte @off, an array's element taken for the array; @ret_off: from its
 * beginning. Return its type, stripped, or 0. */
static uint32_t member_at(const struct skep_btf *btf, uint32_t id, int64_t off, int64_t *ret_off)
{
	struct skep_btf_member member;

	for (uint32_t i = 0; !skep_btf_member(btf, id, i, &member); i++) {
		int64_t from = member.bit_off / 8, bytes = skep_btf_size(btf, member.type);
		uint32_t type = skep_btf_strip(btf, member.type);

		if (off < from)
			return 0;
		if (member.bit_size || bytes <= 0 || off >= from + bytes)
			continue;
		off -= from;
		while (skep_btf_kind(btf, type) == SKEP_BTF_ARRAY) {
			type = skep_btf_strip(btf, skep_btf_target(btf, type));
			bytes = skep_btf_size(btf, type);
			if (bytes <= 0)
				return 0;
			off %= bytes;
		}
		*ret_off = off;
		return type;
	}
	return 0;
}

/* The first struct that begins at @off within struct @id. */
static uint32_t struct_at(const struct skep_btf *btf, uint32_t id, int64_t off)
{
	for (unsigned depth = 0; depth < 32; depth++) {
		uint32_t type = member_at(btf, id, off, &off);

		if (!type || !is_struct(btf, type))
			return 0;
		if (!off)
			return type;
		id = type;
	}
	return 0;
}

bool verify_types_match(const struct skep_btf *btf, uint32_t id, int32_t off,
			const struct skep_btf *need_btf, uint32_t need, bool strict)
{
	if (btf != need_btf || !need)
		return false;
	if (!off && id == need)
		return true;
	for (unsigned depth = 0; depth < 32 && !strict; depth++) {
		id = struct_at(btf, id, off);
		if (!id)
			return false;
		if (id == need)
			return true;
		off = 0;
	}
	return false;
}
