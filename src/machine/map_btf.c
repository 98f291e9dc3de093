/*
 * What BTF says of a map's key and value: their sizes. The special fields of the value are found by
 * verify/fields.c, which has to know them too.
 */
#include "machine/machine.h"
#include "machine/map.h"

#include <skep/btf.h>
#include <skep/verify.h>

#define ON(type) (1ull << SKEP_MAP_##type)

int machine_map_fields_find(struct skep_btf *btf, uint32_t value_type, uint32_t value_size,
			    struct skep_map_field *ret)
{
	return skep_fields_find(btf, value_type, value_size, false, ret);
}

/* --- Sizes ---------------------------------------------------------------------------------- */

/* Types that may do without a key in BTF. */
static bool key_may_be_void(uint32_t type)
{
	return 1ull << type & (ON(ARRAY) | ON(PERCPU_ARRAY) | ON(QUEUE) | ON(STACK) | ON(LPM_TRIE) |
			       ON(BLOOM_FILTER) | ON(ARENA) | ON(SK_STORAGE) | ON(INODE_STORAGE) |
			       ON(TASK_STORAGE) | ON(CGRP_STORAGE));
}

int machine_map_check_btf(struct skep_btf *btf, const struct attr_map_create *attr)
{
	uint32_t n = skep_btf_n_types(btf);

	if (attr->btf_key_type_id > n || attr->btf_value_type_id > n)
		return -EINVAL;
	if (attr->btf_key_type_id) {
		if (skep_btf_size(btf, attr->btf_key_type_id) != attr->key_size)
			return -EINVAL;
	} else if (!key_may_be_void(attr->type)) {
		return -EINVAL;
	}
	return skep_btf_size(btf, attr->btf_value_type_id) == attr->value_size ? 0 : -EINVAL;
}
