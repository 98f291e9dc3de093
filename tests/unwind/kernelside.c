/* See kernelside.h. */
#include "kernelside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <skep/btf.h>

#include "base/buf.h"
#include "linux/bpf.h"
#include "linux/feature.h"

const struct skep_unwind_sizes kernelside_sizes = {.processes = 1 << 10,
						   .mappings = 1 << 14,
						   .files = 1 << 10,
						   .pages = 1 << 16,
						   .rows = 1 << 22,
						   .rules = 1 << 16};

static void fail(const char *what, int err, const struct skep_diag *diag)
{
	struct skep_buf text = {0};

	if (diag)
		skep_diag_render(diag, false, &text);
	fprintf(stderr, "%s: %s\n%s", what, strerror(-err), text.data ? text.data : "");
	exit(1);
}

static uint32_t add_map(struct kernelside *k, uint32_t type, uint32_t value_size, uint32_t cnt)
{
	struct skep_object_map map = {.name = "test",
				      .type = type,
				      .key_size = 4,
				      .value_size = value_size,
				      .max_entries = cnt};

	return skep_object_add_map(&k->object, &map);
}

/* latest[tid] = skep_unwind(), if targets[tgid] is there. */
static void build_at_switch(struct skep_ir_func *f, struct kernelside *k)
{
	struct skep_unwind_counter lost = {k->losses, 8 * KERNELSIDE_LOST};
	struct skep_ir_func *walk = skep_unwind_program(f, &k->maps, lost);
	uint32_t tgid = skep_ir_slot(f, 4, 4), tid = skep_ir_slot(f, 4, 4);
	uint32_t number = skep_ir_slot(f, 4, 4), both, found;
	uint32_t wanted = skep_ir_block(f), out = skep_ir_block(f);

	both = skep_ir_call(f, BPF_FUNC_get_current_pid_tgid, 0, NULL);
	skep_ir_store(f, 4, S(tgid, 0), 0, R(skep_ir_alu(f, SKEP_IR_SHR, R(both), I(32))));
	skep_ir_store(f, 4, S(tid, 0), 0, R(both));
	found = skep_ir_calln(f, BPF_FUNC_map_lookup_elem, R(skep_ir_map(f, k->targets)),
			      S(tgid, 0));
	skep_ir_branch(f, SKEP_IR_NE, R(found), I(0), wanted, out);
	skep_ir_at(f, wanted);
	skep_ir_store(f, 4, S(number, 0), 0,
		      R(skep_ir_call_func(f, walk, 1, &I(SKEP_UNWIND_FRAMES_MOST))));
	skep_ir_calln(f, BPF_FUNC_map_update_elem, R(skep_ir_map(f, k->latest)), S(tid, 0),
		      S(number, 0), I(BPF_ANY));
	skep_ir_jump(f, out);
	skep_ir_at(f, out);
	skep_ir_exit(f, I(0));
}

const struct kernelside_program kernelside_at_switch = {
	BPF_PROG_TYPE_RAW_TRACEPOINT, "raw_tracepoint/sched_switch", build_at_switch, false};
const struct kernelside_program kernelside_with_interpreters = {
	BPF_PROG_TYPE_RAW_TRACEPOINT, "raw_tracepoint/sched_switch", build_at_switch, true};

static void add_interpreters(struct kernelside *k, uint32_t stacks_cnt)
{
	struct skep_btf *btf = NULL;
	int err = skep_btf_open_kernel(&btf, NULL);
	uint32_t off = skep_interp_thread_pointer(btf);

	skep_btf_free(btf);
	if (err || !off)
		fail("looking for the thread's pointer", err ? err : -ENOENT, NULL);
	skep_unwind_add_interpreters(&k->object, stacks_cnt, off, &k->maps);
}

static void compile(struct kernelside *k, const struct kernelside_program *program,
		    const struct skep_unwind_sizes *sizes, uint32_t stacks_cnt)
{
	const struct skep_ir_target target = {.isa_v4 = skep_has_feature(SKEP_FEATURE_ISA_V4),
					      .loop_limit = 1};
	const struct skep_ir_prog_desc desc = {
		.name = "walk", .type = program->type, .section = program->section};
	_cleanup_diag_ struct skep_diag diag = {0};

	skep_arena_init(&k->arena);
	skep_object_init(&k->object);
	strcpy(k->object.license, "GPL");
	skep_btf_open_kernel(&k->btf, NULL); /* NULL where there is none: it goes without */
	skep_unwind_add_maps(&k->object, sizes, stacks_cnt, k->btf, &k->maps);
	if (program->with_interpreters)
		add_interpreters(k, stacks_cnt);
	k->losses = add_map(k, BPF_MAP_TYPE_ARRAY, 8 * KERNELSIDE_LOSSES, 1);
	k->targets = add_map(k, BPF_MAP_TYPE_HASH, 4, 256);
	k->latest = add_map(k, BPF_MAP_TYPE_HASH, 4, 4096);
	struct skep_ir *ir = skep_ir_new(&k->arena, &k->object, &target);
	skep_ir_set_scratch_loss(ir, k->losses, 8 * KERNELSIDE_SCRATCH);
	program->build(skep_ir_prog(ir, &desc), k);
	int err = skep_ir_emit(ir, &diag);
	if (err)
		fail("compiling", err, &diag);
}

static int map_fd(const struct kernelside *k, uint32_t map)
{
	return skep_session_map_fd(k->session, map);
}

void kernelside_open(struct kernelside *k, const struct kernelside_program *program,
		     const struct skep_unwind_sizes *sizes, uint32_t stacks_cnt)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	int fds[SKEP_UNWIND_MAP_CNT];

	memset(k, 0, sizeof(*k));
	compile(k, program, sizes, stacks_cnt);
	int err = skep_session_open(&k->object, NULL, &k->session, &diag);
	if (err)
		fail("loading", err, &diag);
	for (int i = 0; i < SKEP_UNWIND_MAP_CNT; i++)
		fds[i] = map_fd(k, k->maps.of[i]);
	err = skep_unwind_maps_take(&k->mapped, fds, sizes);
	if (err)
		fail("mapping the arrays", err, NULL);
	k->arrays = &k->mapped.arrays;
	skep_unwind_store_init(&k->store, k->arrays);
}

void kernelside_attach(struct kernelside *k)
{
	struct skep_attach at = {.type = SKEP_ATTACH_RAW_TRACEPOINT,
				 .target = "sched_switch",
				 .raw_tracepoint.name = "sched_switch"};
	_cleanup_diag_ struct skep_diag diag = {0};
	int err = skep_session_attach(k->session, &at, &diag);

	if (err)
		fail("attaching", err, &diag);
}

void kernelside_close(struct kernelside *k)
{
	skep_unwind_store_done(&k->store);
	skep_unwind_maps_done(&k->mapped);
	skep_session_close(k->session);
	skep_object_done(&k->object);
	skep_btf_free(k->btf);
	skep_arena_done(&k->arena);
}

void kernelside_watch(struct kernelside *k, pid_t pid)
{
	uint32_t key = (uint32_t)pid;

	skep_bpf_map_update(map_fd(k, k->targets), &key, &key, BPF_ANY);
}

static uint32_t put_table(struct kernelside *k, const struct skep_unwind_table *table)
{
	const struct skep_unwind_key key = {.addr = (uintptr_t)table}; /* each is another one */
	uint32_t file;
	int err = skep_unwind_store_put(&k->store, &key, table, 1, &file);

	if (err)
		fail("putting a table", err, NULL);
	return file;
}

/* Tables that are in, by the address they have here. */
static struct {
	const struct skep_unwind_table *table;
	uint32_t file;
} known[MAPPED_FILES_MOST];
static size_t n_known;

static uint32_t file_of(struct kernelside *k, const struct skep_unwind_table *table)
{
	if (!table)
		return SKEP_UNWIND_FILE_NONE;
	if (!table->n_pages)
		return SKEP_UNWIND_FILE_FRAMES;
	for (size_t i = 0; i < n_known; i++) {
		if (known[i].table == table)
			return known[i].file;
	}
	known[n_known].table = table;
	return known[n_known++].file = put_table(k, table);
}

static void put_mapping(struct kernelside *k, uint64_t start, uint64_t bias, uint32_t file)
{
	k->arrays->mappings[k->n_mappings++] =
		(struct skep_unwind_mapping){.start = start, .bias = bias, .file = file};
}

void kernelside_fill(struct kernelside *k, struct mapped *process)
{
	struct skep_unwind_process_entry entry = {.first = k->n_mappings};
	uint64_t end = 0, bias = 0;

	n_known = 0;
	for (size_t i = 0; i < process->maps.n; i++) {
		const struct skep_mapping *mapping = &process->maps.data[i];
		uint32_t file = file_of(k, mapped_table(process, mapping, &bias));
		if (file == SKEP_UNWIND_FILE_NONE)
			continue;
		if (end && end != mapping->start)
			put_mapping(k, end, 0, SKEP_UNWIND_FILE_NONE);
		put_mapping(k, mapping->start, bias, file);
		end = mapping->end;
	}
	put_mapping(k, end, 0, SKEP_UNWIND_FILE_NONE);
	entry.n = k->n_mappings - entry.first;
	k->arrays->set_process(k->arrays->ctx, (uint32_t)process->pid, &entry);
	kernelside_watch(k, process->pid);
}

uint32_t kernelside_number(const struct kernelside *k, pid_t tid)
{
	uint32_t key = (uint32_t)tid, number = 0;

	skep_bpf_map_lookup(map_fd(k, k->latest), &key, &number, 0);
	return number;
}

bool kernelside_stack(const struct kernelside *k, uint32_t number, struct skep_unwind_stack *ret)
{
	return !skep_bpf_map_lookup(map_fd(k, k->maps.stacks), &number, ret, 0);
}

uint64_t kernelside_loss(const struct kernelside *k, enum kernelside_loss which)
{
	uint64_t losses[KERNELSIDE_LOSSES] = {0};
	uint32_t key = 0;

	skep_bpf_map_lookup(map_fd(k, k->losses), &key, losses, 0);
	return losses[which];
}

void kernelside_run(struct kernelside *k)
{
	uint64_t ctx[3] = {0};
	int err = skep_session_run(k->session, 0, ctx, sizeof(ctx), NULL);

	if (err)
		fail("running", err, NULL);
}
