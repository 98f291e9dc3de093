/*
 * Special fields by BTF.
 */
#ifndef SKEP_VERIFY_FIELDS_H
#define SKEP_VERIFY_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/map.h>

/**
 * The special fields of a value of type @value_type, which has @value_size bytes.
 *
 * @object  it is an object of the program's own: nodes of lists and trees are fields too
 * @ret     room for SKEP_MAP_MOST_FIELDS, in the order of the type's members
 * Return   how many | -EINVAL | -EEXIST | -E2BIG
 * Source   behaviour of Linux 6.18, btf_parse_fields()
 */
int verify_fields_find(struct skep_btf *btf, uint32_t value_type, uint32_t value_size, bool object,
		       struct skep_map_field *ret);

#endif
