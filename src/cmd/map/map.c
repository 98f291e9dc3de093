/*
 * skep map: maps of the kernel by id, name or pin; of an object the contents it begins with. Keys
 * and values are printed and read by their types.
 */
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <skep/map.h>

#include "base/fd.h"
#include "base/vec.h"
#include "cmd/commands.h"
#include "cmd/map/show.h"
#include "engine/elffile.h"
#include "engine/engine.h"
#include "engine/map.h"
#include "linux/privilege.h"
#include "sink/columns.h"

#define OPTIONS_DEF "cmd/map/options.def"
#include "cmd/options_table.h"

const struct skep_command skep_command_map = {
	.name = "map",
	.usage = "VERB [MAP] [KEY] [VALUE] [OPTIONS]",
	.description = "List, read and change maps of eBPF programs. MAP is an id, a name, the "
		       "path of a pin\n"
		       "(/sys/fs/bpf/…), or FILE.o:NAME for a map of an object as it is when it "
		       "was loaded;\n"
		       "what is in such a map after a run, skep prog run prints.\n"
		       "\n"
		       "KEY and VALUE go by the map's types: a number, a name of an enum, a text "
		       "for an array\n"
		       "of characters, member=value,member=value for a struct, and for all "
		       "hex:DIGITS, the\n"
		       "bytes as they lie in memory.\n"
		       "\n"
		       "Verbs:\n"
#define VERB(name, words, help) "  " #name " " words "\n        " help "\n"
#include "cmd/map/verbs.def"
#undef VERB
	,
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.examples = "  skep map list\n"
		    "  skep map dump counts --json | jq '.value'\n"
		    "  skep map lookup 42 'pid=1,comm=systemd'\n"
		    "  skep map update /sys/fs/bpf/blocked hex:0a000001 1\n"
		    "  skep map dump filter.bpf.o:.rodata\n",
	.arg = "FILE",
};

struct job {
	struct skep_parsed options;
	char **words; /* behind the verb and the map */
	int n_words;
	bool json;
	struct skep_diag diag;
	struct skep_engine engine;
	struct skep_elffile elf;
	struct skep_view view;
	struct skep_buf out;
};

static int needs(struct job *job, const char *what)
{
	skep_diag_add(&job->diag, SKEP_DIAG_ARGS_MISSING, SKEP_NOWHERE, "map", what);
	skep_diag_try(&job->diag, "skep map --help");
	return 2;
}

static int refused(struct job *job, int err, const char *action, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "%s map %s", action, name);
	if (err == -EPERM && !job->engine.machine && !skep_has_cap(CAP_SYS_ADMIN))
		return skep_privilege_fail(&job->diag, err, SKEP_PRIVILEGE_ADMIN, SKEP_NOWHERE,
					   text);
	return skep_diag_fail(&job->diag, err, SKEP_DIAG_MAP_ACCESS, SKEP_NOWHERE, action, name,
			      err == -SKEP_ENOTSUPP ? "this kind of map cannot" : strerror(-err));
}

/* --- Which map ------------------------------------------------------------------------------- */

static bool is_number(const char *word)
{
	return word[0] && word[strspn(word, "0123456789")] == '\0' && strlen(word) < 10;
}

static void why_ids(struct job *job, const char *name)
{
	_cleanup_buf_ struct skep_buf ids = {0};

	for (uint32_t id = skep_map_next_id(0); id; id = skep_map_next_id(id)) {
		struct bpf_map_info info;
		_cleanup_close_ int fd = skep_map_open_id(id);

		if (fd >= 0 && !skep_map_info(fd, &info) && !strcmp(info.name, name))
			skep_buf_printf(&ids, "%s%u", ids.len ? ", " : "", id);
	}
	skep_diag_why(&job->diag, "ids %s", ids.data ? ids.data : "");
	skep_diag_try(&job->diag, "name it by its id");
}

/* Return a descriptor of the only map of that name | -errno */
static int open_name(struct job *job, const char *name)
{
	int found = -1;
	size_t n = 0;

	for (uint32_t id = skep_map_next_id(0); id; id = skep_map_next_id(id)) {
		struct bpf_map_info info;
		_cleanup_close_ int fd = skep_map_open_id(id);

		if (fd < 0 || skep_map_info(fd, &info) || strcmp(info.name, name))
			continue;
		if (!n++)
			found = TAKE_FD(fd);
	}
	if (n == 1)
		return found;
	skep_close(&found);
	if (!n)
		return skep_diag_fail(&job->diag, -ENOENT, SKEP_DIAG_MAP_NONE, SKEP_NOWHERE,
				      "the kernel", name);
	skep_diag_add(&job->diag, SKEP_DIAG_MAP_WHICH, SKEP_NOWHERE, name, n);
	why_ids(job, name);
	return -EINVAL;
}

static int open_pin(struct job *job, const char *path)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.pathname = (uint64_t)(uintptr_t)path;
	fd = skep_bpf(BPF_OBJ_GET, &attr, sizeof(attr));
	if (fd >= 0)
		return fd;
	return skep_diag_fail(&job->diag, fd, SKEP_DIAG_MAP_ACCESS, SKEP_NOWHERE, "open", path,
			      fd == -EINVAL ? "it is not pinned to the BPF file system"
					    : strerror(-fd));
}

/* The kernel's maps need rights even to be found; asking once tells. */
static int check_rights(struct job *job)
{
	uint32_t first;
	int err = skep_bpf_next_id(BPF_MAP_GET_NEXT_ID, 0, &first);

	if (err != -EPERM)
		return 0;
	return skep_privilege_fail(&job->diag, err, SKEP_PRIVILEGE_ADMIN, SKEP_NOWHERE,
				   "look for maps of the kernel");
}

static int open_id(struct job *job, const char *word)
{
	uint32_t id = (uint32_t)strtoul(word, NULL, 10);
	int fd = skep_map_open_id(id);

	if (fd == -ENOENT)
		skep_diag_add(&job->diag, SKEP_DIAG_ID_NONE, SKEP_NOWHERE, "map", id);
	else if (fd < 0)
		refused(job, fd, "open", word);
	return fd;
}

/* --- Of an object ---------------------------------------------------------------------------- */

/* What lies in a BPF file system, wherever that is mounted. */
static bool is_pin(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

/* "prog.o:.rodata" → "prog.o" and ".rodata"; without ":NAME" the only map. */
static bool split_file(const char *word, char **ret_path, const char **ret_name)
{
	const char *colon = strrchr(word, ':');

	*ret_path = colon ? strndup(word, (size_t)(colon - word)) : strdup(word);
	*ret_name = colon ? colon + 1 : NULL;
	return *ret_path && !access(*ret_path, F_OK) && !is_pin(*ret_path);
}

/* libbpf calls data sections "OBJECT.rodata"; people say ".rodata". */
static bool is_called(const struct bpf_map *map, const char *name)
{
	const char *whole = bpf_map__name(map), *dot = strchr(whole, '.');

	return !strcmp(whole, name) || (name[0] == '.' && dot && !strcmp(dot, name));
}

static int which_map(struct job *job, const char *path, const char *name)
{
	SKEP_VEC(const char *) names = {0};
	_cleanup_buf_ struct skep_buf all = {0};
	struct bpf_map *map;

	bpf_object__for_each_map(map, job->elf.object)
	{
		skep_buf_printf(&all, "%s%s", names.len ? ", " : "", bpf_map__name(map));
		skep_vec_push(&names, bpf_map__name(map));
	}
	if (name || !names.len)
		skep_diag_add(&job->diag, SKEP_DIAG_MAP_NONE, SKEP_NOWHERE, path,
			      name ? name : "at all");
	else
		skep_diag_add(&job->diag, SKEP_DIAG_MAP_WHICH, SKEP_NOWHERE, path, names.len);
	skep_diag_why(&job->diag, "it has %s", all.data ? all.data : "none");
	skep_diag_try(&job->diag, "name it behind a colon: %s:NAME", path);
	if (name)
		skep_diag_did_you_mean(&job->diag, name, names.data, names.len);
	skep_vec_done(&names);
	return -ENOENT;
}

/* The object's maps only: its programs need not load. */
static int load_maps(struct job *job)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, job->elf.object)
	{
		bpf_program__set_autoload(prog, false);
	}
	return skep_elffile_load(&job->elf, NULL, &job->diag);
}

static int open_engine(struct job *job)
{
	const char *name = job->options.values[OPT_ENGINE];
	const struct skep_engine_opts opts = {
		.kind = name && !strcmp(name, "linux") ? SKEP_ENGINE_LINUX : SKEP_ENGINE_USER};

	return skep_engine_open(&opts, &job->engine, &job->diag);
}

static int open_of_object(struct job *job, const char *path, const char *name)
{
	_cleanup_buf_ struct skep_buf bytes = {0};
	struct bpf_map *map, *found = NULL;
	size_t n = 0;
	int err = skep_file_read(path, SKEP_ELFFILE_MOST_BYTES, &bytes);

	if (err)
		return skep_diag_fail(&job->diag, err, SKEP_DIAG_FILE_READ, SKEP_NOWHERE, path,
				      strerror(-err));
	err = open_engine(job);
	if (!err)
		err = skep_elffile_open(path, &bytes, &job->elf, &job->diag);
	if (err)
		return err;
	bpf_object__for_each_map(map, job->elf.object)
	{
		if (!name || is_called(map, name)) {
			found = map;
			n++;
		}
	}
	if (n != 1)
		return which_map(job, path, name);
	err = load_maps(job);
	return err ? err : dup(bpf_map__fd(found));
}

static int open_map(struct job *job, const char *word)
{
	_cleanup_free_ char *path = NULL;
	const char *name;
	int fd;

	if (split_file(word, &path, &name) && !is_number(word)) {
		fd = open_of_object(job, path, name);
	} else if (strchr(word, '/')) {
		fd = open_pin(job, word);
	} else {
		fd = check_rights(job);
		if (!fd)
			fd = is_number(word) ? open_id(job, word) : open_name(job, word);
	}
	if (fd < 0)
		return fd;
	fd = skep_view_open(fd, &job->view);
	return fd ? refused(job, fd, "look at", word) : 0;
}

/* --- Verbs ----------------------------------------------------------------------------------- */

static void list_row(struct skep_columns *table, const struct bpf_map_info *info)
{
	skep_columns_u64(table, info->id);
	skep_columns_add(table, skep_map_type_name(info->type), -1);
	skep_columns_add(table, info->name, -1);
	skep_columns_u64(table, info->key_size);
	skep_columns_u64(table, info->value_size);
	skep_columns_u64(table, info->max_entries);
}

static int verb_list(struct job *job)
{
	static const char *const heads[] = {"ID", "TYPE", "NAME", "KEY", "VALUE", "ENTRIES"};
	struct skep_jsonw w = {.buf = &job->out};
	struct skep_columns table;
	int err = check_rights(job);

	if (err)
		return err;
	skep_columns_init(&table, 6, "rllrrr");
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		skep_columns_add(&table, heads[i], -1);
	for (uint32_t id = skep_map_next_id(0); id; id = skep_map_next_id(id)) {
		struct bpf_map_info info;
		_cleanup_close_ int fd = skep_map_open_id(id);

		if (fd < 0 || skep_map_info(fd, &info))
			continue;
		if (job->json)
			map_info_json(&info, info.name, &w);
		else
			list_row(&table, &info);
	}
	if (!job->json)
		skep_columns_render(&table, &job->out);
	skep_columns_done(&table);
	return 0;
}

static int verb_show(struct job *job)
{
	const struct bpf_map_info *info = &job->view.info;
	struct skep_jsonw w = {.buf = &job->out};

	if (job->json) {
		map_info_json(info, info->name, &w);
		return 0;
	}
	skep_buf_printf(&job->out, "%s (%s)", info->name, skep_map_type_name(info->type));
	if (!job->engine.machine)
		skep_buf_printf(&job->out, ", map %u of the kernel", info->id);
	skep_buf_printf(&job->out,
			"\nkey      %u bytes\nvalue    %u bytes%s\nentries  %u at most\n",
			info->key_size, info->value_size,
			job->view.n_cpus > 1 ? ", one for each CPU" : "", info->max_entries);
	if (info->map_flags)
		skep_buf_printf(&job->out, "flags    0x%x\n", info->map_flags);
	skep_buf_printf(&job->out, "types    %s\n",
			job->view.value_type ? "known, by BTF" : "not known");
	return 0;
}

static int read_most(struct job *job, uint64_t *ret)
{
	const char *text = job->options.values[OPT_MOST];

	*ret = 0;
	if (!text)
		return 0;
	*ret = strtoull(text, NULL, 10);
	if (is_number(text) && *ret)
		return 0;
	return skep_option_wrong("--most", "a number above 0", text);
}

static int verb_dump(struct job *job)
{
	struct map_show show = {.json = job->json, .out = &job->out, .flush = true};
	const char *why = skep_view_unreadable(&job->view);
	int err = read_most(job, &show.most);
	int64_t n;

	if (err)
		return err;
	if (why)
		return skep_diag_fail(&job->diag, -ENOTSUP, SKEP_DIAG_MAP_ACCESS, SKEP_NOWHERE,
				      "read", job->view.info.name, why);
	n = map_show(&show, &job->view);
	return n < 0 ? refused(job, (int)n, "read", job->view.info.name) : 0;
}

static int take_key(struct job *job)
{
	if (!job->n_words)
		return needs(job, "a KEY");
	return skep_view_parse_key(&job->view, job->words[0], &job->diag) ? 2 : 0;
}

static int verb_lookup(struct job *job)
{
	const struct map_show show = {.json = job->json, .out = &job->out};
	int err = take_key(job);

	if (err)
		return err;
	err = skep_view_lookup(&job->view);
	if (err == -ENOENT)
		return skep_diag_fail(&job->diag, err, SKEP_DIAG_KEY_NONE, SKEP_NOWHERE,
				      job->view.info.name, job->words[0]);
	if (err)
		return refused(job, err, "look up in", job->view.info.name);
	map_show_entry(&show, &job->view);
	return 0;
}

static int verb_update(struct job *job)
{
	int err = take_key(job);

	if (err)
		return err;
	if (job->n_words < 2)
		return needs(job, "a VALUE behind the key");
	if (job->elf.object)
		return needs(job,
			     "a map of the kernel for this: an object's is gone when skep ends");
	if (skep_view_parse_value(&job->view, job->words[1], &job->diag))
		return 2;
	err = skep_view_update(&job->view);
	return err ? refused(job, err, "write to", job->view.info.name) : 0;
}

static int verb_delete(struct job *job)
{
	int err = take_key(job);

	if (err)
		return err;
	if (job->elf.object)
		return needs(job,
			     "a map of the kernel for this: an object's is gone when skep ends");
	err = skep_view_delete(&job->view);
	if (err == -ENOENT)
		return skep_diag_fail(&job->diag, err, SKEP_DIAG_KEY_NONE, SKEP_NOWHERE,
				      job->view.info.name, job->words[0]);
	return err ? refused(job, err, "delete from", job->view.info.name) : 0;
}

/* --- The command ----------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*run)(struct job *job);
} verbs[] = {
#define VERB(name, ...) {#name, verb_##name},
#include "cmd/map/verbs.def"
#undef VERB
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static int unknown_verb(struct job *job, const char *word)
{
	const char *names[N_VERBS];

	for (size_t i = 0; i < N_VERBS; i++)
		names[i] = verbs[i].name;
	skep_diag_add(&job->diag, SKEP_DIAG_VERB_UNKNOWN, SKEP_NOWHERE, "map", word);
	skep_diag_try(&job->diag, "skep map --help lists what it does");
	skep_diag_did_you_mean(&job->diag, word, names, N_VERBS);
	return 2;
}

static int run_verb(struct job *job, size_t verb)
{
	bool wants_map = verbs[verb].run != verb_list;
	int err;

	if (wants_map && job->options.n_args < 2)
		return needs(job, "a MAP: an id, a name, a pin, or FILE.o:NAME");
	if (wants_map) {
		job->words = job->options.args + 2;
		job->n_words = job->options.n_args - 2;
		err = open_map(job, job->options.args[1]);
		if (err)
			return err;
	}
	return verbs[verb].run(job);
}

static int dispatch(struct job *job)
{
	const char *format = job->options.values[OPT_FORMAT];
	const char *word = job->options.n_args ? job->options.args[0] : NULL;

	job->json = job->options.values[OPT_JSON] || (format && !strcmp(format, "json"));
	if (!word)
		return needs(job, "a verb: list, show, dump, lookup, update or delete");
	for (size_t i = 0; i < N_VERBS; i++) {
		if (!strcmp(verbs[i].name, word))
			return run_verb(job, i);
	}
	return unknown_verb(job, word);
}

int skep_cmd_map(int argc, char **argv)
{
	struct job job = {.view = {.fd = -1}};
	int status = skep_options_parse(&skep_command_map, argc, argv, false, &job.options);

	if (status)
		return status;
	if (job.options.values[OPT_HELP]) {
		skep_options_help(&skep_command_map, stdout);
		return 0;
	}
	status = dispatch(&job);
	if (job.out.len)
		fwrite(job.out.data, 1, job.out.len, stdout);
	skep_diag_show(&job.diag);
	skep_view_done(&job.view);
	skep_elffile_close(&job.elf);
	skep_engine_close(&job.engine);
	skep_buf_done(&job.out);
	return status < 0 ? 1 : status;
}
