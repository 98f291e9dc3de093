/*
 * HotSpot's description of itself, read from memory that is made here: a library with the tables
 * and the variables that libjvm.so exports, whole, lacking and broken; and names of methods.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <stdlib.h>

#include "interp/hotspot.h"
#include "interp/merge.h"
#include "memory.h"

#define ROUNDS      3000
#define READ_MOST   (64u << 20) /* bytes that may be read of a table that never ends */
#define SYMBOLS     11
#define STRUCT_SIZE 48
#define TYPE_SIZE   40

static uint64_t seed = 1;

static uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % below;
}

/* --- A library -------------------------------------------------------------------------------- */

static const struct entry {
	const char *type, *field; /* NULL: the type's size */
	uint64_t value;
} entries[] = {
	{"CodeCache", "_heaps", 0}, /* whose address is put in */
	{"GrowableArrayBase", "_len", 0},
	{"GrowableArray<int>", "_data", 8},
	{"CodeHeap", "_memory", 8},
	{"CodeHeap", "_segmap", 40},
	{"CodeHeap", "_log2_segment_size", 72},
	{"VirtualSpace", "_low_boundary", 0},
	{"VirtualSpace", "_high_boundary", 8},
	{"CodeBlob", "_name", 96},
	{"CodeBlob", "_frame_size", 28},
	{"CodeBlob", "_frame_complete_offset", 20},
	{"CodeBlob", "_code_begin", 32},
	{"CodeBlob", "_code_end", 40},
	{"CompiledMethod", "_method", 112},
	{"Method", "_constMethod", 8},
	{"ConstMethod", "_constants", 8},
	{"ConstMethod", "_name_index", 34},
	{"ConstantPool", "_pool_holder", 24},
	{"Klass", "_name", 16},
	{"Symbol", "_length", 4},
	{"Symbol", "_body", 6},
	{"HeapBlock", NULL, 16},
	{"ConstantPool", NULL, 72},
};
#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

static const char *const names[SYMBOLS] = {
	"gHotSpotVMStructs",
	"gHotSpotVMStructEntryTypeNameOffset",
	"gHotSpotVMStructEntryFieldNameOffset",
	"gHotSpotVMStructEntryIsStaticOffset",
	"gHotSpotVMStructEntryOffsetOffset",
	"gHotSpotVMStructEntryAddressOffset",
	"gHotSpotVMStructEntryArrayStride",
	"gHotSpotVMTypes",
	"gHotSpotVMTypeEntryTypeNameOffset",
	"gHotSpotVMTypeEntrySizeOffset",
	"gHotSpotVMTypeEntryArrayStride",
};

/* What is changed of the whole one. */
struct change {
	size_t without; /* of `entries`, one more; 0: all are there */
	size_t other;   /* likewise: its value is `value` */
	uint64_t value;
	bool is_endless;
	uint64_t heap_bytes;
	uint32_t n_heaps;
};
static const struct change no_change = {.heap_bytes = 1 << 20, .n_heaps = 2};

static uint64_t put_text(struct fake *fake, const char *text)
{
	char padded[64] = {0};

	strncpy(padded, text, sizeof(padded) - 1);
	return fake_put(fake, padded, sizeof(padded));
}

static uint64_t put_heap(struct fake *fake, const struct change *change, uint64_t low)
{
	const struct {
		uint64_t head, low, high, unused[2], map, unused_too[3];
		uint32_t shift;
	} heap = {.low = low, .high = low + change->heap_bytes, .map = low / 16, .shift = 7};

	return fake_put(fake, &heap, sizeof(heap));
}

/* Where the static pointer to the array of heaps is. */
static uint64_t put_heaps(struct fake *fake, const struct change *change)
{
	const uint64_t heaps[] = {put_heap(fake, change, 1ull << 30),
				  put_heap(fake, change, 2ull << 30)};
	const uint64_t array[] = {change->n_heaps, fake_put(fake, heaps, sizeof(heaps))};
	const uint64_t at = fake_put(fake, array, sizeof(array));

	return fake_put(fake, &at, sizeof(at));
}

static bool is_in(const struct change *change, size_t i, bool is_type)
{
	return change->without != i + 1 && !entries[i].field == is_type;
}

static uint64_t put_structs(struct fake *fake, const struct change *change, uint64_t heaps)
{
	uint64_t table[ENTRIES + 1][STRUCT_SIZE / 8] = {0};
	size_t n = 0;

	for (size_t i = 0; i < ENTRIES; i++) {
		uint64_t value = change->other == i + 1 ? change->value : entries[i].value;
		if (!is_in(change, i, false))
			continue;
		table[n][0] = put_text(fake, entries[i].type);
		table[n][1] = put_text(fake, entries[i].field);
		table[n][3] = !i;
		table[n][4] = value;
		table[n][5] = i ? 0 : heaps;
		n++;
	}
	return fake_put(fake, table, sizeof(table));
}

static uint64_t put_types(struct fake *fake, const struct change *change)
{
	uint64_t table[ENTRIES + 1][TYPE_SIZE / 8] = {0};
	size_t n = 0;

	for (size_t i = 0; i < ENTRIES; i++) {
		if (!is_in(change, i, true))
			continue;
		table[n][0] = put_text(fake, entries[i].type);
		table[n][4] = change->other == i + 1 ? change->value : entries[i].value;
		n++;
	}
	return fake_put(fake, table, sizeof(table));
}

/* The variables, then the symbols and, right behind them, their texts. */
static void put_exports(struct fake *fake, const uint64_t values[SYMBOLS], uint64_t base,
			Elf64_Dyn dynamic[3])
{
	struct {
		Elf64_Sym symbols[SYMBOLS];
		char texts[SYMBOLS][64];
	} tables = {0};
	uint64_t variables = fake_put(fake, values, SYMBOLS * sizeof(*values));

	for (uint32_t i = 0; i < SYMBOLS; i++) {
		strcpy(tables.texts[i], names[i]);
		tables.symbols[i] = (Elf64_Sym){.st_name = i * 64,
						.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
						.st_value = variables + i * 8 - base,
						.st_size = 8};
	}
	uint64_t at = fake_put(fake, &tables, sizeof(tables));
	dynamic[0] = (Elf64_Dyn){.d_tag = DT_SYMTAB, .d_un.d_ptr = at};
	dynamic[1] = (Elf64_Dyn){.d_tag = DT_STRTAB, .d_un.d_ptr = at + sizeof(tables.symbols)};
	dynamic[2] = (Elf64_Dyn){.d_tag = DT_NULL};
}

/* Pages are read whole, so all is put into pages that are there. */
static uint64_t put_library(struct fake *fake, const struct change *change)
{
	Elf64_Ehdr ehdr = {.e_ident = ELFMAG, .e_phoff = sizeof(ehdr), .e_phnum = 1};
	Elf64_Phdr phdr = {.p_type = PT_DYNAMIC};
	Elf64_Dyn dynamic[3];
	uint64_t base = FAKE_START;

	memset(fake, 0, sizeof(*fake));
	ehdr.e_ident[EI_CLASS] = ELFCLASS64;
	fake->used = 4096;
	const uint64_t values[SYMBOLS] = {
		put_structs(fake, change, put_heaps(fake, change)),
		0,
		8,
		24,
		32,
		40,
		change->is_endless ? 0 : STRUCT_SIZE,
		put_types(fake, change),
		0,
		32,
		change->is_endless ? 0 : TYPE_SIZE,
	};
	put_exports(fake, values, base, dynamic);
	phdr.p_vaddr = fake_put(fake, dynamic, sizeof(dynamic)) - base;
	memcpy(fake->bytes, &ehdr, sizeof(ehdr));
	memcpy(fake->bytes + sizeof(ehdr), &phdr, sizeof(phdr));
	return base;
}

static struct fake fake;

static int read_with(const struct change *change, struct skep_hotspot *ret, const char **missing)
{
	const struct skep_interp_memory memory = fake_memory(&fake);
	uint64_t base = put_library(&fake, change);

	*missing = NULL;
	return skep_hotspot_read(&memory, base, ret, missing);
}

/* --- Its description -------------------------------------------------------------------------- */

static void test_whole(void **state)
{
	struct skep_hotspot it;
	const char *missing;

	assert_int_equal(read_with(&no_change, &it, &missing), 0);
	assert_null(missing);
	assert_int_equal(it.version, SKEP_INTERP_HOTSPOT);
	assert_int_equal(it.header_bytes, 16);
	assert_int_equal(it.name, 96);
	assert_int_equal(it.frame_size, 28);
	assert_int_equal(it.complete, 20);
	assert_int_equal(it.code, 32);
	assert_int_equal(it.end, 40);
	assert_int_equal(it.method, 112);
	assert_int_equal(it.names.const_method, 8);
	assert_int_equal(it.names.name_index, 34);
	assert_int_equal(it.names.pool_bytes, 72);
	assert_int_equal(it.names.symbol_body, 6);
	assert_int_equal(it.heaps[1].low, 2u << 30);
	assert_int_equal(it.heaps[1].n_bytes, 1 << 20);
	assert_int_equal(it.heaps[1].map, (2u << 30) / 16);
	assert_int_equal(it.heaps[1].shift, 7);
	assert_int_equal(it.heaps[2].n_bytes, 0);
	assert_true(fake.n_read < 4 * FAKE_BYTES);
}

/* It says which. */
static void test_each_is_needed(void **state)
{
	for (size_t i = 0; i < ENTRIES; i++) {
		struct change change = no_change;
		struct skep_hotspot it = {.version = 77};
		const char *missing;
		change.without = i + 1;
		assert_int_equal(read_with(&change, &it, &missing), -ENOTSUP);
		assert_non_null(strstr(missing, entries[i].type));
		assert_true(!entries[i].field || strstr(missing, entries[i].field));
		assert_int_equal(it.version, 77);
	}
}

/* Offsets of a blob are within what is read of it, others within 16 bits. */
static void test_offsets_are_bounded(void **state)
{
	for (size_t i = 1; i < ENTRIES; i++) {
		struct change change = no_change;
		struct skep_hotspot it;
		const char *missing;
		bool is_of_blob = !strcmp(entries[i].type, "CodeBlob") ||
				  !strcmp(entries[i].type, "CompiledMethod");
		change.other = i + 1;
		change.value = is_of_blob ? SKEP_HOTSPOT_BLOB_BYTES - 7 : 65536;
		assert_int_equal(read_with(&change, &it, &missing), -ENOTSUP);
		assert_non_null(strstr(missing, entries[i].type));
	}
}

static void test_heaps_are_bounded(void **state)
{
	struct change change = no_change;
	struct skep_hotspot it;
	const char *missing;

	change.n_heaps = SKEP_HOTSPOT_HEAPS + 1;
	assert_int_equal(read_with(&change, &it, &missing), -ENOTSUP);
	assert_string_equal(missing, "CodeCache._heaps");
	change.n_heaps = 0;
	assert_int_equal(read_with(&change, &it, &missing), -ENOTSUP);
	change.n_heaps = 1;
	change.heap_bytes = 0;
	assert_int_equal(read_with(&change, &it, &missing), -ENOTSUP);
	change.heap_bytes = 1ull << 40;
	assert_int_equal(read_with(&change, &it, &missing), -ENOTSUP);
}

static void test_endless_tables_end(void **state)
{
	struct change change = no_change;
	struct skep_hotspot it;
	const char *missing;

	change.is_endless = true;
	assert_int_equal(read_with(&change, &it, &missing), -ENOTSUP);
	assert_true(fake.n_read < READ_MOST);
}

static void test_garbage(void **state)
{
	for (int i = 0; i < ROUNDS; i++) {
		const struct skep_interp_memory memory = fake_memory(&fake);
		struct skep_hotspot it = {0};
		const char *missing = NULL;
		uint64_t base = put_library(&fake, &no_change);
		for (uint32_t n = 1 + any(8); n; n--)
			fake.bytes[any(i % 2 ? 256 : fake.used)] ^= (uint8_t)(1 + any(255));
		int err = skep_hotspot_read(&memory, base, &it, &missing);
		assert_true(!err == (it.version == SKEP_INTERP_HOTSPOT));
		assert_true(fake.n_read < READ_MOST);
	}
}

/* --- Methods ---------------------------------------------------------------------------------- */

static const struct skep_hotspot_names where = {.const_method = 8,
						.constants = 8,
						.name_index = 34,
						.pool_bytes = 72,
						.pool_holder = 24,
						.klass_name = 16,
						.symbol_length = 4,
						.symbol_body = 6};
#define NAME_INDEX 3

static uint64_t put_symbol(const char *text, uint16_t length)
{
	uint8_t symbol[2048] = {0};

	memcpy(symbol + where.symbol_length, &length, 2);
	memcpy(symbol + where.symbol_body, text, strlen(text));
	return fake_put(&fake, symbol, sizeof(symbol));
}

/* The method's address, and the check that it has. */
static uint64_t put_method(const char *klass, const char *name, uint16_t length,
			   uint32_t *ret_check)
{
	const uint64_t holder[] = {0, 0, put_symbol(klass, (uint16_t)strlen(klass))};
	const uint64_t pool[] = {
		0,
		0,
		0,
		fake_put(&fake, holder, sizeof(holder)),
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		put_symbol(name, length),
	};
	uint64_t part[6] = {1, fake_put(&fake, pool, sizeof(pool)), 2, 3, 4, 5};
	const uint16_t index = NAME_INDEX;

	memcpy((uint8_t *)part + where.name_index, &index, sizeof(index));
	*ret_check = skep_interp_check(&part[1]);
	const uint64_t method[] = {0, fake_put(&fake, part, sizeof(part))};
	return fake_put(&fake, method, sizeof(method));
}
_Static_assert((72 + 8 * NAME_INDEX) / 8 == 12, "where its name is in the pool");

static void assert_named(const char *klass, const char *name, const char *wanted)
{
	const struct skep_interp_memory memory = fake_memory(&fake);
	struct skep_interp_code code = {0};
	uint32_t check;

	memset(&fake, 0, sizeof(fake));
	uint64_t method = put_method(klass, name, (uint16_t)strlen(name), &check);
	assert_int_equal(skep_hotspot_read_method(&memory, &where, method, check, &code), 0);
	assert_int_equal(code.function.len, strlen(wanted));
	assert_memory_equal(code.function.data, wanted, strlen(wanted));
	skep_interp_code_done(&code);
}

static void test_names(void **state)
{
	assert_named("java/util/TreeMap", "merge", "java.util.TreeMap.merge");
	assert_named("Load", "<init>", "Load.<init>");
	assert_named("a/B$$Lambda$1+0x0000000801000a00", "run",
		     "a.B$$Lambda$1/0x0000000801000a00.run");
}

static void test_another_method_by_now(void **state)
{
	const struct skep_interp_memory memory = fake_memory(&fake);
	struct skep_interp_code code = {0};
	uint32_t check;

	memset(&fake, 0, sizeof(fake));
	uint64_t method = put_method("A", "b", 1, &check);
	assert_int_equal(skep_hotspot_read_method(&memory, &where, method, check + 1, &code),
			 -ESTALE);
	method = put_method("A", "", 0, &check);
	assert_int_equal(skep_hotspot_read_method(&memory, &where, method, check, &code), -EINVAL);
	skep_interp_code_done(&code);
	code = (struct skep_interp_code){0};
	method = put_method("A", "b", SKEP_INTERP_NAME_MOST + 1, &check);
	assert_int_equal(skep_hotspot_read_method(&memory, &where, method, check, &code), -EINVAL);
	skep_interp_code_done(&code);
}

/* --- Places ----------------------------------------------------------------------------------- */

static void test_places(void **state)
{
	struct skep_interp_stack stack = {.n = 4, .version = SKEP_INTERP_HOTSPOT};
	struct skep_interp_run runs[4];

	stack.frames[1] = (struct skep_interp_frame){.code = 1, .at = 1 | SKEP_HOTSPOT_COMPILED};
	stack.frames[2] = (struct skep_interp_frame){.code = 2, .at = 3};
	stack.frames[3] = (struct skep_interp_frame){.code = 3, .at = 200};
	skep_interp_place(&stack, 4, runs);
	assert_int_equal(runs[0].n, 0);
	assert_int_equal(runs[1].n, 1);
	assert_int_equal(runs[1].first, 1);
	assert_int_equal(runs[2].n, 0);
	assert_int_equal(runs[3].first, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_each_is_needed),
		cmocka_unit_test(test_offsets_are_bounded),
		cmocka_unit_test(test_heaps_are_bounded),
		cmocka_unit_test(test_endless_tables_end),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_another_method_by_now),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
