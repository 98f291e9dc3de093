/*
 * bpf(2) of the machine beside the running kernel's: each command with good and bad attributes;
 * results, error numbers and what is written must be the same.
 */
#include "both.h"

#include <skep/map.h>

#include "machine/prog.h"

struct skep_machine *machine;
bool has_kernel;
unsigned n_differences;

#define FIELD_END(field) (offsetof(union attr, field) + sizeof(((union attr *)NULL)->field))

static int setup(void **state)
{
	union attr attr = {.map_create = {2, 4, 4, 1}};
	int fd = (int)call_kernel(CMD_MAP_CREATE, &attr, sizeof(attr));

	has_kernel = fd >= 0;
	if (has_kernel)
		close(fd);
	return skep_machine_new(NULL, &machine);
}

static int teardown(void **state)
{
	skep_machine_free(machine);
	return 0;
}

/* --- sizes ------------------------------------------------------------------------------------ */

static void test_sizes(void **state)
{
	union {
		union attr attr;
		uint8_t bytes[8192];
	} wide = {.attr.map_create = {2, 4, 4, 1}};
	static const unsigned sizes[] = {0, 4, 15, 16, 72, 120, 168, 169, 200, 4096, 4097, 8192};

	NEED_KERNEL();
	for (int dirty = 0; dirty < 2; dirty++) {
		wide.bytes[169] = (uint8_t)dirty;
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			struct both both;

			for (int side = 0; side < 2; side++) {
				both.result[side] =
					call_side(side, CMD_MAP_CREATE, &wide, sizes[i]);
				both.err[side] = both.result[side] < 0 ? errno : 0;
			}
			check_same(both, true, "size");
			close_both(both);
		}
	}
}

/* A byte that is not zero behind the last field of a command is refused: finds the end of each. */
static void test_ends(void **state)
{
	static const struct {
		const char *name;
		int number;
		uint32_t end;
	} commands[] = {
#define COMMAND(number, NAME, last, handler) {#NAME, number, FIELD_END(last)},
#include "machine/commands.def"
#undef COMMAND
	};

	NEED_KERNEL();
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		union attr attr;

		if (commands[i].end == sizeof(attr))
			continue;
		memset(&attr, 0, sizeof(attr));
		attr.bytes[commands[i].end] = 1;
		assert_int_equal(
			check_fd(commands[i].number, &attr, sizeof(attr), commands[i].name),
			EINVAL);
	}
}

static void test_bad_calls(void **state)
{
	static const int commands[] = {-1, 38, 1000, INT32_MAX};
	union attr attr = {0};

	NEED_KERNEL();
	for (size_t i = 0; i < 4; i++)
		check_fd(commands[i], &attr, sizeof(attr), "unknown command");
	for (int cmd = 0; cmd < 38; cmd++) {
		struct both both;
		char what[32];

		memset(&attr, 0, sizeof(attr));
		/* what the kernel has loaded and we have not; our own standard input */
		if (cmd == CMD_PROG_DETACH || cmd == CMD_ENABLE_STATS || cmd == CMD_PROG_QUERY ||
		    cmd == CMD_PROG_GET_NEXT_ID || cmd == CMD_MAP_GET_NEXT_ID ||
		    cmd == CMD_BTF_GET_NEXT_ID || cmd == CMD_LINK_GET_NEXT_ID)
			continue;
		snprintf(what, sizeof(what), "command %d of zeros", cmd);
		check_fd(cmd, &attr, sizeof(attr), what);
		memset(&attr, 0xff, sizeof(attr));
		snprintf(what, sizeof(what), "command %d of ones", cmd);
		check_fd(cmd, &attr, sizeof(attr), what);
		for (int side = 0; side < 2; side++) {
			both.result[side] = call_side(side, cmd, NULL, sizeof(attr));
			both.err[side] = both.result[side] < 0 ? errno : 0;
		}
		check_same(both, true, "no attributes");
	}
}

/* --- maps ------------------------------------------------------------------------------------- */

/* What maps may be like, and may not. */
static const struct attr_map_create map_attrs[] = {
	{0, 4, 4, 1},
	{1, 4, 4, 1},
	{1, 0, 4, 1},
	{1, 4, 0, 1},
	{1, 4, 4, 0},
	{1, 600, 8, 10},
	{2, 4, 4, 1},
	{2, 8, 4, 1},
	{2, 4, 0, 1},
	{2, 4, 4, 0},
	{2, 4, 4, 1, .flags = 1},
	{2, 4, 4, 1, .flags = 1 << 3},
	{2, 4, 4, 1, .flags = 1 << 4},
	{2, 4, 4, 1, .flags = 3 << 3},
	{2, 4, 4, 1, .flags = 1 << 7},
	{2, 4, 4, 1, .flags = 3 << 7},
	{2, 4, 4, 1, .flags = 1 << 10},
	{2, 4, 4, 1, .flags = 1 << 16},
	{2, 4, 4, 1, .flags = 1u << 31},
	{2, 4, 4, 1, .extra = 1},
	{2, 4, 4, 1, .ifindex = 1},
	{2, 4, 4, 1, .flags = 4, .numa_node = 0},
	{2, 4, 4, 1, .flags = 4, .numa_node = 1000},
	{2, 4, 4, 1, .name = "good_name.1"},
	{2, 4, 4, 1, .name = "bad name"},
	{2, 4, 4, 1, .name = "bad-name"},
	{2, 4, 4, 1,
	 .name = {'l', 'o', 'n', 'g', 'l', 'o', 'n', 'g', 'l', 'o', 'n', 'g', 'l', 'o', 'n', 'g'}},
	{2, 4, 4, 1, .btf_key_type_id = 1},
	{2, 4, 4, 1, .btf_value_type_id = 1},
	{2, 4, 4, 1, .btf_key_type_id = 1, .btf_value_type_id = 1},
	{2, 4, 4, 1, .btf_vmlinux_value_type_id = 1},
	{2, 4, 4, 1, .excl_prog_hash_size = 32},
	{3, 4, 4, 4},
	{3, 4, 8, 4},
	{4, 4, 4, 4},
	{6, 4, 8, 4},
	{6, 4, 40000, 4},
	{7, 4, 8, 4},
	{7, 4, 7, 4},
	{9, 4, 8, 4},
	{11, 8, 8, 4, .flags = 1},
	{11, 8, 8, 4},
	{12, 4, 4, 4},
	{12, 4, 4, 4, .inner_map_fd = 9999},
	{13, 4, 4, 4},
	{14, 4, 4, 4},
	{15, 4, 4, 4},
	{16, 4, 4, 4},
	{17, 4, 4, 4},
	{18, 4, 4, 4},
	{20, 4, 8, 4},
	{22, 0, 4, 4},
	{22, 4, 4, 4},
	{23, 0, 4, 4},
	{24, 4, 4, 0, .flags = 1},
	{25, 4, 4, 4},
	{26, 4, 64, 1},
	{27, 0, 0, 4096},
	{27, 0, 0, 4095},
	{27, 4, 0, 4096},
	{29, 4, 4, 0, .flags = 1},
	{30, 0, 4, 4},
	{30, 0, 4, 4, .extra = 5},
	{30, 0, 4, 4, .extra = 16},
	{31, 0, 0, 4096},
	{33, 0, 0, 10, .flags = 1 << 10},
	{33, 0, 0, 10},
	{34, 4, 4, 4},
	{1000, 4, 4, 4},
};

static void test_map_create(void **state)
{
	NEED_KERNEL();
	for (size_t i = 0; i < sizeof(map_attrs) / sizeof(*map_attrs); i++) {
		union attr attr = {.map_create = map_attrs[i]};
		char what[64];

		snprintf(what, sizeof(what), "map %zu of type %u", i, map_attrs[i].type);
		check_fd(CMD_MAP_CREATE, &attr, sizeof(attr), what);
	}
}

static uint32_t map_type; /* of the map in use */

/* The same map on both sides. */
static struct both new_maps(const struct attr_map_create *create)
{
	union attr attr[2] = {{.map_create = *create}, {.map_create = *create}};
	struct both both = call_both(CMD_MAP_CREATE, attr, sizeof(*attr));

	map_type = create->type;
	check_same(both, true, "map");
	assert_int_equal(both.err[0], 0);
	return both;
}

/* An element command with values of each side's own; @value is compared afterwards. */
static int check_elem(int cmd, struct both maps, const void *key, void *value, size_t bytes,
		      uint64_t flags)
{
	uint8_t values[2][256];
	union attr attr[2];
	struct both both;
	char what[100];

	memset(values, 0, sizeof(values));
	for (int side = 0; side < 2; side++) {
		if (value)
			memcpy(values[side], value, bytes);
		attr[side] = (union attr){.elem = {(uint32_t)maps.result[side], ptr(key),
						   value ? ptr(values[side]) : 0, flags}};
	}
	snprintf(what, sizeof(what), "command %d, flags %llx, map %u%s%s", cmd,
		 (unsigned long long)flags, map_type, key ? "" : ", no key",
		 value ? "" : ", no value");
	both = call_both(cmd, attr, sizeof(*attr));
	check_same(both, false, what);
	check_bytes(values[0], values[1], sizeof(values[0]), what, "value");
	if (value)
		memcpy(value, values[1], bytes);
	return both.err[0];
}

static void use_map(const struct attr_map_create *create)
{
	struct both maps = new_maps(create);
	uint8_t key[16] = {1}, other[16] = {9, 9}, value[256] = {7, 8, 9};
	static const uint64_t flags[] = {0, 1, 2, 3, 4, 5, 8, 1ull << 32};

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		value[0] = (uint8_t)i;
		check_elem(CMD_MAP_UPDATE_ELEM, maps, key, value, 64, flags[i]);
		check_elem(CMD_MAP_LOOKUP_ELEM, maps, key, value, 64, flags[i]);
		check_elem(CMD_MAP_LOOKUP_ELEM, maps, other, value, 64, flags[i]);
		check_elem(CMD_MAP_LOOKUP_AND_DELETE_ELEM, maps, key, value, 64, flags[i]);
		check_elem(CMD_MAP_UPDATE_ELEM, maps, other, value, 64, flags[i]);
	}
	/* the order in a hash table is by a seed of the kernel's */
	if (create->type != SKEP_MAP_HASH && create->type != SKEP_MAP_LRU_HASH &&
	    create->type != SKEP_MAP_PERCPU_HASH && create->type != SKEP_MAP_SOCKHASH) {
		check_elem(CMD_MAP_GET_NEXT_KEY, maps, key, value, 16, 0);
		check_elem(CMD_MAP_GET_NEXT_KEY, maps, NULL, value, 16, 0);
	}
	check_elem(CMD_MAP_DELETE_ELEM, maps, key, NULL, 0, 0);
	check_elem(CMD_MAP_DELETE_ELEM, maps, other, NULL, 0, 0);
	check_elem(CMD_MAP_LOOKUP_ELEM, maps, NULL, value, 64, 0);
	check_elem(CMD_MAP_LOOKUP_ELEM, maps, key, NULL, 64, 0);
	check_elem(CMD_MAP_UPDATE_ELEM, maps, NULL, value, 64, 0);
	check_elem(CMD_MAP_UPDATE_ELEM, maps, key, NULL, 64, 0);
	check_elem(CMD_MAP_DELETE_ELEM, maps, NULL, NULL, 0, 0);
	close_both(maps);
}

static void test_elements(void **state)
{
	static const struct attr_map_create attrs[] = {
		{SKEP_MAP_HASH, 4, 8, 4},
		{SKEP_MAP_HASH, 16, 64, 4, .flags = 1},
		{SKEP_MAP_ARRAY, 4, 8, 4},
		{SKEP_MAP_PROG_ARRAY, 4, 4, 4},
		{SKEP_MAP_LRU_HASH, 4, 8, 16},
		{SKEP_MAP_LPM_TRIE, 8, 8, 4, .flags = 1},
		{SKEP_MAP_PERCPU_ARRAY, 4, 8, 4},
		{SKEP_MAP_PERCPU_HASH, 4, 8, 4},
		{SKEP_MAP_STACK_TRACE, 4, 16, 4},
		{SKEP_MAP_PERF_EVENT_ARRAY, 4, 4, 4},
		{SKEP_MAP_CGROUP_ARRAY, 4, 4, 4},
		{SKEP_MAP_DEVMAP, 4, 4, 4},
		{SKEP_MAP_DEVMAP_HASH, 4, 4, 4},
		{SKEP_MAP_CPUMAP, 4, 4, 4},
		{SKEP_MAP_XSKMAP, 4, 4, 4},
		{SKEP_MAP_SOCKMAP, 4, 4, 4},
		{SKEP_MAP_SOCKHASH, 4, 4, 4},
		{SKEP_MAP_RINGBUF, 0, 0, 4096},
		{SKEP_MAP_USER_RINGBUF, 0, 0, 4096},
		{SKEP_MAP_HASH, 4, 8, 4, .flags = 1 << 3},
		{SKEP_MAP_HASH, 4, 8, 4, .flags = 1 << 4},
		{SKEP_MAP_ARRAY, 4, 8, 4, .flags = 1 << 7},
	};

	NEED_KERNEL();
	for (size_t i = 0; i < sizeof(attrs) / sizeof(*attrs); i++)
		use_map(&attrs[i]);
}

static void test_queue(void **state)
{
	static const struct attr_map_create queue = {SKEP_MAP_QUEUE, 0, 4, 2};
	static const struct attr_map_create bloom = {SKEP_MAP_BLOOM_FILTER, 0, 4, 100};
	uint32_t key = 0, value = 5;
	struct both maps;

	NEED_KERNEL();
	maps = new_maps(&queue);
	for (int i = 0; i < 4; i++)
		check_elem(CMD_MAP_UPDATE_ELEM, maps, NULL, &value, 4, (uint64_t)i);
	check_elem(CMD_MAP_LOOKUP_ELEM, maps, NULL, &value, 4, 0);
	check_elem(CMD_MAP_LOOKUP_ELEM, maps, &key, &value, 4, 0);
	for (int i = 0; i < 4; i++)
		check_elem(CMD_MAP_LOOKUP_AND_DELETE_ELEM, maps, NULL, &value, 4, 0);
	check_elem(CMD_MAP_LOOKUP_AND_DELETE_ELEM, maps, NULL, &value, 4, 4);
	check_elem(CMD_MAP_GET_NEXT_KEY, maps, NULL, &value, 4, 0);
	close_both(maps);
	maps = new_maps(&bloom);
	check_elem(CMD_MAP_LOOKUP_ELEM, maps, NULL, &value, 4, 0);
	check_elem(CMD_MAP_UPDATE_ELEM, maps, NULL, &value, 4, 0);
	check_elem(CMD_MAP_LOOKUP_ELEM, maps, NULL, &value, 4, 0);
	close_both(maps);
}

static void test_freeze(void **state)
{
	static const struct attr_map_create array = {SKEP_MAP_ARRAY, 4, 4, 2};
	union attr attr[2];
	uint32_t key = 0, value = 1;
	struct both maps;

	NEED_KERNEL();
	maps = new_maps(&array);
	for (int round = 0; round < 2; round++) {
		for (int side = 0; side < 2; side++)
			attr[side] = (union attr){.word = (uint32_t)maps.result[side]};
		check_same(call_both(CMD_MAP_FREEZE, attr, sizeof(*attr)), false, "freeze");
	}
	check_elem(CMD_MAP_UPDATE_ELEM, maps, &key, &value, 4, 0);
	check_elem(CMD_MAP_LOOKUP_ELEM, maps, &key, &value, 4, 0);
	close_both(maps);
}

static void batch(int cmd, struct both maps, uint32_t count, uint64_t elem_flags, uint64_t flags)
{
	char what[100];
	uint32_t keys[2][8], values[2][8], out[2][4];
	union attr attr[2];

	for (int side = 0; side < 2; side++) {
		for (uint32_t i = 0; i < 8; i++) {
			keys[side][i] = i % 4;
			values[side][i] = i * 3;
		}
		memset(out[side], 0, sizeof(out[side]));
		attr[side] = (union attr){.batch = {.out_batch = ptr(out[side]),
						    .keys = ptr(keys[side]),
						    .values = ptr(values[side]),
						    .count = count,
						    .map_fd = (uint32_t)maps.result[side],
						    .elem_flags = elem_flags,
						    .flags = flags}};
	}
	snprintf(what, sizeof(what), "command %d of %u, flags %llx %llx, map %u", cmd, count,
		 (unsigned long long)elem_flags, (unsigned long long)flags, map_type);
	check_same(call_both(cmd, attr, sizeof(*attr)), false, what);
	check_number(attr[0].batch.count, attr[1].batch.count, what, "count");
	check_bytes(values[0], values[1], sizeof(values[0]), what, "values");
	check_bytes(keys[0], keys[1], sizeof(keys[0]), what, "keys");
}

static void test_batches(void **state)
{
	static const struct attr_map_create attrs[] = {
		{SKEP_MAP_ARRAY, 4, 4, 4}, {SKEP_MAP_QUEUE, 0, 4, 4}, {SKEP_MAP_HASH, 4, 4, 1}};

	NEED_KERNEL();
	for (size_t i = 0; i < sizeof(attrs) / sizeof(*attrs); i++) {
		struct both maps = new_maps(&attrs[i]);

		batch(CMD_MAP_UPDATE_BATCH, maps, 4, 0, 0);
		batch(CMD_MAP_UPDATE_BATCH, maps, 0, 0, 0);
		batch(CMD_MAP_UPDATE_BATCH, maps, 4, 1, 0);
		batch(CMD_MAP_UPDATE_BATCH, maps, 4, 4, 0);
		batch(CMD_MAP_UPDATE_BATCH, maps, 4, 0, 1);
		batch(CMD_MAP_LOOKUP_BATCH, maps, 8, 0, 0);
		batch(CMD_MAP_LOOKUP_BATCH, maps, 0, 0, 0);
		batch(CMD_MAP_LOOKUP_BATCH, maps, 8, 1, 0);
		batch(CMD_MAP_LOOKUP_BATCH, maps, 8, 0, 1);
		batch(CMD_MAP_LOOKUP_AND_DELETE_BATCH, maps, 8, 0, 0);
		batch(CMD_MAP_DELETE_BATCH, maps, 2, 0, 0);
		batch(CMD_MAP_DELETE_BATCH, maps, 2, 8, 0);
		close_both(maps);
	}
}

/* --- programs --------------------------------------------------------------------------------- */

#define N_INSNS 2
static const struct skep_insn pass[N_INSNS] = {{0xb7, 0, 0, 0, 1}, {0x95}};

static union attr load_attr(uint32_t type)
{
	return (union attr){.prog_load = {.type = type,
					  .insn_cnt = N_INSNS,
					  .insns = ptr(pass),
					  .license = ptr("GPL")}};
}

/* A program that loads, but for one field. */
static const struct {
	const char *what;
	size_t off;
	uint64_t value;
	size_t size;
} prog_changes[] = {
#define CHANGE(field, to)                                                                          \
	{                                                                                          \
#field " = " #to, offsetof(union attr, prog_load.field), (uint64_t)(to),           \
			sizeof(((union attr *)NULL)->prog_load.field)                              \
	}
	CHANGE(insn_cnt, 0),
	CHANGE(insn_cnt, 1000001),
	CHANGE(insn_cnt, 1),
	CHANGE(insns, 0),
	CHANGE(insns, 8),
	CHANGE(license, 0),
	CHANGE(license, 8),
	CHANGE(flags, 1),
	CHANGE(flags, 2),
	CHANGE(flags, 4),
	CHANGE(flags, 16),
	CHANGE(flags, 1 << 8),
	CHANGE(flags, 1 << 16),
	CHANGE(flags, 1u << 31),
	CHANGE(kern_version, 1234),
	CHANGE(log_level, 1),
	CHANGE(log_level, 4),
	CHANGE(log_level, 16),
	CHANGE(log_size, 100),
	CHANGE(log_buf, 8),
	CHANGE(expected_attach_type, 1),
	CHANGE(expected_attach_type, 1000),
	CHANGE(btf_fd, 9999),
	CHANGE(func_info_cnt, 1),
	CHANGE(line_info_cnt, 1),
	CHANGE(attach_btf_id, 1),
	CHANGE(attach_fd, 9999),
	CHANGE(token_fd, 1),
	CHANGE(fd_array, 8),
	CHANGE(ifindex, 1),
#undef CHANGE
};

static void test_prog_load(void **state)
{
	NEED_KERNEL();
	for (uint32_t type = 0; type < PROG_TYPE_CNT + 2; type++) {
		union attr attr = load_attr(type);
		char what[32];

		snprintf(what, sizeof(what), "program type %u", type);
		if (type == PROG_STRUCT_OPS || type == PROG_EXT || type == PROG_LIRC_MODE2 ||
		    type == PROG_LSM)
			continue; /* refused by the verifier, or not configured here */
		check_fd(CMD_PROG_LOAD, &attr, sizeof(attr), what);
	}
	for (size_t i = 0; i < sizeof(prog_changes) / sizeof(*prog_changes); i++) {
		union attr attr = load_attr(PROG_SOCKET_FILTER);

		memcpy(attr.bytes + prog_changes[i].off, &prog_changes[i].value,
		       prog_changes[i].size);
		check_fd(CMD_PROG_LOAD, &attr, sizeof(attr), prog_changes[i].what);
	}
}

static void test_attach_types(void **state)
{
	static const uint32_t types[] = {
		PROG_CGROUP_SKB,     PROG_CGROUP_SOCK, PROG_CGROUP_SOCK_ADDR,
		PROG_CGROUP_SOCKOPT, PROG_SK_LOOKUP,   PROG_SK_REUSEPORT,
		PROG_SYSCALL,        PROG_XDP,         PROG_SCHED_CLS};

	NEED_KERNEL();
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		for (uint32_t at = 0; at < 60; at++) {
			union attr attr = load_attr(types[i]);
			char what[64];

			snprintf(what, sizeof(what), "program %u for %u", types[i], at);
			attr.prog_load.expected_attach_type = at;
			check_fd(CMD_PROG_LOAD, &attr, sizeof(attr), what);
		}
}

static struct both load_both(uint32_t type, uint32_t expected)
{
	union attr attr[2] = {load_attr(type), load_attr(type)};
	struct both progs;

	attr[0].prog_load.expected_attach_type = attr[1].prog_load.expected_attach_type = expected;
	progs = call_both(CMD_PROG_LOAD, attr, sizeof(*attr));
	check_same(progs, true, "load");
	return progs;
}

static void test_log(void **state)
{
	static const uint32_t sizes[] = {0, 1, 2, 8, 16, 64, 1000};
	struct skep_insn bad[2] = {{0xb7, 0, 0, 0, 1}, {0xb7, 0, 0, 0, 1}};

	NEED_KERNEL();
	for (uint32_t level = 1; level < 16; level += 8)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			char log[2][1000] = {"", ""};
			union attr attr[2];

			for (int side = 0; side < 2; side++) {
				attr[side] = load_attr(PROG_SOCKET_FILTER);
				attr[side].prog_load.insns = ptr(bad);
				attr[side].prog_load.log_level = level;
				attr[side].prog_load.log_size = sizes[i];
				attr[side].prog_load.log_buf = sizes[i] ? ptr(log[side]) : 0;
			}
			check_same(call_both(CMD_PROG_LOAD, attr, sizeof(*attr)), true, "log");
			assert_true(attr[1].prog_load.log_true_size > 0);
			if (sizes[i] == 1000 || level & 8)
				check_bytes(log[0], log[1], sizes[i] < 16 ? sizes[i] : 16, "log",
					    "text");
		}
}

/* --- what there is to tell ------------------------------------------------------------------- */

/* Numbers that are each side's own are taken out before. */
static void check_info(struct both fds, size_t size, const uint32_t *own, size_t n_own,
		       const char *what)
{
	uint8_t infos[2][512];

	for (uint32_t len = 0; len <= 400; len += len < size ? 4 : 36) {
		union attr attr[2];
		char at[100];

		snprintf(at, sizeof(at), "%s, %u bytes", what, len);
		for (int side = 0; side < 2; side++) {
			memset(infos[side], 0, sizeof(infos[side]));
			attr[side] = (union attr){
				.info = {(uint32_t)fds.result[side], len, ptr(infos[side])}};
		}
		check_same(call_both(CMD_OBJ_GET_INFO_BY_FD, attr, sizeof(*attr)), false, at);
		check_number(attr[0].info.len, attr[1].info.len, at, "length");
		for (size_t i = 0; i < n_own; i += 2)
			for (int side = 0; side < 2; side++)
				memset(infos[side] + own[i], 0, own[i + 1]);
		check_bytes(infos[0], infos[1], size, at, "info");
	}
}

static void test_map_info(void **state)
{
	static const struct attr_map_create attrs[] = {
		{SKEP_MAP_HASH, 4, 8, 4, .flags = 1, .name = "some.map"},
		{SKEP_MAP_ARRAY, 4, 8, 4, .flags = 1 << 3},
		{SKEP_MAP_ARRAY, 4, 8, 4, .flags = 1 << 10},
		{SKEP_MAP_LRU_HASH, 4, 8, 400},
		{SKEP_MAP_BLOOM_FILTER, 0, 8, 4, .extra = 3},
		{SKEP_MAP_RINGBUF, 0, 0, 4096},
	};
	static const uint32_t own[] = {offsetof(struct info_map, id), 4};

	NEED_KERNEL();
	for (size_t i = 0; i < sizeof(attrs) / sizeof(*attrs); i++) {
		struct both maps = new_maps(&attrs[i]);

		check_info(maps, sizeof(struct info_map), own, 2, "map info");
		close_both(maps);
	}
}

static void test_prog_info(void **state)
{
#define OWN(field) offsetof(struct info_prog, field), sizeof(((struct info_prog *)NULL)->field)
	static const uint32_t own[] = {
		OWN(id),        OWN(load_time),      OWN(jited_len),          OWN(run_time_ns),
		OWN(run_cnt),   OWN(xlated_len),     OWN(nr_jited_line_info), OWN(netns_dev),
		OWN(netns_ino), OWN(verified_insns),
	};
	struct both progs;

	NEED_KERNEL();
	for (uint32_t type = 1; type < 10; type++) {
		char what[32];

		snprintf(what, sizeof(what), "info of program type %u", type);
		progs = load_both(type, 0);
		check_info(progs, sizeof(struct info_prog), own, sizeof(own) / sizeof(*own), what);
		close_both(progs);
	}
}

/* --- BTF ------------------------------------------------------------------------------------- */

/* Header, one int, "\0int\0". */
struct small_btf {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len, type_off, type_len, str_off, str_len;
	uint32_t types[4];
	char strings[8];
};

static const struct small_btf an_int = {0xeb9f,     1, 0, 24, 0, 16, 16, 8, {1, 1 << 24, 4, 32},
					"\0int\0\0"};

static int check_btf(const struct small_btf *btf, uint32_t size, const char *what)
{
	union attr attr = {.btf_load = {.btf = ptr(btf), .size = size}};

	return check_fd(CMD_BTF_LOAD, &attr, sizeof(attr), what);
}

/* Each byte of it changed in a few ways: the same is refused, with the same error. */
static void test_btf(void **state)
{
	static const uint8_t changes[] = {1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xff};

	NEED_KERNEL();
	assert_int_equal(check_btf(&an_int, sizeof(an_int), "an int"), 0);
	for (uint32_t size = 0; size < sizeof(an_int); size++)
		check_btf(&an_int, size, "a part of an int");
	for (size_t at = 0; at < sizeof(an_int); at++)
		for (size_t i = 0; i < sizeof(changes); i++) {
			struct small_btf btf = an_int;
			char what[64];

			((uint8_t *)&btf)[at] ^= changes[i];
			snprintf(what, sizeof(what), "an int, byte %zu ^ %02x", at, changes[i]);
			check_btf(&btf, sizeof(btf), what);
		}
}

/* --- links ----------------------------------------------------------------------------------- */

static void test_links(void **state)
{
	struct both progs, links;
	union attr attr[2];
	static const char *const names[] = {"sched_switch", "no_such_tracepoint", "", NULL};

	NEED_KERNEL();
	progs = load_both(PROG_RAW_TRACEPOINT, 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		for (int side = 0; side < 2; side++)
			attr[side] = (union attr){
				.raw_tracepoint = {ptr(names[i]), (uint32_t)progs.result[side]}};
		links = call_both(CMD_RAW_TRACEPOINT_OPEN, attr, sizeof(*attr));
		check_same(links, true, names[i] ? names[i] : "no name");
		for (int side = 0; side < 2 && !i; side++)
			attr[side] = (union attr){.word = (uint32_t)links.result[side]};
		if (!i)
			check_same(call_both(CMD_LINK_DETACH, attr, sizeof(*attr)), false,
				   "detach");
		close_both(links);
	}
	for (uint32_t type = 0; type < ATTACH_CNT + 2; type++) {
		char what[64];

		if (type == ATTACH_STRUCT_OPS)
			continue;
		for (int side = 0; side < 2; side++)
			attr[side] = (union attr){
				.link_create = {(uint32_t)progs.result[side], .type = type}};
		snprintf(what, sizeof(what), "raw tracepoint program at attach type %u", type);
		links = call_both(CMD_LINK_CREATE, attr, sizeof(*attr));
		check_same(links, true, what);
		close_both(links);
	}
	close_both(progs);
}

#define CASE(name) cmocka_unit_test_teardown(name, none_differs)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_sizes),        CASE(test_ends),     CASE(test_bad_calls),
		CASE(test_map_create),   CASE(test_elements), CASE(test_queue),
		CASE(test_freeze),       CASE(test_batches),  CASE(test_prog_load),
		CASE(test_attach_types), CASE(test_log),      CASE(test_map_info),
		CASE(test_prog_info),    CASE(test_btf),      CASE(test_links),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
