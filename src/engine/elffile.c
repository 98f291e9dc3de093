/* Objects built by clang, through libbpf: see elffile.h. */
#include "engine/elffile.h"

#include <bpf/libbpf.h>
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <skep/map.h>

#include "base/vec.h"

#define DEFAULT_ENTRIES 10240
#define DEFAULT_FRAMES  127
#define MOST_SAID       (17u << 20) /* the longest verifier log, and some */

/* --- What libbpf says ------------------------------------------------------------------------ */

static struct skep_buf *listening; /* libbpf's printing has no context */

static int keep_said(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level != LIBBPF_DEBUG && listening && listening->len < MOST_SAID)
		skep_buf_vprintf(listening, fmt, ap);
	return 0;
}

static void listen_to(struct skep_buf *said)
{
	listening = said;
	libbpf_set_print(keep_said);
}

/* --- The file -------------------------------------------------------------------------------- */

bool skep_elffile_is(const void *data, size_t len)
{
	return len >= SELFMAG && !memcmp(data, ELFMAG, SELFMAG);
}

static bool table_is_inside(const Elf64_Ehdr *header, size_t len)
{
	return header->e_shentsize == sizeof(Elf64_Shdr) && header->e_shnum &&
	       header->e_shoff <= len &&
	       header->e_shnum <= (len - header->e_shoff) / sizeof(Elf64_Shdr) &&
	       header->e_shstrndx < header->e_shnum;
}

static bool sections_are_inside(const char *data, const Elf64_Ehdr *header, size_t len)
{
	for (size_t i = 0; i < header->e_shnum; i++) {
		Elf64_Shdr section;

		memcpy(&section, data + header->e_shoff + i * sizeof(section), sizeof(section));
		if (section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL &&
		    (section.sh_offset > len || section.sh_size > len - section.sh_offset))
			return false;
	}
	return true;
}

static int check_file(const char *path, const struct skep_buf *bytes, struct skep_diag *diag)
{
	const unsigned char order =
		__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	Elf64_Ehdr header = {0};

	if (!skep_elffile_is(bytes->data ? bytes->data : "", bytes->len) ||
	    bytes->len < sizeof(header))
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_ELF_FORMAT, SKEP_NOWHERE, path);
	memcpy(&header, bytes->data, sizeof(header));
	if (header.e_machine != EM_BPF || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_type != ET_REL)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_ELF_NOT_BPF, SKEP_NOWHERE, path);
	if (header.e_ident[EI_DATA] != order)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_ELF_ORDER, SKEP_NOWHERE, path);
	if (!table_is_inside(&header, bytes->len) ||
	    !sections_are_inside(bytes->data, &header, bytes->len))
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_ELF_CUT, SKEP_NOWHERE, path);
	return 0;
}

/* "dir/my-prog.bpf.o" → my-prog: what libbpf calls data sections' maps by. */
static void object_name(const char *path, char ret[64])
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	snprintf(ret, 64, "%.*s", (int)strcspn(name, "."), name);
}

int skep_elffile_open(const char *path, struct skep_buf *bytes, struct skep_elffile *ret,
		      struct skep_diag *diag)
{
	struct skep_elffile elf = {.path = path, .bytes = *bytes};
	char name[64];
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name);
	int err = check_file(path, &elf.bytes, diag);

	*bytes = (struct skep_buf){0};
	object_name(path, name);
	listen_to(&elf.said);
	if (!err) {
		elf.object = bpf_object__open_mem(elf.bytes.data, elf.bytes.len, &opts);
		if (!elf.object)
			err = skep_elffile_explain(&elf, false, -errno, diag);
	}
	listening = NULL;
	if (err)
		skep_elffile_close(&elf);
	else
		*ret = elf;
	return err;
}

void skep_elffile_close(struct skep_elffile *elf)
{
	bpf_object__close(elf->object);
	elf->object = NULL;
	skep_buf_done(&elf->bytes);
	skep_buf_done(&elf->said);
}

/* --- Choosing -------------------------------------------------------------------------------- */

typedef SKEP_VEC(const char *) names_vec;

static void list_names(const struct skep_elffile *elf, names_vec *ret)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, elf->object)
	{
		skep_vec_push(ret, bpf_program__name(prog));
	}
}

static void why_names(const names_vec *names, struct skep_diag *diag)
{
	_cleanup_buf_ struct skep_buf all = {0};

	for (size_t i = 0; i < names->len && i < 40; i++)
		skep_buf_printf(&all, "%s%s", i ? ", " : "", names->data[i]);
	skep_diag_why(diag, "it has %s%s", all.data ? all.data : "none",
		      names->len > 40 ? ", …" : "");
}

int skep_elffile_find(const struct skep_elffile *elf, const char *name, struct bpf_program **ret,
		      struct skep_diag *diag)
{
	names_vec names = {0};
	struct bpf_program *prog =
		name ? bpf_object__find_program_by_name(elf->object, name) : NULL;
	int err = 0;

	list_names(elf, &names);
	if (!name && names.len == 1)
		prog = bpf_object__next_program(elf->object, NULL);
	if (!prog && !name && names.len) {
		err = skep_diag_fail(diag, -EINVAL, SKEP_DIAG_PROG_WHICH, SKEP_NOWHERE, elf->path,
				     names.len);
		why_names(&names, diag);
	} else if (!prog) {
		err = skep_diag_fail(diag, -ENOENT, SKEP_DIAG_PROG_NONE, SKEP_NOWHERE, elf->path,
				     name ? name : "at all");
		why_names(&names, diag);
		if (name)
			skep_diag_did_you_mean(diag, name, names.data, names.len);
	} else {
		*ret = prog;
	}
	skep_vec_done(&names);
	return err;
}

/* --- Loading --------------------------------------------------------------------------------- */

static bool has_tail_calls(const struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		if ((uint32_t)bpf_map__type(map) == SKEP_MAP_PROG_ARRAY)
			return true;
	}
	return false;
}

static void choose_programs(const struct bpf_object *object, const struct bpf_program *only)
{
	bool tail_calls = has_tail_calls(object);
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, object)
	{
		bool other = tail_calls && bpf_program__type(prog) == bpf_program__type(only);
		bpf_program__set_autoload(prog, prog == only || other);
	}
}

/* Storages and arrays of events have the size that the kernel gives them. */
static bool sizes_itself(uint32_t type)
{
	return type == SKEP_MAP_PERF_EVENT_ARRAY || type == SKEP_MAP_TASK_STORAGE ||
	       type == SKEP_MAP_SK_STORAGE || type == SKEP_MAP_INODE_STORAGE ||
	       type == SKEP_MAP_CGRP_STORAGE || type == SKEP_MAP_CGROUP_STORAGE ||
	       type == SKEP_MAP_PERCPU_CGROUP_STORAGE;
}

/* What the program that an object belongs to would decide before it loads it. */
static void give_sizes(struct bpf_map *map, struct skep_diag *diag)
{
	uint32_t type = bpf_map__type(map);

	if (type == SKEP_MAP_STACK_TRACE && !bpf_map__value_size(map))
		bpf_map__set_value_size(map, DEFAULT_FRAMES * sizeof(uint64_t));
	if (bpf_map__max_entries(map) || sizes_itself(type))
		return;
	bpf_map__set_max_entries(map, type == SKEP_MAP_RINGBUF ? 256 << 10 : DEFAULT_ENTRIES);
	skep_diag_add(diag, SKEP_DIAG_MAP_SIZED, SKEP_NOWHERE, bpf_map__name(map),
		      bpf_map__max_entries(map));
}

static void prepare_maps(const struct bpf_object *object, bool all, struct skep_diag *diag)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		give_sizes(map, diag);
		if (!all && (uint32_t)bpf_map__type(map) == SKEP_MAP_STRUCT_OPS)
			bpf_map__set_autocreate(map, false);
	}
}

int skep_elffile_load(struct skep_elffile *elf, const struct bpf_program *only,
		      struct skep_diag *diag)
{
	int err;

	if (only)
		choose_programs(elf->object, only);
	prepare_maps(elf->object, !only, diag);
	skep_buf_clear(&elf->said);
	listen_to(&elf->said);
	err = bpf_object__load(elf->object);
	listening = NULL;
	return err ? skep_elffile_explain(elf, true, err, diag) : 0;
}
