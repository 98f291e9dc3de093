/*
 * Iterators: what they print of a map's elements is what the kernel's print; what they say of maps,
 * programs and links is what these are.
 */
#include "both.h"
#include "insns.h"

#include <fcntl.h>

#include <skep/btf.h>
#include <skep/map.h>

#include "machine/prog.h"

#define SEQ_WRITE 127

struct skep_machine *machine;
bool has_kernel;
unsigned n_differences;
static struct skep_btf *btf;

/* 0 where the kernel lets us load iterators; else 1: the machine is asked alone. */
static int first_side = 1;
#define SIDES(side) (int side = first_side; side < 2; side++)

static int teardown(void **state)
{
	skep_btf_free(btf);
	skep_machine_free(machine);
	return 0;
}

static uint32_t type_id(const char *name, enum skep_btf_kind kind)
{
	uint32_t id = skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(kind));

	assert_true(id);
	return id;
}

static int16_t offset_in(const char *type, const char *member)
{
	struct skep_btf_member found;

	assert_int_equal(skep_btf_find_member(btf, type_id(type, SKEP_BTF_STRUCT), member,
					      strlen(member), &found),
			 0);
	return (int16_t)(found.bit_off / 8);
}

#define LOAD(dst, src, off)                                                                        \
	{                                                                                          \
		SKEP_LDX | SKEP_MEM | SKEP_DW, dst, src, off                                       \
	}
#define LOAD_W(dst, src, off)                                                                      \
	{                                                                                          \
		SKEP_LDX | SKEP_MEM | SKEP_W, dst, src, off                                        \
	}
#define STORE(dst, off, src)                                                                       \
	{                                                                                          \
		SKEP_STX | SKEP_MEM | SKEP_DW, dst, src, off                                       \
	}
#define IF_ZERO(dst, off)                                                                          \
	{                                                                                          \
		SKEP_JMP | SKEP_JEQ | SKEP_K, dst, 0, off, 0                                       \
	}

/* r6 = context, r8 = seq file; writes the number of the object. */
#define BEGIN                                                                                      \
	MOV(6, 1), LOAD(7, 6, 0), LOAD(8, 7, 0), LOAD(9, 7, 16), STORE(10, -8, 9), MOV(1, 8),      \
		MOV(2, 10), ADD_IMM(2, -8), MOV_IMM(3, 8), CALL(SEQ_WRITE)
/* Writes @n bytes at r2. */
#define WRITE(n) MOV(1, 8), MOV_IMM(3, n), CALL(SEQ_WRITE)

static int load_side(int side, const struct skep_insn *insns, uint32_t n, const char *target)
{
	char name[64];
	union attr attr = {.prog_load = {.type = PROG_TRACING,
					 .insn_cnt = n,
					 .insns = ptr(insns),
					 .license = ptr("GPL"),
					 .name = "printer",
					 .expected_attach_type = ATTACH_TRACE_ITER}};

	snprintf(name, sizeof(name), "bpf_iter_%s", target);
	attr.prog_load.attach_btf_id = type_id(name, SKEP_BTF_FUNC);
	return (int)call_side(side, CMD_PROG_LOAD, &attr, sizeof(attr));
}

static int link_side(int side, int prog, const struct wire_iter_info *info)
{
	union attr attr = {.link_create = {(uint32_t)prog, .type = ATTACH_TRACE_ITER,
					   .iter_info = ptr(info),
					   .iter_info_len = info ? sizeof(*info) : 0}};

	return (int)call_side(side, CMD_LINK_CREATE, &attr, sizeof(attr));
}

/* All that the link's iterator prints. */
static size_t read_side(int side, int link, void *ret, size_t size)
{
	union attr attr = {.iter = {(uint32_t)link}};
	int fd = (int)call_side(side, CMD_ITER_CREATE, &attr, sizeof(attr));
	size_t len = 0;
	ssize_t n;

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	while ((n = read(fd, (char *)ret + len, size - len)) > 0)
		len += (size_t)n;
	assert_int_equal(n, 0);
	close(fd);
	return len;
}

/* --- Elements of maps, against the kernel ---------------------------------------------------- */

static int map_side(int side, uint32_t type, uint32_t value_size, uint32_t entries)
{
	union attr attr = {.map_create = {type, 4, value_size, entries}};
	int fd = (int)call_side(side, CMD_MAP_CREATE, &attr, sizeof(attr));

	assert_true(fd >= 0);
	return fd;
}

static void fill_side(int side, int map, uint32_t n, uint64_t first)
{
	uint64_t values[256] = {0}; /* of as many CPUs */

	for (uint32_t key = 0; key < n; key++) {
		union attr attr = {.elem = {(uint32_t)map, ptr(&key), ptr(values)}};

		for (int cpu = 0; cpu < 256; cpu++)
			values[cpu] = first + key * 1000 + (unsigned)cpu;
		assert_int_equal(call_side(side, CMD_MAP_UPDATE_ELEM, &attr, sizeof(attr)), 0);
	}
}

static uint64_t value_side(int side, int map, uint32_t key)
{
	uint64_t values[256] = {0};
	union attr attr = {.elem = {(uint32_t)map, ptr(&key), ptr(values)}};

	assert_int_equal(call_side(side, CMD_MAP_LOOKUP_ELEM, &attr, sizeof(attr)), 0);
	return values[0];
}

/* Prints number, key and value; adds one to a value of the map itself. */
static int load_element_printer(int side, bool per_cpu)
{
	const struct skep_insn insns[] = {
		BEGIN,
		LOAD(2, 6, 16), /* key */
		IF_ZERO(2, 12),
		WRITE(4),
		LOAD(9, 6, 24), /* value */
		IF_ZERO(9, 7),
		MOV(2, 9),
		WRITE(8),
		LOAD(2, 9, 0),
		ADD_IMM(2, 1),
		per_cpu ? (struct skep_insn)MOV_IMM(2, 0) : (struct skep_insn)STORE(9, 0, 2),
		MOV_IMM(0, 0),
		EXIT,
	};

	return load_side(side, insns, sizeof(insns) / sizeof(*insns), "bpf_map_elem");
}

static void compare_elements(uint32_t type, uint32_t entries, uint32_t n, const char *what)
{
	bool per_cpu = type == SKEP_MAP_PERCPU_ARRAY || type == SKEP_MAP_PERCPU_HASH;
	static uint8_t text[2][1 << 16];
	size_t len[2];

	for
		SIDES(side)
		{
			int map = map_side(side, type, 8, entries), prog, link;
			struct wire_iter_info info = {.map_fd = (uint32_t)map};

			fill_side(side, map, n, 7);
			prog = load_element_printer(side, per_cpu);
			assert_true(prog >= 0);
			link = link_side(side, prog, &info);
			assert_true(link >= 0);
			close(prog);
			len[side] = read_side(side, link, text[side], sizeof(text[side]));
			assert_int_equal(len[side], n * 20 + 8);
			if (!per_cpu)
				assert_int_equal(value_side(side, map, 0), 8);
			close(link);
			close(map);
		}
	if (first_side)
		return;
	check_number(len[0], len[1], what, "length");
	check_bytes(text[0], text[1], len[0], what, "text");
}

#define NEED_BTF()                                                                                 \
	do {                                                                                       \
		if (!btf)                                                                          \
			skip();                                                                    \
	} while (0)

static void test_elements(void **state)
{
	NEED_BTF();
	compare_elements(SKEP_MAP_ARRAY, 5, 5, "array");
	/* More and the kernel, whose buffer is full then, shows an element twice. */
	compare_elements(SKEP_MAP_ARRAY, 1600, 1600, "large array");
	compare_elements(SKEP_MAP_PERCPU_ARRAY, 3, 3, "per-CPU array");
	compare_elements(SKEP_MAP_HASH, 8, 1, "hash");
	compare_elements(SKEP_MAP_LRU_HASH, 100, 1, "LRU hash");
	compare_elements(SKEP_MAP_PERCPU_HASH, 8, 1, "per-CPU hash");
}

static void test_empty(void **state)
{
	NEED_BTF();
	for
		SIDES(side)
		{
			int map = map_side(side, SKEP_MAP_HASH, 8, 4);
			struct wire_iter_info info = {.map_fd = (uint32_t)map};
			int prog = load_element_printer(side, false),
			    link = link_side(side, prog, &info);
			uint8_t text[64];
			static const uint8_t zero[8];

			assert_int_equal(read_side(side, link, text, sizeof(text)), 8);
			assert_memory_equal(text, zero, 8);
			close(link);
			close(prog);
			close(map);
		}
}

/* --- Wrong calls ----------------------------------------------------------------------------- */

/* A call's result where it is a descriptor, which is closed; else the error. */
static int error_of(int side, int cmd, union attr *attr)
{
	long fd = call_side(side, cmd, attr, sizeof(*attr));
	int err = fd < 0 ? errno : 0;

	if (fd >= 0)
		close((int)fd);
	return err;
}

static void test_wrong_links(void **state)
{
	static const struct {
		uint32_t target, flags;
		int32_t map; /* in the place of the map's descriptor; -1: that */
		bool no_info, no_len;
		int err;
	} cases[] = {
		{0, 0, -1, false, false, 0},       {1, 0, -1, false, false, EINVAL},
		{0, 1, -1, false, false, EINVAL},  {0, 0, 0, false, false, EBADF},
		{0, 0, 9999, false, false, EBADF}, {0, 0, -1, true, false, EINVAL},
		{0, 0, -1, false, true, EINVAL},   {0, 0, -1, true, true, EBADF},
	};

	NEED_BTF();
	for
		SIDES(side)
		{
			int map = map_side(side, SKEP_MAP_HASH, 8, 4);
			int prog = load_element_printer(side, false);

			for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
				int32_t fd = cases[i].map < 0 ? map : cases[i].map;
				struct wire_iter_info info = {.map_fd = (uint32_t)fd};
				union attr attr = {
					.link_create = {(uint32_t)prog, cases[i].target,
							ATTACH_TRACE_ITER, cases[i].flags,
							.iter_info =
								cases[i].no_info ? 0 : ptr(&info),
							.iter_info_len = cases[i].no_len ? 0 : 16}};

				assert_int_equal(error_of(side, CMD_LINK_CREATE, &attr),
						 cases[i].err);
			}
			close(prog);
			close(map);
		}
}

static void test_wrong_maps(void **state)
{
	static const struct attr_map_create makes[] = {
		{SKEP_MAP_PROG_ARRAY, 4, 4, 4},
		{SKEP_MAP_QUEUE, 0, 8, 4},
		{SKEP_MAP_LPM_TRIE, 8, 8, 4, .flags = 1},
	};

	NEED_BTF();
	for
		SIDES(side)
		{
			int prog = load_element_printer(side, false);

			for (size_t i = 0; i < sizeof(makes) / sizeof(*makes); i++) {
				union attr make = {.map_create = makes[i]};
				int map = (int)call_side(side, CMD_MAP_CREATE, &make, sizeof(make));
				struct wire_iter_info info = {.map_fd = (uint32_t)map};

				assert_true(map >= 0);
				assert_int_equal(link_side(side, prog, &info), -1);
				assert_int_equal(errno, EINVAL);
				close(map);
			}
			close(prog);
		}
}

static void test_wrong_iterators(void **state)
{
	NEED_BTF();
	for
		SIDES(side)
		{
			int map = map_side(side, SKEP_MAP_HASH, 8, 4);
			int prog = load_element_printer(side, false);
			struct wire_iter_info info = {.map_fd = (uint32_t)map};
			int link = link_side(side, prog, &info);
			union attr attrs[] = {
				{.iter = {(uint32_t)map}},
				{.iter = {(uint32_t)prog}},
				{.iter = {9999}},
				{.iter = {(uint32_t)link, .flags = 1}},
			};
			static const int errs[] = {EINVAL, EINVAL, EBADF, EINVAL};

			for (size_t i = 0; i < sizeof(errs) / sizeof(*errs); i++)
				assert_int_equal(error_of(side, CMD_ITER_CREATE, &attrs[i]),
						 errs[i]);
			close(link);
			close(prog);
			close(map);
		}
}

static int error_of_info(int side, union attr *attr)
{
	return call_side(side, CMD_OBJ_GET_INFO_BY_FD, attr, sizeof(*attr)) ? errno : 0;
}

static void test_info(void **state)
{
	struct info_link infos[2];
	char names[2][32];

	NEED_BTF();
	for (uint32_t room = 0; room < 20; room += room == 0 ? 5 : 7) {
		for
			SIDES(side)
			{
				int map = map_side(side, SKEP_MAP_HASH, 8, 4);
				struct wire_iter_info info = {.map_fd = (uint32_t)map};
				int prog = load_element_printer(side, false);
				int link = link_side(side, prog, &info);
				union attr attr = {.info = {(uint32_t)link, sizeof(infos[side]),
							    ptr(&infos[side])}};

				memset(names[side], 0, sizeof(names[side]));
				memset(&infos[side], 0, sizeof(infos[side]));
				infos[side].iter.target_name = room ? ptr(names[side]) : 0;
				infos[side].iter.target_name_len = room;
				assert_int_equal(error_of_info(side, &attr),
						 room && room < 13 ? ENOSPC : 0);
				close(link);
				close(prog);
				close(map);
			}
		if (!room || room >= 13) { /* else only the name comes back */
			assert_int_equal(infos[1].type, 4);
			assert_int_equal(infos[1].iter.target_name_len, 13);
		}
		assert_int_equal(strncmp(names[1], "bpf_map_elem", room ? room - 1 : 0), 0);
		if (first_side)
			continue;
		check_number(infos[0].type, infos[1].type, "info", "type");
		check_number(infos[0].iter.target_name_len, infos[1].iter.target_name_len, "info",
			     "length of the name");
		check_bytes(names[0], names[1], sizeof(names[0]), "info", "name");
	}
}

/* --- Maps, programs, links and tasks as they are --------------------------------------------- */

struct line {
	uint64_t number;
	uint32_t id;
	char name[16];
} __attribute__((packed));

/* What prints them passes pointers to the kernel's structures on as memory, which the verifier does
 * not let them: the machine is another, that does not ask it. */
static struct skep_machine *verifying;

static int begin_unverified(void **state)
{
	const struct skep_machine_opts opts = {.unverified = true};

	verifying = machine;
	return skep_machine_new(&opts, &machine);
}

static int end_unverified(void **state)
{
	skep_machine_free(machine);
	machine = verifying;
	return none_differs(state);
}

/* Prints a line: the id that is at @id of the object (or of what @through points to), and a name.
 */
static int load_object_printer(const char *target, int16_t through, int16_t id, int16_t name)
{
	const struct skep_insn insns[] = {
		BEGIN,
		LOAD(9, 6, 8),
		IF_ZERO(9, 11),
		through < 0 ? (struct skep_insn)MOV(9, 9) : (struct skep_insn)LOAD(9, 9, through),
		LOAD_W(2, 9, id),
		{SKEP_STX | SKEP_MEM | SKEP_W, 10, 2, -16},
		MOV(2, 10),
		ADD_IMM(2, -16),
		WRITE(4),
		MOV(2, 9),
		ADD_IMM(2, name),
		MOV(1, 8),
		MOV_IMM(3, 16),
		CALL(SEQ_WRITE),
		MOV_IMM(0, 0),
		EXIT,
	};

	return load_side(1, insns, sizeof(insns) / sizeof(*insns), target);
}

static size_t read_lines(int prog, struct line lines[8])
{
	int link;
	size_t len;

	assert_true(prog >= 0);
	link = link_side(1, prog, NULL);
	assert_true(link >= 0);
	len = read_side(1, link, lines, 8 * sizeof(*lines));
	close(link);
	close(prog);
	/* The last call had no object. */
	assert_int_equal(len % sizeof(*lines), 8);
	return len / sizeof(*lines);
}

static uint32_t id_of(int fd)
{
	uint32_t info[64] = {0};
	union attr attr = {.info = {(uint32_t)fd, sizeof(info), ptr(info)}};

	assert_int_equal(call_side(1, CMD_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)), 0);
	return info[1];
}

static void test_maps(void **state)
{
	union attr attr = {.map_create = {SKEP_MAP_HASH, 4, 8, 4, .name = "some"}};
	struct line lines[8];
	int fds[2];

	NEED_BTF();
	for (int i = 0; i < 2; i++)
		fds[i] = (int)call_side(1, CMD_MAP_CREATE, &attr, sizeof(attr));
	assert_int_equal(read_lines(load_object_printer("bpf_map", -1, offset_in("bpf_map", "id"),
							offset_in("bpf_map", "name")),
				    lines),
			 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(lines[i].number, i);
		assert_int_equal(lines[i].id, id_of(fds[i]));
		assert_string_equal(lines[i].name, "some");
		close(fds[i]);
	}
}

static void test_programs(void **state)
{
	struct line lines[8];
	int prog;
	uint32_t id;

	NEED_BTF();
	prog = load_object_printer("bpf_prog", offset_in("bpf_prog", "aux"),
				   offset_in("bpf_prog_aux", "id"),
				   offset_in("bpf_prog_aux", "name"));
	id = id_of(prog);
	assert_int_equal(read_lines(prog, lines), 1);
	assert_int_equal(lines[0].id, id);
	assert_string_equal(lines[0].name, "printer");
}

static void test_links(void **state)
{
	struct line lines[8];

	NEED_BTF();
	assert_int_equal(read_lines(load_object_printer("bpf_link", -1, offset_in("bpf_link", "id"),
							offset_in("bpf_link", "id")),
				    lines),
			 1);
	assert_true(lines[0].id);
}

static void test_task(void **state)
{
	struct line lines[8];

	NEED_BTF();
	assert_int_equal(
		read_lines(load_object_printer("task", -1, offset_in("task_struct", "tgid"),
					       offset_in("task_struct", "comm")),
			   lines),
		1);
	assert_int_equal(lines[0].id, getpid());
	assert_memory_equal(lines[0].name, "test_machine_it", 16);
}

/* --- Limits ---------------------------------------------------------------------------------- */

/* Writes 8 bytes as often as asked for, of every object. */
static int load_writer(int32_t times)
{
	const struct skep_insn insns[] = {
		MOV(6, 1),
		LOAD(7, 6, 0),
		LOAD(8, 7, 0),
		LOAD(9, 6, 16),
		IF_ZERO(9, 9),
		{SKEP_ST | SKEP_MEM | SKEP_DW, 10, 0, -8, 0x41414141},
		MOV_IMM(9, times),
		/* again: */
		MOV(2, 10),
		ADD_IMM(2, -8),
		WRITE(8),
		ADD_IMM(9, -1),
		{SKEP_JMP | SKEP_JNE | SKEP_K, 9, 0, -7, 0},
		MOV_IMM(0, 0),
		EXIT,
	};

	return load_side(1, insns, sizeof(insns) / sizeof(*insns), "bpf_map_elem");
}

static void test_overflow(void **state)
{
	static uint8_t text[1 << 18];
	int map, prog, link;
	struct wire_iter_info info;
	union attr attr = {0};

	NEED_BTF();
	map = map_side(1, SKEP_MAP_ARRAY, 8, 4);
	info = (struct wire_iter_info){.map_fd = (uint32_t)map};
	for (int times = 4095; times <= 4096; times++) {
		prog = load_writer(times);
		assert_true(prog >= 0);
		link = link_side(1, prog, &info);
		assert_true(link >= 0);
		attr.iter.link_fd = (uint32_t)link;
		if (times == 4095) {
			assert_int_equal(read_side(1, link, text, sizeof(text)), 4 * 4095 * 8);
		} else {
			assert_int_equal(call_side(1, CMD_ITER_CREATE, &attr, sizeof(attr)), -1);
			assert_int_equal(errno, E2BIG);
		}
		close(link);
		close(prog);
	}
	close(map);
}

static int setup(void **state)
{
	int prog;

	if (skep_btf_open_kernel(&btf, NULL))
		btf = NULL;
	if (btf && !geteuid()) {
		prog = load_element_printer(0, false);
		first_side = prog < 0;
		if (prog >= 0)
			close(prog);
		else
			print_message("iterators: the kernel refuses to load them, not compared\n");
	}
	return skep_machine_new(NULL, &machine);
}

#define CASE(name)       cmocka_unit_test_teardown(name, none_differs)

#define UNVERIFIED(test) cmocka_unit_test_setup_teardown(test, begin_unverified, end_unverified)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_elements),   CASE(test_empty),           CASE(test_wrong_links),
		CASE(test_wrong_maps), CASE(test_wrong_iterators), CASE(test_info),
		UNVERIFIED(test_maps), UNVERIFIED(test_programs),  UNVERIFIED(test_links),
		UNVERIFIED(test_task), CASE(test_overflow),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
