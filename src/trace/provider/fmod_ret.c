/*
 * fmod_ret: functions of the kernel whose result a program may decide. It runs at
 * the entry, with the arguments; what it returns, if that is not 0, is what the
 * function returns, and the function itself does not run.
 *
 * The kernel allows that of functions that may fail at any time, and of some that
 * are made for it. The first are listed (error_injection/list), and all hooks of
 * security modules are among them; the others can only be asked for by name, and
 * loading tells.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/vec.h"
#include "trace/provider/btf_args.h"
#include "trace/provider/kfuncs.h"
#include "trace/provider/trampoline.h"

#define LIST_FILE   "/sys/kernel/debug/error_injection/list"
#define LIST_MOST   (4u << 20)
#define HOOK_PREFIX "security_"

static const struct skep_provider *provider_of(void)
{
	return skep_provider_find("fmod_ret");
}

/* --- Which functions ------------------------------------------------------------------------- */

/* A number in a register. */
static bool returns_number(const struct skep_kfunc_type *type)
{
	uint32_t id = skep_btf_strip(type->btf, skep_btf_target(type->btf, type->proto));
	struct skep_btf_int info;

	return id && !skep_btf_int_info(type->btf, id, &info) && skep_btf_size(type->btf, id) <= 8;
}

static bool fits(struct skep_expand *x, const char *name)
{
	struct skep_kfunc_type type;

	return skep_kfunc_type(x, name, &type) && skep_trampoline_fits(&type) &&
	       returns_number(&type);
}

static void add_matching(struct skep_expand *x, const struct skep_kfunc_spec *kfunc,
			 const char *module, const char *func, struct skep_names *names)
{
	const char *name = skep_arena_printf(x->arena, "%s:%s", module, func);

	if (skep_wildcard_match(kfunc->module, module) && skep_wildcard_match(kfunc->func, func) &&
	    fits(x, name))
		skep_vec_push(names, name);
}

/* "ext4_mkdir\tERRNO", "btrfs_mkdir [btrfs]\tERRNO" */
static void match_line(struct skep_expand *x, const struct skep_kfunc_spec *kfunc, char *line,
		       struct skep_names *names)
{
	char *save, *func = strtok_r(line, " \t", &save), *word = strtok_r(NULL, " \t", &save);
	size_t len = word ? strlen(word) : 0;
	bool has_module = len > 2 && word[0] == '[' && word[len - 1] == ']';

	if (has_module)
		word[len - 1] = '\0';
	if (func)
		add_matching(x, kfunc, has_module ? word + 1 : SKEP_BASE_MODULE, func, names);
}

static void match_hooks(struct skep_expand *x, const struct skep_kfunc_spec *kfunc,
			struct skep_names *names)
{
	_cleanup_names_ struct skep_names hooks = {0};

	skep_btf_match(x, skep_types_btf(x->types), SKEP_BTF_FUNC, HOOK_PREFIX, "*", &hooks);
	for (size_t i = 0; i < hooks.len; i++)
		add_matching(x, kfunc, SKEP_BASE_MODULE,
			     skep_arena_printf(x->arena, HOOK_PREFIX "%s", hooks.data[i]), names);
}

/* Those of which it is known beforehand that they may be changed. Without debugfs, or without
 * error injection, only the hooks. */
static void match_known(struct skep_expand *x, const struct skep_kfunc_spec *kfunc,
			struct skep_names *names)
{
	_cleanup_buf_ struct skep_buf list = {0};
	char *save;

	match_hooks(x, kfunc, names);
	if (!skep_file_read(LIST_FILE, LIST_MOST, &list) && list.len) {
		for (char *line = strtok_r(list.data, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			match_line(x, kfunc, line, names);
	}
	skep_spec_names_sort_unique(names);
}

/* --- Probes ---------------------------------------------------------------------------------- */

static int refuse(struct skep_expand *x, const struct skep_probe_spec *spec, const char *why)
{
	const char *hint = NULL;

	if (!x->diag) /* one of many providers, and nobody asks why */
		return 0;
	if (skep_has_kprobes())
		hint = "override() in a kprobe fails functions too, where the kernel has it";
	return skep_expand_refused(x, provider_of(), spec->span, why, hint);
}

static int add_place(struct skep_expand *x, const struct skep_probe_spec *spec, const char *name)
{
	if (!fits(x, name))
		return refuse(x, spec,
			      "it returns no number, or BTF does not describe it, or has "
			      "arguments that cannot be passed on");
	return skep_trampoline_add(x, provider_of(), spec, name, BPF_MODIFY_RETURN) ? 0 : -E2BIG;
}

static void find(struct skep_expand *x, const struct skep_kfunc_spec *kfunc,
		 struct skep_names *names)
{
	if (skep_has_wildcard(kfunc->func) || skep_kfunc_find(x, kfunc, names))
		return;
	skep_kfuncs_match(x, kfunc->module, kfunc->func, false, names);
}

int skep_fmod_ret_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	_cleanup_names_ struct skep_names names = {0};
	struct skep_kfunc_spec kfunc;
	int err = skep_kfunc_parse(x, provider_of(), spec, &kfunc);

	if (err)
		return err;
	find(x, &kfunc, &names);
	if (skep_has_wildcard(kfunc.func))
		match_known(x, &kfunc, &names);
	if (!names.len)
		return x->diag ? skep_kfunc_missing(x, spec, &kfunc) : 0;
	const char *why = skep_kfunc_why_not(x, SKEP_FEATURE_FMOD_RET);
	if (why)
		return refuse(x, spec, why);
	for (size_t i = 0; i < names.len && !err; i++)
		err = add_place(x, spec, names.data[i]);
	return err;
}

int skep_fmod_ret_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		       struct skep_buf *out)
{
	_cleanup_names_ struct skep_names names = {0};
	const char *why = skep_kfunc_why_not(x, SKEP_FEATURE_FMOD_RET);
	struct skep_kfunc_spec kfunc = {
		.module = pattern->n_parts > 2 ? pattern->parts[1] : "*",
		.func = pattern->n_parts > 1 ? pattern->parts[pattern->n_parts - 1] : "*",
	};

	if (why) {
		skep_expand_refused(x, provider_of(), pattern->span, why, NULL);
		return 0;
	}
	match_known(x, &kfunc, &names);
	for (size_t i = 0; i < names.len; i++)
		skep_trampoline_list(x, provider_of(), names.data[i], verbose, out);
	return 0;
}
