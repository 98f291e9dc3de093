/*
 * Verdicts: each program of compiled objects, as the running kernel's verifier and as ours sees it.
 *
 *	verdicts [-v] [-vv] [-p PROGRAM] [-r PERCENT] [-e PERCENT] OBJECT...
 *
 * Every program is loaded by libbpf on its own, with those marked auxiliary beside it, first by the
 * kernel, then by the machine. A line for each where the verdicts, or the first lines that say why,
 * differ; -v also where they agree, -vv with both logs. The last lines count; -r: fails where fewer
 * of 100 verdicts agree, -e: where fewer of 100 refusals are explained at the right line.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "explained.h"
#include "verdict.h"

static const char *only;

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

/* --- Tags of an object's programs ------------------------------------------------------------ */

static bool has_tag(const struct btf *btf, const char *prog, const char *tag,
		    const char **ret_value)
{
	int func = btf ? btf__find_by_name_kind(btf, prog, BTF_KIND_FUNC) : -1;

	for (uint32_t i = 1; func > 0 && i < btf__type_cnt(btf); i++) {
		const struct btf_type *type = btf__type_by_id(btf, i);
		const char *text = btf__name_by_offset(btf, type->name_off);

		if (!btf_is_decl_tag(type) || (int)type->type != func ||
		    strncmp(text, tag, strlen(tag)))
			continue;
		if (ret_value)
			*ret_value = text + strlen(tag);
		return true;
	}
	return false;
}

static const struct {
	const char *name;
	uint32_t flag;
} flag_names[] = {
	{"BPF_F_STRICT_ALIGNMENT", 1u << 0},    {"BPF_F_ANY_ALIGNMENT", 1u << 1},
	{"BPF_F_TEST_RND_HI32", 1u << 2},       {"BPF_F_TEST_STATE_FREQ", 1u << 3},
	{"BPF_F_SLEEPABLE", 1u << 4},           {"BPF_F_XDP_HAS_FRAGS", 1u << 5},
	{"BPF_F_TEST_REG_INVARIANTS", 1u << 7},
};

static uint32_t flags_of(const struct btf *btf, const char *prog)
{
	const char *text;

	if (!has_tag(btf, prog, "comment:test_prog_flags=", &text))
		return 0;
	for (size_t i = 0; i < sizeof(flag_names) / sizeof(*flag_names); i++)
		if (!strcmp(text, flag_names[i].name))
			return flag_names[i].flag;
	return (uint32_t)strtoul(text, NULL, 0);
}

/* --- One program on one engine --------------------------------------------------------------- */

static bool choose(struct bpf_object *object, const char *name)
{
	const struct btf *btf = bpf_object__btf(object);
	struct bpf_program *prog;
	bool found = false;

	bpf_object__for_each_program(prog, object)
	{
		const char *at = bpf_program__name(prog);
		bool wanted = !strcmp(at, name);

		found |= wanted;
		bpf_program__set_autoload(
			prog, wanted || has_tag(btf, at, "comment:test_auxiliary", NULL));
		bpf_program__set_flags(prog, bpf_program__flags(prog) | flags_of(btf, at));
	}
	return found;
}

/* What tools and tests give their maps before they load. */
static void size_maps(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		enum bpf_map_type type = bpf_map__type(map);

		if (type == BPF_MAP_TYPE_STACK_TRACE && !bpf_map__value_size(map))
			bpf_map__set_value_size(map, 127 * sizeof(uint64_t));
		if (!bpf_map__max_entries(map) && type != BPF_MAP_TYPE_PERF_EVENT_ARRAY &&
		    type != BPF_MAP_TYPE_TASK_STORAGE && type != BPF_MAP_TYPE_SK_STORAGE &&
		    type != BPF_MAP_TYPE_INODE_STORAGE && (int)type != 32 /* CGRP_STORAGE */)
			bpf_map__set_max_entries(map, 10240);
	}
}

/* A program of a file. */
struct place {
	const char *path, *name;
};

/* No word of the verifier's, and refused all the same. */
static bool was_not_asked(const struct verdict *verdict)
{
	return verdict->err == EPERM && !*verdict->log;
}

static void load(const void *ctx, struct verdict *verdict)
{
	const struct place *place = ctx;
	struct bpf_object *object = bpf_object__open_file(place->path, NULL);
	struct bpf_program *prog;

	if (!object) {
		verdict->err = errno;
		return;
	}
	size_maps(object);
	if (choose(object, place->name)) {
		prog = bpf_object__find_program_by_name(object, place->name);
		bpf_program__set_log_buf(prog, verdict->log, VERDICT_LOG_BYTES);
		bpf_program__set_log_level(prog, verdict_verbose > 1 ? 2 | 4 : 1 | 4);
		errno = 0;
		verdict->err = -bpf_object__load(object);
		verdict->loaded = !verdict->err;
	}
	bpf_object__close(object);
}

/* What the machine's verdicts are explained into, and how well. */
static struct explained *explained;
static struct explained_count explained_count;

static void compare(const struct place *place, struct verdict *pair, struct verdict_count *count)
{
	const struct skep_machine_opts opts = {.verified = explained_verified,
					       .verified_ctx = explained};
	const char *slash = strrchr(place->path, '/');
	char name[512];

	explained->done = false;
	verdict_ask_both(pair, &opts, load, place);
	pair[0].not_asked |= was_not_asked(&pair[0]);
	snprintf(name, sizeof(name), "%s/%s", slash ? slash + 1 : place->path, place->name);
	verdict_compare(pair, name, count);
	if (!pair[0].not_asked && !pair[0].loaded && !pair[1].loaded)
		explained_compare(name, &pair[0], explained, &explained_count);
}

static void object_verdicts(const char *path, struct verdict *pair, struct verdict_count *count)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;

	if (!object) {
		printf("%s: cannot be opened\n", path);
		return;
	}
	bpf_object__for_each_program(prog, object)
	{
		const char *name = bpf_program__name(prog);

		if (has_tag(bpf_object__btf(object), name, "comment:test_auxiliary", NULL) ||
		    (only && strcmp(only, name)))
			continue;
		compare(&(struct place){path, name}, pair, count);
	}
	bpf_object__close(object);
}

int main(int argc, char **argv)
{
	struct verdict *pair = verdict_pair_new();
	struct verdict_count count = {0};
	double least = 0, least_lines = 0;

	explained = explained_new();
	if (!pair || !explained)
		return 1;
	libbpf_set_print(silent);
	for (int opt; (opt = getopt(argc, argv, "vp:r:e:")) != -1;) {
		verdict_verbose += opt == 'v';
		only = opt == 'p' ? optarg : only;
		least = opt == 'r' ? atof(optarg) : least;
		least_lines = opt == 'e' ? atof(optarg) : least_lines;
	}
	for (int i = optind; i < argc; i++)
		object_verdicts(argv[i], pair, &count);
	verdict_print_count(&count);
	explained_print_count(&explained_count);
	return 100.0 * count.agree < least * count.n ||
	       100.0 * explained_count.right < least_lines * explained_count.n;
}
