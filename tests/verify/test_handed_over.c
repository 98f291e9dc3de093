/*
 * Arguments that a struct_ops program is handed over ("…__ref" in the kernel's stand-in): it must
 * give them back, may look at them until then, and may not tail-call. The kernel that is verified
 * for is one of our own making, as few real ones have such a structure.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/bpf.h>

#include <skep/btf.h>
#include <skep/isa.h>
#include <skep/machine.h>

#define LOG_BYTES 65536

static struct skep_machine *machine;
static uint32_t ops_id, release_id;
static char btf_path[] = "/tmp/skep-handed-over-XXXXXX";

/* struct toy_ops { int (*take)(struct task_struct *task); }, with its stand-in */
static void add_types(struct skep_btf_writer *writer)
{
	uint32_t number = skep_btf_add_int(writer, "int", 4, true), task, pointer, proto, member,
		 value;

	task = skep_btf_add_struct(writer, "task_struct", 4);
	skep_btf_add_member(writer, "pid", number, 0);
	pointer = skep_btf_add_ptr(writer, task);
	proto = skep_btf_add_func_proto(writer, number);
	skep_btf_add_param(writer, "task", pointer);
	member = skep_btf_add_ptr(writer, proto);
	ops_id = skep_btf_add_struct(writer, "toy_ops", 8);
	skep_btf_add_member(writer, "take", member, 0);
	value = skep_btf_add_struct(writer, "bpf_struct_ops_toy_ops", 8);
	skep_btf_add_member(writer, "data", ops_id, 0);
	assert_true(value);
	proto = skep_btf_add_func_proto(writer, number);
	skep_btf_add_param(writer, "task__ref", pointer);
	skep_btf_add_func(writer, "toy_ops__take", proto, true);
	proto = skep_btf_add_func_proto(writer, 0);
	skep_btf_add_param(writer, "p", pointer);
	release_id = skep_btf_add_func(writer, "bpf_task_release", proto, true);
}

static int begin(void **state)
{
	const struct skep_machine_opts opts = {.kernel_btf = btf_path};
	struct skep_btf_writer *writer = skep_btf_writer_new();
	int fd = mkstemp(btf_path);
	size_t size;
	void *data;

	add_types(writer);
	skep_btf_finish(writer, &data, &size);
	skep_btf_writer_free(writer);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	free(data);
	close(fd);
	return skep_machine_new(&opts, &machine);
}

static int end(void **state)
{
	skep_machine_free(machine);
	unlink(btf_path);
	return 0;
}

static uint64_t ptr(const void *at)
{
	return (uintptr_t)at;
}

static int create_prog_array(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_PROG_ARRAY,
			       .key_size = 4,
			       .value_size = 4,
			       .max_entries = 1};

	return skep_machine_bpf(machine, BPF_MAP_CREATE, &attr, sizeof(attr));
}

/* The assembler knows helpers alone: a call of helper 1 stands for one of bpf_task_release(), one
 * of helper 2 for the same of a module. */
static void name_kfunc(struct skep_insn *insns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (insns[i].code == (SKEP_JMP | SKEP_CALL) && !insns[i].src && insns[i].imm <= 2)
			insns[i] = (struct skep_insn){.code = SKEP_JMP | SKEP_CALL,
						      .src = 2,
						      .off = (int16_t)(insns[i].imm - 1),
						      .imm = (int32_t)release_id};
}

/* Loads the program; the words of its refusal, or "" */
static bool says(const char *text, const char *words)
{
	static char log[LOG_BYTES];
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_STRUCT_OPS, .license = ptr("GPL")};
	struct skep_insn *insns = NULL;
	size_t n = 0;
	int fd;

	assert_int_equal(skep_asm(text, strlen(text), &insns, &n, NULL), 0);
	name_kfunc(insns, n);
	attr.insns = ptr(insns);
	attr.insn_cnt = (uint32_t)n;
	attr.attach_btf_id = ops_id;
	attr.log_buf = ptr(log);
	attr.log_size = sizeof(log);
	attr.log_level = 1;
	*log = 0;
	fd = skep_machine_bpf(machine, BPF_PROG_LOAD, &attr, sizeof(attr));
	free(insns);
	if (fd >= 0)
		close(fd);
	if ((fd >= 0) == !*words && strstr(log, words))
		return true;
	fprintf(stderr, "%s", log);
	return false;
}

#define TAKE    "r6 = r1\nr1 = *(u64 *)(r1 +0)\n"
#define RELEASE "call bpf_map_lookup_elem\n"
#define END     "r0 = 0\nexit\n"

static void test_given_back(void **state)
{
	assert_true(says(TAKE RELEASE END, ""));
	assert_true(says(TAKE "r2 = *(u32 *)(r1 +0)\n" RELEASE END, ""));
	assert_true(says(END, "BPF_EXIT instruction in main prog would lead to reference leak"));
	assert_true(says(TAKE "if r2 == 0 goto +0\n" END, "R2 !read_ok"));
}

static void test_released_once(void **state)
{
	assert_true(says(TAKE RELEASE "r1 = *(u64 *)(r6 +0)\n" END,
			 "invalid bpf_context access off=0. Reference may already be released"));
}

static void test_tail_call(void **state)
{
	char text[256];
	int fd = create_prog_array();

	assert_true(fd >= 0);
	snprintf(text, sizeof(text), "r2 = map[id:%d]\nr3 = 0\ncall bpf_tail_call\n" END, fd);
	assert_true(says(text, "program with __ref argument cannot tail call"));
	close(fd);
}

/* A machine has no modules, and says so. */
static void test_module(void **state)
{
	assert_true(says(TAKE "call bpf_map_update_elem\n" END,
			 "kfunc offset > 0 without fd_array is invalid"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_given_back),
		cmocka_unit_test(test_released_once),
		cmocka_unit_test(test_tail_call),
		cmocka_unit_test(test_module),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
