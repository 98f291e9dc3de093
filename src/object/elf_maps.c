/*
 * Maps in an ELF file.
 *
 * A map that programs name is a variable of section .maps, whose BTF type is a
 * struct that spells its attributes: numbers as pointers to arrays of that
 * many elements, key and value as pointers to their types. A map whose value
 * programs use by address is what libbpf makes of a data section: an array of
 * one value, .rodata.NAME if it is frozen, .data.NAME otherwise, with its first
 * contents. Nothing in the format is both.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include <skep/btf.h>

#include "object/elf_writer.h"

/* --- How they are used ----------------------------------------------------------------- */

static int note_use(struct elf_writer *writer, const struct skep_object_prog *prog,
		    const struct skep_insn *insn)
{
	uint32_t nr = (uint32_t)insn->imm;
	bool as_map = insn->src == SKEP_PSEUDO_MAP_IDX;

	if (!as_map && insn->src != SKEP_PSEUDO_MAP_IDX_VALUE)
		return 0;
	if (nr >= writer->object->n_maps)
		return skep_diag_fail(writer->diag, -EINVAL, SKEP_DIAG_OBJ_MAP_NR, SKEP_NOWHERE,
				      prog->name, nr, writer->object->n_maps);
	writer->maps[nr].as_map |= as_map;
	writer->maps[nr].by_address |= !as_map;
	return 0;
}

static bool all_zero(const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i])
			return false;
	}
	return true;
}

static bool has_contents(const struct skep_object_map *map)
{
	return map->init && !all_zero(map->init, map->value_size);
}

static bool is_one_value(const struct skep_object_map *map)
{
	return map->type == BPF_MAP_TYPE_ARRAY && map->max_entries == 1 && map->key_size == 4 &&
	       map->value_size;
}

/* A data section also keeps the contents of an array that no program names at all. */
static bool is_data(const struct elf_map *use, const struct skep_object_map *map)
{
	return use->by_address || (!use->as_map && has_contents(map) && is_one_value(map));
}

static int check_map(const struct elf_writer *writer, size_t nr)
{
	const struct skep_object_map *map = &writer->object->maps[nr];
	const struct elf_map *use = &writer->maps[nr];
	enum skep_diag_id id = SKEP_DIAG_NONE;

	if (use->as_map && use->by_address)
		id = SKEP_DIAG_OBJ_MAP_BOTH;
	else if (use->by_address && !is_one_value(map))
		id = SKEP_DIAG_OBJ_MAP_VALUE;
	else if (!is_data(use, map) && has_contents(map))
		id = SKEP_DIAG_OBJ_MAP_INIT;
	return id ? skep_diag_fail(writer->diag, -EINVAL, id, SKEP_NOWHERE, map->name) : 0;
}

int elf_maps_check(struct elf_writer *writer)
{
	const struct skep_object *object = writer->object;
	int err = 0;

	if (object->n_maps)
		writer->maps = skep_arena_array(&writer->arena, struct elf_map, object->n_maps);
	for (size_t i = 0; i < object->n_progs && !err; i++) {
		const struct skep_object_prog *prog = &object->progs[i];
		for (size_t at = 0; at + 1 < prog->n_insns && !err; at++) {
			if (prog->insns[at].code == (SKEP_LD | SKEP_DW | SKEP_IMM))
				err = note_use(writer, prog, &prog->insns[at++]);
		}
	}
	for (size_t i = 0; i < object->n_maps && !err; i++)
		err = check_map(writer, i);
	return err;
}

/* --- Data sections --------------------------------------------------------------------- */

static bool is_under(const char *name, const char *section)
{
	size_t len = strlen(section);

	return !strncmp(name, section, len) && (!name[len] || name[len] == '.');
}

static const char *data_section_name(struct elf_writer *writer, const struct skep_object_map *map)
{
	const char *section = map->freeze ? ".rodata" : ".data";

	if (is_under(map->name, section))
		return map->name;
	return skep_arena_printf(&writer->arena, "%s.%s", section,
				 map->name + strspn(map->name, "."));
}

/* Names in BTF and of symbols are C's. */
static char *c_name(struct elf_writer *writer, const char *name)
{
	char *copy = skep_arena_strdup(&writer->arena, name);

	for (char *at = copy; *at; at++) {
		if (*at == '.')
			*at = '_';
	}
	if (copy[0] >= '0' && copy[0] <= '9')
		copy = skep_arena_printf(&writer->arena, "_%s", copy);
	return copy;
}

static void write_data_map(struct elf_writer *writer, size_t nr)
{
	const struct skep_object_map *map = &writer->object->maps[nr];
	const char *name = data_section_name(writer, map);
	uint64_t flags = SHF_ALLOC | (map->freeze ? 0 : SHF_WRITE);
	unsigned section = skep_elf_out_section(&writer->out, name, flags, 8);
	struct skep_buf *data = skep_elf_out_data(&writer->out, section);

	if (map->init)
		skep_buf_add(data, map->init, map->value_size);
	else
		skep_buf_fill(data, '\0', map->value_size);
	writer->maps[nr].symbol = skep_elf_out_section_symbol(&writer->out, section);
	if (!map->btf_value)
		return;
	/* libbpf looks for a symbol of every variable that a section's BTF names */
	const char *variable = c_name(writer, map->name);
	uint32_t var = skep_btf_add_var(writer->btf, variable, map->btf_value, false);
	skep_elf_out_symbol(&writer->out, variable, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), section,
			    0, map->value_size);
	skep_btf_add_datasec(writer->btf, name, map->value_size);
	skep_btf_add_secinfo(writer->btf, var, 0, map->value_size);
}

/* --- Section .maps --------------------------------------------------------------------- */

enum { MAX_ATTRIBUTES = 5, POINTER_BYTES = 8 };

struct definition {
	struct skep_btf_writer *btf;
	uint32_t byte; /* element type of the arrays that spell numbers: one byte, so that any
			  32-bit number is a size the kernel takes */
	struct {
		const char *name;
		uint32_t type;
	} attributes[MAX_ATTRIBUTES];
	size_t n;
};

static void add_attribute(struct definition *def, const char *name, uint32_t target)
{
	def->attributes[def->n].name = name;
	def->attributes[def->n++].type = skep_btf_add_ptr(def->btf, target);
}

static void add_number(struct definition *def, const char *name, uint32_t value)
{
	if (value)
		add_attribute(def, name, skep_btf_add_array(def->btf, def->byte, value));
}

/* "key", by type, or "key_size" */
static void add_side(struct definition *def, const char *by_type, const char *by_size,
		     uint32_t type, uint32_t size)
{
	if (type && size)
		add_attribute(def, by_type, type);
	else
		add_number(def, by_size, size);
}

static uint32_t map_flags(const struct skep_object_map *map)
{
	return map->flags | (map->freeze ? BPF_F_RDONLY_PROG : 0);
}

/* The struct's BTF; returns its id. */
static uint32_t define(struct definition *def, const struct skep_object_map *map)
{
	def->n = 0;
	add_number(def, "type", map->type);
	add_number(def, "max_entries", map->max_entries);
	add_number(def, "map_flags", map_flags(map));
	add_side(def, "key", "key_size", map->btf_key, map->key_size);
	add_side(def, "value", "value_size", map->btf_value, map->value_size);
	uint32_t id = skep_btf_add_struct(def->btf, NULL, (uint32_t)(def->n * POINTER_BYTES));
	for (size_t i = 0; i < def->n; i++)
		skep_btf_add_member(def->btf, def->attributes[i].name, def->attributes[i].type,
				    (uint32_t)(i * POINTER_BYTES * 8));
	return id;
}

struct variable {
	uint32_t id, off, size;
};

static struct variable write_map(struct elf_writer *writer, unsigned section, size_t nr,
				 struct definition *def)
{
	const char *name = c_name(writer, writer->object->maps[nr].name);
	struct skep_buf *data = skep_elf_out_data(&writer->out, section);
	uint32_t type = define(def, &writer->object->maps[nr]);
	struct variable var = {.id = skep_btf_add_var(writer->btf, name, type, false),
			       .off = (uint32_t)data->len,
			       .size = (uint32_t)(def->n * POINTER_BYTES)};

	skep_buf_fill(data, '\0', var.size);
	writer->maps[nr].symbol =
		skep_elf_out_symbol(&writer->out, name, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
				    section, var.off, var.size);
	return var;
}

void elf_maps_write(struct elf_writer *writer)
{
	const struct skep_object *object = writer->object;
	struct definition def = {.btf = writer->btf};
	SKEP_VEC(struct variable) vars = {0};
	unsigned section = 0;

	for (size_t i = 0; i < object->n_maps; i++) {
		if (is_data(&writer->maps[i], &object->maps[i])) {
			write_data_map(writer, i);
			continue;
		}
		if (!section) {
			section = skep_elf_out_section(&writer->out, ".maps", SHF_ALLOC | SHF_WRITE,
						       8);
			def.byte = skep_btf_add_int(writer->btf, "char", 1, true);
		}
		skep_vec_push(&vars, write_map(writer, section, i, &def));
	}
	if (section)
		skep_btf_add_datasec(writer->btf, ".maps",
				     (uint32_t)skep_elf_out_data(&writer->out, section)->len);
	for (size_t i = 0; i < vars.len; i++)
		skep_btf_add_secinfo(writer->btf, vars.data[i].id, vars.data[i].off,
				     vars.data[i].size);
	skep_vec_done(&vars);
}
