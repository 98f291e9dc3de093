/*
 * An object as an ordinary BPF ELF file, the way libbpf and bpftool read one.
 *
 * A program's entry function goes into the section of its name, with a global
 * symbol; the functions it calls go into .text with local ones, in the
 * program's order, so that calls among them stay relative. References become
 * relocations whose addend stands in the instruction:
 *
 *	a map by name		R_BPF_64_64 against the map's symbol
 *	an address in its value	R_BPF_64_64 against the data section, imm = offset
 *	a function's address	R_BPF_64_64 against .text, imm = offset in bytes
 *	a call into .text	R_BPF_64_32 against .text, imm = offset in slots - 1
 *
 * Source: behaviour of libbpf 1.1 and of clang's BPF back end.
 */
#include <skep/object.h>

#include <errno.h>
#include <string.h>

#include <skep/btf.h>

#include "base/fd.h"
#include "object/elf_writer.h"

enum { SLOT_BYTES = sizeof(struct skep_insn) };
#define LDDW (SKEP_LD | SKEP_DW | SKEP_IMM)

/* --- Functions of a program ------------------------------------------------------------ */

static size_t n_funcs(const struct skep_object_prog *prog)
{
	return prog->n_funcs ? prog->n_funcs : 1;
}

static size_t func_start(const struct skep_object_prog *prog, size_t func)
{
	return func < prog->n_funcs ? prog->funcs[func].insn : func ? prog->n_insns : 0;
}

/* The function that starts at slot @at, or 0: nobody calls the entry. */
static size_t func_at(const struct skep_object_prog *prog, int64_t at)
{
	for (size_t i = 1; i < prog->n_funcs; i++) {
		if (prog->funcs[i].insn == at)
			return i;
	}
	return 0;
}

static bool names_func(const struct skep_insn *insn)
{
	return (insn->code == LDDW && insn->src == SKEP_PSEUDO_FUNC) ||
	       (insn->code == (SKEP_JMP | SKEP_CALL) && insn->src == SKEP_CALL_LOCAL);
}

static size_t slots_of(const struct skep_insn *insn)
{
	return insn->code == LDDW ? 2 : 1;
}

/* --- Checks ---------------------------------------------------------------------------- */

static bool divides(const struct skep_object_prog *prog)
{
	for (size_t i = 0; i < n_funcs(prog); i++) {
		if (func_start(prog, i + 1) <= func_start(prog, i) ||
		    func_start(prog, i + 1) > prog->n_insns)
			return false;
	}
	return func_start(prog, 0) == 0;
}

static int check_calls(const struct elf_writer *writer, const struct skep_object_prog *prog)
{
	for (size_t at = 0; at < prog->n_insns; at += slots_of(&prog->insns[at])) {
		const struct skep_insn *insn = &prog->insns[at];
		bool cut = insn->code == LDDW && at + 1 == prog->n_insns;
		if (cut || (names_func(insn) && !func_at(prog, (int64_t)at + 1 + insn->imm)))
			return skep_diag_fail(writer->diag, -EINVAL, SKEP_DIAG_OBJ_CALL,
					      SKEP_NOWHERE, at, prog->name);
	}
	return 0;
}

static int check_prog(const struct elf_writer *writer, const struct skep_object_prog *prog)
{
	const char *section = prog->section ? prog->section : "";

	if (!*section || *section == '.')
		return skep_diag_fail(writer->diag, -EINVAL, SKEP_DIAG_OBJ_SECTION, SKEP_NOWHERE,
				      prog->name, *section ? section : "none");
	if (!divides(prog))
		return skep_diag_fail(writer->diag, -EINVAL, SKEP_DIAG_OBJ_FUNCS, SKEP_NOWHERE,
				      prog->name);
	return check_calls(writer, prog);
}

static int check(struct elf_writer *writer)
{
	int err = 0;

	for (size_t i = 0; i < writer->object->n_progs && !err; i++)
		err = check_prog(writer, &writer->object->progs[i]);
	return err ? err : elf_maps_check(writer);
}

/* --- Instructions ---------------------------------------------------------------------- */

/* Sections of instructions are few, and mostly one per program: looking from the last one back
 * finds it at once. */
static struct elf_code *find_code(struct elf_writer *writer, const char *name)
{
	for (size_t i = writer->codes.len; i-- > 0;) {
		if (!strcmp(writer->codes.data[i].name, name))
			return &writer->codes.data[i];
	}
	struct elf_code *code = skep_vec_add(&writer->codes);
	code->name = name;
	code->section =
		skep_elf_out_section(&writer->out, name, SHF_ALLOC | SHF_EXECINSTR, SLOT_BYTES);
	return code;
}

/* One program on its way: where its functions beside the entry lie in .text. */
struct placement {
	const struct skep_object_prog *prog;
	unsigned text;    /* section .text; 0: there is none */
	size_t text_base; /* where its functions begin there, bytes */
};

static size_t text_offset(const struct placement *place, size_t func)
{
	size_t slots = func_start(place->prog, func) - func_start(place->prog, 1);

	return place->text_base + slots * SLOT_BYTES;
}

static void relocate_map(struct elf_writer *writer, unsigned section, size_t at,
			 struct skep_insn *insns)
{
	unsigned symbol = writer->maps[insns[0].imm].symbol;

	insns[0].imm = insns[0].src == SKEP_PSEUDO_MAP_IDX_VALUE ? insns[1].imm : 0;
	insns[0].src = 0;
	insns[1].imm = 0;
	skep_elf_out_rel(&writer->out, section, at, symbol, R_BPF_64_64);
}

static void relocate_func(struct elf_writer *writer, const struct placement *place,
			  unsigned section, size_t at, struct skep_insn *insn, size_t slot)
{
	size_t func = func_at(place->prog, (int64_t)slot + 1 + insn->imm);
	unsigned symbol = skep_elf_out_section_symbol(&writer->out, place->text);
	bool call = insn->code != LDDW;

	if (call && section == place->text)
		return; /* stays relative */
	insn->imm = (int32_t)text_offset(place, func);
	if (call)
		insn->imm = insn->imm / SLOT_BYTES - 1;
	else
		insn->src = 0;
	skep_elf_out_rel(&writer->out, section, at, symbol, call ? R_BPF_64_32 : R_BPF_64_64);
}

/* Copy one instruction; @slot is its place in the program. */
static void put_insn(struct elf_writer *writer, const struct placement *place, unsigned section,
		     size_t slot)
{
	struct skep_insn insns[2] = {place->prog->insns[slot]};
	size_t slots = slots_of(insns), at = skep_elf_out_data(&writer->out, section)->len;

	if (slots == 2)
		insns[1] = place->prog->insns[slot + 1];
	if (names_func(insns))
		relocate_func(writer, place, section, at, insns, slot);
	else if (slots == 2 &&
		 (insns->src == SKEP_PSEUDO_MAP_IDX || insns->src == SKEP_PSEUDO_MAP_IDX_VALUE))
		relocate_map(writer, section, at, insns);
	skep_buf_add(skep_elf_out_data(&writer->out, section), insns, slots * SLOT_BYTES);
}

static const char *func_name(const struct skep_object_prog *prog, size_t func)
{
	const char *name = func < prog->n_funcs ? prog->funcs[func].name : NULL;

	return func == 0 ? prog->name : name ? name : "subprog";
}

static void put_func(struct elf_writer *writer, const struct placement *place,
		     struct elf_code *code, size_t func, const struct skep_line_records *lines)
{
	const struct skep_object_prog *prog = place->prog;
	size_t from = func_start(prog, func), to = func_start(prog, func + 1);
	size_t at = skep_elf_out_data(&writer->out, code->section)->len;
	uint8_t info = ELF64_ST_INFO(func ? STB_LOCAL : STB_GLOBAL, STT_FUNC);

	skep_elf_out_symbol(&writer->out, func_name(prog, func), info, code->section, at,
			    (to - from) * SLOT_BYTES);
	elf_btf_add_func(writer, code, prog, func, at);
	elf_btf_add_lines(code, lines, from, to, at);
	for (size_t slot = from; slot < to; slot += slots_of(&prog->insns[slot]))
		put_insn(writer, place, code->section, slot);
}

static void put_prog(struct elf_writer *writer, const struct skep_object_prog *prog)
{
	struct placement place = {.prog = prog};
	struct skep_line_records lines = {0};

	skep_line_index_records(&writer->lines, prog, &lines);
	if (n_funcs(prog) > 1) {
		place.text = find_code(writer, ".text")->section;
		place.text_base = skep_elf_out_data(&writer->out, place.text)->len;
	}
	put_func(writer, &place, find_code(writer, prog->section), 0, &lines);
	for (size_t func = 1; func < n_funcs(prog); func++)
		put_func(writer, &place, find_code(writer, ".text"), func, &lines);
	skep_vec_done(&lines);
}

/* --- The whole ------------------------------------------------------------------------- */

static void put_license(struct elf_writer *writer)
{
	const char *license = writer->object->license;
	unsigned section = skep_elf_out_section(&writer->out, "license", SHF_ALLOC | SHF_WRITE, 1);

	skep_buf_add(skep_elf_out_data(&writer->out, section), license, strlen(license) + 1);
}

static void put_all(struct elf_writer *writer)
{
	put_license(writer);
	elf_maps_write(writer);
	for (size_t i = 0; i < writer->object->n_progs; i++)
		put_prog(writer, &writer->object->progs[i]);
	elf_btf_write(writer);
}

static int finish(const struct elf_writer *writer, int fd)
{
	_cleanup_buf_ struct skep_buf file = {0};
	size_t n = skep_elf_out_n_sections(&writer->out);

	if (n > SKEP_ELF_MAX_SECTIONS)
		return skep_diag_fail(writer->diag, -E2BIG, SKEP_DIAG_OBJ_LARGE, SKEP_NOWHERE, n,
				      (unsigned)SKEP_ELF_MAX_SECTIONS);
	skep_elf_out_finish(&writer->out, &file);
	int err = skep_fd_write(fd, file.data, file.len);
	return err ? skep_diag_fail(writer->diag, err, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE,
				    "the ELF file", strerror(-err))
		   : 0;
}

static void writer_init(struct elf_writer *writer, const struct skep_object *object,
			struct skep_diag *diag)
{
	*writer = (struct elf_writer){.object = object, .diag = diag};
	writer->btf = object->btf ? object->btf : skep_btf_writer_new();
	skep_arena_init(&writer->arena);
	skep_elf_out_init(&writer->out);
	skep_line_index_init(&writer->lines, object->source, writer->btf);
}

static void writer_done(struct elf_writer *writer)
{
	if (writer->btf != writer->object->btf)
		skep_btf_writer_free(writer->btf);
	for (size_t i = 0; i < writer->codes.len; i++) {
		skep_buf_done(&writer->codes.data[i].funcs);
		skep_buf_done(&writer->codes.data[i].lines);
	}
	skep_vec_done(&writer->codes);
	skep_line_index_done(&writer->lines);
	skep_elf_out_done(&writer->out);
	skep_arena_done(&writer->arena);
}

int skep_object_write_elf(const struct skep_object *object, int fd, struct skep_diag *diag)
{
	__attribute__((cleanup(writer_done))) struct elf_writer writer;

	writer_init(&writer, object, diag);
	int err = check(&writer);
	if (err)
		return err;
	put_all(&writer);
	return finish(&writer, fd);
}
