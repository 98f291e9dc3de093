/*
 * The object's programs: map indices become descriptors, BTF gives names to
 * functions and lines, and the kernel is asked without a log first: a log
 * costs more than the verification of a small program. Only a refused program
 * is loaded again, with a log that explain.c turns into words.
 */
#include "load/session.h"

#include <errno.h>
#include <string.h>

#include <skep/btf.h>
#include <skep/object.h>

#include "base/fd.h"
#include "linux/bpf.h"
#include "load/explain.h"

enum { LOG_FIRST_BYTES = 64 << 10, LOG_LIMIT_BYTES = 16 << 20, LOG_GROWTH = 4 };

/* What one load needs; the memory is reused from program to program. */
struct loader {
	struct skep_session *session; /* borrowed */
	SKEP_VEC(struct skep_insn) insns;
	SKEP_VEC(struct bpf_func_info) funcs;
	struct skep_line_records lines;
	union bpf_attr attr; /* of the program at work; points into the above */
};

static void loader_done(struct loader *loader)
{
	skep_vec_done(&loader->insns);
	skep_vec_done(&loader->funcs);
	skep_vec_done(&loader->lines);
}

static bool wants_btf(const struct skep_object *object)
{
	bool wants = false;

	for (size_t i = 0; i < object->n_maps && !wants; i++)
		wants = object->maps[i].btf_key || object->maps[i].btf_value;
	for (size_t i = 0; i < object->n_progs && !wants; i++)
		wants = object->progs[i].n_funcs && object->progs[i].funcs[0].btf_func;
	return wants;
}

_Static_assert(sizeof(struct skep_line_record) == sizeof(struct bpf_line_info), "one layout");

/* The texts of all lines that programs came from go into the BTF before it is finished. */
static void add_line_texts(struct skep_session *session)
{
	const struct skep_object *object = session->object;
	struct skep_line_records records = {0};

	skep_line_index_init(&session->lines, object->source, object->btf);
	for (size_t i = 0; i < object->n_progs; i++) {
		records.len = 0;
		skep_line_index_records(&session->lines, &object->progs[i], &records);
	}
	skep_vec_done(&records);
}

/* BTF adorns: a kernel too old for it, or for a kind in it, runs the programs all the same. */
int load_btf(struct skep_session *session, struct skep_diag *diag)
{
	const struct skep_object *object = session->object;
	_cleanup_free_ void *data = NULL;
	size_t size;

	if (!object->btf || !wants_btf(object))
		return 0;
	add_line_texts(session);
	skep_btf_finish(object->btf, &data, &size);
	int fd = skep_bpf_btf_load(data, size);
	if (fd >= 0)
		session->btf_fd = fd;
	else if (fd != -EPERM)
		skep_diag_add(diag, SKEP_DIAG_BTF_REFUSED, SKEP_NOWHERE, strerror(-fd));
	return 0;
}

static bool is_map_load(const struct skep_insn *insn)
{
	return insn->code == (SKEP_LD | SKEP_DW | SKEP_IMM) &&
	       (insn->src == SKEP_PSEUDO_MAP_IDX || insn->src == SKEP_PSEUDO_MAP_IDX_VALUE);
}

/* Descriptors in the instructions rather than an fd_array: kernels before 5.14 take them too. */
static int bind_maps(struct loader *loader, const struct skep_object_prog *prog)
{
	const struct skep_session *session = loader->session;

	loader->insns.len = 0;
	for (size_t i = 0; i < prog->n_insns; i++) {
		struct skep_insn insn = prog->insns[i];
		if (is_map_load(&insn)) {
			if ((uint32_t)insn.imm >= session->object->n_maps)
				return -EINVAL;
			insn.src = insn.src == SKEP_PSEUDO_MAP_IDX ? SKEP_PSEUDO_MAP_FD
								   : SKEP_PSEUDO_MAP_VALUE;
			insn.imm = session->map_fds[insn.imm];
		}
		skep_vec_push(&loader->insns, insn);
	}
	return 0;
}

static void add_btf(struct loader *loader, const struct skep_object_prog *prog)
{
	union bpf_attr *attr = &loader->attr;

	if (loader->session->btf_fd < 0 || !prog->n_funcs || !prog->funcs[0].btf_func)
		return;
	loader->funcs.len = 0;
	for (size_t i = 0; i < prog->n_funcs; i++) {
		struct bpf_func_info info = {prog->funcs[i].insn, prog->funcs[i].btf_func};
		skep_vec_push(&loader->funcs, info);
	}
	loader->lines.len = 0;
	skep_line_index_records(&loader->session->lines, prog, &loader->lines);
	attr->prog_btf_fd = (uint32_t)loader->session->btf_fd;
	attr->func_info = (uint64_t)(uintptr_t)loader->funcs.data;
	attr->func_info_cnt = (uint32_t)loader->funcs.len;
	attr->func_info_rec_size = sizeof(struct bpf_func_info);
	attr->line_info = (uint64_t)(uintptr_t)loader->lines.data;
	attr->line_info_cnt = (uint32_t)loader->lines.len;
	attr->line_info_rec_size = sizeof(struct bpf_line_info);
}

static int prepare(struct loader *loader, const struct skep_object_prog *prog)
{
	union bpf_attr *attr = &loader->attr;
	int err = bind_maps(loader, prog);

	if (err)
		return err;
	memset(attr, 0, sizeof(*attr));
	attr->prog_type = prog->type;
	attr->expected_attach_type = prog->expected_attach_type;
	attr->attach_btf_id = prog->attach_btf_id;
	attr->attach_prog_fd = (uint32_t)prog->attach_fd;
	attr->prog_flags = prog->flags;
	attr->insns = (uint64_t)(uintptr_t)loader->insns.data;
	attr->insn_cnt = (uint32_t)loader->insns.len;
	attr->license = (uint64_t)(uintptr_t)loader->session->object->license;
	memcpy(attr->prog_name, prog->name, sizeof(attr->prog_name) - 1);
	add_btf(loader, prog);
	return 0;
}

/* Load with a log of @size bytes. Newer kernels keep a long log's end, older ones its start. */
static int try_with_log(struct loader *loader, size_t size, struct skep_buf *log)
{
	char *text = skep_buf_reserve(log, size);
	int fd;

	text[0] = '\0';
	loader->attr.log_buf = (uint64_t)(uintptr_t)text;
	loader->attr.log_size = (uint32_t)size;
	loader->attr.log_level = 1;
	fd = skep_bpf(BPF_PROG_LOAD, &loader->attr, sizeof(loader->attr));
	log->len += strnlen(text, size);
	return fd;
}

static int load_with_log(struct loader *loader, struct skep_buf *log)
{
	int fd = -ENOSPC;

	for (size_t size = LOG_FIRST_BYTES; fd == -ENOSPC && size <= LOG_LIMIT_BYTES;
	     size *= LOG_GROWTH) {
		skep_buf_clear(log);
		fd = try_with_log(loader, size, log);
	}
	return fd;
}

static void keep_log(const struct loader *loader, const struct skep_object_prog *prog,
		     const struct skep_buf *log)
{
	struct skep_buf *all = loader->session->log;

	skep_buf_printf(all, "program %s:\n", prog->name);
	skep_buf_add(all, log->data ? log->data : "", log->len);
}

static int load_prog(struct loader *loader, size_t i, struct skep_diag *diag)
{
	const struct skep_object_prog *prog = &loader->session->object->progs[i];
	const bool verbose = loader->session->log != NULL;
	_cleanup_buf_ struct skep_buf log = {0};
	int fd = prepare(loader, prog);

	if (fd)
		return skep_diag_fail(diag, fd, SKEP_DIAG_PROG_MAP_INDEX, SKEP_NOWHERE, prog->name);
	if (!verbose)
		fd = skep_bpf(BPF_PROG_LOAD, &loader->attr, sizeof(loader->attr));
	if (verbose || fd < 0)
		fd = load_with_log(loader, &log);
	if (verbose)
		keep_log(loader, prog, &log);
	if (fd < 0)
		return load_explain(prog, log.data ? log.data : "", fd, diag);
	loader->session->prog_fds[i] = fd;
	return 0;
}

int load_progs(struct skep_session *session, struct skep_diag *diag)
{
	struct loader loader = {.session = session};
	int err = 0;

	for (size_t i = 0; i < session->object->n_progs && !err; i++)
		err = load_prog(&loader, i, diag);
	loader_done(&loader);
	return err;
}
