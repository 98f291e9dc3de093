/*
 * Verdicts: each program of compiled objects, as the running kernel's verifier and as ours sees it.
 *
 *	verdicts [-v] [-vv] [-p PROGRAM] [-r PERCENT] OBJECT...
 *
 * Every program is loaded by libbpf on its own, with those marked auxiliary beside it, first by the
 * kernel, then by the machine. A line for each where the verdicts, or the first lines that say why,
 * differ; -v also where they agree, -vv with both logs. The last line counts; -r: fails where fewer
 * of 100 verdicts agree.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <skep/machine.h>

#define LOG_BYTES (16u << 20)

/* What one engine said; shared with the child that asked. */
struct verdict {
	int err; /* of BPF_PROG_LOAD: 0 accepted; errno; -signal: it died */
	bool loaded, tried;
	char log[LOG_BYTES];
};

struct count {
	unsigned n, agree, both_accept, both_refuse, same_words, wrongly_accepted, wrongly_refused;
	unsigned not_asked; /* what the kernel is locked against, whatever the program is */
};

static int verbose;
static const char *only;

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

/* --- Tags of an object's programs --------------------------------------------------------------
 */

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

/* --- One program on one engine ------------------------------------------------------------------
 */

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

static void load(const char *path, const char *name, struct verdict *verdict, int level)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;

	verdict->tried = true;
	if (!object) {
		verdict->err = errno;
		return;
	}
	size_maps(object);
	if (choose(object, name)) {
		prog = bpf_object__find_program_by_name(object, name);
		bpf_program__set_log_buf(prog, verdict->log, LOG_BYTES);
		bpf_program__set_log_level(prog, (uint32_t)level | 4);
		errno = 0;
		verdict->err = -bpf_object__load(object);
		verdict->loaded = !verdict->err;
	}
	bpf_object__close(object);
}

static pid_t ask(const char *path, const char *name, bool machine, struct verdict *verdict)
{
	pid_t pid;

	memset(verdict, 0, offsetof(struct verdict, log) + 1);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		struct skep_machine_opts opts = {0};
		struct skep_machine *engine = NULL;

		alarm(60);
		if (machine && skep_machine_new(&opts, &engine))
			_exit(1);
		skep_machine_route(engine);
		load(path, name, verdict, verbose > 1 ? 2 : 1);
		_exit(0);
	}
	return pid;
}

static void await(pid_t pid, struct verdict *verdict)
{
	int status = 0;

	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		verdict->err = -WTERMSIG(status);
}

/* Both at once: the kernel waits for most of its time. */
static void ask_both(const char *path, const char *name, struct verdict *both)
{
	pid_t kernel = ask(path, name, false, &both[0]), machine = ask(path, name, true, &both[1]);

	await(kernel, &both[0]);
	await(machine, &both[1]);
}

/* --- Comparing
 * ------------------------------------------------------------------------------------ */

/* Where the words end and the numbers of how long it took begin. */
static const char *end_of_words(const char *log)
{
	const char *end = strstr(log, "verification time ");

	if (!end)
		end = strstr(log, "processed ");
	if (!end)
		end = log + strlen(log);
	return end > log ? end - 1 : end;
}

/* The line that says why: the last one before the numbers. */
static void reason(const struct verdict *verdict, char *ret, size_t cap)
{
	const char *end = end_of_words(verdict->log), *from;

	for (from = end; from > verdict->log && from[-1] != '\n';)
		from--;
	snprintf(ret, cap, "%.*s", (int)(end - from), from);
}

static void add(struct count *count, const struct verdict *both, bool agree, bool same)
{
	count->n++;
	count->agree += agree;
	count->both_accept += agree && both[0].loaded;
	count->both_refuse += agree && !both[0].loaded;
	count->same_words += agree && !both[0].loaded && same;
	count->wrongly_accepted += !agree && both[1].loaded;
	count->wrongly_refused += !agree && both[0].loaded;
}

/* No word of the verifier's, and refused all the same. */
static bool was_not_asked(const struct verdict *kernel)
{
	return kernel->err == EPERM && !*kernel->log;
}

static void compare(const char *path, const char *name, struct verdict *both, struct count *count)
{
	char words[2][512];
	const char *slash = strrchr(path, '/');
	bool same, agree;

	ask_both(path, name, both);
	if (was_not_asked(&both[0])) {
		count->not_asked++;
		return;
	}
	for (int i = 0; i < 2; i++)
		reason(&both[i], words[i], sizeof(words[i]));
	agree = both[0].loaded == both[1].loaded;
	same = both[0].loaded || !strcmp(words[0], words[1]);
	add(count, both, agree, same);
	if (agree && same && !verbose)
		return;
	printf("%s %s/%s: kernel %d \"%s\", skep %d \"%s\"\n",
	       !agree ? both[1].loaded ? "ACCEPTED" : "REFUSED"
	       : same ? "same"
		      : "words",
	       slash ? slash + 1 : path, name, both[0].err, words[0], both[1].err, words[1]);
	if (verbose > 1)
		printf("--- kernel\n%s--- skep\n%s---\n", both[0].log, both[1].log);
}

static void object_verdicts(const char *path, struct verdict *both, struct count *count)
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
		compare(path, name, both, count);
	}
	bpf_object__close(object);
}

int main(int argc, char **argv)
{
	struct verdict *both = mmap(NULL, 2 * sizeof(*both), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct count count = {0};
	double least = 0;

	libbpf_set_print(silent);
	for (int opt; (opt = getopt(argc, argv, "vp:r:")) != -1;) {
		verbose += opt == 'v';
		only = opt == 'p' ? optarg : only;
		least = opt == 'r' ? atof(optarg) : least;
	}
	for (int i = optind; i < argc; i++)
		object_verdicts(argv[i], both, &count);
	printf("%u programs: %u agree (%.1f%%: %u accepted, %u refused, %u of these in the same "
	       "words), "
	       "%u accepted that the kernel refuses, %u refused that it accepts, %u not asked\n",
	       count.n, count.agree, count.n ? 100.0 * count.agree / count.n : 0, count.both_accept,
	       count.both_refuse, count.same_words, count.wrongly_accepted, count.wrongly_refused,
	       count.not_asked);
	return 100.0 * count.agree < least * count.n;
}
