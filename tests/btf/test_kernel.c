/*
 * The running kernel's BTF: every record against bpftool's raw listing,
 * structs that user space knows against the compiler, and every member by
 * name against the same by rank. Prints what look-ups cost; asserts nothing
 * about time.
 */
#include "raw.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/perf_event.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

static int open_kernel(void **state)
{
	struct skep_btf *btf = NULL;

	skep_btf_open_kernel(&btf, NULL);
	*state = btf;
	return 0;
}

static int close_kernel(void **state)
{
	skep_btf_free(*state);
	return 0;
}

static struct skep_btf *kernel_or_skip(void **state)
{
	if (!*state) {
		print_message("this kernel has no BTF\n");
		skip();
	}
	return *state;
}

static uint32_t find_struct(struct skep_btf *btf, const char *name)
{
	return skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_STRUCT));
}

/* --- Against the compiler ------------------------------------------------------------ */

/* Structs that are the kernel's promise to user space. */
static void user_space_structs(void **state)
{
#define FIELD(type, field) #type, #field, offsetof(struct type, field)
	static const struct {
		const char *type, *field;
		size_t off;
	} fields[] = {
		{FIELD(ethhdr, h_proto)},
		{FIELD(iphdr, tot_len)},
		{FIELD(iphdr, saddr)},
		{FIELD(iphdr, daddr)},
		{FIELD(ipv6hdr, nexthdr)},
		{FIELD(ipv6hdr, daddr)},
		{FIELD(tcphdr, seq)},
		{FIELD(tcphdr, window)},
		{FIELD(tcphdr, urg_ptr)},
		{FIELD(udphdr, len)},
		{FIELD(bpf_insn, imm)},
		{FIELD(bpf_perf_event_data, addr)},
		{FIELD(__sk_buff, data_end)},
		{FIELD(__sk_buff, gso_size)},
		{FIELD(xdp_md, rx_queue_index)},
		{FIELD(bpf_sock_ops, sk_txhash)},
		{FIELD(bpf_tcp_sock, bytes_acked)},
		{FIELD(perf_event_mmap_page, data_tail)},
		{FIELD(perf_event_attr, bp_type)},
		{FIELD(perf_event_attr, sample_regs_user)},
		{FIELD(timespec, tv_nsec)},
		{FIELD(rlimit, rlim_max)},
	};
#undef FIELD
	struct skep_btf *btf = kernel_or_skip(state);
	int compared = 0;

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		uint32_t id = find_struct(btf, fields[i].type);
		if (!id)
			continue; /* not every kernel describes every one of them */
		assert_int_equal(member(btf, id, fields[i].field).bit_off, fields[i].off * 8);
		compared++;
	}
	print_message("%d of %zu fields compared\n", compared, sizeof(fields) / sizeof(*fields));
	assert_true(compared >= 15);
}

static void user_space_enumerators(void **state)
{
	struct skep_btf *btf = kernel_or_skip(state);
	int64_t value;
	uint32_t id;

	assert_int_equal(skep_btf_find_enumerator(btf, "BPF_MAP_TYPE_RINGBUF", 20, &value, &id), 0);
	assert_int_equal(value, BPF_MAP_TYPE_RINGBUF);
	assert_string_equal(skep_btf_name(btf, id), "bpf_map_type");
	assert_int_equal(skep_btf_find_enumerator(btf, "BPF_PROG_TYPE_XDP", 17, &value, &id), 0);
	assert_int_equal(value, BPF_PROG_TYPE_XDP);
	assert_int_equal(skep_btf_find_enumerator(btf, "no such thing", 13, &value, &id), -ENOENT);
}

/* --- Against bpftool's listing of records ---------------------------------------------------- */

static const char *const kind_names[SKEP_BTF_N_KINDS] = {
	"VOID", "INT",     "PTR",      "ARRAY",    "STRUCT",   "UNION",  "ENUM",
	"FWD",  "TYPEDEF", "VOLATILE", "CONST",    "RESTRICT", "FUNC",   "FUNC_PROTO",
	"VAR",  "DATASEC", "FLOAT",    "DECL_TAG", "TYPE_TAG", "ENUM64",
};

struct cursor {
	uint32_t id, element; /* the type listed last, and how many of its elements were */
	uint32_t types, members;
};

/* The number behind "@key=" in @line. */
static bool number(const char *line, const char *key, int64_t *ret)
{
	const char *at = strstr(line, key);

	if (!at)
		return false;
	at += strlen(key);
	*ret = *at == '-' ? strtoll(at, NULL, 10) : (int64_t)strtoull(at, NULL, 10);
	return true;
}

/* The name between the quotes; bpftool writes (anon) for none. */
static void compare_name(const char *line, const char *name)
{
	const char *from = strchr(line, '\''), *to = strrchr(line, '\'');

	if (!from || !strncmp(from, "'(anon)'", 8)) {
		assert_true(!from || !*name);
		return;
	}
	if (strlen(name) != to - from - 1 || strncmp(name, from + 1, to - from - 1))
		fail_msg("'%s' in: %s", name, line);
}

/* [5] STRUCT 'list_head' size=16 vlen=2 */
static void compare_type(const struct skep_btf *btf, const char *line, struct cursor *cursor)
{
	char kind[32];
	int64_t value;

	assert_int_equal(sscanf(line, "[%u] %31s", &cursor->id, kind), 2);
	cursor->element = 0;
	cursor->types++;
	assert_string_equal(kind_names[skep_btf_kind(btf, cursor->id)], kind);
	compare_name(line, skep_btf_name(btf, cursor->id));
	if (number(line, " size=", &value))
		assert_int_equal(skep_btf_size(btf, cursor->id), value);
	if (number(line, " vlen=", &value))
		assert_int_equal(skep_btf_n_members(btf, cursor->id), value);
	if (number(line, " nr_elems=", &value))
		assert_int_equal(skep_btf_array_len(btf, cursor->id), value);
	if (number(line, strcmp(kind, "FUNC_PROTO") ? " type_id=" : " ret_type_id=", &value))
		assert_int_equal(skep_btf_target(btf, cursor->id), value);
}

/*	'next' type_id=5 bits_offset=0 bitfield_size=1 */
static void compare_member(const struct skep_btf *btf, const char *line, struct cursor *cursor)
{
	struct skep_btf_member found;
	const char *name;
	int64_t value, own;

	cursor->members++;
	if (!skep_btf_enumerator(btf, cursor->id, cursor->element, &name, &own)) {
		assert_true(number(line, " val=", &value));
		assert_int_equal(own, value);
		compare_name(line, name);
		cursor->element++;
		return;
	}
	assert_int_equal(skep_btf_member(btf, cursor->id, cursor->element++, &found), 0);
	assert_true(number(line, "type_id=", &value));
	assert_int_equal(found.type, value);
	if (number(line, " bits_offset=", &value))
		assert_int_equal(found.bit_off, value);
	if (skep_btf_kind(btf, cursor->id) == SKEP_BTF_DATASEC)
		return;
	compare_name(line, found.name);
	value = 0;
	number(line, " bitfield_size=", &value);
	assert_int_equal(found.bit_size, value);
}

static void every_record(void **state)
{
	struct skep_btf *btf = kernel_or_skip(state);
	FILE *pipe =
		popen("bpftool btf dump file /sys/kernel/btf/vmlinux format raw 2>/dev/null", "r");
	struct cursor cursor = {0};
	char line[4096];

	while (pipe && fgets(line, sizeof(line), pipe)) {
		if (line[0] == '[')
			compare_type(btf, line, &cursor);
		else if (line[0] == '\t')
			compare_member(btf, line, &cursor);
	}
	if (pipe)
		pclose(pipe);
	if (!cursor.types)
		skip(); /* no bpftool */
	print_message("%u types, %u members as bpftool lists them\n", cursor.types, cursor.members);
	assert_int_equal(cursor.types, skep_btf_n_types(btf));
}

/* --- Against itself -------------------------------------------------------------------------- */

/* Members of @id, those of anonymous members too, by rank; each must be found by name in @outer. */
static uint32_t sweep_members(const struct skep_btf *btf, uint32_t outer, uint32_t id,
			      uint32_t bit_off, int depth)
{
	uint32_t n = skep_btf_n_members(btf, id), found = 0;
	struct skep_btf_member by_rank, by_name;

	assert_true(depth < 10);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(skep_btf_member(btf, id, i, &by_rank), 0);
		if (!*by_rank.name) {
			found += sweep_members(btf, outer, skep_btf_strip(btf, by_rank.type),
					       bit_off + by_rank.bit_off, depth + 1);
			continue;
		}
		by_name = member(btf, outer, by_rank.name);
		assert_int_equal(by_name.bit_off, bit_off + by_rank.bit_off);
		assert_int_equal(by_name.type, by_rank.type);
		assert_int_equal(by_name.bit_size, by_rank.bit_size);
		found++;
	}
	return found;
}

static void every_member_by_name(void **state)
{
	struct skep_btf *btf = kernel_or_skip(state);
	uint32_t n = skep_btf_n_types(btf), members = 0;

	for (uint32_t id = 1; id <= n; id++) {
		enum skep_btf_kind kind = skep_btf_kind(btf, id);
		if (kind == SKEP_BTF_STRUCT || kind == SKEP_BTF_UNION)
			members += sweep_members(btf, id, id, 0, 0);
	}
	print_message("%u members found by name where they are by rank\n", members);
	assert_true(members > 10000);
}

static void every_type_prints(void **state)
{
	struct skep_btf *btf = kernel_or_skip(state);
	uint32_t n = skep_btf_n_types(btf);
	struct skep_buf out = {0};

	for (uint32_t id = 1; id <= n; id++) {
		skep_buf_clear(&out);
		skep_btf_print_decl(btf, id, "v", &out);
		assert_true(out.len > 1);
		assert_null(strstr(out.data, "/*"));
		skep_btf_print_def(btf, id, true, &out);
	}
	skep_buf_done(&out);
}

static void every_name_is_found(void **state)
{
	struct skep_btf *btf = kernel_or_skip(state);
	uint32_t n = skep_btf_n_types(btf);

	for (uint32_t id = 1; id <= n; id += 17) {
		const char *name = skep_btf_name(btf, id);
		uint32_t mask = SKEP_BTF_MASK(skep_btf_kind(btf, id));
		uint32_t first = skep_btf_find(btf, name, strlen(name), mask);
		if (!*name)
			continue;
		assert_in_range(first, 1, id);
		assert_string_equal(skep_btf_name(btf, first), name);
	}
}

/* --- What it costs --------------------------------------------------------------------------- */

static double since(struct timespec *from)
{
	struct timespec now;
	double ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (now.tv_sec - from->tv_sec) * 1e3 + (now.tv_nsec - from->tv_nsec) / 1e6;
	clock_gettime(CLOCK_MONOTONIC, from);
	return ms;
}

/* Resident now. getrusage() would tell the peak of the shell that started us, too. */
static long resident_kb(void)
{
	_cleanup_buf_ struct skep_buf buf = {0};
	long pages = 0;

	assert_int_equal(skep_file_read("/proc/self/statm", 4096, &buf), 0);
	assert_int_equal(sscanf(buf.data, "%*d %ld", &pages), 1);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Runs first, in a process that did nothing else yet. */
static void figures(void **state)
{
	struct skep_btf *btf = NULL;
	struct timespec at;
	long before;
	uint32_t id, n;

	print_message("what looking up costs:\n"); /* stdio's buffer, so that it is not counted */
	before = resident_kb();
	clock_gettime(CLOCK_MONOTONIC, &at);
	if (skep_btf_open_kernel(&btf, NULL))
		skip();
	print_message("open %.3f ms\n", since(&at));
	id = find_struct(btf, "task_struct");
	assert_int_equal(member(btf, id, "pid").bit_off % 8, 0);
	print_message("task_struct.pid, cold: %.3f ms\n", since(&at));
	print_message("memory so far %ld kB\n", resident_kb() - before);
	since(&at);
	n = skep_btf_n_types(btf);
	print_message("walk to the end, %u types: %.3f ms\n", n, since(&at));
	id = skep_btf_find(btf, "vfs_read", 8, SKEP_BTF_MASK(SKEP_BTF_FUNC));
	print_message("vfs_read, among the last: %.3f ms\n", since(&at));
	assert_int_equal(skep_btf_kind(btf, id), SKEP_BTF_FUNC);
	since(&at);
	assert_int_equal(find(btf, "no_such_type"), 0);
	print_message("a name that is not there: %.3f ms\n", since(&at));
	print_message("memory in all %ld kB\n", resident_kb() - before);
	skep_btf_free(btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures),
		cmocka_unit_test(user_space_structs),
		cmocka_unit_test(user_space_enumerators),
		cmocka_unit_test(every_record),
		cmocka_unit_test(every_member_by_name),
		cmocka_unit_test(every_type_prints),
		cmocka_unit_test(every_name_is_found),
	};

	return cmocka_run_group_tests(tests, open_kernel, close_kernel);
}
