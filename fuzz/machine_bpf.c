/*
 * Sequences of bpf(2) on a machine: nothing that a caller asks for ends the process.
 *
 * The first byte says whether the machine verifies programs (even) or not (odd): more of them are
 * loaded then. The rest is read as commands, one behind the other. Addresses point into a buffer of
 * ours that the input fills (an address that is nowhere is the caller's own end, as in any
 * function), and descriptors are among those that the sequence was given; all else is the input's.
 *
 * A command is its number, how many bytes to put at the start of the buffer, these, and then what
 * the command's makes[] function takes. Two numbers more pass a hook and read an iterator. Seeds
 * are written by seeds.py beside; the kernel's BTF is a small one of our own, so that a machine is
 * made quickly and the seeds know its ids.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <skep/btf.h>
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

/* Programs name maps by descriptors: by the order in which the sequence came by them, here. */
static void name_maps(uint64_t insns, uint32_t n)
{
	for (uint32_t i = 0; n_fds && insns && i < n; i++) {
		struct skep_insn *insn = (struct skep_insn *)(uintptr_t)insns + i;

		if (insn->code == 0x18 && insn->src && insn->src < 3)
			insn->imm = fds[(uint32_t)insn->imm % n_fds];
	}
}

static void make_load(struct input *in, union attr *attr)
{
	struct attr_prog_load *load = &attr->prog_load;

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
	load->attach_btf_id = small(in);
	name_maps(load->insns, load->insn_cnt);
}

static void make_run(struct input *in, union attr *attr)
{
	struct attr_test *test = &attr->test;

	test->prog_fd = descriptor(in);
	test->data_in = address(in);
	test->data_size_in = small(in);
	test->data_out = (uintptr_t)memory + 4096;
	test->data_size_out = small(in);
	test->ctx_size_in = small(in);
	test->ctx_in = test->ctx_size_in ? address(in) : 0;
	test->repeat = small(in) % 3;
}

static void make_map(struct input *in, union attr *attr)
{
	struct attr_map_create *map = &attr->map_create;

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

static void make_elem(struct input *in, union attr *attr)
{
	attr->elem.map_fd = descriptor(in);
	attr->elem.key = address(in);
	attr->elem.value = (uintptr_t)memory + MEMORY;
	attr->elem.flags = small(in) % 8;
	memcpy(memory + MEMORY, memory, 256); /* what is written is the input's */
	if (take(in) % 4 == 3)
		memcpy(memory + MEMORY, &(uint32_t){descriptor(in)}, 4);
}

static void make_key(struct input *in, union attr *attr)
{
	attr->elem.map_fd = descriptor(in);
	attr->elem.key = address(in);
}

static void make_next_key(struct input *in, union attr *attr)
{
	make_key(in, attr);
	attr->elem.value = (uintptr_t)memory + MEMORY;
}

static void make_batch(struct input *in, union attr *attr)
{
	uint8_t from = take(in);

	attr->batch.map_fd = descriptor(in);
	attr->batch.keys = (uintptr_t)memory;
	attr->batch.values = (uintptr_t)memory + MEMORY;
	attr->batch.out_batch = (uintptr_t)memory + 4096;
	attr->batch.in_batch = from & 1 ? (uintptr_t)memory + 4096 : 0;
	attr->batch.count = small(in) % 8;
	attr->batch.elem_flags = small(in) % 8;
}

static char pins[] = "/tmp/skep-fuzz-XXXXXX";
static char paths[4][sizeof(pins) + sizeof("/-2147483648")];

static void make_pin(struct input *in, union attr *attr)
{
	attr->pin.path = (uintptr_t)paths[take(in) % 4];
	attr->pin.fd = take(in) % 2 ? descriptor(in) : 0;
	attr->pin.flags = small(in) ? 0 : 1u << 3;
}

static void make_attach(struct input *in, union attr *attr)
{
	attr->attach.target = descriptor(in);
	attr->attach.prog_fd = descriptor(in);
	attr->attach.type = small(in);
	attr->attach.flags = small(in);
	attr->attach.replace_fd = descriptor(in);
}

static void make_query(struct input *in, union attr *attr)
{
	attr->query.target = descriptor(in);
	attr->query.type = small(in);
	attr->query.query_flags = small(in) % 4;
	attr->query.prog_ids = (uintptr_t)memory + MEMORY;
	attr->query.count = small(in);
}

static void make_id(struct input *in, union attr *attr)
{
	attr->id.id = small(in);
}

static void make_info(struct input *in, union attr *attr)
{
	attr->info.fd = descriptor(in);
	attr->info.len = small(in) * 4;
	attr->info.info = (uintptr_t)memory + MEMORY;
	memset(memory + MEMORY, 0, 512);
}

static void make_tracepoint(struct input *in, union attr *attr)
{
	static const char *const names[] = {"sched_switch", "no_such", ""};
	uint8_t x = take(in) % 4;

	attr->raw_tracepoint.name = x < 3 ? (uintptr_t)names[x] : 0;
	attr->raw_tracepoint.prog_fd = descriptor(in);
}

static void make_btf(struct input *in, union attr *attr)
{
	attr->btf_load.btf = address(in);
	attr->btf_load.size = small(in) * 4;
	attr->btf_load.log_level = small(in) % 2;
	attr->btf_load.log_size = attr->btf_load.log_level ? 256 : 0;
	attr->btf_load.log_buf = attr->btf_load.log_level ? (uintptr_t)memory + 4096 : 0;
}

static void make_task_fd(struct input *in, union attr *attr)
{
	attr->task_fd.pid = take(in) % 2 ? (uint32_t)getpid() : 0;
	attr->task_fd.fd = descriptor(in);
	attr->task_fd.buf = address(in);
	attr->task_fd.buf_len = small(in);
}

static void make_link(struct input *in, union attr *attr)
{
	attr->link_create.prog_fd = descriptor(in);
	attr->link_create.target = take(in) % 2 ? descriptor(in) : small(in) % 2;
	attr->link_create.type = small(in);
	if (take(in) % 2)
		return;
	attr->link_create.iter_info = (uintptr_t)memory + MEMORY;
	attr->link_create.iter_info_len = 16;
	memset(memory + MEMORY, 0, 16);
	memcpy(memory + MEMORY, &(uint32_t){descriptor(in)}, 4);
}

static void make_link_update(struct input *in, union attr *attr)
{
	attr->link_update.link_fd = descriptor(in);
	attr->link_update.new_fd = descriptor(in);
	attr->link_update.flags = small(in) % 8;
	attr->link_update.old_fd = attr->link_update.flags & 4 ? descriptor(in) : 0;
}

static void make_words(struct input *in, union attr *attr)
{
	attr->words[0] = descriptor(in);
	attr->words[1] = small(in) % 4 == 3;
}

static void make_bind(struct input *in, union attr *attr)
{
	attr->bind.prog_fd = descriptor(in);
	attr->bind.map_fd = descriptor(in);
}

static void make_nothing(struct input *in, union attr *attr)
{
	attr->word = small(in) % 2;
}

enum { MAP_CREATE, N_COMMANDS = 38, PASS_HOOK = N_COMMANDS, READ, ALL };

static void (*const makes[N_COMMANDS])(struct input *in, union attr *attr) = {
	make_map,     make_elem,  make_elem,    make_key,    make_next_key, make_load,
	make_pin,     make_pin,   make_attach,  make_attach, make_run,      make_id,
	make_id,      make_id,    make_id,      make_info,   make_query,    make_tracepoint,
	make_btf,     make_id,    make_task_fd, make_elem,   make_words,    make_id,
	make_batch,   make_batch, make_batch,   make_batch,  make_link,     make_link_update,
	make_id,      make_id,    make_nothing, make_words,  make_words,    make_bind,
	make_nothing, make_words,
};

static void keep(int fd)
{
	if (fd > 2 && n_fds < MOST_FDS)
		fds[n_fds++] = fd;
	else if (fd > 2)
		close(fd);
}

static void pass_hook(struct skep_machine *machine, struct input *in)
{
	static const char *const names[] = {"sched_switch", "1", "bpf_fentry_test1"};
	uint64_t args[4] = {0};

	skep_machine_hook(machine, (enum skep_hook)(take(in) % (SKEP_HOOK_STRUCT_OPS + 1)),
			  names[take(in) % 3], args, sizeof(args), NULL);
}

static void read_one(struct input *in)
{
	uint8_t x = take(in);

	if (n_fds && read(fds[x % n_fds], memory + 4096, 4096) < 0)
		memory[4096] = 0;
}

static void one_call(struct skep_machine *machine, struct input *in)
{
	union attr attr = {0};
	int cmd = take(in) % ALL;

	fill(in, memory, take(in));
	if (cmd == PASS_HOOK) {
		pass_hook(machine, in);
		return;
	}
	if (cmd == READ) {
		read_one(in);
		return;
	}
	makes[cmd](in, &attr);
	keep(skep_machine_bpf(machine, cmd, (union bpf_attr *)&attr, sizeof(attr)));
}

/* The kernel that programs are written for. Its ids are in seeds.py. */
static void write_types(struct skep_btf_writer *writer)
{
	uint32_t word = skep_btf_add_int(writer, "unsigned int", 4, false);
	uint32_t letter = skep_btf_add_int(writer, "char", 1, true);
	uint32_t name = skep_btf_add_array(writer, letter, 16), proto;

	skep_btf_add_struct(writer, "bpf_map", 24);
	skep_btf_add_member(writer, "id", word, 0);
	skep_btf_add_member(writer, "map_type", word, 32);
	skep_btf_add_member(writer, "name", name, 64);
	proto = skep_btf_add_func_proto(writer, word);
	skep_btf_add_func(writer, "bpf_iter_bpf_map", proto, true);
	skep_btf_add_func(writer, "bpf_iter_bpf_map_elem", proto, true);
	skep_btf_add_func(writer, "bpf_fentry_test1", proto, true);
}

static char kernel_btf[32];

static void remove_folder(void)
{
	rmdir(pins);
}

static void set_up(void)
{
	struct skep_btf_writer *writer = skep_btf_writer_new();
	int fd = memfd_create("btf", MFD_CLOEXEC);
	void *data;
	size_t size;

	write_types(writer);
	skep_btf_finish(writer, &data, &size);
	skep_btf_writer_free(writer);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || !mkdtemp(pins))
		abort();
	free(data);
	snprintf(kernel_btf, sizeof(kernel_btf), "/proc/self/fd/%d", fd);
	for (int i = 0; i < 4; i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/%d", pins, i);
	atexit(remove_folder);
}

static void remove_pins(void)
{
	for (int i = 0; i < 4; i++)
		unlink(paths[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, data + size};
	const struct skep_machine_opts opts = {.unverified = take(&in) & 1,
					       .budget = 10000,
					       .most_memory = 64u << 20,
					       .most_objects = 64,
					       .exec = &skep_exec_checked,
					       .kernel_btf = kernel_btf};
	struct skep_machine *machine;

	if (!*kernel_btf)
		set_up();
	if (skep_machine_new(&opts, &machine))
		abort();
	n_fds = 0;
	for (int i = 0; i < MOST_CALLS && in.at < in.end; i++)
		one_call(machine, &in);
	while (n_fds)
		close(fds[--n_fds]);
	remove_pins();
	skep_machine_free(machine);
	return 0;
}
