/* skep prog list and show: programs in an object, in the kernel, and what is known of one. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include <skep/btf.h>

#include "base/fd.h"
#include "cmd/prog/prog.h"
#include "engine/map.h"
#include "engine/test.h"
#include "engine/value.h"
#include "linux/privilege.h"
#include "sink/columns.h"
#include "sink/jsonw.h"

static void heads(struct skep_columns *table, const char *align, const char *const *names)
{
	skep_columns_init(table, (uint32_t)strlen(align), align);
	for (size_t i = 0; i < strlen(align); i++)
		skep_columns_add(table, names[i], -1);
}

static void tag_text(const struct bpf_prog_info *info, struct skep_buf *out)
{
	skep_hex_print(info->tag, sizeof(info->tag), "", out);
}

/* --- The kernel's ---------------------------------------------------------------------------- */

static void live_row(struct skep_columns *table, const struct bpf_prog_info *info)
{
	_cleanup_buf_ struct skep_buf tag = {0};

	tag_text(info, &tag);
	skep_columns_u64(table, info->id);
	skep_columns_add(table, skep_prog_type_name(info->type), -1);
	skep_columns_add(table, info->name, -1);
	skep_columns_add(table, tag.data, -1);
	skep_columns_u64(table, info->xlated_prog_len / 8);
	skep_columns_u64(table, info->jited_prog_len);
	skep_columns_u64(table, info->nr_map_ids);
	skep_columns_u64(table, info->run_cnt);
}

static void live_json(struct prog_job *job, const struct bpf_prog_info *info)
{
	_cleanup_buf_ struct skep_buf tag = {0};
	struct skep_jsonw w = {.buf = &job->out};
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"insns", info->xlated_prog_len / 8},
		{"code_bytes", info->jited_prog_len},
		{"maps", info->nr_map_ids},
		{"btf_id", info->btf_id},
		{"uid", info->created_by_uid},
		{"load_time_ns", info->load_time},
		{"runs", info->run_cnt},
		{"run_time_ns", info->run_time_ns},
		{"verified_insns", info->verified_insns},
	};

	tag_text(info, &tag);
	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, "id"), skep_jsonw_u64(&w, info->id);
	skep_jsonw_key(&w, "type"), skep_jsonw_string(&w, skep_prog_type_name(info->type));
	skep_jsonw_key(&w, "name"), skep_jsonw_string(&w, info->name);
	skep_jsonw_key(&w, "tag"), skep_jsonw_string(&w, tag.data);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		skep_jsonw_key(&w, numbers[i].key), skep_jsonw_u64(&w, numbers[i].value);
	skep_jsonw_close(&w);
	skep_buf_addc(w.buf, '\n');
}

static int list_live(struct prog_job *job)
{
	static const char *const names[] = {"ID",    "TYPE", "NAME", "TAG",
					    "INSNS", "CODE", "MAPS", "RUNS"};
	struct skep_columns table;
	int err = 0;

	heads(&table, "rlllrrrr", names);
	for (uint32_t id = skep_prog_next_id(0); id && !err; id = skep_prog_next_id(id)) {
		struct bpf_prog_info info = {0};
		_cleanup_close_ int fd = skep_prog_open_id(id);

		err = fd < 0 && fd != -ENOENT ? fd : 0;
		if (fd < 0 || skep_bpf_info(fd, &info, sizeof(info)))
			continue;
		if (job->json)
			live_json(job, &info);
		else
			live_row(&table, &info);
	}
	if (!job->json && !err)
		skep_columns_render(&table, &job->out);
	skep_columns_done(&table);
	return err;
}

/* Without rights not even the first id is told, and an empty list would be a lie. */
static int list_kernel(struct prog_job *job)
{
	uint32_t first;
	int err = skep_bpf_next_id(BPF_PROG_GET_NEXT_ID, 0, &first);

	if (!err || err == -ENOENT)
		err = list_live(job);
	if (err == -EPERM)
		return skep_privilege_fail(&job->diag, err, SKEP_PRIVILEGE_ADMIN, SKEP_NOWHERE,
					   "list the kernel's programs");
	return err;
}

/* --- An object's ----------------------------------------------------------------------------- */

static void object_json(struct prog_job *job, const struct bpf_program *prog)
{
	struct skep_jsonw w = {.buf = &job->out};

	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, "name"), skep_jsonw_string(&w, bpf_program__name(prog));
	skep_jsonw_key(&w, "type");
	skep_jsonw_string(&w, skep_prog_type_name(bpf_program__type(prog)));
	skep_jsonw_key(&w, "section"), skep_jsonw_string(&w, bpf_program__section_name(prog));
	skep_jsonw_key(&w, "insns"), skep_jsonw_u64(&w, bpf_program__insn_cnt(prog));
	skep_jsonw_key(&w, "runnable");
	skep_jsonw_bool(&w, skep_testable(bpf_program__type(prog)));
	skep_jsonw_close(&w);
	skep_buf_addc(w.buf, '\n');
}

static void object_row(struct skep_columns *table, const struct bpf_program *prog)
{
	skep_columns_add(table, bpf_program__name(prog), -1);
	skep_columns_add(table, skep_prog_type_name(bpf_program__type(prog)), -1);
	skep_columns_add(table, bpf_program__section_name(prog), -1);
	skep_columns_u64(table, bpf_program__insn_cnt(prog));
	skep_columns_add(table, skep_testable(bpf_program__type(prog)) ? "yes" : "no", -1);
}

static int list_object(struct prog_job *job)
{
	static const char *const names[] = {"NAME", "TYPE", "SECTION", "INSNS", "RUNS HERE"};
	_cleanup_buf_ struct skep_buf bytes = {0};
	struct skep_columns table;
	struct bpf_program *prog;
	int err = prog_read_file(job, job->words[0], SKEP_ELFFILE_MOST_BYTES, &bytes);

	if (!err)
		err = skep_elffile_open(job->words[0], &bytes, &job->elf, &job->diag);
	if (err)
		return err;
	heads(&table, "lllrl", names);
	bpf_object__for_each_program(prog, job->elf.object)
	{
		if (job->json)
			object_json(job, prog);
		else
			object_row(&table, prog);
	}
	if (!job->json)
		skep_columns_render(&table, &job->out);
	skep_columns_done(&table);
	return 0;
}

int prog_verb_list(struct prog_job *job)
{
	return job->n_words ? list_object(job) : list_kernel(job);
}

/* --- One ------------------------------------------------------------------------------------- */

static void show_funcs(struct prog_job *job, const struct skep_prog *prog)
{
	for (uint32_t i = 0; i < prog->info.nr_func_info && prog->btf; i++) {
		skep_buf_printf(&job->out, "%-10s %4u: ", i ? "" : "functions",
				prog->funcs[i].insn_off);
		skep_btf_print_decl(prog->btf, prog->funcs[i].type_id, NULL, &job->out);
		skep_buf_addc(&job->out, '\n');
	}
}

static void show_maps(struct prog_job *job, const struct skep_prog *prog)
{
	for (uint32_t i = 0; i < prog->info.nr_map_ids; i++) {
		struct bpf_map_info info;
		_cleanup_close_ int fd = skep_map_open_id(prog->map_ids[i]);

		if (fd >= 0 && !skep_map_info(fd, &info))
			skep_buf_printf(&job->out, "%-10s %4u: %s (%s)\n", i ? "" : "maps", info.id,
					info.name, skep_map_type_name(info.type));
	}
}

static void show_text(struct prog_job *job, const struct skep_prog *prog)
{
	const struct bpf_prog_info *info = &prog->info;
	struct skep_buf *out = &job->out;

	skep_buf_printf(out, "%s (%s)", info->name, skep_prog_type_name(info->type));
	if (!job->engine.machine)
		skep_buf_printf(out, ", program %u of the kernel", info->id);
	skep_buf_puts(out, "\ntag        ");
	tag_text(info, out);
	skep_buf_printf(out, "\ninsns      %u", info->xlated_prog_len / 8);
	if (info->verified_insns && !job->engine.machine)
		skep_buf_printf(out, ", the verifier followed %u", info->verified_insns);
	if (info->jited_prog_len)
		skep_buf_printf(out, "\ncode       %u bytes", info->jited_prog_len);
	skep_buf_printf(out, "\nlicence    %s\n",
			info->gpl_compatible ? "GPL-compatible" : "not GPL-compatible");
	if (info->run_cnt)
		skep_buf_printf(out, "runs       %llu, %llu ns each\n",
				(unsigned long long)info->run_cnt,
				(unsigned long long)(info->run_time_ns / info->run_cnt));
	show_funcs(job, prog);
	show_maps(job, prog);
}

int prog_verb_show(struct prog_job *job)
{
	_cleanup_prog_ struct skep_prog prog = {.fd = -1};
	uint32_t id;
	int err;

	if (!job->n_words)
		return prog_needs(job, "a FILE or the ID of a program");
	if (prog_is_id(job->words[0], &id)) {
		err = prog_open_id(job, id, &prog);
	} else {
		err = prog_open_engine(job, SKEP_ENGINE_USER, SKEP_CODE_CHECKED);
		if (!err)
			err = prog_load(job, &prog);
	}
	if (err)
		return err;
	if (job->json)
		live_json(job, &prog.info);
	else
		show_text(job, &prog);
	return 0;
}
