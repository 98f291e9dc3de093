/*
 * The machine on whatever system: bpf(2) as those use it who have no Linux. Nothing here asks a
 * kernel, and descriptors are closed by the machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include <skep/isa.h>
#include <skep/machine.h>
#include <skep/map.h>

#include "machine/wire.h"

enum command {
#define COMMAND(number, NAME, ...) CMD_##NAME = (number),
#include "machine/commands.def"
#undef COMMAND
};

#define XDP 6

static struct skep_machine *machine;

static int call(int cmd, union attr attr, union attr *ret)
{
	int result = skep_machine_bpf(machine, cmd, (union bpf_attr *)&attr, sizeof(attr));

	if (ret)
		*ret = attr;
	return result;
}

static int new_map(uint32_t type, uint32_t key, uint32_t value, uint32_t n)
{
	int fd = call(CMD_MAP_CREATE, (union attr){.map_create = {type, key, value, n}}, NULL);

	assert_true(fd >= 0);
	return fd;
}

static int load(const char *text)
{
	struct skep_insn *insns = NULL;
	union attr attr;
	size_t n;
	int fd;

	assert_int_equal(skep_asm(text, strlen(text), &insns, &n, NULL), 0);
	attr = (union attr){.prog_load = {.type = XDP,
					  .insn_cnt = (uint32_t)n,
					  .insns = (uintptr_t)insns,
					  .license = (uintptr_t) "GPL"}};
	fd = call(CMD_PROG_LOAD, attr, NULL);
	free(insns);
	return fd;
}

static uint32_t run(int prog, void *packet, uint32_t bytes)
{
	union attr attr = {.test = {.prog_fd = (uint32_t)prog,
				    .data_size_in = bytes,
				    .data_in = (uintptr_t)packet}};

	assert_int_equal(call(CMD_PROG_TEST_RUN, attr, &attr), 0);
	return attr.test.retval;
}

static uint64_t look_up(int map, uint32_t key)
{
	uint64_t value = 0;
	union attr attr = {.elem = {.map_fd = (uint32_t)map,
				    .key = (uintptr_t)&key,
				    .value = (uintptr_t)&value}};

	assert_int_equal(call(CMD_MAP_LOOKUP_ELEM, attr, NULL), 0);
	return value;
}

static void expect_error(int result, int err)
{
	assert_int_equal(result, -1);
	assert_int_equal(errno, err);
}

/* --- The tests ------------------------------------------------------------------------------- */

static int with_engine(const struct skep_exec *exec)
{
	struct skep_machine_opts opts = {.exec = exec};

	return skep_machine_new(&opts, &machine);
}

static void without_verifier(void)
{
	const struct skep_machine_opts opts = {.unverified = true};

	assert_int_equal(skep_machine_new(&opts, &machine), 0);
}

/* Counts packets by their first byte, in every way that programs run. */
static void test_counts(void **state)
{
	static const struct skep_exec *const engines[] = {&skep_exec_checked, &skep_exec_interp,
							  &skep_exec_jit};
	const char *form = "r0 = 1\nr2 = *(u32 *)(r1 + 4)\nr1 = *(u32 *)(r1 + 0)\n"
			   "r3 = r1\nr3 += 1\nif r3 > r2 goto none\nr1 = *(u8 *)(r1 + 0)\n"
			   "*(u32 *)(r10 - 4) = r1\nr2 = r10\nr2 += -4\nr1 = map[id:%d]\n"
			   "call bpf_map_lookup_elem\nr6 = 1\nif r0 == 0 goto none\n"
			   "lock *(u64 *)(r0 + 0) += r6\nr0 = 2\nexit\nnone: r0 = 1\nexit";

	for (size_t i = 0; i < sizeof(engines) / sizeof(*engines); i++) {
		uint8_t packet[64] = {3};
		char text[500];
		int map, prog;

		assert_int_equal(with_engine(engines[i]), 0);
		map = new_map(SKEP_MAP_ARRAY, 4, 8, 4);
		snprintf(text, sizeof(text), form, map);
		prog = load(text);
		assert_true(prog >= 0);
		for (int k = 0; k < 7; k++)
			assert_int_equal(run(prog, packet, sizeof(packet)), 2);
		packet[0] = 4;
		assert_int_equal(run(prog, packet, sizeof(packet)), 1);
		assert_int_equal(look_up(map, 3), 7);
		assert_int_equal(look_up(map, 0), 0);
		assert_int_equal(skep_machine_close(machine, prog), 0);
		assert_int_equal(skep_machine_close(machine, map), 0);
		skep_machine_free(machine);
	}
}

static void test_hash(void **state)
{
	int map = new_map(SKEP_MAP_HASH, 4, 8, 100);

	for (uint32_t key = 0; key < 101; key++) {
		uint64_t value = key * 3;
		union attr attr = {.elem = {.map_fd = (uint32_t)map,
					    .key = (uintptr_t)&key,
					    .value = (uintptr_t)&value}};
		int result = call(CMD_MAP_UPDATE_ELEM, attr, NULL);

		if (key < 100)
			assert_int_equal(result, 0);
		else
			expect_error(result, E2BIG);
	}
	assert_int_equal(look_up(map, 99), 297);
	assert_int_equal(skep_machine_close(machine, map), 0);
}

/* A program that reads what it may not is stopped, and the reason kept. */
static void test_fault(void **state)
{
	static const char reads_on[] = "r1 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r1 + 5000)\nexit";
	struct skep_machine *own = machine;
	uint8_t packet[64] = {0};
	const struct skep_program *program;
	struct skep_fault fault;
	int prog;

	expect_error(load(reads_on), EACCES);
	without_verifier();
	prog = load(reads_on);
	program = skep_machine_program(machine, prog);
	assert_non_null(program);
	assert_int_equal(run(prog, packet, sizeof(packet)), 0);
	assert_true(skep_machine_fault(machine, program, &fault));
	assert_int_equal(fault.insn, 1);
	skep_machine_program_put(machine, program);
	skep_machine_close(machine, prog);
	expect_error(load("r0 = 1"), EINVAL);
	skep_machine_free(machine);
	machine = own;
}

static int count_sample(void *ctx, void *sample, uint32_t size)
{
	*(uint64_t *)ctx += *(uint32_t *)sample + size;
	return 0;
}

static void test_ring(void **state)
{
	int fd = new_map(SKEP_MAP_RINGBUF, 0, 0, 65536), prog;
	struct skep_map *map = skep_machine_map(machine, fd);
	uint8_t packet[64] = {0};
	uint64_t sum = 0;
	char text[300];

	snprintf(text, sizeof(text),
		 "*(u32 *)(r10 - 4) = 1000\nr1 = map[id:%d]\nr2 = r10\nr2 += -4\nr3 = 4\nr4 = 0\n"
		 "call bpf_ringbuf_output\nr0 = 2\nexit",
		 fd);
	prog = load(text);
	for (int i = 0; i < 5; i++)
		assert_int_equal(run(prog, packet, sizeof(packet)), 2);
	assert_int_equal(skep_ringbuf_read(map, count_sample, &sum), 5);
	assert_int_equal(sum, 5 * 1004);
	skep_map_unref(map);
	skep_machine_close(machine, prog);
	skep_machine_close(machine, fd);
}

static void test_descriptors(void **state)
{
	int map = new_map(SKEP_MAP_ARRAY, 4, 8, 1), again;
	union attr info = {.id = {.id = 0}};

	assert_int_equal(call(CMD_MAP_GET_NEXT_ID, info, &info), 0);
	again = call(CMD_MAP_GET_FD_BY_ID, (union attr){.id = {.id = info.id.next_id}}, NULL);
	assert_true(again >= 0 && again != map);
	assert_int_equal(skep_machine_close(machine, map), 0);
	expect_error(load("r1 = map[id:99999]\nexit"), EBADF);
	assert_int_equal(look_up(again, 0), 0);
	assert_int_equal(skep_machine_close(machine, again), 0);
	assert_int_equal(skep_machine_close(machine, again), -EBADF);
	assert_int_equal(skep_machine_close(machine, -1), -EBADF);
	expect_error(call(CMD_MAP_GET_NEXT_ID, (union attr){.id = {.id = 0}}, NULL), ENOENT);
}

static void test_pins(void **state)
{
	int map = new_map(SKEP_MAP_ARRAY, 4, 8, 1), again;
	const char *path = "skep-everywhere-pin", *other = "skep-everywhere-none";
	union attr pin = {.pin = {(uintptr_t)path, (uint32_t)map}};
	union attr get = {.pin = {(uintptr_t)path}}, none = {.pin = {(uintptr_t)other}};

	remove(path);
	assert_int_equal(call(CMD_OBJ_PIN, pin, NULL), 0);
	expect_error(call(CMD_OBJ_PIN, pin, NULL), EEXIST);
	skep_machine_close(machine, map);
	again = call(CMD_OBJ_GET, get, NULL);
	assert_true(again >= 0);
	assert_int_equal(look_up(again, 0), 0);
	assert_int_equal(call(CMD_OBJ_GET, none, NULL), -1);
	skep_machine_close(machine, again);
	remove(path);
}

static void test_addresses(void **state)
{
	union attr attr = {.prog_load = {.type = XDP, .insn_cnt = 2, .insns = 8}};

	expect_error(call(CMD_PROG_LOAD, attr, NULL), EFAULT);
	assert_int_equal(skep_machine_bpf(machine, CMD_MAP_CREATE, (union bpf_attr *)8, 64), -1);
	assert_int_equal(errno, EFAULT);
}

static int setup(void **state)
{
	return with_engine(NULL);
}

static int teardown(void **state)
{
	struct skep_machine_counts counts;

	skep_machine_count(machine, &counts);
	skep_machine_free(machine);
	return counts.programs || counts.maps > 1 ? -1 : 0; /* but the pinned one */
}

int main(void)
{
	const struct CMUnitTest engines[] = {cmocka_unit_test(test_counts)};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash),      cmocka_unit_test(test_fault),
		cmocka_unit_test(test_ring),      cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_pins),
	};
	int failed = cmocka_run_group_tests(engines, NULL, NULL);

	return failed + cmocka_run_group_tests(tests, setup, teardown);
}
