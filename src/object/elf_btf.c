/*
 * .BTF, and .BTF.ext beside it: which type each function has and which line
 * each instruction came from.
 *
 *	header | size of a function record | section: its functions | …
 *	       | size of a line record     | section: its lines     | …
 *
 * Instruction offsets are in bytes within their section.
 */
#include <string.h>

#include <skep/btf.h>

#include "object/elf_writer.h"

struct ext_header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len;
	uint32_t func_off, func_len; /* offsets count from the header's end */
	uint32_t line_off, line_len;
};

struct func_record {
	uint32_t at, type;
};

enum { BTF_EXT_MAGIC = 0xeb9f, BTF_EXT_VERSION = 1 };

/* The kernel takes the types of all functions of a program, or of none. */
static bool all_typed(const struct skep_object_prog *prog)
{
	for (size_t i = 0; i < prog->n_funcs; i++) {
		if (!prog->funcs[i].btf_func)
			return false;
	}
	return prog->n_funcs;
}

void elf_btf_add_func(struct elf_writer *writer, struct elf_code *code,
		      const struct skep_object_prog *prog, size_t func, size_t at)
{
	if (!writer->object->btf || !all_typed(prog))
		return;
	struct func_record record = {(uint32_t)at, prog->funcs[func].btf_func};
	skep_buf_add(&code->funcs, &record, sizeof(record));
}

void elf_btf_add_lines(struct elf_code *code, const struct skep_line_records *lines, size_t from,
		       size_t to, size_t at)
{
	for (size_t i = 0; i < lines->len; i++) {
		struct skep_line_record record = lines->data[i];
		if (record.insn < from || record.insn >= to)
			continue;
		record.insn = (uint32_t)(at + (record.insn - from) * sizeof(struct skep_insn));
		skep_buf_add(&code->lines, &record, sizeof(record));
	}
}

static void put_u32(struct skep_buf *out, size_t value)
{
	uint32_t word = (uint32_t)value;

	skep_buf_add(out, &word, sizeof(word));
}

static void put_section(struct elf_writer *writer, const char *name, const struct skep_buf *records,
			size_t record_bytes, struct skep_buf *out)
{
	if (!records->len)
		return;
	put_u32(out, skep_btf_add_string(writer->btf, name, strlen(name)));
	put_u32(out, records->len / record_bytes);
	skep_buf_add(out, records->data, records->len);
}

/* Nothing but the record's size would be malformed: no records, no bytes. */
static void put_funcs(struct elf_writer *writer, struct skep_buf *out)
{
	put_u32(out, sizeof(struct func_record));
	for (size_t i = 0; i < writer->codes.len; i++)
		put_section(writer, writer->codes.data[i].name, &writer->codes.data[i].funcs,
			    sizeof(struct func_record), out);
	if (out->len == sizeof(uint32_t))
		out->len = 0;
}

static void put_lines(struct elf_writer *writer, struct skep_buf *out)
{
	put_u32(out, sizeof(struct skep_line_record));
	for (size_t i = 0; i < writer->codes.len; i++)
		put_section(writer, writer->codes.data[i].name, &writer->codes.data[i].lines,
			    sizeof(struct skep_line_record), out);
	if (out->len == sizeof(uint32_t))
		out->len = 0;
}

static void write_ext(struct elf_writer *writer)
{
	_cleanup_buf_ struct skep_buf funcs = {0}, lines = {0};

	put_funcs(writer, &funcs);
	put_lines(writer, &lines);
	if (!funcs.len && !lines.len)
		return;
	struct ext_header header = {
		.magic = BTF_EXT_MAGIC,
		.version = BTF_EXT_VERSION,
		.hdr_len = sizeof(header),
		.func_len = (uint32_t)funcs.len,
		.line_off = (uint32_t)funcs.len,
		.line_len = (uint32_t)lines.len,
	};
	unsigned section = skep_elf_out_section(&writer->out, ".BTF.ext", 0, 4);
	struct skep_buf *data = skep_elf_out_data(&writer->out, section);
	skep_buf_add(data, &header, sizeof(header));
	skep_buf_add(data, funcs.data, funcs.len);
	skep_buf_add(data, lines.data, lines.len);
}

/* .BTF.ext names sections by BTF strings, so it comes first. */
void elf_btf_write(struct elf_writer *writer)
{
	void *data = NULL;
	size_t size = 0;

	write_ext(writer);
	skep_btf_finish(writer->btf, &data, &size);
	unsigned section = skep_elf_out_section(&writer->out, ".BTF", 0, 4);
	skep_buf_add(skep_elf_out_data(&writer->out, section), data, size);
	free(data);
}
