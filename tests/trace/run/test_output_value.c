/* Values of every kind, as text and as JSON; stacks and symbols; the lines of events. */
#include "output_test.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <skep/btf.h>
#include <skep/symbol.h>

#include "trace/run/output_impl.h"

/* Both styles of one value. */
static void check(struct bench *b, const struct skep_type *type, const void *value,
		  const char *text, const char *json)
{
	b->out.json = false;
	assert_string_equal(print_value(b, type, value), text);
	b->out.json = true;
	assert_string_equal(print_value(b, type, value), json);
	b->out.json = false;
}

/* --- Numbers ---------------------------------------------------------------------------------- */

static void test_integers(void **state)
{
	int64_t minus = -1, big = (1ll << 53) + 1, even = 1ll << 60;
	uint8_t yes = 1, no = 0;
	struct bench b;

	bench_init(&b);
	check(&b, &skep_type_s8, &minus, "-1", "-1");
	check(&b, &skep_type_u8, &minus, "255", "255");
	check(&b, &skep_type_s16, &minus, "-1", "-1");
	check(&b, &skep_type_u16, &minus, "65535", "65535");
	check(&b, &skep_type_s32, &minus, "-1", "-1");
	check(&b, &skep_type_u32, &minus, "4294967295", "4294967295");
	check(&b, &skep_type_s64, &minus, "-1", "-1");
	/* A double would change these unseen. */
	check(&b, &skep_type_u64, &minus, "18446744073709551615", "\"18446744073709551615\"");
	check(&b, &skep_type_s64, &big, "9007199254740993", "\"9007199254740993\"");
	check(&b, &skep_type_s64, &even, "1152921504606846976", "1152921504606846976");
	check(&b, &skep_type_bool, &yes, "true", "true");
	check(&b, &skep_type_bool, &no, "false", "false");
	check(&b, &skep_type_none, "", "null", "null");
	bench_done(&b);
}

static void test_pointers(void **state)
{
	uint64_t addr = 0x32, none = 0;
	struct bench b;

	bench_init(&b);
	check(&b, &skep_type_void_ptr, &addr, "0x32", "50");
	check(&b, &skep_type_void_ptr, &none, "0x0", "0");
	bench_done(&b);
}

static void test_enums(void **state)
{
	struct bench b;
	int64_t value = 0;
	uint32_t id = 0, other = 99999;

	bench_init(&b);
	struct skep_btf *btf = skep_types_btf(&b.program.types);
	if (!btf || skep_btf_find_enumerator(btf, "BPF_MAP_TYPE_HASH", 17, &value, &id))
		skip();
	struct skep_type type = skep_type_u32;
	type.enum_btf = id;
	uint32_t hash = (uint32_t)value;
	check(&b, &type, &hash, "BPF_MAP_TYPE_HASH", "1");
	check(&b, &type, &other, "99999", "99999");
	arg(&b, &type, &hash);
	arg(&b, &type, &hash);
	assert_string_equal(print_event(&b, SKEP_EV_PRINTF, "%s %d"), "BPF_MAP_TYPE_HASH 1");
	bench_done(&b);
}

/* --- Made of others --------------------------------------------------------------------------- */

static void test_tuples(void **state)
{
	struct {
		int64_t a, b;
		char text[24];
		int64_t c, d;
	} value = {1, 2, "string with \"quotes\"", 4, 5};
	struct bench b;

	bench_init(&b);
	struct skep_types *types = &b.program.types;
	const struct skep_type *inner[] = {&skep_type_s64, &skep_type_s64};
	const struct skep_type *outer[] = {&skep_type_s64, &skep_type_s64,
					   skep_type_string(types, 24),
					   skep_type_tuple(types, inner, 2)};
	check(&b, skep_type_tuple(types, outer, 4), &value,
	      "(1, 2, string with \"quotes\", (4, 5))",
	      "[1,2,\"string with \\\"quotes\\\"\",[4,5]]");
	bench_done(&b);
}

static void test_named_tuples(void **state)
{
	int64_t value[] = {0, 1, 5, 6};
	struct skep_tuple_field pair[] = {{&skep_type_s64, 0, NULL}, {&skep_type_s64, 8, NULL}};
	struct skep_type tuple = {
		.kind = SKEP_T_TUPLE, .size = 16, .align = 8, .n = 2, .fields = pair};
	struct skep_tuple_field named[] = {
		{&skep_type_s64, 0, "a"}, {&skep_type_s64, 8, "b"}, {&tuple, 16, "d"}};
	struct skep_type record = {
		.kind = SKEP_T_TUPLE, .size = 32, .align = 8, .n = 3, .fields = named};
	struct bench b;

	bench_init(&b);
	check(&b, &record, value, "{ .a = 0, .b = 1, .d = (5, 6) }",
	      "{\"a\": 0, \"b\": 1, \"d\": [5,6]}");
	bench_done(&b);
}

static void test_arrays_and_buffers(void **state)
{
	int32_t numbers[] = {1, -2, 3};
	struct {
		uint32_t used;
		unsigned char data[4];
	} bytes = {3, {'a', 0, 0xff, 9}};
	struct bench b;

	bench_init(&b);
	check(&b, skep_type_array(&b.program.types, &skep_type_s32, 3), numbers, "[1,-2,3]",
	      "[1,-2,3]");
	check(&b, skep_type_buffer(&b.program.types, 4), &bytes, "a\\x00\\xff", "[97,0,-1]");
	bench_done(&b);
}

static void test_records(void **state)
{
	struct {
		int32_t m, n;
		uint32_t bits;
		char name[4];
	} value = {2, 3, 0x5 | 0x3 << 3 | 0x1au << 5, "abc"};
	struct bench b;

	bench_init(&b);
	const struct skep_field fields[] = {
		{.name = "m", .type = &skep_type_s32, .off = 0},
		{.name = "n", .type = &skep_type_s32, .off = 4},
		{.name = "x", .type = &skep_type_u32, .off = 8, .bit_off = 0, .bit_size = 3},
		{.name = "y", .type = &skep_type_s32, .off = 8, .bit_off = 3, .bit_size = 2},
		{.name = "z", .type = &skep_type_u32, .off = 8, .bit_off = 5, .bit_size = 27},
		{.name = "name", .type = skep_type_string(&b.program.types, 4), .off = 12},
	};
	const struct skep_record record = {
		.name = "struct Foo", .size = 16, .align = 4, .fields = fields, .n_fields = 6};
	check(&b, skep_type_record(&b.program.types, &record, SKEP_SPACE_BPF), &value,
	      "{ .m = 2, .n = 3, .x = 5, .y = 3, .z = 26, .name = abc }",
	      "{\"m\": 2, \"n\": 3, \"x\": 5, \"y\": 3, \"z\": 26, \"name\": \"abc\"}");
	const struct skep_record empty = {.name = "struct Empty", .size = 0, .align = 1};
	check(&b, skep_type_record(&b.program.types, &empty, SKEP_SPACE_BPF), &value, "{}", "{}");
	bench_done(&b);
}

/* struct timespec64 of the kernel: members come from BTF, long and signed. */
static void test_kernel_records(void **state)
{
	int64_t value[] = {5, -6};
	struct bench b;

	bench_init(&b);
	if (!skep_types_btf(&b.program.types))
		skip();
	const struct skep_type *type =
		skep_type_by_name(&b.program.types, "struct timespec64", SKEP_SPACE_BPF);
	assert_non_null(type);
	check(&b, type, value, "{ .tv_sec = 5, .tv_nsec = -6 }",
	      "{\"tv_sec\": 5, \"tv_nsec\": -6}");
	bench_done(&b);
}

/* A kernel struct with bit fields and anonymous members must neither crash nor leave its bytes. */
static void test_large_kernel_record(void **state)
{
	struct bench b;

	bench_init(&b);
	if (!skep_types_btf(&b.program.types))
		skip();
	const struct skep_type *type =
		skep_type_by_name(&b.program.types, "struct task_struct", SKEP_SPACE_BPF);
	assert_true(type && type->size);
	uint8_t *bytes = malloc(type->size);
	memset(bytes, 0xa5, type->size);
	const char *got = print_value(&b, type, bytes);
	assert_int_equal(strncmp(got, "{ .", 3), 0);
	assert_non_null(strstr(got, ".pid = -1515870811"));
	free(bytes);
	bench_done(&b);
}

/* --- Names ----------------------------------------------------------------------------------- */

static void test_names(void **state)
{
	uint64_t root = 0, nobody = 4000000000u, e2big = 7, kill_signal = 9, odd = 1000;
	int64_t minus = -1;
	unsigned char mac[8] = {0x0a, 0xff, 0, 0x10, 0x20, 0xb3};
	struct {
		uint32_t family;
		unsigned char addr[16];
	} v4 = {2, {127, 0, 0, 1}}, v6 = {10, {[15] = 1}}, bad = {77, {0}};
	struct bench b;

	bench_init(&b);
	check(&b, &skep_type_username, &root, "root", "\"root\"");
	check(&b, &skep_type_username, &nobody, "", "\"\"");
	check(&b, &skep_type_username, &root, "root", "\"root\"");
	check(&b, &skep_type_strerror, &e2big, "Argument list too long",
	      "\"Argument list too long\"");
	check(&b, &skep_type_strerror, &minus, "Operation not permitted",
	      "\"Operation not permitted\"");
	check(&b, &skep_type_strerror, &odd, "Unknown error", "\"Unknown error\"");
	check(&b, &skep_type_signal, &kill_signal, "Killed", "\"Killed\"");
	check(&b, &skep_type_signal, &root, "Unknown signal 0", "\"Unknown signal 0\"");
	check(&b, &skep_type_signal, &odd, "N/A", "\"N/A\"");
	check(&b, &skep_type_mac, mac, "0A:FF:00:10:20:B3", "\"0A:FF:00:10:20:B3\"");
	check(&b, &skep_type_inet, &v4, "127.0.0.1", "\"127.0.0.1\"");
	check(&b, &skep_type_inet, &v6, "::1", "\"::1\"");
	check(&b, &skep_type_inet, &bad, "", "\"\"");
	bench_done(&b);
}

static void test_probe_names(void **state)
{
	struct skep_probe probe = {.name = "kprobe:vfs_read"}, *probes[] = {&probe};
	uint64_t first = 0, none = 1;
	struct bench b;

	bench_init(&b);
	b.program.probes = probes;
	b.program.n_probes = 1;
	check(&b, &skep_type_probe, &first, "kprobe:vfs_read", "\"kprobe:vfs_read\"");
	check(&b, &skep_type_probe, &none, "", "\"\"");
	bench_done(&b);
}

static void test_cgroup_paths(void **state)
{
	const char *strings[] = {"*", "unified", "no-such-hierarchy"};
	uint64_t value[] = {0, 1}, other[] = {0, 2}, unknown[] = {UINT64_MAX, 0};
	struct stat st;
	struct bench b;

	bench_init(&b);
	b.program.strings = strings;
	b.program.n_strings = 3;
	check(&b, &skep_type_cgroup_path, unknown, "", "\"\"");
	if (!stat("/sys/fs/cgroup/cgroup.controllers", &st) && !stat("/sys/fs/cgroup", &st)) {
		value[0] = other[0] = st.st_ino;
		check(&b, &skep_type_cgroup_path, value, "unified:/", "\"unified:/\"");
		check(&b, &skep_type_cgroup_path, other, "", "\"\"");
	}
	bench_done(&b);
}

static void test_timestamps(void **state)
{
	const char *strings[] = {"%Y-%m-%d %H:%M:%S.%f %k %l %%f", "", "%H:%M"};
	struct {
		uint64_t ns;
		uint32_t format, is_wall;
	} value = {1000000000123456789ull, 0, 1}, boot = {5000000000, 2, 0}, zero = {5, 0, 1};
	struct bench b;

	setenv("TZ", "UTC", 1);
	tzset();
	bench_init(&b);
	b.program.strings = strings;
	b.program.n_strings = 3;
	check(&b, &skep_type_timestamp, &value, "2001-09-09 01:46:40.123456 123456789 123 %f",
	      "\"2001-09-09 01:46:40.123456 123456789 123 %f\"");
	b.out.boot_to_wall_ns = 3600ull * 1000000000;
	check(&b, &skep_type_timestamp, &boot, "01:00", "\"01:00\"");
	check(&b, &skep_type_timestamp, &zero, "(?)", "\"(?)\"");
	bench_done(&b);
}

/* --- Symbols and stacks ---------------------------------------------------------------------- */

__attribute__((noinline)) static int test_output_landmark(int x)
{
	return x + 1;
}

static uint64_t frames[4];
static int n_frames;

static int given_frames(void *ctx, bool user, uint32_t stack_id, uint64_t *ret, uint32_t max)
{
	for (int i = 0; i < n_frames && i < (int)max; i++)
		ret[i] = frames[i];
	return n_frames;
}

static void test_kernel_symbols(void **state)
{
	struct skep_stack_key key = {.stack_id = 1};
	uint64_t addr, bogus = 0x1234, none = 0;
	char want[256];
	struct bench b;

	bench_init(&b);
	b.out.ksyms = skep_ksyms_new();
	b.out.stack = given_frames;
	if (skep_ksyms_find(b.out.ksyms, "vfs_read", &addr))
		skip();
	check(&b, &skep_type_ksym, &addr, "vfs_read", "\"vfs_read\"");
	check(&b, &skep_type_ksym, &bogus, "0x1234", "\"0x1234\"");
	check(&b, &skep_type_ksym, &none, "0", "\"0\"");
	frames[0] = addr + 4;
	frames[1] = 0x10;
	n_frames = 2;
	struct skep_types *types = &b.program.types;
	check(&b, skep_type_stack(types, false, SKEP_STACK_BPFTRACE, 127), &key,
	      "\n        vfs_read+4\n        0x10\n",
	      "\"\\n        vfs_read+4\\n        0x10\\n\"");
	snprintf(want, sizeof(want), "\n\t%llx vfs_read+4\n\t10 0x10\n",
		 (unsigned long long)frames[0]);
	assert_string_equal(
		print_value(&b, skep_type_stack(types, false, SKEP_STACK_PERF, 127), &key), want);
	snprintf(want, sizeof(want), "\n%llx\n10\n", (unsigned long long)frames[0]);
	assert_string_equal(
		print_value(&b, skep_type_stack(types, false, SKEP_STACK_RAW, 127), &key), want);
	/* Only as deep as asked for. */
	check(&b, skep_type_stack(types, false, SKEP_STACK_BPFTRACE, 1), &key,
	      "\n        vfs_read+4\n", "\"\\n        vfs_read+4\\n\"");
	skep_ksyms_free(b.out.ksyms);
	bench_done(&b);
}

static void test_user_symbols(void **state)
{
	struct skep_stack_key key = {.stack_id = 1, .pid = (uint32_t)getpid()};
	struct {
		uint64_t addr;
		uint32_t pid, zero;
	} sym = {(uint64_t)(uintptr_t)test_output_landmark, (uint32_t)getpid(), 0},
	  bogus = {0x1234, (uint32_t)getpid(), 0};
	struct bench b;

	bench_init(&b);
	b.out.usyms = skep_usyms_new(true);
	b.out.stack = given_frames;
	check(&b, &skep_type_usym, &sym, "test_output_landmark", "\"test_output_landmark\"");
	check(&b, &skep_type_usym, &bogus, "0x1234", "\"0x1234\"");
	frames[0] = sym.addr + 1;
	frames[1] = 0x10;
	n_frames = 2;
	struct skep_types *types = &b.program.types;
	check(&b, skep_type_stack(types, true, SKEP_STACK_BPFTRACE, 127), &key,
	      "\n        test_output_landmark+1\n        0x10\n",
	      "\"\\n        test_output_landmark+1\\n        0x10\\n\"");
	const char *got = print_value(&b, skep_type_stack(types, true, SKEP_STACK_PERF, 127), &key);
	assert_non_null(strstr(got, " test_output_landmark+1 (/"));
	assert_non_null(strstr(got, "\n\t10 0x10 ([unknown])\n"));
	arg(&b, skep_type_stack(types, true, SKEP_STACK_RAW, 2), &key);
	assert_non_null(strstr(print_event(&b, SKEP_EV_PRINTF, "at %s."), "\n10\n."));
	skep_usyms_free(b.out.usyms);
	bench_done(&b);
}

/* --- Lines of events ------------------------------------------------------------------------- */

static void test_print_events(void **state)
{
	struct bench b;

	bench_init(&b);
	arg_s64(&b, 1);
	arg_s64(&b, 5);
	assert_string_equal(print_event(&b, SKEP_EV_PRINT, NULL), "1\n");
	assert_string_equal(print_event(&b, SKEP_EV_PRINT_KEY, NULL), "5\n");
	b.out.json = true;
	assert_string_equal(print_event(&b, SKEP_EV_PRINT_KEY, NULL),
			    "{\"type\": \"value\", \"data\": 5}\n");
	bench_done(&b);
}

static void put_join(struct bench *b, const char *const *words, uint32_t n)
{
	uint32_t end = 16 + 16 * 8;

	memset(b->record, 0, sizeof(b->record));
	memcpy(b->record + 8, &n, sizeof(n));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t place[2] = {end, (uint32_t)strlen(words[i]) + 1};
		memcpy(b->record + 16 + 8 * i, place, sizeof(place));
		memcpy(b->record + end, words[i], place[1]);
		end += place[1];
	}
	b->size = end;
}

static void test_join(void **state)
{
	static const char *const words[] = {"/bin/echo", "'A'"}, *const gap[] = {"a", "", "b"};
	struct bench b;

	bench_init(&b);
	put_join(&b, words, 2);
	assert_string_equal(print_event(&b, SKEP_EV_JOIN, " "), "/bin/echo 'A'\n");
	b.out.json = true;
	assert_string_equal(print_event(&b, SKEP_EV_JOIN, ","),
			    "{\"type\": \"join\", \"data\": \"/bin/echo,'A'\"}\n");
	b.out.json = false;
	put_join(&b, gap, 3);
	assert_string_equal(print_event(&b, SKEP_EV_JOIN, " "), "a\n");
	put_join(&b, words, 2);
	b.size = 30;
	assert_string_equal(print_event(&b, SKEP_EV_JOIN, " "), "\n");
	/* More words than there are places, and places out of the record. */
	memset(b.record, 0xff, sizeof(b.record));
	b.size = 200;
	assert_string_equal(print_event(&b, SKEP_EV_JOIN, " "), "\n");
	bench_done(&b);
}

static void test_time(void **state)
{
	int h, m, s;
	struct bench b;

	bench_init(&b);
	assert_int_equal(
		sscanf(print_event(&b, SKEP_EV_TIME, "%H:%M:%S\n"), "%2d:%2d:%2d\n", &h, &m, &s),
		3);
	b.out.json = true;
	const char *got = print_event(&b, SKEP_EV_TIME, "%H:%M:%S\n");
	assert_int_equal(sscanf(got, "{\"type\": \"time\", \"data\": \"%2d:%2d:%2d", &h, &m, &s),
			 3);
	assert_non_null(strstr(got, "\\n\"}\n"));
	bench_done(&b);
}

static void test_complaints(void **state)
{
	static const char text[] =
		"begin { errorf(\"Something bad with args: %d, %s\", 10, \"arg2\"); }";
	const struct skep_source source = {"stdin", text, sizeof(text) - 1};
	struct bench b;

	bench_init(&b);
	b.out.source = &source;
	b.event.span = (struct skep_span){8, 53};
	arg_s64(&b, 10);
	arg_str(&b, 5, "arg2");
	assert_string_equal(print_event(&b, SKEP_EV_ERRORF, "Something bad with args: %d, %s"),
			    "stdin:1:9-62: ERROR: Something bad with args: 10, arg2\n");
	assert_string_equal(print_event(&b, SKEP_EV_WARNF, "%d\n"), "stdin:1:9-62: WARNING: 10\n");
	b.out.json = true;
	assert_string_equal(print_event(&b, SKEP_EV_ERRORF, "bad %d"),
			    "{\"type\": \"errorf\", \"msg\": \"bad 10\", \"filename\": \"stdin\", "
			    "\"line\": 1, \"col\": 9}\n");
	b.out.json = false;
	b.out.source = NULL;
	assert_string_equal(print_event(&b, SKEP_EV_ERRORF, "bad %d"), "ERROR: bad 10\n");
	bench_done(&b);
}

/* --- The run time's own lines ---------------------------------------------------------------- */

static void test_own_lines(void **state)
{
	const struct skep_trace_map map = {.name = "@a", .max_keys = 4096, .value = &skep_type_u64};
	struct bench b;

	bench_init(&b);
	skep_output_attached(&b.out, 1, &b.buf);
	skep_output_attached(&b.out, 2, &b.buf);
	skep_output_end(&b.out, &b.buf);
	skep_output_text(&b.out, "syscall", "a b c\n", 6, &b.buf);
	skep_output_text(&b.out, "cat", "x\n", 2, &b.buf);
	assert_string_equal(b.buf.data, "Attached 1 probe\nAttached 2 probes\n\n\na b c\n\nx\n");
	skep_buf_clear(&b.buf);
	skep_output_map_full(&b.out, &map, 3, &b.buf);
	assert_string_equal(
		b.buf.data,
		"WARNING: Map full; can't update element. @a holds 4096 keys at most: 3 "
		"updates were lost\n  try: config = { max_map_keys=16384 }, or let @a = "
		"hash(16384)\n");
	skep_buf_clear(&b.buf);
	b.out.json = true;
	skep_output_attached(&b.out, 1, &b.buf);
	skep_output_end(&b.out, &b.buf);
	skep_output_text(&b.out, "syscall", "a b c\n", 6, &b.buf);
	skep_output_loss(&b.out, SKEP_LOSS_EVENT, 12, &b.buf);
	skep_output_map_full(&b.out, &map, 3, &b.buf);
	assert_string_equal(
		b.buf.data,
		"{\"type\": \"attached_probes\", \"count\": 1, \"data\": {\"probes\": 1}}\n"
		"{\"type\": \"syscall\", \"data\": \"a b c\\n\"}\n"
		"{\"type\": \"lost_events\", \"count\": 12, \"data\": {\"events\": 12}}\n"
		"{\"type\": \"map_full\", \"count\": 3, \"data\": {\"@a\": 3}}\n");
	bench_done(&b);
}

/* Every cause says how many, and is one line of JSON. */
static void test_losses(void **state)
{
	struct bench b;

	bench_init(&b);
	for (int json = 0; json < 2; json++) {
		b.out.json = json;
		for (uint32_t i = 0; i < SKEP_LOSS_CNT; i++) {
			skep_buf_clear(&b.buf);
			skep_output_loss(&b.out, i, 4242, &b.buf);
			assert_non_null(strstr(b.buf.data, "4242"));
			assert_int_equal(b.buf.data[b.buf.len - 1], '\n');
			if (json)
				assert_ptr_equal(strchr(b.buf.data, '\n'),
						 b.buf.data + b.buf.len - 1);
		}
	}
	bench_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_enums),
		cmocka_unit_test(test_tuples),
		cmocka_unit_test(test_named_tuples),
		cmocka_unit_test(test_arrays_and_buffers),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_kernel_records),
		cmocka_unit_test(test_large_kernel_record),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_probe_names),
		cmocka_unit_test(test_cgroup_paths),
		cmocka_unit_test(test_timestamps),
		cmocka_unit_test(test_kernel_symbols),
		cmocka_unit_test(test_user_symbols),
		cmocka_unit_test(test_print_events),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_complaints),
		cmocka_unit_test(test_own_lines),
		cmocka_unit_test(test_losses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
