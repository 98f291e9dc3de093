/*
 * func_info and line_info: which function starts where and what its type is, and which line of the
 * source an instruction is from. Their records may be longer than known if the rest is zero.
 *
 * Source  behaviour of Linux 6.18, check_btf_func() and check_btf_line()
 */
#include "machine/machine.h"

#include <string.h>

#include <skep/btf.h>

#define MIN_FUNC_RECORD sizeof(struct wire_func_info)
#define MIN_LINE_RECORD sizeof(struct wire_line_info)
#define MOST_RECORD     252

/* @n records of @size bytes at @from into an array of records of @known bytes. */
static int read_records(uint64_t from, uint32_t n, uint32_t size, uint32_t known, void **ret)
{
	uint32_t take = size < known ? size : known;
	_cleanup_free_ uint8_t *records = calloc(n, known);

	if (!records)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t at = from + (uint64_t)i * size;
		int err = machine_user_check_tail(at, known, size);

		if (!err)
			err = machine_user_read(records + (size_t)i * known, at, take);
		if (err)
			return err;
	}
	*ret = TAKE_PTR(records);
	return 0;
}

/* --- Functions ------------------------------------------------------------------------------ */

static int check_func(const struct prog_object *prog, uint32_t i, struct log *log)
{
	const struct wire_func_info *func = &prog->funcs[i];
	const struct skep_btf *btf = prog->btf->btf;

	if (!i && func->insn_off) {
		machine_log_printf(log, "nonzero insn_off %u for the first func info record",
				   func->insn_off);
		return -EINVAL;
	}
	if (i && func->insn_off <= func[-1].insn_off) {
		machine_log_printf(
			log, "same or smaller insn offset (%u) than previous func info record (%u)",
			func->insn_off, func[-1].insn_off);
		return -EINVAL;
	}
	if (skep_btf_kind(btf, func->type_id) != SKEP_BTF_FUNC) {
		machine_log_printf(log, "invalid type id %u in func info", func->type_id);
		return -EINVAL;
	}
	return 0;
}

static int read_funcs(struct request *req, struct prog_object *prog, struct log *log)
{
	const struct attr_prog_load *attr = &req->attr.prog_load;
	uint32_t size = attr->func_info_rec_size, n = attr->func_info_cnt;
	void *records;
	int err;

	if (size < MIN_FUNC_RECORD || size > MOST_RECORD || size % 4) {
		machine_log_printf(log, "invalid func info rec size %u\n", size);
		return -EINVAL;
	}
	/* There can not be more functions than instructions. */
	if (n > prog->n_insns)
		n = prog->n_insns + 1;
	err = read_records(attr->func_info, n, size, sizeof(*prog->funcs), &records);
	if (err == -E2BIG) {
		machine_log_printf(log, "nonzero tailing record in func info");
		if (request_put(req, prog_load.func_info_rec_size, sizeof(*prog->funcs)))
			return -EFAULT;
	}
	if (err)
		return err;
	prog->funcs = records;
	prog->n_funcs = n;
	for (uint32_t i = 0; !err && i < n; i++)
		err = check_func(prog, i, log);
	return err;
}

int machine_prog_check_funcs(struct skep_machine *machine, struct request *req,
			     struct prog_object *prog, struct log *log)
{
	const struct attr_prog_load *attr = &req->attr.prog_load;
	int err;

	if (!attr->func_info_cnt && !attr->line_info_cnt)
		return 0;
	err = machine_btf_object_get(machine, (int)attr->btf_fd, &prog->btf);
	if (err)
		return err;
	if (prog->btf->is_kernel)
		return -EACCES;
	return attr->func_info_cnt ? read_funcs(req, prog, log) : 0;
}

/* --- Where bpf_throw() goes on: main is tagged "exception_callback:<function>" --------------- */

#define EXCEPTION_TAG "exception_callback:"

/* @ret the function's name; NULL: there is no tag. */
static int find_exception_tag(const struct prog_object *prog, struct log *log, const char **ret)
{
	const struct skep_btf *btf = prog->btf->btf;
	uint32_t n = skep_btf_n_types(btf);

	*ret = NULL;
	for (uint32_t id = 1; id <= n; id++) {
		if (skep_btf_kind(btf, id) != SKEP_BTF_DECL_TAG ||
		    skep_btf_target(btf, id) != prog->funcs[0].type_id ||
		    skep_btf_tag_component(btf, id) != -1 ||
		    strncmp(skep_btf_name(btf, id), EXCEPTION_TAG, strlen(EXCEPTION_TAG)))
			continue;
		if (*ret) {
			machine_log_printf(log,
					   "multiple exception callback tags for main subprog\n");
			return -EEXIST;
		}
		*ret = skep_btf_name(btf, id) + strlen(EXCEPTION_TAG);
	}
	return 0;
}

static int find_exception_start(const struct prog_object *prog, uint32_t id, struct log *log,
				uint32_t *ret)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < prog->n_funcs; i++) {
		if (prog->funcs[i].type_id != id)
			continue;
		found = prog->funcs[i].insn_off;
		if (!found) {
			machine_log_printf(log,
					   "invalid exception callback insn_off in func_info: 0\n");
			return -EINVAL;
		}
	}
	if (!found) {
		machine_log_printf(log, "exception callback type id not found in func_info\n");
		return -EINVAL;
	}
	*ret = found;
	return 0;
}

int machine_prog_find_exception(const struct prog_object *prog, struct log *log, uint32_t *ret)
{
	const char *name;
	uint32_t id;
	int err;

	*ret = 0;
	if (!prog->n_funcs)
		return 0;
	err = find_exception_tag(prog, log, &name);
	if (err || !name)
		return err;
	id = skep_btf_find(prog->btf->btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_FUNC));
	if (!id) {
		machine_log_printf(log, "exception callback '%s' could not be found in BTF\n",
				   name);
		return -ENOENT;
	}
	if (!skep_btf_is_global(prog->btf->btf, id)) {
		machine_log_printf(log, "exception callback '%s' must have global linkage\n", name);
		return -EINVAL;
	}
	return find_exception_start(prog, id, log, ret);
}

static int check_layout(const struct prog_object *prog, struct log *log)
{
	const struct skep_image *image = prog->image;

	if (!prog->n_funcs)
		return 0;
	if (prog->n_funcs != image->n_funcs) {
		machine_log_printf(
			log, "number of funcs in func_info doesn't match number of subprogs\n");
		return -EINVAL;
	}
	for (uint32_t i = 0; i < image->n_funcs; i++)
		if (image->funcs[i].start != prog->funcs[i].insn_off) {
			machine_log_printf(
				log, "func_info BTF section doesn't match subprog layout in BPF "
				     "program\n");
			return -EINVAL;
		}
	return 0;
}

/* --- Lines ---------------------------------------------------------------------------------- */

static int check_line(const struct prog_object *prog, uint32_t i, uint32_t *func, struct log *log)
{
	const struct wire_line_info *line = &prog->lines[i];
	uint32_t before = i ? line[-1].insn_off : 0;
	const struct skep_btf *btf = prog->btf->btf;
	const struct skep_image *image = prog->image;

	if ((i && line->insn_off <= before) || line->insn_off >= prog->n_insns) {
		machine_log_printf(
			log, "Invalid line_info[%u].insn_off:%u (prev_offset:%u prog->len:%u)\n", i,
			line->insn_off, before, prog->n_insns);
		return -EINVAL;
	}
	if (!prog->insns[line->insn_off].code) {
		machine_log_printf(log, "Invalid insn code at line_info[%u].insn_off\n", i);
		return -EINVAL;
	}
	if (!skep_btf_string(btf, line->line_off) || !skep_btf_string(btf, line->file_name_off)) {
		machine_log_printf(log, "Invalid line_info[%u].line_off or .file_name_off\n", i);
		return -EINVAL;
	}
	if (*func == image->n_funcs || line->insn_off < image->funcs[*func].start)
		return 0;
	if (line->insn_off == image->funcs[*func].start) {
		++*func;
		return 0;
	}
	machine_log_printf(log, "missing bpf_line_info for func#%u\n", *func);
	return -EINVAL;
}

static int read_lines(struct request *req, struct prog_object *prog, struct log *log)
{
	const struct attr_prog_load *attr = &req->attr.prog_load;
	uint32_t size = attr->line_info_rec_size, n = attr->line_info_cnt;
	void *records;
	int err;

	if (n > INT32_MAX / sizeof(*prog->lines) || size < MIN_LINE_RECORD || size > MOST_RECORD ||
	    size % 4)
		return -EINVAL;
	if (n > prog->n_insns)
		n = prog->n_insns + 1;
	err = read_records(attr->line_info, n, size, sizeof(*prog->lines), &records);
	if (err == -E2BIG) {
		machine_log_printf(log, "nonzero tailing record in line_info");
		if (request_put(req, prog_load.line_info_rec_size, sizeof(*prog->lines)))
			return -EFAULT;
	}
	if (err)
		return err;
	prog->lines = records;
	prog->n_lines = n;
	return 0;
}

int machine_prog_check_lines(struct request *req, struct prog_object *prog, struct log *log)
{
	uint32_t func = 0;
	int err = check_layout(prog, log);

	if (err || !req->attr.prog_load.line_info_cnt)
		return err;
	err = read_lines(req, prog, log);
	for (uint32_t i = 0; !err && i < prog->n_lines; i++)
		err = check_line(prog, i, &func, log);
	if (err || func == prog->image->n_funcs)
		return err;
	machine_log_printf(log, "missing bpf_line_info for %u funcs starting from func#%u\n",
			   prog->image->n_funcs - func, func);
	return -EINVAL;
}
