/*
 * struct_ops: tables of functions of the kernel's that programs fill. A map's value has, where the
 * table has functions, descriptors of programs; here they are checked against the kernel's BTF, and
 * ids (with a reference each) are put in their place.
 *
 *	struct bpf_struct_ops_<name> { struct bpf_struct_ops_common common; struct <name> data; }
 *
 * Source  behaviour of Linux 6.18, kernel/bpf/bpf_struct_ops.c
 */
#include "machine/map.h"
#include "machine/prog.h"

#include <string.h>

#define PREFIX "bpf_struct_ops_"

int machine_struct_ops_check(const struct skep_machine *machine, const struct attr_map_create *attr)
{
	const struct skep_btf *btf = machine->kernel_btf;
	uint32_t id = attr->btf_vmlinux_value_type_id;

	if (!id)
		return -EINVAL;
	if (!btf || skep_btf_kind(btf, id) != SKEP_BTF_STRUCT ||
	    strncmp(skep_btf_name(btf, id), PREFIX, strlen(PREFIX)))
		return -SKEP_ENOTSUPP;
	return skep_btf_size(btf, id) == attr->value_size ? 0 : -EINVAL;
}

/* The table within the value. */
struct table {
	const struct skep_btf *btf;
	uint32_t id;
	uint8_t *at;
};

static int find_table(const struct skep_map *map, void *value, struct table *ret)
{
	const struct map_object *object = map->env_ctx;
	const struct skep_btf *btf = object->object.machine->kernel_btf;
	struct skep_btf_member data;
	int err = skep_btf_find_member(btf, object->btf_vmlinux_value_type_id, "data", 4, &data);

	if (err)
		return -EINVAL;
	*ret = (struct table){btf, skep_btf_strip(btf, data.type),
			      (uint8_t *)value + data.bit_off / 8};
	return 0;
}

/* Where member @i has a function; NULL: it is something else. */
static uint64_t *function_at(const struct table *table, uint32_t i)
{
	struct skep_btf_member member;
	uint32_t type;

	if (skep_btf_member(table->btf, table->id, i, &member) || member.bit_off % 64)
		return NULL;
	type = skep_btf_strip(table->btf, member.type);
	if (skep_btf_kind(table->btf, type) != SKEP_BTF_PTR)
		return NULL;
	type = skep_btf_strip(table->btf, skep_btf_target(table->btf, type));
	if (skep_btf_kind(table->btf, type) != SKEP_BTF_FUNC_PROTO)
		return NULL;
	return (uint64_t *)(table->at + member.bit_off / 8);
}

static int fill_function(struct skep_machine *machine, const struct table *table, uint32_t i,
			 uint64_t *function)
{
	struct prog_object *prog;
	int err = machine_prog_object_get(machine, (int)*function, &prog);

	if (err)
		return err;
	if (prog->type == PROG_STRUCT_OPS && prog->attach_btf_id == table->id &&
	    prog->expected_attach_type == i) {
		*function = prog->object.id;
		return 0;
	}
	machine_object_put(&prog->object);
	return -EINVAL;
}

static void unfill_up_to(struct skep_machine *machine, const struct table *table, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t *function = function_at(table, i);
		struct object *object;

		if (!function || !*function)
			continue;
		object = machine_object_by_id(machine, OBJECT_PROG, (uint32_t)*function, false);
		*function = 0;
		if (!object)
			continue;
		machine_object_put(object); /* the table's */
		machine_object_put(object);
	}
}

int machine_struct_ops_fill(struct skep_map *map, void *value)
{
	struct skep_machine *machine = ((struct map_object *)map->env_ctx)->object.machine;
	struct table table;
	uint32_t n;
	int err = find_table(map, value, &table);

	if (err)
		return err;
	n = skep_btf_n_members(table.btf, table.id);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t *function = function_at(&table, i);

		err = function && *function ? fill_function(machine, &table, i, function) : 0;
		if (!err)
			continue;
		unfill_up_to(machine, &table, i);
		return err;
	}
	return 0;
}

void machine_struct_ops_unfill(struct skep_map *map, void *value)
{
	struct skep_machine *machine = ((struct map_object *)map->env_ctx)->object.machine;
	struct table table;

	if (!find_table(map, value, &table))
		unfill_up_to(machine, &table, skep_btf_n_members(table.btf, table.id));
}
