/* See hotspot.h. */
#include "interp/hotspot.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define SEGMENTS_MOST 64
#define DYNAMIC_MOST  256   /* entries */
#define SYMBOLS_MOST  65536 /* of which libjvm.so has some hundred */
#define ENTRIES_MOST  16384 /* of each table, of which there are some hundred */
#define TEXT_BYTES    64    /* longer ones are none of those that are looked for */
#define OFFSET_MOST   0xffff
#define HEAP_MOST     (1ull << 36)
#define SHIFT_MOST    20
#define PAGE_BYTES    4096
#define PAGES         64 /* that are kept while tables are read */

/* Tables and their texts are read in many small pieces of few pages. */
struct pages {
	const struct skep_interp_memory *memory;
	struct page {
		uint64_t addr; /* 0: none */
		uint8_t bytes[PAGE_BYTES];
	} at[PAGES];
};

/* NULL: it cannot be read as a whole. */
static const struct page *get_page(struct pages *pages, uint64_t addr)
{
	struct page *page = &pages->at[addr / PAGE_BYTES % PAGES];

	if (page->addr != addr || !addr) {
		int err = pages->memory->read(pages->memory->ctx, addr, page->bytes, PAGE_BYTES);
		page->addr = err ? 0 : addr;
	}
	return page->addr ? page : NULL;
}

static int read_paged(void *ctx, uint64_t addr, void *ret, size_t n)
{
	struct pages *pages = ctx;
	uint8_t *to = ret;
	int err = 0;

	while (n && !err) {
		uint64_t in = addr % PAGE_BYTES;
		size_t some = n < PAGE_BYTES - in ? n : PAGE_BYTES - in;
		const struct page *page = get_page(pages, addr - in);
		if (page)
			memcpy(to, page->bytes + in, some);
		else
			err = pages->memory->read(pages->memory->ctx, addr, to, some);
		to += some;
		addr += some;
		n -= some;
	}
	return err;
}

/* A text at an address is no longer than there is memory to read: what lies at the end of it. */
static int read_text(const struct skep_interp_memory *m, uint64_t addr, char ret[TEXT_BYTES])
{
	int err = m->read(m->ctx, addr, ret, TEXT_BYTES);

	if (err) {
		uint64_t n = -addr % TEXT_BYTES; /* up to where a page may end */
		memset(ret, 0, TEXT_BYTES);
		err = n ? m->read(m->ctx, addr, ret, n) : err;
	}
	ret[TEXT_BYTES - 1] = '\0';
	return err;
}

static int read_word(const struct skep_interp_memory *m, uint64_t addr, uint64_t *ret)
{
	return m->read(m->ctx, addr, ret, sizeof(*ret));
}

/* --- Exported variables ----------------------------------------------------------------------- */

/* Where the file is mapped, and its table of symbols. */
struct file {
	uint64_t base, symbols, texts;
};

/* The linker writes addresses in place of those of the file, but need not. */
static uint64_t mapped(const struct file *file, uint64_t addr)
{
	return addr < file->base ? file->base + addr : addr;
}

static int find_dynamic(const struct skep_interp_memory *m, uint64_t base, Elf64_Phdr *ret)
{
	Elf64_Ehdr ehdr;
	int err = m->read(m->ctx, base, &ehdr, sizeof(ehdr));

	if (err)
		return err;
	if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0 || ehdr.e_ident[EI_CLASS] != ELFCLASS64)
		return -ENOENT;
	for (uint32_t i = 0; i < ehdr.e_phnum && i < SEGMENTS_MOST; i++) {
		err = m->read(m->ctx, base + ehdr.e_phoff + i * sizeof(*ret), ret, sizeof(*ret));
		if (err || ret->p_type == PT_DYNAMIC)
			return err;
	}
	return -ENOENT;
}

static int find_symbols(const struct skep_interp_memory *m, uint64_t base, struct file *ret)
{
	Elf64_Phdr dynamic;
	int err = find_dynamic(m, base, &dynamic);

	*ret = (struct file){.base = base};
	for (uint64_t i = 0; !err && i < DYNAMIC_MOST; i++) {
		Elf64_Dyn entry;
		err = m->read(m->ctx, base + dynamic.p_vaddr + i * sizeof(entry), &entry,
			      sizeof(entry));
		if (err || entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_SYMTAB)
			ret->symbols = mapped(ret, entry.d_un.d_ptr);
		else if (entry.d_tag == DT_STRTAB)
			ret->texts = mapped(ret, entry.d_un.d_ptr);
	}
	return err || (ret->symbols && ret->texts > ret->symbols) ? err : -ENOENT;
}

/* What is exported of the tables: where they are, and how their entries are laid out. */
enum variable {
	STRUCTS,
	STRUCT_TYPE,
	STRUCT_FIELD,
	STRUCT_IS_STATIC,
	STRUCT_OFFSET,
	STRUCT_ADDRESS,
	STRUCT_STRIDE,
	TYPES,
	TYPE_NAME,
	TYPE_SIZE,
	TYPE_STRIDE,
	VARIABLE_CNT
};
static const char *const variables[] = {
	[STRUCTS] = "gHotSpotVMStructs",
	[STRUCT_TYPE] = "gHotSpotVMStructEntryTypeNameOffset",
	[STRUCT_FIELD] = "gHotSpotVMStructEntryFieldNameOffset",
	[STRUCT_IS_STATIC] = "gHotSpotVMStructEntryIsStaticOffset",
	[STRUCT_OFFSET] = "gHotSpotVMStructEntryOffsetOffset",
	[STRUCT_ADDRESS] = "gHotSpotVMStructEntryAddressOffset",
	[STRUCT_STRIDE] = "gHotSpotVMStructEntryArrayStride",
	[TYPES] = "gHotSpotVMTypes",
	[TYPE_NAME] = "gHotSpotVMTypeEntryTypeNameOffset",
	[TYPE_SIZE] = "gHotSpotVMTypeEntrySizeOffset",
	[TYPE_STRIDE] = "gHotSpotVMTypeEntryArrayStride",
};

/* The values of those that @sym may be one of. */
static void take_symbol(const struct skep_interp_memory *m, const struct file *file,
			const Elf64_Sym *sym, uint64_t values[VARIABLE_CNT])
{
	char name[TEXT_BYTES];

	if (ELF64_ST_TYPE(sym->st_info) != STT_OBJECT || sym->st_size != sizeof(uint64_t) ||
	    read_text(m, file->texts + sym->st_name, name))
		return;
	for (int i = 0; i < VARIABLE_CNT; i++) {
		if (!strcmp(name, variables[i]) &&
		    read_word(m, file->base + sym->st_value, &values[i]))
			values[i] = 0;
	}
}

/* In the file, the texts lie behind the symbols. */
static int read_variables(const struct skep_interp_memory *m, uint64_t base,
			  uint64_t values[VARIABLE_CNT])
{
	struct file file;
	int err = find_symbols(m, base, &file);

	memset(values, 0, VARIABLE_CNT * sizeof(*values));
	if (err)
		return err;
	uint64_t n = (file.texts - file.symbols) / sizeof(Elf64_Sym);
	for (uint64_t i = 0; i < n && i < SYMBOLS_MOST; i++) {
		Elf64_Sym sym;
		err = m->read(m->ctx, file.symbols + i * sizeof(sym), &sym, sizeof(sym));
		if (err)
			return err;
		take_symbol(m, &file, &sym, values);
	}
	return values[STRUCTS] && values[TYPES] ? 0 : -ENOENT;
}

/* --- The tables ------------------------------------------------------------------------------- */

enum wanted {
#define HOTSPOT_FIELD(id, type, field) WANT_##id,
#define HOTSPOT_ALIAS(id, type, field)
#define HOTSPOT_SIZE(id, type) WANT_##id,
#include "interp/hotspot.def"
#undef HOTSPOT_FIELD
#undef HOTSPOT_ALIAS
#undef HOTSPOT_SIZE
	WANT_CNT
};

static const struct row {
	const char *type, *field; /* NULL: it is the type's size that is wanted */
	enum wanted id;
} rows[] = {
#define HOTSPOT_FIELD(Id, Type, Field) {Type, Field, WANT_##Id},
#define HOTSPOT_ALIAS(Id, Type, Field) {Type, Field, WANT_##Id},
#define HOTSPOT_SIZE(Id, Type)         {Type, NULL, WANT_##Id},
#include "interp/hotspot.def"
#undef HOTSPOT_FIELD
#undef HOTSPOT_ALIAS
#undef HOTSPOT_SIZE
};

/* As they are told where they are missing. */
static const char *const words[WANT_CNT] = {
#define HOTSPOT_FIELD(id, type, field) [WANT_##id] = type "." field,
#define HOTSPOT_ALIAS(id, type, field)
#define HOTSPOT_SIZE(id, type) [WANT_##id] = "the size of " type,
#include "interp/hotspot.def"
#undef HOTSPOT_FIELD
#undef HOTSPOT_ALIAS
#undef HOTSPOT_SIZE
};

struct found {
	uint64_t values[WANT_CNT];
	bool has[WANT_CNT];
};

static void note(struct found *found, const char *type, const char *field, uint64_t value)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		if (strcmp(row->type, type) != 0 || !row->field != !field ||
		    (field && strcmp(row->field, field) != 0))
			continue;
		found->values[row->id] = value;
		found->has[row->id] = true;
	}
}

static bool is_wanted(const char *type)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!strcmp(rows[i].type, type))
			return true;
	}
	return false;
}

/* A type's fields follow one another, and mostly share its text. */
struct type_text {
	uint64_t addr;
	bool is_wanted;
	char text[TEXT_BYTES];
};

/* Return 0 | -ENODATA the table ends here | -errno */
static int read_type(const struct skep_interp_memory *m, uint64_t at, struct type_text *type)
{
	uint64_t addr;
	int err = read_word(m, at, &addr);

	if (err || !addr)
		return err ? err : -ENODATA;
	if (addr == type->addr)
		return 0;
	err = read_text(m, addr, type->text);
	type->addr = addr;
	type->is_wanted = !err && is_wanted(type->text);
	return err;
}

static int read_field(const struct skep_interp_memory *m, const uint64_t v[VARIABLE_CNT],
		      uint64_t entry, const struct type_text *type, struct found *found)
{
	uint64_t name, value;
	char text[TEXT_BYTES];
	uint32_t is_static;
	int err = read_word(m, entry + v[STRUCT_FIELD], &name);

	if (!err)
		err = read_text(m, name, text);
	if (!err)
		err = m->read(m->ctx, entry + v[STRUCT_IS_STATIC], &is_static, sizeof(is_static));
	if (!err)
		err = read_word(m, entry + v[is_static ? STRUCT_ADDRESS : STRUCT_OFFSET], &value);
	if (!err)
		note(found, type->text, text, value);
	return err;
}

static int read_fields(const struct skep_interp_memory *m, const uint64_t v[VARIABLE_CNT],
		       struct found *found)
{
	struct type_text type = {0};
	int err = 0;

	for (uint32_t i = 0; !err && i < ENTRIES_MOST; i++) {
		uint64_t entry = v[STRUCTS] + i * v[STRUCT_STRIDE];
		err = read_type(m, entry + v[STRUCT_TYPE], &type);
		if (!err && type.is_wanted)
			err = read_field(m, v, entry, &type, found);
	}
	return err == -ENODATA ? 0 : err;
}

static int read_sizes(const struct skep_interp_memory *m, const uint64_t v[VARIABLE_CNT],
		      struct found *found)
{
	struct type_text type = {0};
	uint64_t size;
	int err = 0;

	for (uint32_t i = 0; !err && i < ENTRIES_MOST; i++) {
		uint64_t entry = v[TYPES] + i * v[TYPE_STRIDE];
		err = read_type(m, entry + v[TYPE_NAME], &type);
		if (err || !type.is_wanted)
			continue;
		err = read_word(m, entry + v[TYPE_SIZE], &size);
		if (!err)
			note(found, type.text, NULL, size);
	}
	return err == -ENODATA ? 0 : err;
}

/* --- What it comes to ------------------------------------------------------------------------- */

/* Offsets are small, and what is read of a blob is within what is read of it at once. */
static const char *check(const struct found *found)
{
	for (int i = 0; i < WANT_CNT; i++) {
		bool is_of_blob = i >= WANT_BLOB_NAME && i <= WANT_BLOB_METHOD;
		uint64_t most = is_of_blob ? SKEP_HOTSPOT_BLOB_BYTES - 8 : OFFSET_MOST;
		if (!found->has[i] || (i != WANT_HEAPS && found->values[i] > most))
			return words[i];
	}
	return NULL;
}
_Static_assert(WANT_BLOB_METHOD - WANT_BLOB_NAME == 5, "they follow one another");

static struct skep_hotspot offsets_of(const struct found *found)
{
#define OFFSET(id) (uint16_t) found->values[WANT_##id]
	return (struct skep_hotspot){
		.version = SKEP_INTERP_HOTSPOT,
		.header_bytes = OFFSET(HEADER_BYTES),
		.name = OFFSET(BLOB_NAME),
		.frame_size = OFFSET(BLOB_FRAME),
		.complete = OFFSET(BLOB_COMPLETE),
		.code = OFFSET(BLOB_CODE),
		.end = OFFSET(BLOB_END),
		.method = OFFSET(BLOB_METHOD),
		.names = {.const_method = OFFSET(CONST_METHOD),
			  .constants = OFFSET(CONSTANTS),
			  .name_index = OFFSET(NAME_INDEX),
			  .pool_bytes = OFFSET(POOL_BYTES),
			  .pool_holder = OFFSET(POOL_HOLDER),
			  .klass_name = OFFSET(KLASS_NAME),
			  .symbol_length = OFFSET(SYMBOL_LENGTH),
			  .symbol_body = OFFSET(SYMBOL_BODY)},
	};
#undef OFFSET
}

static int read_heap(const struct skep_interp_memory *m, const struct found *found, uint64_t heap,
		     struct skep_hotspot_heap *ret)
{
	const uint64_t *v = found->values;
	uint64_t memory = heap + v[WANT_HEAP_MEMORY], high;
	uint32_t shift;
	int err = read_word(m, memory + v[WANT_SPACE_LOW], &ret->low);

	if (!err)
		err = read_word(m, memory + v[WANT_SPACE_HIGH], &high);
	if (!err)
		err = read_word(m, heap + v[WANT_HEAP_MAP] + v[WANT_SPACE_LOW], &ret->map);
	if (!err)
		err = m->read(m->ctx, heap + v[WANT_HEAP_SHIFT], &shift, sizeof(shift));
	if (err)
		return err;
	ret->n_bytes = high - ret->low;
	ret->shift = shift;
	return high > ret->low && ret->n_bytes <= HEAP_MOST && shift <= SHIFT_MOST ? 0 : -ENOTSUP;
}

static int read_heaps(const struct skep_interp_memory *m, const struct found *found,
		      struct skep_hotspot_heap heaps[SKEP_HOTSPOT_HEAPS])
{
	const uint64_t *v = found->values;
	uint64_t array, data, heap;
	uint32_t n;
	int err = read_word(m, v[WANT_HEAPS], &array);

	if (!err)
		err = m->read(m->ctx, array + v[WANT_ARRAY_LEN], &n, sizeof(n));
	if (!err)
		err = read_word(m, array + v[WANT_ARRAY_DATA], &data);
	if (!err && (!n || n > SKEP_HOTSPOT_HEAPS))
		err = -ENOTSUP;
	for (uint32_t i = 0; !err && i < n; i++) {
		err = read_word(m, data + i * sizeof(heap), &heap);
		if (!err)
			err = read_heap(m, found, heap, &heaps[i]);
	}
	return err;
}

static int read_tables(const struct skep_interp_memory *memory, uint64_t base, struct found *ret)
{
	struct pages *pages = skep_xcalloc(1, sizeof(*pages));
	const struct skep_interp_memory paged = {.read = read_paged, .ctx = pages};
	uint64_t variables_of[VARIABLE_CNT];

	pages->memory = memory;
	int err = read_variables(&paged, base, variables_of);
	if (!err)
		err = read_fields(&paged, variables_of, ret);
	if (!err)
		err = read_sizes(&paged, variables_of, ret);
	free(pages);
	return err;
}

int skep_hotspot_read(const struct skep_interp_memory *memory, uint64_t base,
		      struct skep_hotspot *ret, const char **ret_missing)
{
	struct found found = {0};
	int err = read_tables(memory, base, &found);

	if (err)
		return err;
	*ret_missing = check(&found);
	if (*ret_missing)
		return -ENOTSUP;
	struct skep_hotspot hotspot = offsets_of(&found);
	err = read_heaps(memory, &found, hotspot.heaps);
	if (err == -ENOTSUP)
		*ret_missing = words[WANT_HEAPS];
	if (!err)
		*ret = hotspot;
	return err;
}

/* --- Names ------------------------------------------------------------------------------------ */

static int add_symbol(const struct skep_interp_memory *m, const struct skep_hotspot_names *names,
		      uint64_t symbol, struct skep_buf *ret)
{
	uint16_t n;
	int err = m->read(m->ctx, symbol + names->symbol_length, &n, sizeof(n));

	if (err)
		return err;
	if (!n || n > SKEP_INTERP_NAME_MOST)
		return -EINVAL;
	return skep_interp_read_to(m, symbol + names->symbol_body, n, ret);
}

/* As Java shows them: packages are parted by dots, and the number of a class that has no name of
 * its own is not. */
static void dot(struct skep_buf *name)
{
	for (size_t i = 0; i < name->len; i++) {
		if (name->data[i] == '/')
			name->data[i] = '.';
		else if (name->data[i] == '+')
			name->data[i] = '/';
	}
}

static int add_class(const struct skep_interp_memory *m, const struct skep_hotspot_names *names,
		     uint64_t pool, struct skep_buf *ret)
{
	uint64_t klass, symbol;
	int err = read_word(m, pool + names->pool_holder, &klass);

	if (!err)
		err = read_word(m, klass + names->klass_name, &symbol);
	if (!err)
		err = add_symbol(m, names, symbol, ret);
	if (!err)
		dot(ret);
	return err;
}

/* The method's constant part, which is checked, and where its name is among the constants. */
static int read_constants(const struct skep_interp_memory *m,
			  const struct skep_hotspot_names *names, uint64_t method, uint32_t check,
			  uint64_t *ret_pool, uint64_t *ret_at)
{
	uint64_t words_of[SKEP_INTERP_CHECK_WORDS], part;
	uint16_t index;
	int err = read_word(m, method + names->const_method, &part);

	if (!err)
		err = m->read(m->ctx, part + names->constants, words_of, sizeof(words_of));
	if (!err && skep_interp_check(words_of) != check)
		err = -ESTALE;
	if (!err)
		err = m->read(m->ctx, part + names->name_index, &index, sizeof(index));
	if (err)
		return err;
	*ret_pool = words_of[0];
	*ret_at = words_of[0] + names->pool_bytes + index * sizeof(uint64_t);
	return 0;
}

int skep_hotspot_read_method(const struct skep_interp_memory *memory,
			     const struct skep_hotspot_names *names, uint64_t addr, uint32_t check,
			     struct skep_interp_code *code)
{
	uint64_t pool, at, symbol;
	int err = read_constants(memory, names, addr, check, &pool, &at);

	if (!err)
		err = add_class(memory, names, pool, &code->function);
	if (!err)
		err = read_word(memory, at, &symbol);
	if (err)
		return err;
	skep_buf_add(&code->function, ".", 1);
	return add_symbol(memory, names, symbol, &code->function);
}
