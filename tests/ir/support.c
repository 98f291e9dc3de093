/* See support.h. bpf(2) is called directly: nothing above the IR is needed or trusted here. */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skep/btf.h>
#include <skep/machine.h>

#define LOG_BYTES (1u << 24)

const struct skep_ir_target newest = {.may_goto = true, .isa_v4 = true, .loop_limit = 1000};
const struct skep_ir_target oldest = {
	.may_goto = false, .isa_v4 = false, .no_fetch = true, .loop_limit = 100};

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	int ret, tries = 5;

	/* The verifier gives up with EAGAIN when a signal is pending. */
	do
		ret = (int)syscall(__NR_bpf, cmd, attr, sizeof(*attr));
	while (ret < 0 && errno == EAGAIN && --tries);
	return ret < 0 ? -errno : ret;
}

void module_init(struct module *m, const struct skep_ir_target *target)
{
	const struct skep_ir_prog_desc desc = {
		.name = "test", .type = BPF_PROG_TYPE_RAW_TRACEPOINT, .section = "raw_tp/test"};

	memset(m, 0, sizeof(*m));
	m->prog_fd = -1;
	skep_arena_init(&m->arena);
	skep_object_init(&m->object);
	strcpy(m->object.license, "GPL");
	m->ir = skep_ir_new(&m->arena, &m->object, target);
	m->f = skep_ir_prog(m->ir, &desc);
}

void module_done(struct module *m)
{
	for (size_t i = 0; i < m->object.n_maps; i++)
		if (m->map_fds[i] > 0)
			close(m->map_fds[i]);
	if (m->prog_fd >= 0)
		close(m->prog_fd);
	skep_object_done(&m->object);
	skep_diag_done(&m->diag);
	skep_arena_done(&m->arena);
}

uint32_t module_add_map(struct module *m, uint32_t type, uint32_t key_size, uint32_t value_size,
			uint32_t max_entries)
{
	struct skep_object_map map = {.name = "map",
				      .type = type,
				      .key_size = key_size,
				      .value_size = value_size,
				      .max_entries = max_entries};

	return skep_object_add_map(&m->object, &map);
}

void module_emit(struct module *m)
{
	int err = skep_ir_emit(m->ir, &m->diag);

	if (err) {
		struct skep_buf text = {0};

		skep_diag_render(&m->diag, false, &text);
		fprintf(stderr, "emit: %d\n%s", err, text.data ? text.data : "");
		skep_buf_done(&text);
	}
	assert_int_equal(err, 0);
}

static int create_map(const struct skep_object_map *map)
{
	union bpf_attr attr = {.map_type = map->type,
			       .key_size = map->key_size,
			       .value_size = map->value_size,
			       .max_entries = map->max_entries,
			       .map_flags = map->flags};

	return sys_bpf(BPF_MAP_CREATE, &attr);
}

static int load_btf(const struct skep_btf_writer *writer)
{
	union bpf_attr attr = {0};
	void *data;
	size_t size;
	int fd;

	skep_btf_finish(writer, &data, &size);
	attr.btf = (uintptr_t)data;
	attr.btf_size = (uint32_t)size;
	fd = sys_bpf(BPF_BTF_LOAD, &attr);
	free(data);
	return fd;
}

static int load_with_log(union bpf_attr *attr, uint32_t level, struct skep_buf *log)
{
	int ret;

	attr->log_buf = (uintptr_t)skep_buf_reserve(log, LOG_BYTES);
	attr->log_size = LOG_BYTES;
	attr->log_level = level;
	ret = sys_bpf(BPF_PROG_LOAD, attr);
	log->len = strlen(log->data);
	return ret;
}

static int load_prog(struct module *m, int btf_fd, struct skep_buf *log)
{
	const struct skep_object_prog *prog = &m->object.progs[0];
	struct bpf_func_info *funcs = calloc(prog->n_funcs, sizeof(*funcs));
	union bpf_attr attr = {.prog_type = prog->type,
			       .insns = (uintptr_t)prog->insns,
			       .insn_cnt = (uint32_t)prog->n_insns,
			       .license = (uintptr_t) "GPL",
			       .fd_array = (uintptr_t)m->map_fds};
	int ret;

	for (size_t i = 0; i < prog->n_funcs; i++)
		funcs[i] = (struct bpf_func_info){prog->funcs[i].insn, prog->funcs[i].btf_func};
	if (btf_fd >= 0) {
		attr.prog_btf_fd = (uint32_t)btf_fd;
		attr.func_info = (uintptr_t)funcs;
		attr.func_info_cnt = (uint32_t)prog->n_funcs;
		attr.func_info_rec_size = sizeof(*funcs);
	}
	ret = m->log_level ? load_with_log(&attr, m->log_level, log)
			   : sys_bpf(BPF_PROG_LOAD, &attr);
	if (ret < 0 && log && !m->log_level)
		load_with_log(&attr, 1, log);
	free(funcs);
	return ret;
}

int module_load(struct module *m, struct skep_buf *log)
{
	int btf_fd = -1;

	for (size_t i = 0; i < m->object.n_maps; i++) {
		m->map_fds[i] = create_map(&m->object.maps[i]);
		if (m->map_fds[i] < 0)
			return m->map_fds[i];
	}
	if (m->object.btf) {
		btf_fd = load_btf(m->object.btf);
		if (btf_fd < 0)
			return btf_fd;
	}
	m->prog_fd = load_prog(m, btf_fd, log);
	if (btf_fd >= 0)
		close(btf_fd);
	return m->prog_fd < 0 ? m->prog_fd : 0;
}

static void say_refused(struct module *m, int err, const struct skep_buf *log)
{
	char *code = module_code(m);
	size_t from = log->len > 6000 ? log->len - 6000 : 0;

	fprintf(stderr, "%s\nload: %s\n%s\n", code, strerror(-err),
		log->data ? log->data + from : "");
	free(code);
}

static bool is_too_complex(int err, const struct skep_buf *log)
{
	return (err == -E2BIG && strstr(log->data, "BPF program is too large")) ||
	       (err == -EFAULT && strstr(log->data, "jumps is too complex"));
}

static void close_all(const struct module *m)
{
	for (size_t i = 0; i < m->object.n_maps; i++)
		close(m->map_fds[i]);
	close(m->prog_fd);
}

/* What the machine's own verifier says, in descriptors of its own. */
static int verify(const struct module *m, struct skep_buf *log)
{
	static struct skep_machine *machine;
	struct module copy = *m;
	int err;

	copy.prog_fd = -1;
	memset(copy.map_fds, 0xff, sizeof(copy.map_fds));
	if (!machine)
		assert_int_equal(skep_machine_new(NULL, &machine), 0);
	skep_machine_route(machine);
	err = module_load(&copy, log);
	close_all(&copy);
	skep_machine_route(NULL);
	return err;
}

/* The kernel said @err of it. */
static void verify_alike(struct module *m, int err)
{
	_cleanup_buf_ struct skep_buf log = {0};
	int ours = verify(m, &log);

	if (ours != err)
		say_refused(m, ours, &log);
	assert_int_equal(ours, err);
}

bool module_make_unless_complex(struct module *m)
{
	_cleanup_buf_ struct skep_buf log = {0};
	int err;

	module_emit(m);
	err = module_load(m, &log);
	verify_alike(m, err);
	if (err && is_too_complex(err, &log))
		return false;
	if (err)
		say_refused(m, err, &log);
	assert_int_equal(err, 0);
	return true;
}

void module_make(struct module *m)
{
	assert_true(module_make_unless_complex(m));
}

uint32_t module_run(struct module *m, const uint64_t inputs[N_INPUTS])
{
	union bpf_attr attr = {.test = {.prog_fd = (uint32_t)m->prog_fd,
					.ctx_in = (uintptr_t)inputs,
					.ctx_size_in = N_INPUTS * 8}};

	assert_int_equal(sys_bpf(BPF_PROG_TEST_RUN, &attr), 0);
	return attr.test.retval;
}

int map_lookup(int fd, const void *key, void *value)
{
	union bpf_attr attr = {
		.map_fd = (uint32_t)fd, .key = (uintptr_t)key, .value = (uintptr_t)value};

	return sys_bpf(BPF_MAP_LOOKUP_ELEM, &attr);
}

int map_update(int fd, const void *key, const void *value)
{
	union bpf_attr attr = {
		.map_fd = (uint32_t)fd, .key = (uintptr_t)key, .value = (uintptr_t)value};

	return sys_bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

char *module_code(const struct module *m)
{
	struct skep_buf out = {0};

	skep_disasm(m->object.progs[0].insns, m->object.progs[0].n_insns, NULL, &out);
	return out.data;
}
