/* What an engine knows of a loaded program: see prog.h. */
#include "engine/prog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <skep/btf.h>
#include <skep/symbol.h>

#include "base/fd.h"
#include "engine/map.h"

/* --- Reading ---------------------------------------------------------------------------------- */

/* Ask with room for each array, of the length that was told before. */
static void make_room(struct skep_prog *prog)
{
	const struct bpf_prog_info told = prog->info;
	struct bpf_prog_info *info = &prog->info;

	prog->insns = calloc(told.xlated_prog_len / 8 + 1, 8);
	prog->lines = calloc(told.nr_line_info + 1, sizeof(*prog->lines));
	prog->funcs = calloc(told.nr_func_info + 1, sizeof(*prog->funcs));
	prog->map_ids = calloc(told.nr_map_ids + 1, sizeof(*prog->map_ids));
	prog->jited = calloc(told.jited_prog_len + 1, 1);
	*info = (struct bpf_prog_info){
		.xlated_prog_len = told.xlated_prog_len,
		.xlated_prog_insns = (uint64_t)(uintptr_t)prog->insns,
		.jited_prog_len = told.jited_prog_len,
		.jited_prog_insns = (uint64_t)(uintptr_t)prog->jited,
		.nr_line_info = told.nr_line_info,
		.line_info = (uint64_t)(uintptr_t)prog->lines,
		.line_info_rec_size = sizeof(*prog->lines),
		.nr_func_info = told.nr_func_info,
		.func_info = (uint64_t)(uintptr_t)prog->funcs,
		.func_info_rec_size = sizeof(*prog->funcs),
		.nr_map_ids = told.nr_map_ids,
		.map_ids = (uint64_t)(uintptr_t)prog->map_ids,
	};
}

/* What the kernel does not show (it zeroes the pointer) is not there. */
static void forget_hidden(struct skep_prog *prog)
{
	struct bpf_prog_info *info = &prog->info;

	if (!info->xlated_prog_insns)
		info->xlated_prog_len = 0;
	if (!info->jited_prog_insns)
		info->jited_prog_len = 0;
	if (!info->line_info)
		info->nr_line_info = 0;
	if (!info->func_info)
		info->nr_func_info = 0;
	prog->n_insns = info->xlated_prog_len / 8;
}

int skep_engine_btf(uint32_t id, struct skep_btf **ret)
{
	struct bpf_btf_info info;
	_cleanup_free_ void *data = NULL;
	_cleanup_close_ int fd = -1;
	int err;

	memset(&info, 0, sizeof(info));
	fd = id ? skep_bpf_open_id(BPF_BTF_GET_FD_BY_ID, id) : -ENOENT;
	if (fd < 0)
		return fd;
	err = skep_bpf_info(fd, &info, sizeof(info));
	if (err)
		return err;
	data = calloc(info.btf_size + 1, 1);
	info = (struct bpf_btf_info){.btf = (uint64_t)(uintptr_t)data, .btf_size = info.btf_size};
	err = skep_bpf_info(fd, &info, sizeof(info));
	return err ? err : skep_btf_parse(data, info.btf_size, NULL, ret, NULL);
}

int skep_prog_read(int fd, struct skep_prog *ret)
{
	struct skep_prog prog = {.fd = fd};
	int err = skep_bpf_info(fd, &prog.info, sizeof(prog.info));

	if (!err) {
		make_room(&prog);
		err = skep_bpf_info(fd, &prog.info, sizeof(prog.info));
	}
	if (err) {
		skep_prog_done(&prog);
		return err;
	}
	forget_hidden(&prog);
	skep_engine_btf(prog.info.btf_id, &prog.btf);
	*ret = prog;
	return 0;
}

void skep_prog_done(struct skep_prog *prog)
{
	skep_close(&prog->fd);
	free(prog->insns);
	free(prog->lines);
	free(prog->funcs);
	free(prog->map_ids);
	free(prog->jited);
	skep_btf_free(prog->btf);
	skep_ksyms_free(prog->ksyms);
	*prog = (struct skep_prog){.fd = -1};
}

/* --- Lines and functions --------------------------------------------------------------------- */

bool skep_prog_line(const struct skep_prog *prog, uint32_t insn, struct skep_prog_line *ret)
{
	const struct bpf_line_info *found = NULL;
	const char *file, *text;

	for (uint32_t i = 0; i < prog->info.nr_line_info && prog->lines[i].insn_off <= insn; i++)
		found = &prog->lines[i];
	if (!found || !prog->btf)
		return false;
	file = skep_btf_string(prog->btf, found->file_name_off);
	text = skep_btf_string(prog->btf, found->line_off);
	*ret = (struct skep_prog_line){file ? file : "", text ? text : "", found->line_col >> 10,
				       found->line_col & 1023};
	ret->text += strspn(ret->text, " \t");
	return true;
}

const char *skep_prog_func(const struct skep_prog *prog, uint32_t insn, uint32_t *ret_start)
{
	const struct bpf_func_info *found = NULL;

	for (uint32_t i = 0; i < prog->info.nr_func_info && prog->funcs[i].insn_off <= insn; i++)
		found = &prog->funcs[i];
	*ret_start = found ? found->insn_off : 0;
	return found && prog->btf ? skep_btf_name(prog->btf, found->type_id) : prog->info.name;
}

/* --- Instructions as text -------------------------------------------------------------------- */

struct naming {
	struct skep_prog *prog;
	bool linux_code;
	char name[128];
};

/* The kernel has replaced the helper's number by the distance to it from a function of its own. */
static const char *name_kernel_call(struct naming *naming, int32_t imm)
{
	struct skep_prog *prog = naming->prog;
	struct skep_symbol symbol;

	if (!prog->ksyms) {
		prog->ksyms = skep_ksyms_new();
		if (skep_ksyms_find(prog->ksyms, "__bpf_call_base", &prog->call_base))
			prog->call_base = 0;
	}
	if (!prog->call_base ||
	    skep_ksyms_lookup(prog->ksyms, prog->call_base + (uint64_t)(int64_t)imm, &symbol) ||
	    !symbol.name)
		return NULL;
	snprintf(naming->name, sizeof(naming->name), "%s", symbol.name);
	return naming->name;
}

static const char *name_helper(void *ctx, int32_t id)
{
	struct naming *naming = ctx;

	return naming->linux_code ? name_kernel_call(naming, id) : NULL;
}

static const char *name_map(struct naming *naming, const struct skep_insn *insn)
{
	struct bpf_map_info info;
	_cleanup_close_ int fd = skep_map_open_id((uint32_t)insn->imm);

	if (fd < 0 || skep_map_info(fd, &info))
		return NULL;
	if (insn->src == SKEP_PSEUDO_MAP_VALUE)
		snprintf(naming->name, sizeof(naming->name), "map[%s][0]+%d", info.name,
			 insn[1].imm);
	else
		snprintf(naming->name, sizeof(naming->name), "map[%s]", info.name);
	return naming->name;
}

static const char *name_imm64(void *ctx, size_t at, const struct skep_insn *insn)
{
	bool is_map = insn->src == SKEP_PSEUDO_MAP_FD || insn->src == SKEP_PSEUDO_MAP_VALUE;

	return is_map ? name_map(ctx, insn) : NULL;
}

void skep_prog_insn_text(struct skep_prog *prog, bool linux_code, uint32_t insn,
			 struct skep_buf *out)
{
	struct naming naming = {.prog = prog, .linux_code = linux_code};
	const struct skep_disasm_names names = {
		.helper = name_helper, .imm64 = name_imm64, .ctx = &naming};

	skep_disasm_insn(prog->insns, prog->n_insns, insn, &names, out);
}

/* --- Ids -------------------------------------------------------------------------------------- */

uint32_t skep_prog_next_id(uint32_t id)
{
	uint32_t next = 0;

	skep_bpf_next_id(BPF_PROG_GET_NEXT_ID, id, &next);
	return next;
}

int skep_prog_open_id(uint32_t id)
{
	return skep_bpf_open_id(BPF_PROG_GET_FD_BY_ID, id);
}
