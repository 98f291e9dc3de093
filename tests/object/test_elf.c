/*
 * The ELF writer, judged by libbpf and the kernel: objects are written, opened
 * and loaded, run on a packet, and their maps and line info asked for.
 *
 * Needs CAP_BPF; skips with a message where bpf(2) is refused.
 */
#include "object_test.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>

static char said[1 << 16];

static int keep_words(enum libbpf_print_level level, const char *format, va_list ap)
{
	size_t len = strlen(said);

	if (len > sizeof(said) / 2)
		len = 0;
	return vsnprintf(said + len, sizeof(said) - len, format, ap);
}

static const char script[] = "count = 40;\n\tloop 4 { count += 10 }\nhash[7] = count\n";

/* data: { u32 unused; u32 seven; u64 count } */
static const struct {
	uint32_t unused, seven;
	uint64_t count;
} data = {1, 7, 40};

static const char entry_text[] = "r2 = map[idx:1]+4\n" /* data.seven is the key */
				 "r1 = *(u32 *)(r2 +0)\n"
				 "*(u32 *)(r10 -4) = r1\n"
				 "r1 = 4\n"
				 "r2 = subprog[each]\n"
				 "r3 = 0\n"
				 "r4 = 0\n"
				 "call bpf_loop\n"
				 "r1 = map[idx:1]+8\n"
				 "r1 = *(u64 *)(r1 +0)\n" /* 80 */
				 "call twice\n"           /* 160 */
				 "r2 = map[idx:2]+0\n"
				 "r2 = *(u64 *)(r2 +0)\n"
				 "r0 += r2\n" /* 1160 */
				 "*(u64 *)(r10 -16) = r0\n"
				 "r1 = map[idx:0]\n"
				 "r2 = r10\nr2 += -4\n"
				 "r3 = r10\nr3 += -16\n"
				 "r4 = 0\n"
				 "call bpf_map_update_elem\n"
				 "r0 = *(u64 *)(r10 -16)\n"
				 "exit\n"
				 "each: r6 = map[idx:1]+8\n"
				 "r1 = 5\n"
				 "call twice\n"
				 "r1 = *(u64 *)(r6 +0)\n"
				 "r1 += r0\n"
				 "*(u64 *)(r6 +0) = r1\n"
				 "r0 = 0\n"
				 "exit\n"
				 "twice: r0 = r1\n"
				 "r0 += r1\n"
				 "exit\n";
enum { EACH = 29, TWICE = 38 };

static const struct skep_source source = {"script.bt", script, sizeof(script) - 1};
static const uint64_t thousand = 1000;

static void add_maps(struct skep_object *object, uint32_t u32, uint32_t u64)
{
	const struct skep_object_map maps[] = {
		{.name = "hash",
		 .type = BPF_MAP_TYPE_HASH,
		 .key_size = 4,
		 .value_size = 8,
		 .max_entries = 100,
		 .flags = BPF_F_NO_PREALLOC,
		 .btf_key = u32,
		 .btf_value = u64},
		{.name = "state",
		 .type = BPF_MAP_TYPE_ARRAY,
		 .key_size = 4,
		 .value_size = sizeof(data),
		 .max_entries = 1,
		 .init = &data},
		{.name = "limit",
		 .type = BPF_MAP_TYPE_ARRAY,
		 .key_size = 4,
		 .value_size = 8,
		 .max_entries = 1,
		 .init = &thousand,
		 .freeze = true,
		 .btf_value = u64},
		{.name = "events", .type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096},
	};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		skep_object_add_map(object, &maps[i]);
}

static void add_entry(struct skep_object *object, const char *name, uint32_t u32, uint32_t u64)
{
	struct skep_btf_writer *btf = object->btf;
	struct skep_object_prog *prog = add_prog(object, name, "socket", entry_text);
	uint32_t pointer = skep_btf_add_ptr(btf, 0);
	uint32_t of_ctx = skep_btf_add_func_proto(btf, u32);

	skep_btf_add_param(btf, "ctx", pointer);
	uint32_t of_each = skep_btf_add_func_proto(btf, u32);
	skep_btf_add_param(btf, "i", u32);
	skep_btf_add_param(btf, "at", pointer);
	uint32_t of_twice = skep_btf_add_func_proto(btf, u64);
	skep_btf_add_param(btf, "x", u64);
	add_func(prog, 0, skep_btf_add_func(btf, name, of_ctx, false), name);
	add_func(prog, EACH, skep_btf_add_func(btf, "each", of_each, true), "each");
	add_func(prog, TWICE, skep_btf_add_func(btf, "twice", of_twice, true), "twice");
	add_line(prog, 0, 0);
	add_line(prog, 4, 13);
	add_line(prog, 19, 36); /* "twice" has no line of its own: it takes the last one */
	add_line(prog, EACH + 2, 22);
}

static void make_object(struct skep_object *object)
{
	skep_object_init(object);
	object->btf = skep_btf_writer_new();
	object->source = &source;
	uint32_t u32 = skep_btf_add_int(object->btf, "unsigned int", 4, false);
	uint32_t u64 = skep_btf_add_int(object->btf, "unsigned long long", 8, false);

	add_maps(object, u32, u64);
	add_entry(object, "first", u32, u64);
	add_entry(object, "second", u32, u64);
}

/* The end of what libbpf said has the reason. */
static void fail_with(const char *what, int err)
{
	size_t len = strlen(said);

	fail_msg("%s: %s\n%s", what, strerror(err), said + (len > 900 ? len - 900 : 0));
}

static struct bpf_object *open_elf(const struct skep_buf *elf)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "skeptest");

	said[0] = '\0';
	libbpf_set_print(keep_words);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	struct bpf_object *object = bpf_object__open_mem(elf->data, elf->len, &opts);
	if (!object)
		fail_with("libbpf does not open it", errno);
	return object;
}

static void load(struct bpf_object *object)
{
	int err = bpf_object__load(object);

	if (err == -EPERM) {
		print_message("bpf(2) is refused here: needs CAP_BPF\n");
		bpf_object__close(object);
		skip();
	}
	if (err)
		fail_with("libbpf does not load it", -err);
}

static void check_maps(struct bpf_object *object)
{
	struct bpf_map *hash = bpf_object__find_map_by_name(object, "hash");
	struct bpf_map *state = bpf_object__find_map_by_name(object, ".data.state");
	struct bpf_map *limit = bpf_object__find_map_by_name(object, ".rodata.limit");
	struct bpf_map *events = bpf_object__find_map_by_name(object, "events");

	assert_true(hash && state && limit && events);
	assert_int_equal(bpf_map__type(hash), BPF_MAP_TYPE_HASH);
	assert_int_equal(bpf_map__key_size(hash), 4);
	assert_int_equal(bpf_map__value_size(hash), 8);
	assert_int_equal(bpf_map__max_entries(hash), 100);
	assert_int_equal(bpf_map__map_flags(hash), BPF_F_NO_PREALLOC);
	assert_true(bpf_map__btf_key_type_id(hash) && bpf_map__btf_value_type_id(hash));
	assert_int_equal(bpf_map__type(events), BPF_MAP_TYPE_RINGBUF);
	assert_int_equal(bpf_map__max_entries(events), 4096);
	assert_int_equal(bpf_map__value_size(state), sizeof(data));
	assert_true(bpf_map__map_flags(limit) & BPF_F_RDONLY_PROG);
	assert_false(bpf_map__map_flags(state) & BPF_F_RDONLY_PROG);
}

/* The packet only has to be there. */
static uint32_t run(const struct bpf_program *prog)
{
	char packet[64] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	return opts.retval;
}

static void check_run(struct bpf_object *object)
{
	struct bpf_program *first = bpf_object__find_program_by_name(object, "first");
	struct bpf_program *second = bpf_object__find_program_by_name(object, "second");
	struct bpf_map *hash = bpf_object__find_map_by_name(object, "hash");
	uint32_t key = 7;
	uint64_t value = 0;

	assert_true(first && second);
	assert_string_equal(bpf_program__section_name(second), "socket");
	assert_int_equal(run(first), 1160);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(hash), &key, &value), 0);
	assert_int_equal(value, 1160);
	assert_int_equal(run(second), 1240); /* both use one count */
}

/* Every function has its type; lines are those of the script. */
static void check_info(struct bpf_object *object)
{
	const struct bpf_program *prog = bpf_object__find_program_by_name(object, "second");
	struct bpf_line_info lines[16] = {0};
	struct bpf_func_info funcs[8] = {0};
	struct bpf_prog_info info = {.func_info = (uintptr_t)funcs,
				     .nr_func_info = 8,
				     .func_info_rec_size = sizeof(funcs[0]),
				     .line_info = (uintptr_t)lines,
				     .nr_line_info = 16,
				     .line_info_rec_size = sizeof(lines[0])};
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len), 0);
	assert_int_equal(info.nr_func_info, 3);
	struct btf *btf = btf__load_from_kernel_by_id(info.btf_id);
	assert_non_null(btf);
	const char *names[] = {"second", "each", "twice"};
	for (size_t i = 0; i < 3; i++) {
		const struct btf_type *type = btf__type_by_id(btf, funcs[i].type_id);
		assert_string_equal(btf__name_by_offset(btf, type->name_off), names[i]);
	}
	assert_int_equal(info.nr_line_info, 6);
	assert_string_equal(btf__name_by_offset(btf, lines[1].line_off), "loop 4 { count += 10 }");
	assert_string_equal(btf__name_by_offset(btf, lines[1].file_name_off), "script.bt");
	assert_int_equal(BPF_LINE_INFO_LINE_NUM(lines[1].line_col), 2);
	assert_int_equal(BPF_LINE_INFO_LINE_COL(lines[1].line_col), 2);
	assert_int_equal(BPF_LINE_INFO_LINE_NUM(lines[2].line_col), 3);
	/* the kernel rewrote the code: slots moved, but a function still begins with a line */
	assert_int_equal(lines[3].insn_off, funcs[1].insn_off);
	assert_int_equal(lines[5].insn_off, funcs[2].insn_off);
	assert_int_equal(BPF_LINE_INFO_LINE_NUM(lines[5].line_col), 2);
	btf__free(btf);
}

static void test_loads_and_runs(void **state)
{
	_cleanup_buf_ struct skep_buf elf = {0};
	struct skep_object object;

	make_object(&object);
	write_elf(&object, &elf);
	struct bpf_object *opened = open_elf(&elf);
	load(opened);
	check_maps(opened);
	check_run(opened);
	check_info(opened);
	bpf_object__close(opened);
	skep_object_done(&object);
}

/* The least there can be: no maps, no BTF of its own, no lines. */
static void test_smallest(void **state)
{
	_cleanup_buf_ struct skep_buf elf = {0};
	struct skep_object object;

	skep_object_init(&object);
	add_prog(&object, "tiny", "socket", "r0 = 3\nexit");
	write_elf(&object, &elf);
	struct bpf_object *opened = open_elf(&elf);
	load(opened);
	assert_int_equal(run(bpf_object__find_program_by_name(opened, "tiny")), 3);
	bpf_object__close(opened);
	skep_object_done(&object);
}

/* Writing adds to the object's BTF; a second file is as good as the first. */
static void test_twice(void **state)
{
	_cleanup_buf_ struct skep_buf elf = {0};
	struct skep_object object;

	make_object(&object);
	write_elf(&object, &elf);
	skep_buf_clear(&elf);
	write_elf(&object, &elf);
	struct bpf_object *opened = open_elf(&elf);
	load(opened);
	check_maps(opened);
	check_run(opened);
	bpf_object__close(opened);
	skep_object_done(&object);
}

/* Names that C does not allow, and the names of libbpf's own sections. */
static void test_names(void **state)
{
	_cleanup_buf_ struct skep_buf elf = {0};
	struct skep_object object;
	struct skep_object_map map = {.name = "1st.map",
				      .type = BPF_MAP_TYPE_HASH,
				      .key_size = 12,
				      .value_size = 3,
				      .max_entries = 1u << 31};

	skep_object_init(&object);
	skep_object_add_map(&object, &map);
	map = (struct skep_object_map){.name = ".rodata",
				       .type = BPF_MAP_TYPE_ARRAY,
				       .key_size = 4,
				       .value_size = 8,
				       .max_entries = 1,
				       .init = &thousand,
				       .freeze = true};
	skep_object_add_map(&object, &map);
	strcpy(map.name, ".bss");
	map.freeze = false;
	map.init = NULL;
	skep_object_add_map(&object, &map);
	add_prog(&object, "p", "socket",
		 "r1 = map[idx:1]+0\nr1 = map[idx:2]+0\nr0 = *(u64 *)(r1 +0)\nexit");
	write_elf(&object, &elf);
	struct bpf_object *opened = open_elf(&elf);
	struct bpf_map *hash = bpf_object__find_map_by_name(opened, "_1st_map");
	assert_non_null(hash);
	assert_int_equal(bpf_map__key_size(hash), 12);
	assert_int_equal(bpf_map__value_size(hash), 3);
	assert_int_equal(bpf_map__max_entries(hash), 1u << 31);
	assert_non_null(bpf_object__find_map_by_name(opened, "skeptest.rodata"));
	assert_non_null(bpf_object__find_map_by_name(opened, ".data.bss"));
	bpf_object__close(opened);
	skep_object_done(&object);
}

/* bpftool's linker reads more strictly than its loader. */
static void test_bpftool_links(void **state)
{
	_cleanup_buf_ struct skep_buf elf = {0};
	char in[] = "/tmp/skep-object-XXXXXX", command[128];
	_cleanup_close_ int fd = mkstemp(in);
	struct skep_object object;

	assert_true(fd >= 0);
	if (system("bpftool version >/dev/null 2>&1")) {
		unlink(in);
		print_message("no bpftool here\n");
		skip();
	}
	make_object(&object);
	assert_int_equal(skep_object_write_elf(&object, fd, NULL), 0);
	snprintf(command, sizeof(command), "bpftool gen object %s.o %s", in, in);
	int status = system(command);
	unlink(in);
	snprintf(command, sizeof(command), "%s.o", in);
	int err = skep_file_read(command, 1u << 20, &elf);
	unlink(command);
	assert_int_equal(status, 0);
	assert_int_equal(err, 0);
	struct bpf_object *opened = open_elf(&elf);
	load(opened);
	check_maps(opened);
	check_run(opened);
	bpf_object__close(opened);
	skep_object_done(&object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smallest),      cmocka_unit_test(test_loads_and_runs),
		cmocka_unit_test(test_twice),         cmocka_unit_test(test_names),
		cmocka_unit_test(test_bpftool_links),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
