/*
 * skep prog links: what is attached on this machine, where, and who holds it.
 * What the kernel tells of a link by numbers alone, a function of its BTF, gets
 * its name here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <skep/btf.h>
#include <skep/symbol.h>

#include "base/fd.h"
#include "cmd/prog/prog.h"
#include "linux/link_info.h"
#include "linux/privilege.h"
#include "sink/columns.h"
#include "sink/jsonw.h"

/* Found when first asked for; of kernel functions, names are shown of a few only in the table. */
struct names {
	struct skep_btf *btf; /* owned; NULL: not to be had */
	bool tried;
	struct skep_ksyms *ksyms; /* owned */
	struct skep_link_owners owners;
};

static void names_done(struct names *names)
{
	skep_btf_free(names->btf);
	skep_ksyms_free(names->ksyms);
	skep_vec_done(&names->owners);
}

/* --- Names ----------------------------------------------------------------------------------- */

static bool is_kernel_btf(uint32_t id)
{
	_cleanup_close_ int fd = skep_bpf_open_id(BPF_BTF_GET_FD_BY_ID, id);
	char name[16] = "";
	struct bpf_btf_info info = {.name = (uintptr_t)name, .name_len = sizeof(name)};

	return fd >= 0 && !skep_bpf_info(fd, &info, sizeof(info)) && info.kernel_btf &&
	       !strcmp(name, "vmlinux");
}

/* The function a tracing program is at, where it is the kernel's own; "": not known. */
static const char *function_name(struct names *names, const struct skep_link *link)
{
	if (!link->target_btf_id || !is_kernel_btf(link->target_id))
		return "";
	if (!names->tried)
		skep_btf_open_kernel(&names->btf, NULL);
	names->tried = true;
	return names->btf ? skep_btf_name(names->btf, link->target_btf_id) : "";
}

static const char *symbol_name(struct names *names, uint64_t addr)
{
	struct skep_symbol symbol = {0};

	if (!names->ksyms)
		names->ksyms = skep_ksyms_new();
	return skep_ksyms_lookup(names->ksyms, addr, &symbol) ? NULL : symbol.name;
}

static void program_name(uint32_t id, char ret[BPF_OBJ_NAME_LEN])
{
	_cleanup_close_ int fd = id ? skep_bpf_open_id(BPF_PROG_GET_FD_BY_ID, id) : -1;
	struct bpf_prog_info info = {0};

	ret[0] = '\0';
	if (fd >= 0 && !skep_bpf_info(fd, &info, sizeof(info)))
		snprintf(ret, BPF_OBJ_NAME_LEN, "%s", info.name);
}

static void command_name(pid_t pid, struct skep_buf *ret)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	skep_buf_clear(ret);
	if (skep_file_read(path, 256, ret) || !ret->len)
		skep_buf_puts(ret, "?");
	else if (ret->data[ret->len - 1] == '\n')
		ret->data[--ret->len] = '\0';
}

/* --- One link -------------------------------------------------------------------------------- */

static void where_text(struct names *names, const struct skep_link *link, struct skep_buf *ret)
{
	const char *function = function_name(names, link);
	bool is_one = link->type == BPF_LINK_TYPE_KPROBE_MULTI && link->places.len == 1;
	const char *symbol = is_one ? symbol_name(names, link->places.data[0]) : NULL;

	if (symbol)
		skep_buf_puts(ret, symbol);
	else
		skep_buf_add(ret, link->where.data ? link->where.data : "", link->where.len);
	if (function[0])
		skep_buf_printf(ret, " %s", function);
	if (link->missed)
		skep_buf_printf(ret, ", missed %llu", (unsigned long long)link->missed);
}

static void owners_text(const struct names *names, uint32_t link_id, struct skep_buf *ret)
{
	_cleanup_buf_ struct skep_buf comm = {0};

	for (size_t i = 0; i < names->owners.len; i++) {
		const struct skep_link_owner *owner = &names->owners.data[i];
		if (owner->link_id != link_id)
			continue;
		command_name(owner->pid, &comm);
		skep_buf_printf(ret, "%s%s(%d)", ret->len ? " " : "", comm.data, owner->pid);
	}
}

static void add_row(struct skep_columns *table, struct names *names, const struct skep_link *link)
{
	_cleanup_buf_ struct skep_buf where = {0}, owners = {0};
	char program[BPF_OBJ_NAME_LEN];

	where_text(names, link, &where);
	owners_text(names, link->id, &owners);
	program_name(link->prog_id, program);
	skep_columns_u64(table, link->id);
	skep_columns_add(table, link->type_name, -1);
	skep_columns_u64(table, link->prog_id);
	skep_columns_add(table, program, -1);
	skep_columns_add(table, where.data ? where.data : "", -1);
	skep_columns_add(table, owners.data ? owners.data : "pinned, or not ours to see", -1);
}

static void add_places(struct skep_jsonw *w, struct names *names, const struct skep_link *link)
{
	bool is_kernel = link->type == BPF_LINK_TYPE_KPROBE_MULTI;

	if (!link->places.len)
		return;
	skep_jsonw_key(w, "funcs"), skep_jsonw_open(w, '[');
	for (size_t i = 0; i < link->places.len; i++) {
		const char *name = is_kernel ? symbol_name(names, link->places.data[i]) : NULL;
		skep_jsonw_open(w, '{');
		skep_jsonw_key(w, is_kernel ? "addr" : "offset");
		skep_jsonw_u64(w, link->places.data[i]);
		if (name)
			skep_jsonw_key(w, "func"), skep_jsonw_string(w, name);
		skep_jsonw_close(w);
	}
	skep_jsonw_close(w);
}

static void add_owners(struct skep_jsonw *w, const struct names *names, uint32_t link_id)
{
	_cleanup_buf_ struct skep_buf comm = {0};

	skep_jsonw_key(w, "pids"), skep_jsonw_open(w, '[');
	for (size_t i = 0; i < names->owners.len; i++) {
		const struct skep_link_owner *owner = &names->owners.data[i];
		if (owner->link_id != link_id)
			continue;
		command_name(owner->pid, &comm);
		skep_jsonw_open(w, '{');
		skep_jsonw_key(w, "pid"), skep_jsonw_s64(w, owner->pid);
		skep_jsonw_key(w, "comm"), skep_jsonw_string(w, comm.data);
		skep_jsonw_close(w);
	}
	skep_jsonw_close(w);
}

static void add_fields(struct skep_jsonw *w, struct names *names, const struct skep_link *link)
{
	const char *function = function_name(names, link);

	for (size_t i = 0; i < link->fields.len; i++) {
		const struct skep_link_field *field = &link->fields.data[i];
		skep_jsonw_key(w, field->key);
		if (field->text)
			skep_jsonw_string(w, field->text);
		else
			skep_jsonw_s64(w, field->number);
	}
	if (function[0])
		skep_jsonw_key(w, "func"), skep_jsonw_string(w, function);
}

static void add_json(struct skep_buf *out, struct names *names, const struct skep_link *link)
{
	_cleanup_buf_ struct skep_buf where = {0};
	struct skep_jsonw w = {.buf = out};
	char program[BPF_OBJ_NAME_LEN];

	where_text(names, link, &where);
	program_name(link->prog_id, program);
	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, "id"), skep_jsonw_u64(&w, link->id);
	skep_jsonw_key(&w, "type"), skep_jsonw_string(&w, link->type_name);
	skep_jsonw_key(&w, "prog_id"), skep_jsonw_u64(&w, link->prog_id);
	skep_jsonw_key(&w, "prog_name"), skep_jsonw_string(&w, program);
	skep_jsonw_key(&w, "where"), skep_jsonw_string(&w, where.data ? where.data : "");
	add_fields(&w, names, link);
	add_places(&w, names, link);
	add_owners(&w, names, link->id);
	skep_jsonw_close(&w);
	skep_buf_addc(out, '\n');
}

/* --- All ------------------------------------------------------------------------------------- */

/* A link may go while it is looked at. */
static int show(struct prog_job *job, struct names *names, struct skep_columns *table, uint32_t id)
{
	_cleanup_close_ int fd = skep_bpf_open_id(BPF_LINK_GET_FD_BY_ID, id);
	struct skep_link link;

	if (fd < 0)
		return fd == -ENOENT || fd == -EAGAIN ? 0 : fd;
	if (!skep_link_describe(fd, &link)) {
		if (job->json)
			add_json(&job->out, names, &link);
		else
			add_row(table, names, &link);
	}
	skep_link_done(&link);
	return 0;
}

static int list(struct prog_job *job, struct names *names)
{
	static const char *const heads[] = {"ID", "TYPE", "PROG", "NAME", "WHERE", "HELD BY"};
	struct skep_columns table;
	uint32_t id = 0;
	int err;

	skep_columns_init(&table, 6, "rlrlll");
	for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++)
		skep_columns_add(&table, heads[i], -1);
	do {
		err = skep_bpf_next_id(BPF_LINK_GET_NEXT_ID, id, &id);
		err = err ?: show(job, names, &table, id);
	} while (!err);
	if (err == -ENOENT && !job->json)
		skep_columns_render(&table, &job->out);
	skep_columns_done(&table);
	return err == -ENOENT ? 0 : err;
}

int prog_verb_links(struct prog_job *job)
{
	struct names names = {0};

	skep_link_owners_read(&names.owners);
	int err = list(job, &names);
	names_done(&names);
	if (err == -EPERM)
		return skep_privilege_fail(&job->diag, err, SKEP_PRIVILEGE_ADMIN, SKEP_NOWHERE,
					   "list the kernel's links");
	if (err)
		return skep_diag_fail(&job->diag, err, SKEP_DIAG_FILE_READ, SKEP_NOWHERE,
				      "the kernel's links", strerror(-err));
	return 0;
}
