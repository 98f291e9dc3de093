/*
 * Lays an ELF file out: header, the sections' bytes one after another, then
 * relocation sections, the symbol table, the string table, and the section
 * headers at the end.
 */
#include "object/elf_out.h"

#include <string.h>

void skep_elf_out_init(struct skep_elf_out *out)
{
	*out = (struct skep_elf_out){0};
	skep_vec_add(&out->sections);
	skep_vec_add(&out->symbols);
}

void skep_elf_out_done(struct skep_elf_out *out)
{
	for (size_t i = 0; i < out->sections.len; i++) {
		skep_buf_done(&out->sections.data[i].data);
		skep_vec_done(&out->sections.data[i].rels);
	}
	skep_vec_done(&out->sections);
	skep_vec_done(&out->symbols);
}

unsigned skep_elf_out_section(struct skep_elf_out *out, const char *name, uint64_t flags,
			      uint32_t align)
{
	struct skep_elf_section *section = skep_vec_add(&out->sections);

	section->name = name;
	section->type = SHT_PROGBITS;
	section->flags = flags;
	section->align = align;
	return (unsigned)out->sections.len - 1;
}

struct skep_buf *skep_elf_out_data(struct skep_elf_out *out, unsigned section)
{
	return &out->sections.data[section].data;
}

unsigned skep_elf_out_symbol(struct skep_elf_out *out, const char *name, uint8_t info,
			     unsigned section, uint64_t value, uint64_t size)
{
	struct skep_elf_symbol *symbol = skep_vec_add(&out->symbols);

	symbol->name = name;
	symbol->global = ELF64_ST_BIND(info) != STB_LOCAL;
	symbol->sym = (Elf64_Sym){.st_info = info,
				  .st_shndx = (Elf64_Half)section,
				  .st_value = value,
				  .st_size = size};
	return (unsigned)out->symbols.len - 1;
}

unsigned skep_elf_out_section_symbol(struct skep_elf_out *out, unsigned section)
{
	struct skep_elf_section *s = &out->sections.data[section];

	if (!s->symbol)
		s->symbol = skep_elf_out_symbol(out, NULL, ELF64_ST_INFO(STB_LOCAL, STT_SECTION),
						section, 0, 0);
	return s->symbol;
}

void skep_elf_out_rel(struct skep_elf_out *out, unsigned section, uint64_t off, unsigned symbol,
		      uint32_t type)
{
	Elf64_Rel rel = {.r_offset = off, .r_info = ELF64_R_INFO(symbol, type)};

	skep_vec_push(&out->sections.data[section].rels, rel);
}

size_t skep_elf_out_n_sections(const struct skep_elf_out *out)
{
	size_t n = out->sections.len + 2; /* .symtab and .strtab */

	for (size_t i = 0; i < out->sections.len; i++)
		n += out->sections.data[i].rels.len != 0;
	return n;
}

/* --- The finished file ------------------------------------------------------------------ */

struct layout {
	const struct skep_elf_out *out;
	struct skep_buf *file;
	size_t start; /* of the file within its buffer */
	struct skep_buf strings;
	SKEP_VEC(Elf64_Shdr) headers;
	SKEP_VEC(uint32_t) numbers; /* symbol handle → number in .symtab */
};

static void layout_done(struct layout *layout)
{
	skep_buf_done(&layout->strings);
	skep_vec_done(&layout->headers);
	skep_vec_done(&layout->numbers);
}

static uint32_t add_string(struct layout *layout, const char *prefix, const char *text)
{
	size_t at = layout->strings.len;

	if (!text)
		return 0;
	skep_buf_puts(&layout->strings, prefix);
	skep_buf_add(&layout->strings, text, strlen(text) + 1);
	return (uint32_t)at;
}

/* Begin the section whose header this is, here. */
static Elf64_Shdr *add_header(struct layout *layout, Elf64_Shdr header)
{
	size_t align = header.sh_addralign ? header.sh_addralign : 1;
	size_t pad = -(layout->file->len - layout->start) & (align - 1);

	skep_buf_fill(layout->file, '\0', pad);
	header.sh_offset = layout->file->len - layout->start;
	skep_vec_push(&layout->headers, header);
	return skep_vec_last(&layout->headers);
}

static void put_sections(struct layout *layout)
{
	skep_vec_push(&layout->headers, (Elf64_Shdr){0});
	for (size_t i = 1; i < layout->out->sections.len; i++) {
		const struct skep_elf_section *section = &layout->out->sections.data[i];
		add_header(layout, (Elf64_Shdr){.sh_name = add_string(layout, "", section->name),
						.sh_type = section->type,
						.sh_flags = section->flags,
						.sh_size = section->data.len,
						.sh_addralign = section->align});
		skep_buf_add(layout->file, section->data.data, section->data.len);
	}
}

/* Locals first, as ELF wants it; returns the number of the first global one. */
static uint32_t number_symbols(struct layout *layout)
{
	const struct skep_elf_out *out = layout->out;
	uint32_t number = 0, n_locals = 0;

	for (size_t i = 0; i < out->symbols.len; i++)
		skep_vec_push(&layout->numbers, 0);
	for (int global = 0; global < 2; global++) {
		for (size_t i = 0; i < out->symbols.len; i++) {
			if (out->symbols.data[i].global == (bool)global)
				layout->numbers.data[i] = number++;
		}
		n_locals = global ? n_locals : number;
	}
	return n_locals;
}

static void put_relocations(struct layout *layout, unsigned symtab)
{
	for (unsigned i = 1; i < layout->out->sections.len; i++) {
		const struct skep_elf_section *section = &layout->out->sections.data[i];
		if (!section->rels.len)
			continue;
		add_header(layout,
			   (Elf64_Shdr){.sh_name = add_string(layout, ".rel", section->name),
					.sh_type = SHT_REL,
					.sh_flags = SHF_INFO_LINK,
					.sh_size = section->rels.len * sizeof(Elf64_Rel),
					.sh_link = symtab,
					.sh_info = i,
					.sh_addralign = 8,
					.sh_entsize = sizeof(Elf64_Rel)});
		for (size_t j = 0; j < section->rels.len; j++) {
			Elf64_Rel rel = section->rels.data[j];
			uint32_t number = layout->numbers.data[ELF64_R_SYM(rel.r_info)];
			rel.r_info = ELF64_R_INFO(number, ELF64_R_TYPE(rel.r_info));
			skep_buf_add(layout->file, &rel, sizeof(rel));
		}
	}
}

static void put_symbols(struct layout *layout, uint32_t n_locals)
{
	const struct skep_elf_out *out = layout->out;
	size_t size = out->symbols.len * sizeof(Elf64_Sym);

	Elf64_Shdr *header =
		add_header(layout, (Elf64_Shdr){.sh_name = add_string(layout, "", ".symtab"),
						.sh_type = SHT_SYMTAB,
						.sh_size = size,
						.sh_info = n_locals,
						.sh_addralign = 8,
						.sh_entsize = sizeof(Elf64_Sym)});
	header->sh_link = (uint32_t)layout->headers.len; /* .strtab comes next */
	size_t table = layout->file->len;
	skep_buf_fill(layout->file, '\0', size);
	for (size_t i = 0; i < out->symbols.len; i++) {
		Elf64_Sym sym = out->symbols.data[i].sym;
		sym.st_name = add_string(layout, "", out->symbols.data[i].name);
		memcpy(layout->file->data + table + layout->numbers.data[i] * sizeof(sym), &sym,
		       sizeof(sym));
	}
}

static void put_strings(struct layout *layout)
{
	uint32_t name = add_string(layout, "", ".strtab");

	add_header(layout, (Elf64_Shdr){.sh_name = name,
					.sh_type = SHT_STRTAB,
					.sh_size = layout->strings.len,
					.sh_addralign = 1});
	skep_buf_add(layout->file, layout->strings.data, layout->strings.len);
}

static uint8_t host_byte_order(void)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
}

static void put_headers(struct layout *layout)
{
	Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, host_byte_order(),
			    EV_CURRENT},
		.e_type = ET_REL,
		.e_machine = EM_BPF,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(header),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = (Elf64_Half)layout->headers.len,
		.e_shstrndx = (Elf64_Half)(layout->headers.len - 1),
	};

	skep_buf_fill(layout->file, '\0', -(layout->file->len - layout->start) & 7);
	header.e_shoff = layout->file->len - layout->start;
	memcpy(layout->file->data + layout->start, &header, sizeof(header));
	skep_buf_add(layout->file, layout->headers.data, layout->headers.len * sizeof(Elf64_Shdr));
}

void skep_elf_out_finish(const struct skep_elf_out *out, struct skep_buf *file)
{
	__attribute__((cleanup(layout_done))) struct layout layout = {
		.out = out, .file = file, .start = file->len};

	skep_buf_fill(file, '\0', sizeof(Elf64_Ehdr));
	skep_buf_addc(&layout.strings, '\0');
	put_sections(&layout);
	uint32_t n_locals = number_symbols(&layout);
	put_relocations(&layout, (unsigned)skep_elf_out_n_sections(out) - 2);
	put_symbols(&layout, n_locals);
	put_strings(&layout);
	put_headers(&layout);
}
