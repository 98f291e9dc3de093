/*
 * The kernel's own selftests as an oracle: programs that say what they return
 * (`__retval(N)` in progs/bpf_misc.h) are loaded by libbpf and run, on the
 * running kernel and on the machine in each of its modes.
 *
 *	selftests [-v] OBJECT...
 *
 * Expectations are declaration tags in the objects' BTF. Each object runs in a
 * child, one for each engine; a child that dies is a result as any other, and
 * another goes on behind the program that it died of.
 *
 * Where the kernel runs a program, its result is what counts; where it does
 * not, what the annotation says does, if the reason lies in the kernel's
 * configuration. Prints a table, and a line for each program where an engine
 * disagrees; exit status 1 if that are over 2 % in any mode.
 *
 * Source  behaviour of Linux 6.12, tools/testing/selftests/bpf/test_loader.c
 */
#include <errno.h>
#include <limits.h>
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

#include "base/fd.h"

#define MOST_PROGRAMS 256 /* of an object */
#define AT_ONCE       6   /* objects; the kernel's spend their time waiting */
#define DATA_BYTES    64
#define ANY_POINTER   "POINTER_VALUE"
#define RUN_SECONDS   60

enum engine { KERNEL, CHECKED, INTERP, JIT, N_ENGINES };
static const char *const engine_names[] = {"kernel", "checked", "interp", "jit"};

/** What came of a program on one engine. */
enum outcome { NOT_TRIED, NOT_LOADED, NOT_RUN, FAULTED, DIED, RAN };
static const char *const outcome_names[] = {"not tried", "not loaded", "not run",
					    "refused",   "died",       "ran"};

struct result {
	enum outcome outcome;
	int err; /* NOT_LOADED, NOT_RUN: errno; DIED: the signal */
	uint32_t retval;
	char why[200];
};

/** What an object says of a program. */
struct spec {
	char name[96];
	bool runs;      /* it has a __retval and is to be loaded */
	bool auxiliary; /* loaded with each other */
	bool elsewhere; /* not for this processor */
	bool any;       /* whatever it returns: an address */
	uint32_t retval, flags;
	char btf[64]; /* file with the types it is relocated to, beside the object; empty: none */
};

/** Shared with the children. */
struct sheet {
	struct spec specs[MOST_PROGRAMS];
	struct result results[N_ENGINES][MOST_PROGRAMS];
	uint32_t n, at[N_ENGINES]; /* programs; the one at hand */
};

static struct sheet *sheet;
static bool verbose;
static char last_words[512]; /* of libbpf or the verifier */

/* --- What an object expects ------------------------------------------------------------------ */

static const struct {
	const char *name;
	uint32_t flag;
} flag_names[] = {
	{"BPF_F_STRICT_ALIGNMENT", 1u << 0},    {"BPF_F_ANY_ALIGNMENT", 1u << 1},
	{"BPF_F_TEST_RND_HI32", 1u << 2},       {"BPF_F_TEST_STATE_FREQ", 1u << 3},
	{"BPF_F_SLEEPABLE", 1u << 4},           {"BPF_F_XDP_HAS_FRAGS", 1u << 5},
	{"BPF_F_TEST_REG_INVARIANTS", 1u << 7},
};

static void take_flag(struct spec *spec, const char *text)
{
	bool clear = *text == '!';
	uint32_t flag;

	text += clear;
	flag = (uint32_t)strtoul(text, NULL, 0);
	for (size_t i = 0; i < sizeof(flag_names) / sizeof(*flag_names); i++)
		if (!strcmp(text, flag_names[i].name))
			flag = flag_names[i].flag;
	spec->flags = clear ? spec->flags & ~flag : spec->flags | flag;
}

static void take_retval(struct spec *spec, const char *text)
{
	spec->runs = true;
	spec->any = !strcmp(text, ANY_POINTER);
	if (!strcmp(text, "INT_MIN"))
		spec->retval = (uint32_t)INT_MIN;
	else if (!strcmp(text, "TEST_DATA_LEN"))
		spec->retval = DATA_BYTES;
	else if (!strncmp(text, "0x", 2))
		spec->retval = (uint32_t)strtoul(text, NULL, 16);
	else
		spec->retval = (uint32_t)strtol(text, NULL, 10);
}

/** What of a spec is gathered from several tags. */
struct gathered {
	bool fails, has_arch, is_arch;
};

/* One declaration tag; the value behind @prefix, or NULL if it has another. */
static const char *behind(const char *tag, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(tag, prefix, n) ? NULL : tag + n;
}

static void take_tag(struct spec *spec, struct gathered *all, const char *tag)
{
	const char *value;

	if ((value = behind(tag, "comment:test_retval=")))
		take_retval(spec, value);
	else if ((value = behind(tag, "comment:test_prog_flags=")))
		take_flag(spec, value);
	else if ((value = behind(tag, "comment:test_btf_path=")))
		snprintf(spec->btf, sizeof(spec->btf), "%s", value);
	else if (!strcmp(tag, "comment:test_auxiliary"))
		spec->auxiliary = true;
	else if (!strcmp(tag, "comment:test_expect_failure"))
		all->fails = true;
	else if ((value = behind(tag, "comment:test_arch="))) {
		all->has_arch = true;
#ifdef __x86_64__
		all->is_arch |= !strcmp(value, "X86_64");
#elif defined(__aarch64__)
		all->is_arch |= !strcmp(value, "ARM64");
#endif
	}
}

static void read_spec(const struct btf *btf, const struct bpf_program *prog, struct spec *ret)
{
	int func = btf__find_by_name_kind(btf, bpf_program__name(prog), BTF_KIND_FUNC);
	struct gathered all = {0};

	snprintf(ret->name, sizeof(ret->name), "%s", bpf_program__name(prog));
	for (uint32_t i = 1; func > 0 && i < btf__type_cnt(btf); i++) {
		const struct btf_type *type = btf__type_by_id(btf, i);

		if (btf_is_decl_tag(type) && (int)type->type == func &&
		    btf_decl_tag(type)->component_idx == -1)
			take_tag(ret, &all, btf__name_by_offset(btf, type->name_off));
	}
	ret->elsewhere = all.has_arch && !all.is_arch;
	ret->runs = ret->runs && !all.fails && !ret->auxiliary && !ret->elsewhere;
}

/* Return how many programs run; 0: it cannot be read. */
static uint32_t read_specs(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *prog;
	uint32_t n = 0;

	if (!object)
		return 0;
	bpf_object__for_each_program(prog, object)
	{
		if (sheet->n == MOST_PROGRAMS)
			break;
		read_spec(bpf_object__btf(object), prog, &sheet->specs[sheet->n]);
		n += sheet->specs[sheet->n++].runs;
	}
	bpf_object__close(object);
	return n;
}

/* --- One program on one engine --------------------------------------------------------------- */

static int keep_words(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[4096];

	if (level != LIBBPF_WARN || last_words[0])
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	if (strstr(line, "BPF program load failed") || strstr(line, "BEGIN PROG LOAD LOG"))
		return 0;
	line[strcspn(line, "\n")] = 0;
	snprintf(last_words, sizeof(last_words), "%.511s", line);
	return 0;
}

/* The verifier's last line but its statistics: what it refused. */
static void keep_log(const char *log)
{
	_cleanup_free_ char *copy = strdup(log);

	for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
		if (strncmp(line, "processed ", 10))
			snprintf(last_words, sizeof(last_words), "%.511s", line);
}

/* A section that Debian's libbpf does not know yet. */
static void name_type(struct bpf_program *prog)
{
	enum { NETFILTER = 32, ATTACH_NETFILTER = 45 };

	if (strcmp(bpf_program__section_name(prog), "netfilter"))
		return;
	bpf_program__set_type(prog, (enum bpf_prog_type)NETFILTER);
	bpf_program__set_expected_attach_type(prog, (enum bpf_attach_type)ATTACH_NETFILTER);
}

/* Loads what @at needs: itself and what is loaded with each. */
static struct bpf_program *choose(struct bpf_object *object, uint32_t at)
{
	struct bpf_program *prog, *chosen = NULL;
	uint32_t i = 0;

	bpf_object__for_each_program(prog, object)
	{
		const struct spec *spec = &sheet->specs[i];

		bpf_program__set_autoload(prog, i == at || spec->auxiliary);
		name_type(prog);
		if (i == at) {
			bpf_program__set_flags(prog, bpf_program__flags(prog) | spec->flags);
			chosen = prog;
		}
		i++;
	}
	return chosen;
}

/* What the selftests' own programs put into maps before they run. */
static void fill_maps(const char *path, struct bpf_object *object)
{
	static const char *const names[] = {"map_array_ro", "map_array_48b"};
	struct {
		uint32_t index, foo[11];
	} value = {.index = 28, .foo[6] = 0xabcdef12};
	uint32_t key = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, names[i]);

		if (map && strstr(path, i ? "value_ptr_arith" : "array_access"))
			bpf_map_update_elem(bpf_map__fd(map), &key, &value, 0);
	}
}

static void note_fault(struct skep_machine *machine, int fd, struct result *ret)
{
	const struct skep_program *program = machine ? skep_machine_program(machine, fd) : NULL;
	struct skep_fault fault;

	if (!program)
		return;
	if (skep_machine_fault(machine, program, &fault)) {
		ret->outcome = FAULTED;
		snprintf(ret->why, sizeof(ret->why), "%u: %s", fault.insn, fault.why);
	}
	skep_machine_program_put(machine, program);
}

static void run_program(struct skep_machine *machine, const struct bpf_program *prog,
			struct result *ret)
{
	uint8_t in[DATA_BYTES] = {0}, out[4 * DATA_BYTES];
	LIBBPF_OPTS(bpf_test_run_opts, data, .data_in = in, .data_size_in = sizeof(in),
		    .data_out = out, .data_size_out = sizeof(out), .repeat = 1);
	LIBBPF_OPTS(bpf_test_run_opts, nothing);
	bool is_syscall = bpf_program__type(prog) == BPF_PROG_TYPE_SYSCALL;
	struct bpf_test_run_opts *opts = is_syscall ? &nothing : &data;
	int err = bpf_prog_test_run_opts(bpf_program__fd(prog), opts);

	ret->outcome = err ? NOT_RUN : RAN;
	ret->err = err ? errno : 0;
	ret->retval = opts->retval;
	note_fault(machine, bpf_program__fd(prog), ret);
}

static void load_and_run(struct skep_machine *machine, const char *path, struct bpf_object *object,
			 uint32_t at, struct result *ret)
{
	struct bpf_program *prog = choose(object, at);
	static char log[1 << 20];
	int err;

	log[0] = last_words[0] = 0;
	bpf_program__set_log_buf(prog, log, sizeof(log));
	err = bpf_object__load(object);
	if (err) {
		ret->outcome = NOT_LOADED;
		ret->err = -err;
		keep_log(log);
		snprintf(ret->why, sizeof(ret->why), "%.199s", last_words);
		return;
	}
	fill_maps(path, object);
	run_program(machine, prog, ret);
}

/* --- All programs of an object on one engine ------------------------------------------------- */

static struct skep_machine *make_machine(enum engine engine)
{
	static const struct skep_exec *const execs[N_ENGINES] = {NULL, &skep_exec_checked,
								 &skep_exec_interp, &skep_exec_jit};
	const struct skep_machine_opts opts = {.exec = execs[engine],
					       .unverified = engine == CHECKED};
	struct skep_machine *machine;

	if (engine == KERNEL)
		return NULL;
	if (skep_machine_new(&opts, &machine))
		exit(1);
	skep_machine_route(machine);
	return machine;
}

static struct bpf_object *open_object(const char *path, const struct spec *spec)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	const char *slash = strrchr(path, '/');
	char btf[PATH_MAX];

	snprintf(btf, sizeof(btf), "%.*s/%s", slash ? (int)(slash - path) : 1, slash ? path : ".",
		 spec->btf);
	if (*spec->btf)
		opts.btf_custom_path = btf;
	return bpf_object__open_file(path, &opts);
}

/* In a child: all that are left. */
static void run_rest(const char *path, enum engine engine)
{
	struct skep_machine *machine = make_machine(engine);
	uint32_t *at = &sheet->at[engine];

	libbpf_set_print(keep_words);
	for (; *at < sheet->n; ++*at) {
		struct bpf_object *object;

		if (!sheet->specs[*at].runs)
			continue;
		alarm(RUN_SECONDS);
		object = open_object(path, &sheet->specs[*at]);
		if (!object)
			continue;
		load_and_run(machine, path, object, *at, &sheet->results[engine][*at]);
		bpf_object__close(object);
	}
	exit(0);
}

static void run_engine(const char *path, enum engine engine)
{
	uint32_t *at = &sheet->at[engine];

	for (*at = 0; *at < sheet->n; ++*at) {
		pid_t child = fork();
		int status = 0;

		if (!child)
			run_rest(path, engine);
		if (child < 0 || waitpid(child, &status, 0) < 0 ||
		    (WIFEXITED(status) && !WEXITSTATUS(status)))
			return;
		sheet->results[engine][*at] = (struct result){
			.outcome = DIED, .err = WIFSIGNALED(status) ? WTERMSIG(status) : 0};
	}
}

static void run_object(const char *path)
{
	if (!read_specs(path))
		return;
	for (int e = 0; e < N_ENGINES; e++) {
		pid_t child = fork();

		if (child > 0)
			continue;
		run_engine(path, (enum engine)e);
		if (!child)
			exit(0);
	}
	while (wait(NULL) > 0)
		;
}

/* Each object in a child, with a sheet of its own. */
static void run_objects(char **paths, int n, struct sheet *sheets)
{
	fflush(stdout);
	for (int i = 0; i < n; i++) {
		pid_t child;

		if (i >= AT_ONCE)
			wait(NULL);
		child = fork();
		if (child > 0)
			continue;
		sheet = &sheets[i];
		run_object(paths[i]);
		if (!child)
			exit(0);
	}
	while (wait(NULL) > 0)
		;
}

/* --- What came of it -------------------------------------------------------------------------- */

/** Rows: programs that the kernel runs; those that it does not, by their annotation. */
static struct tally {
	uint32_t programs, agree[N_ENGINES], differ[N_ENGINES], outcomes[N_ENGINES][RAN + 1];
} tallies[2];

static bool agrees(const struct spec *spec, const struct result *kernel, const struct result *ours)
{
	if (ours->outcome != RAN)
		return false;
	if (spec->any)
		return true;
	return ours->retval == (kernel->outcome == RAN ? kernel->retval : spec->retval);
}

static void print_result(const char *engine, const struct result *result)
{
	printf("  %-8s %s", engine, outcome_names[result->outcome]);
	if (result->outcome == RAN)
		printf(": %d (%#x)", (int)result->retval, result->retval);
	else if (result->outcome == DIED)
		printf(": %s", result->err ? strsignal(result->err) : "it left");
	else if (result->err)
		printf(": %s", strerror(result->err));
	printf("%s%s\n", *result->why ? ": " : "", result->why);
}

static void print_program(const char *path, uint32_t at)
{
	const struct spec *spec = &sheet->specs[at];
	const char *slash = strrchr(path, '/');

	printf("%s: %s: expected %d (%#x)\n", slash ? slash + 1 : path, spec->name,
	       (int)spec->retval, spec->retval);
	for (int e = 0; e < N_ENGINES; e++)
		print_result(engine_names[e], &sheet->results[e][at]);
}

static void judge(const char *path, uint32_t at)
{
	const struct spec *spec = &sheet->specs[at];
	const struct result *kernel = &sheet->results[KERNEL][at];
	struct tally *tally = &tallies[kernel->outcome != RAN];
	bool all = true;

	tally->programs++;
	for (int e = 0; e < N_ENGINES; e++) {
		const struct result *result = &sheet->results[e][at];
		bool same = agrees(spec, e == KERNEL ? &(struct result){0} : kernel, result);

		tally->outcomes[e][result->outcome]++;
		tally->agree[e] += same;
		tally->differ[e] += result->outcome == RAN && !same;
		all = all && same;
	}
	if (verbose || !all)
		print_program(path, at);
}

static void print_tally(const struct tally *tally, const char *what)
{
	printf("\n%s: %u programs\n", what, tally->programs);
	printf("%-9s %6s %6s %10s %7s %7s %5s\n", "", "agree", "differ", "not loaded", "not run",
	       "refused", "died");
	for (int e = 0; e < N_ENGINES; e++) {
		const uint32_t *of = tally->outcomes[e];

		printf("%-9s %6u %6u %10u %7u %7u %5u\n", engine_names[e], tally->agree[e],
		       tally->differ[e], of[NOT_LOADED], of[NOT_RUN], of[FAULTED], of[DIED]);
	}
}

static bool is_enough(const struct tally *tally)
{
	bool enough = tally->programs > 0;

	for (int e = CHECKED; e < N_ENGINES; e++)
		enough = enough && tally->agree[e] * 100 >= tally->programs * 98;
	return enough;
}

int main(int argc, char **argv)
{
	struct sheet *sheets;
	int n;

	verbose = argc > 1 && !strcmp(argv[1], "-v");
	argv += 1 + verbose;
	n = argc - 1 - verbose;
	sheets = mmap(NULL, (size_t)(n + 1) * sizeof(*sheets), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sheets == MAP_FAILED)
		return 1;
	libbpf_set_print(keep_words);
	run_objects(argv, n, sheets);
	for (int i = 0; i < n; i++) {
		sheet = &sheets[i];
		for (uint32_t at = 0; at < sheet->n; at++)
			if (sheet->specs[at].runs)
				judge(argv[i], at);
	}
	print_tally(&tallies[0], "run by the kernel; compared with it");
	print_tally(&tallies[1], "not run by the kernel; compared with what they say");
	return is_enough(tallies[0].programs ? &tallies[0] : &tallies[1]) ? 0 : 1;
}
