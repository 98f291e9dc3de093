/*
 * The verifier with types that mean it no good: whatever BTF a program brings, whatever the file
 * says that has the kernel's, loading it ends with a verdict.
 *
 * The input is a head (struct head), then the kernel's BTF, the program's, its func_info, its
 * line_info, its instructions. A machine is made that reads the first; the second is loaded as
 * BTF_LOAD does; a map has values of it; the program is loaded with all that, and run by the
 * checked interpreter if it is accepted. Seeds are written by seeds.py.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <skep/isa.h>
#include <skep/machine.h>
#include <skep/map.h>
#include <skep/verify.h>

#include "machine/wire.h"

#define MOST_INSNS 512
#define MOST_INFO  16

enum command { MAP_CREATE = 0, PROG_LOAD = 5, TEST_RUN = 10, BTF_LOAD = 18 };

struct head {
	uint8_t type, attach_type; /* of the program */
	uint8_t how;               /* the log's level (2 bits), extended, unprivileged, sleepable */
	uint8_t value_type, value_bytes; /* of the map */
	uint8_t n_funcs, n_lines;        /* of 8 and 16 bytes */
	uint8_t attach_id;               /* in the kernel's BTF */
	uint16_t kernel_bytes, own_bytes;
};

/* What is left of the input. */
struct input {
	const uint8_t *at;
	size_t len;
};

static struct skep_verify_opts how;
static int kernel_file = -1;
static char log_text[1 << 16];

static int call(struct skep_machine *machine, int cmd, union attr *attr)
{
	return skep_machine_bpf(machine, cmd, (union bpf_attr *)attr, sizeof(*attr));
}

/* The next @n bytes, or what there is. @ret has room for them. Return how many */
static size_t take(struct input *in, void *ret, size_t n)
{
	n = n < in->len ? n : in->len;
	memcpy(ret, in->at, n);
	in->at += n;
	in->len -= n;
	return n;
}

/* A machine whose kernel's types are the input's; NULL: they are none. */
static struct skep_machine *new_machine(const struct head *head, struct input *in)
{
	static char path[32];
	static uint8_t bytes[UINT16_MAX];
	const struct skep_machine_opts opts = {.exec = &skep_exec_checked,
					       .budget = 10000,
					       .most_memory = 64u << 20,
					       .verify_opts = &how,
					       .kernel_btf = path};
	size_t n = take(in, bytes, head->kernel_bytes);
	struct skep_machine *machine;

	if (kernel_file < 0) {
		kernel_file = memfd_create("btf", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", kernel_file);
	}
	if (ftruncate(kernel_file, 0) || pwrite(kernel_file, bytes, n, 0) != (ssize_t)n)
		abort();
	return skep_machine_new(&opts, &machine) ? NULL : machine;
}

static int load_btf(struct skep_machine *machine, const struct head *head, struct input *in)
{
	static uint8_t bytes[UINT16_MAX];
	union attr attr = {.btf_load = {.btf = (uintptr_t)bytes,
					.size = (uint32_t)take(in, bytes, head->own_bytes)}};

	return call(machine, BTF_LOAD, &attr);
}

static int new_map(struct skep_machine *machine, const struct head *head, int btf)
{
	union attr attr = {.map_create = {.type = SKEP_MAP_ARRAY,
					  .key_size = 4,
					  .value_size = head->value_bytes ? head->value_bytes : 8,
					  .max_entries = 2}};

	if (btf >= 0 && head->value_type) {
		attr.map_create.btf_fd = (uint32_t)btf;
		attr.map_create.btf_key_type_id = 1;
		attr.map_create.btf_value_type_id = head->value_type;
	}
	return call(machine, MAP_CREATE, &attr);
}

static uint32_t read_insns(struct input *in, int map, struct skep_insn *ret)
{
	uint32_t n = (uint32_t)(take(in, ret, MOST_INSNS * sizeof(*ret)) / sizeof(*ret));

	for (uint32_t i = 0; i < n; i++) {
		if (ret[i].code == (SKEP_LD | SKEP_DW | SKEP_IMM) && ret[i].src &&
		    ret[i].src <= SKEP_PSEUDO_MAP_VALUE)
			ret[i].imm = map;
	}
	return n;
}

static void set_how(const struct head *head, union attr *attr)
{
	how = (struct skep_verify_opts){
		.mode = head->how & 4 ? SKEP_VERIFY_EXTENDED : SKEP_VERIFY_KERNEL,
		.unprivileged = head->how & 8,
		.most_insns = 10000,
		.time_ns = UINT64_C(5000000000),
		.memory_bytes = 64u << 20,
	};
	attr->prog_load.flags = head->how & 16 ? 1u << 4 : 0;
	attr->prog_load.log_level = head->how & 3;
	if (attr->prog_load.log_level) {
		attr->prog_load.log_buf = (uintptr_t)log_text;
		attr->prog_load.log_size = sizeof(log_text);
	}
}

static int load_program(struct skep_machine *machine, const struct head *head, int btf, int map,
			struct input *in)
{
	static struct skep_insn insns[MOST_INSNS];
	uint8_t funcs[MOST_INFO * 8] = {0}, lines[MOST_INFO * 16] = {0};
	union attr attr = {.prog_load = {.type = head->type,
					 .expected_attach_type = head->attach_type,
					 .attach_btf_id = head->attach_id,
					 .license = (uintptr_t) "GPL",
					 .insns = (uintptr_t)insns}};

	set_how(head, &attr);
	if (btf >= 0) {
		attr.prog_load.btf_fd = (uint32_t)btf;
		attr.prog_load.func_info = (uintptr_t)funcs;
		attr.prog_load.func_info_rec_size = 8;
		attr.prog_load.func_info_cnt = head->n_funcs % (MOST_INFO + 1);
		attr.prog_load.line_info = (uintptr_t)lines;
		attr.prog_load.line_info_rec_size = 16;
		attr.prog_load.line_info_cnt = head->n_lines % (MOST_INFO + 1);
	}
	take(in, funcs, head->n_funcs % (MOST_INFO + 1) * 8u);
	take(in, lines, head->n_lines % (MOST_INFO + 1) * 16u);
	attr.prog_load.insn_cnt = read_insns(in, map, insns);
	return call(machine, PROG_LOAD, &attr);
}

static void run(struct skep_machine *machine, int prog)
{
	static uint8_t packet[64];
	union attr attr = {.test = {.prog_fd = (uint32_t)prog,
				    .data_in = (uintptr_t)packet,
				    .data_size_in = sizeof(packet)}};

	if (call(machine, TEST_RUN, &attr)) { /* of a type that takes no packet */
		attr.test.data_in = attr.test.data_size_in = 0;
		call(machine, TEST_RUN, &attr);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct skep_machine *machine;
	struct head head = {0};
	int fds[3];

	take(&in, &head, sizeof(head));
	machine = new_machine(&head, &in);
	if (!machine)
		return 0;
	fds[0] = load_btf(machine, &head, &in);
	fds[1] = new_map(machine, &head, fds[0]);
	fds[2] = load_program(machine, &head, fds[0], fds[1], &in);
	if (fds[2] >= 0)
		run(machine, fds[2]);
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	skep_machine_free(machine);
	return 0;
}
