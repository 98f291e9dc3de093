/*
 * Verdicts: each program of compiled objects, as the running kernel's verifier and as ours sees it.
 *
 *	verdicts [-v] [-vv] [-p PROGRAM] [-r PERCENT] [-e PERCENT] OBJECT...
 *
 * Every program is loaded by libbpf on its own, with those marked auxiliary beside it, first by the
 * kernel, then by the machine. A line for each where the verdicts, or the first lines that say why,
 * differ; -v also where they agree, -vv with both logs. The last line counts; -r: fails where fewer
 * of 100 verdicts agree.
 *
 * Where both refuse, the explanation is held against the kernel's log: it must be at the line of
 *the source that the log was at, with no more than 12 links. That line is
 *
 *	the last "; text @ file:line" before the words; the log names a line only once while it does
 *	not change, also where another path came between, so the line that the debug information has
 *	for the last instruction of the log will do as well
 *	references: where it was acquired ("alloc_insn=")
 *	too many instructions: any line that the log ends in, as all of a loop is at fault
 *	no instruction in the log (the program was refused before any was looked at): not counted
 *
 * -e: fails where fewer of 100 are; with -v those that are not are printed.
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

#include <skep/arena.h>
#include <skep/explain.h>
#include <skep/machine.h>

#define LOG_BYTES   (16u << 20)
#define MOST_SLOTS  65536
#define LIMIT_LINES 200 /* of a log that ends where it was too much */

/* What is compared of an explanation. */
struct explained {
	bool done;
	uint32_t line, n_links;
	char what[256], rule[48];
	uint32_t lines[MOST_SLOTS]; /* by the debug information, of each instruction */
};

/* What one engine said; shared with the child that asked. */
struct verdict {
	int err; /* of BPF_PROG_LOAD: 0 accepted; errno; -signal: it died */
	bool loaded, tried;
	struct explained explained; /* the machine's */
	char log[LOG_BYTES];
};

struct count {
	unsigned n, agree, both_accept, both_refuse, same_words, wrongly_accepted, wrongly_refused;
	unsigned not_asked; /* what the kernel is locked against, whatever the program is */
	unsigned explained, right_line; /* refusals with a line to compare */
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

/* In the child: called where the machine has verified a program. */
static void verified(void *ctx, const struct skep_verify_program *program,
		     const struct skep_verify_opts *opts, int err,
		     const struct skep_verify_report *report)
{
	struct explained *to = ctx;
	struct skep_explanation e;
	struct skep_arena arena;
	uint32_t line = 0;

	skep_arena_init(&arena);
	to->done = err && !skep_verify_explain(program, opts, report, &arena, &e);
	if (to->done) {
		to->line = e.place.line;
		to->n_links = e.n_links;
		snprintf(to->what, sizeof(to->what), "%s", e.what);
		snprintf(to->rule, sizeof(to->rule), "%s", e.rule);
		for (uint32_t at = 0, i = 0; at < program->image->n_insns && at < MOST_SLOTS;
		     at++) {
			for (; i < program->n_lines && program->lines[i].insn <= at; i++)
				line = program->lines[i].line_col >> 10;
			to->lines[at] = line;
		}
	}
	skep_arena_done(&arena);
}

static pid_t ask(const char *path, const char *name, bool machine, struct verdict *verdict)
{
	pid_t pid;

	memset(verdict, 0, offsetof(struct verdict, explained) + sizeof(bool));
	verdict->log[0] = '\0';
	fflush(NULL);
	pid = fork();
	if (!pid) {
		struct skep_machine_opts opts = {
			.verify = true, .verified = verified, .verified_ctx = &verdict->explained};
		struct skep_machine *engine = NULL;

		alarm(120); /* a refusal is verified twice */
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

/* --- Explanations -------------------------------------------------------------------------------
 */

/* What the kernel's log was at when it ended. */
struct log_end {
	uint32_t line; /* of the last "; text @ file:line"; 0: none */
	int64_t insn;  /* of the last "12: (bf) …"; -1: none */
	int64_t alloc; /* of the last "alloc_insn="; -1: none */
};

static struct log_end read_log(const char *log)
{
	const char *end = end_of_words(log);
	struct log_end ret = {.insn = -1, .alloc = -1};

	for (const char *at = log; at < end; at += strcspn(at, "\n") + 1) {
		size_t digits = strspn(at, "0123456789");
		const char *next = at + strcspn(at, "\n"), *place = NULL;

		if (digits && !strncmp(at + digits, ": (", 3))
			ret.insn = strtoll(at, NULL, 10);
		if (!strncmp(at, "Unreleased reference", 20) && strstr(at, "alloc_insn="))
			ret.alloc = strtoll(strstr(at, "alloc_insn=") + 11, NULL, 10);
		for (const char *sign = at; !strncmp(at, "; ", 2) && sign < next; sign++)
			if (!strncmp(sign, " @ ", 3))
				place = sign;
		for (; place && place < next && *place != ':'; place++)
			;
		if (place && place < next)
			ret.line = (uint32_t)strtoul(place + 1, NULL, 10);
	}
	return ret;
}

static bool is_among_last(const char *log, uint32_t line)
{
	const char *end = end_of_words(log), *from = end;
	char sought[16];
	const char *found;

	snprintf(sought, sizeof(sought), ":%u\n", line);
	for (int n = 0; from > log && n < LIMIT_LINES; from--)
		n += from[-1] == '\n';
	found = strstr(from, sought);
	return found && found < end;
}

static bool is_right(const char *kernel_log, const struct explained *e, const struct log_end *end)
{
	if (e->n_links > SKEP_EXPLAIN_MOST_LINKS)
		return false;
	if (end->alloc >= 0 && end->alloc < MOST_SLOTS)
		return e->line == e->lines[end->alloc];
	if (!strcmp(e->rule, "too_many_insns"))
		return is_among_last(kernel_log, e->line);
	return e->line == end->line ||
	       (end->insn >= 0 && end->insn < MOST_SLOTS && e->line == e->lines[end->insn]);
}

static void compare_explanation(const char *name, const struct verdict *both, struct count *count)
{
	const struct explained *e = &both[1].explained;
	struct log_end end = read_log(both[0].log);
	bool right;

	if (!end.line || end.insn < 0)
		return;
	right = e->done && is_right(both[0].log, e, &end);
	count->explained++;
	count->right_line += right;
	if (!right && verbose)
		printf("line %s: kernel %u (instruction %lld), skep %u: %s: %s\n", name, end.line,
		       (long long)end.insn, e->line, e->rule, e->done ? e->what : "not explained");
	else if (verbose)
		printf("explained %s: %s: %s\n", name, e->rule, e->what);
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
	if (agree && !both[0].loaded)
		compare_explanation(name, both, count);
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
	double least = 0, least_lines = 0;

	libbpf_set_print(silent);
	for (int opt; (opt = getopt(argc, argv, "vp:r:e:")) != -1;) {
		verbose += opt == 'v';
		only = opt == 'p' ? optarg : only;
		least = opt == 'r' ? atof(optarg) : least;
		least_lines = opt == 'e' ? atof(optarg) : least_lines;
	}
	for (int i = optind; i < argc; i++)
		object_verdicts(argv[i], both, &count);
	printf("%u programs: %u agree (%.1f%%: %u accepted, %u refused, %u of these in the same "
	       "words), "
	       "%u accepted that the kernel refuses, %u refused that it accepts, %u not asked\n",
	       count.n, count.agree, count.n ? 100.0 * count.agree / count.n : 0, count.both_accept,
	       count.both_refuse, count.same_words, count.wrongly_accepted, count.wrongly_refused,
	       count.not_asked);
	printf("%u refusals with a line of the source in the kernel's log: %u explained at that "
	       "line (%.1f%%)\n",
	       count.explained, count.right_line,
	       count.explained ? 100.0 * count.right_line / count.explained : 0);
	return 100.0 * count.agree < least * count.n ||
	       100.0 * count.right_line < least_lines * count.explained;
}
