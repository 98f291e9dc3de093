/*
 * Sequences of bpf(2) on a machine: nothing that a caller asks for ends the process.
 *
 * The input is read as commands, one behind the other. Addresses point into a buffer of ours that
 * the input fills (an address that is nowhere is the caller's own end, as in any function), and
 * descriptors are among those that the sequence was given; all else is the input's.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <skep/machine.h>

#include "machine/wire.h"

#define MEMORY     8192
#define MOST_FDS   16
#define MOST_CALLS 24

struct input {
	const uint8_t *at, *end;
};

static uint8_t memory[MEMORY + 65536]; /* what a value may take is behind */
static int fds[MOST_FDS];
static unsigned n_fds;

static uint8_t take(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static uint64_t address(struct input *in)
{
	uint8_t x = take(in);

	return x == 255 ? 0 : (uintptr_t)memory + x * 8u;
}

static uint32_t descriptor(struct input *in)
{
	uint8_t x = take(in);

	return n_fds && x < 250 ? (uint32_t)fds[x % n_fds] : x;
}

/* Sizes that fit the memory, so that only the machine's own errors are found. */
static uint32_t small(struct input *in)
{
	return take(in) % 64;
}

static void fill(struct input *in, void *at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)at)[i] = take(in);
}

static void make_load(struct input *in, struct attr_prog_load *load)
{
	load->type = small(in);
	load->insn_cnt = small(in);
	load->insns = address(in);
	load->license = (uintptr_t) "GPL";
	load->log_level = take(in) % 16;
	load->log_size = load->log_level ? 256 : 0;
	load->log_buf = load->log_level ? (uintptr_t)memory + 4096 : 0;
	load->btf_fd = descriptor(in);
	load->func_info = address(in);
	load->func_info_cnt = small(in) % 4;
	load->func_info_rec_size = 8;
	load->line_info = address(in);
	load->line_info_cnt = small(in) % 4;
	load->line_info_rec_size = 16;
	load->expected_attach_type = small(in);
	load->fd_array = address(in);
}

static void make_run(struct input *in, struct attr_test *test)
{
	test->prog_fd = descriptor(in);
	test->data_in = address(in);
	test->data_size_in = small(in);
	test->data_out = (uintptr_t)memory + 4096;
	test->data_size_out = small(in);
	test->ctx_size_in = small(in);
	test->ctx_in = test->ctx_size_in ? address(in) : 0;
	test->repeat = small(in) % 3;
}

static void make_map(struct input *in, struct attr_map_create *map)
{
	map->type = small(in);
	map->key_size = small(in);
	map->value_size = small(in);
	map->max_entries = small(in) % 8 ? small(in) : 4096;
	map->flags = (uint32_t)take(in) | (uint32_t)take(in) << 8;
	map->inner_map_fd = descriptor(in);
	map->btf_fd = descriptor(in);
	map->btf_key_type_id = small(in) % 8;
	map->btf_value_type_id = small(in) % 8;
}

static void make_attr(struct input *in, int cmd, union attr *attr)
{
	switch (cmd) {
	case 0: make_map(in, &attr->map_create); break;
	case 5: make_load(in, &attr->prog_load); break;
	case 10: make_run(in, &attr->test); break;
	case 15:
		attr->info = (struct attr_info){descriptor(in), small(in) * 4, address(in)};
		memset(memory + MEMORY, 0, 512);
		attr->info.info = (uintptr_t)memory + MEMORY;
		break;
	case 18:
		attr->btf_load = (struct attr_btf_load){.btf = address(in), .size = small(in) * 4};
		break;
	case 24 ... 27:
		attr->batch.map_fd = descriptor(in);
		attr->batch.keys = attr->batch.values = attr->batch.out_batch =
			(uintptr_t)memory + MEMORY;
		attr->batch.count = small(in) % 8;
		break;
	case 6:
	case 7: /* files are not made here */ break;
	default:
		attr->elem.map_fd = descriptor(in);
		attr->elem.key = address(in);
		attr->elem.value = (uintptr_t)memory + MEMORY;
		attr->elem.flags = small(in) % 6;
	}
}

static void one_call(struct skep_machine *machine, struct input *in)
{
	union attr attr = {0};
	int cmd = take(in) % 40, fd;

	fill(in, memory, take(in));
	make_attr(in, cmd, &attr);
	fd = skep_machine_bpf(machine, cmd, (union bpf_attr *)&attr, sizeof(attr));
	if (fd > 2 && n_fds < MOST_FDS)
		fds[n_fds++] = fd;
	else if (fd > 2)
		close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct skep_machine_opts opts = {
		.budget = 10000, .most_memory = 64u << 20, .most_objects = 64, .checked = true};
	struct input in = {data, data + size};
	struct skep_machine *machine;

	if (skep_machine_new(&opts, &machine))
		return 0;
	n_fds = 0;
	for (int i = 0; i < MOST_CALLS && in.at < in.end; i++)
		one_call(machine, &in);
	while (n_fds)
		close(fds[--n_fds]);
	skep_machine_free(machine);
	return 0;
}
