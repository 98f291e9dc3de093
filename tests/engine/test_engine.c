/*
 * The engines: an object loads and runs on either with the same result; what does not load leaves
 * nothing; broken files are refused before libbpf sees them, or by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <bpf/libbpf.h>
#include <elf.h>
#include <errno.h>
#include <unistd.h>

#include <skep/machine.h>

#include "base/fd.h"
#include "engine/elffile.h"
#include "engine/engine.h"
#include "engine/map.h"
#include "engine/prog.h"
#include "engine/test.h"

struct loaded {
	struct skep_engine engine;
	struct skep_elffile elf;
	struct skep_prog prog;
	struct skep_diag diag;
};

static void read_object(struct skep_buf *ret)
{
	assert_int_equal(skep_file_read(getenv("SKEP_TEST_BPF_OBJECT"), 1 << 20, ret), 0);
}

static int load_for(struct loaded *loaded, enum skep_engine_kind kind, enum skep_engine_code code,
		    const char *name)
{
	const struct skep_engine_opts opts = {.kind = kind, .code = code, .budget = 1 << 20};
	struct skep_buf bytes = {0};
	struct bpf_program *prog = NULL;
	int err;

	*loaded = (struct loaded){.prog = {.fd = -1}};
	read_object(&bytes);
	assert_int_equal(skep_engine_open(&opts, &loaded->engine, &loaded->diag), 0);
	assert_int_equal(skep_elffile_open("x.bpf.o", &bytes, &loaded->elf, &loaded->diag), 0);
	assert_null(bytes.data);
	err = skep_elffile_find(&loaded->elf, name, &prog, &loaded->diag);
	if (!err)
		err = skep_elffile_load(&loaded->elf, prog, &loaded->diag);
	if (!err)
		assert_int_equal(skep_prog_read(dup(bpf_program__fd(prog)), &loaded->prog), 0);
	return err;
}

static int load(struct loaded *loaded, enum skep_engine_kind kind, const char *name)
{
	return load_for(loaded, kind, SKEP_CODE_JIT, name);
}

static void unload(struct loaded *loaded)
{
	skep_prog_done(&loaded->prog);
	skep_elffile_close(&loaded->elf);
	if (loaded->engine.machine) {
		struct skep_machine_counts counts;

		skep_machine_count(loaded->engine.machine, &counts);
		assert_int_equal(counts.programs + counts.maps + counts.btfs, 0);
	}
	skep_engine_close(&loaded->engine);
	skep_diag_done(&loaded->diag);
}

static bool has_item(const struct skep_diag *diag, enum skep_diag_id id)
{
	for (size_t i = 0; i < diag->n_items; i++) {
		if (diag->items[i].id == id)
			return true;
	}
	return false;
}

static bool kernel_loads(void)
{
	const struct skep_engine_opts opts = {.kind = SKEP_ENGINE_AUTO};
	_cleanup_engine_ struct skep_engine engine = {0};
	_cleanup_diag_ struct skep_diag diag = {0};

	assert_int_equal(skep_engine_open(&opts, &engine, &diag), 0);
	assert_int_equal(diag.n_items, engine.machine ? 1 : 0);
	return !engine.machine;
}

static void run_on(enum skep_engine_kind kind)
{
	uint8_t packet[60] = {1};
	struct loaded loaded;
	struct skep_prog_line line;

	assert_int_equal(load(&loaded, kind, "mark_short"), 0);
	assert_int_equal(loaded.prog.info.type, BPF_PROG_TYPE_XDP);
	assert_true(loaded.prog.n_insns > 10);
	assert_true(skep_prog_line(&loaded.prog, 0, &line));
	assert_non_null(strstr(line.file, "programs.bpf.c"));
	const struct skep_testable *testable = skep_testable(loaded.prog.info.type);
	struct skep_test test = {
		.prog_fd = loaded.prog.fd, .data = packet, .data_len = sizeof(packet)};
	assert_int_equal(skep_test_run(testable, &test), 0);
	assert_string_equal(skep_test_verdict(testable->type, test.retval).name, "XDP_TX");
	packet[13] = 0xee;
	assert_int_equal(test.data_out.len, sizeof(packet));
	assert_memory_equal(test.data_out.data, packet, sizeof(packet));
	skep_test_done(&test);
	unload(&loaded);
}

static void test_either_engine(void **state)
{
	run_on(SKEP_ENGINE_USER);
	if (kernel_loads())
		run_on(SKEP_ENGINE_LINUX);
}

/* What a program that sees the payload only gets back has the header that went in. */
static void test_header_stays(void **state)
{
	uint8_t packet[40] = {1, 2, 3, 4, [12] = 8};
	struct loaded loaded;

	assert_int_equal(load(&loaded, SKEP_ENGINE_USER, "keep_twenty"), 0);
	const struct skep_testable *testable = skep_testable(loaded.prog.info.type);
	struct skep_test test = {
		.prog_fd = loaded.prog.fd, .data = packet, .data_len = sizeof(packet)};
	assert_int_equal(skep_test_run(testable, &test), 0);
	assert_int_equal(test.retval, 20);
	assert_true(skep_test_verdict(testable->type, test.retval).passes);
	assert_int_equal(test.data_out.len, sizeof(packet));
	assert_memory_equal(test.data_out.data, packet, sizeof(packet));
	skep_test_done(&test);
	unload(&loaded);
}

static void assert_faults(const char *name, bool anywhere, const char *words)
{
	uint8_t packet[60] = {1};
	struct skep_fault fault;
	struct loaded loaded;

	assert_int_equal(load_for(&loaded, SKEP_ENGINE_USER, SKEP_CODE_CHECKED, name), 0);
	struct skep_test test = {
		.prog_fd = loaded.prog.fd, .data = packet, .data_len = sizeof(packet), .repeat = 9};
	assert_int_equal(skep_test_run(skep_testable(loaded.prog.info.type), &test), 0);
	assert_true(skep_engine_fault(&loaded.engine, loaded.prog.fd, &fault));
	assert_int_equal(fault.insn == SKEP_FAULT_ANYWHERE, anywhere);
	assert_non_null(strstr(fault.why, words));
	skep_test_done(&test);
	unload(&loaded);
}

static void test_faults(void **state)
{
	assert_faults("never_checks", false, "which is NULL");
	assert_faults("reads_on", false, "outside of what the program was given");
	assert_faults("forever", true, "did not end within 1048576 instructions");
}

static void assert_refused(enum skep_engine_kind kind)
{
	struct loaded loaded;

	assert_int_equal(load(&loaded, kind, "never_checks"), -EACCES);
	assert_true(has_item(&loaded.diag, SKEP_DIAG_PROG_UNVERIFIED));
	assert_non_null(strstr(loaded.diag.items[loaded.diag.n_items - 1].why, "thing->n++"));
	unload(&loaded);
}

static void test_refused(void **state)
{
	assert_refused(SKEP_ENGINE_USER);
	if (!kernel_loads())
		skip();
	assert_refused(SKEP_ENGINE_LINUX);
}

static void test_which(void **state)
{
	struct loaded loaded;

	assert_int_equal(load(&loaded, SKEP_ENGINE_USER, NULL), -EINVAL);
	assert_true(has_item(&loaded.diag, SKEP_DIAG_PROG_WHICH));
	unload(&loaded);
	assert_int_equal(load(&loaded, SKEP_ENGINE_USER, "mark_shrt"), -ENOENT);
	assert_true(has_item(&loaded.diag, SKEP_DIAG_PROG_NONE));
	assert_string_equal(loaded.diag.items[0].hint, "did you mean mark_short?");
	unload(&loaded);
}

/* The object's map without a size got one, and that is told. */
static void test_sized(void **state)
{
	struct loaded loaded;
	struct bpf_map *map;

	assert_int_equal(load(&loaded, SKEP_ENGINE_USER, "mark_short"), 0);
	map = bpf_object__find_map_by_name(loaded.elf.object, "unsized");
	assert_int_equal(bpf_map__max_entries(map), 10240);
	assert_true(has_item(&loaded.diag, SKEP_DIAG_MAP_SIZED));
	unload(&loaded);
}

static void test_view(void **state)
{
	_cleanup_buf_ struct skep_buf text = {0};
	_cleanup_view_ struct skep_view view = {.fd = -1};
	struct loaded loaded;
	struct bpf_map *map;

	assert_int_equal(load(&loaded, SKEP_ENGINE_USER, "describe"), 0);
	map = bpf_object__find_map_by_name(loaded.elf.object, "things");
	assert_int_equal(skep_view_open(dup(bpf_map__fd(map)), &view), 0);
	assert_int_equal(skep_view_parse_key(&view, "pid=3,comm=sh", NULL), 0);
	assert_int_equal(skep_view_parse_value(&view, "n=9,mood=ANGRY", NULL), 0);
	assert_int_equal(skep_view_lookup(&view), -ENOENT);
	assert_int_equal(skep_view_parse_value(&view, "n=9,mood=ANGRY", NULL), 0);
	assert_int_equal(skep_view_update(&view), 0);
	assert_int_equal(skep_view_next(&view), 1);
	skep_view_key_text(&view, false, &text);
	skep_view_value_text(&view, false, &text);
	assert_string_equal(text.data,
			    "{pid: 3, comm: \"sh\"}{n: 9, delta: 0, mood: ANGRY, low: 0, "
			    "high: 0}");
	assert_int_equal(skep_view_next(&view), 0);
	assert_int_equal(skep_view_delete(&view), 0);
	skep_view_done(&view);
	unload(&loaded);
}

/* --- Broken files ---------------------------------------------------------------------------- */

static int open_bytes(struct skep_buf *bytes, enum skep_diag_id *ret_id)
{
	_cleanup_elffile_ struct skep_elffile elf = {0};
	_cleanup_diag_ struct skep_diag diag = {0};
	int err = skep_elffile_open("x.bpf.o", bytes, &elf, &diag);

	*ret_id = diag.n_items ? diag.items[0].id : SKEP_DIAG_NONE;
	return err;
}

static void assert_broken(size_t at, uint8_t byte, enum skep_diag_id id)
{
	struct skep_buf bytes = {0};
	enum skep_diag_id given;

	read_object(&bytes);
	bytes.data[at] = (char)byte;
	assert_true(open_bytes(&bytes, &given) < 0);
	assert_int_equal(given, id);
}

static void test_broken(void **state)
{
	struct skep_buf bytes = {0};
	enum skep_diag_id id;

	assert_broken(0, 'x', SKEP_DIAG_ELF_FORMAT);
	assert_broken(offsetof(Elf64_Ehdr, e_machine), EM_X86_64, SKEP_DIAG_ELF_NOT_BPF);
	assert_broken(EI_DATA, ELFDATA2MSB, SKEP_DIAG_ELF_ORDER);
	assert_broken(offsetof(Elf64_Ehdr, e_shoff) + 3, 0x7f, SKEP_DIAG_ELF_CUT);
	skep_buf_puts(&bytes, "short");
	assert_true(open_bytes(&bytes, &id) < 0);
	assert_int_equal(id, SKEP_DIAG_ELF_FORMAT);
}

/* Cut anywhere, it is refused in words, and nothing is left behind. */
static void test_cut(void **state)
{
	_cleanup_buf_ struct skep_buf whole = {0};

	read_object(&whole);
	for (size_t len = 64; len < whole.len; len += 97) {
		struct skep_buf bytes = {0};
		enum skep_diag_id id;

		skep_buf_add(&bytes, whole.data, len);
		assert_true(open_bytes(&bytes, &id) < 0);
		assert_int_equal(id, SKEP_DIAG_ELF_CUT);
	}
}

/* Past our own look at it libbpf says what is wrong, in a section's name here. */
static void test_libbpf_refuses(void **state)
{
	struct skep_buf bytes = {0};
	enum skep_diag_id id;
	char *name;

	read_object(&bytes);
	name = memmem(bytes.data, bytes.len, ".symtab", 8);
	assert_non_null(name);
	Elf64_Ehdr header;
	memcpy(&header, bytes.data, sizeof(header));
	for (size_t i = 0; i < header.e_shnum; i++) {
		Elf64_Shdr *section = (void *)(bytes.data + header.e_shoff + i * sizeof(*section));
		if (section->sh_type == SHT_SYMTAB)
			section->sh_type = SHT_NULL;
	}
	assert_true(open_bytes(&bytes, &id) < 0);
	assert_int_equal(id, SKEP_DIAG_ELF_OPEN);
}

/* --- Words ----------------------------------------------------------------------------------- */

static void test_refused_words(void **state)
{
	static const char log[] = "0: R1=ctx() R10=fp0\n"
				  "; return *value; @ x.c:3\n"
				  "1: (61) r0 = *(u32 *)(r0 +0)\n"
				  "R0 invalid mem access 'scalar'\n"
				  "processed 2 insns (limit 1000000)\n";
	_cleanup_diag_ struct skep_diag diag = {0};

	assert_int_equal(skep_engine_refused("p", log, sizeof(log) - 1, -EACCES, &diag), -EACCES);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_PROG_UNVERIFIED);
	assert_non_null(strstr(diag.items[0].why, "at instruction 1"));
	assert_non_null(strstr(diag.items[0].why, "return *value;"));
	skep_diag_done(&diag);
	assert_int_equal(skep_engine_refused("p", "", 0, -EINVAL, &diag), -EINVAL);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_PROG_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_either_engine), cmocka_unit_test(test_header_stays),
		cmocka_unit_test(test_faults),        cmocka_unit_test(test_refused),
		cmocka_unit_test(test_which),         cmocka_unit_test(test_sized),
		cmocka_unit_test(test_view),          cmocka_unit_test(test_broken),
		cmocka_unit_test(test_cut),           cmocka_unit_test(test_libbpf_refuses),
		cmocka_unit_test(test_refused_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
