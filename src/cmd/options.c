/*
 * Reads a command line by a command's table of options, and says what is wrong
 * with it: getopt_long() finds the options, the table decides about their values.
 */
#include "cmd/options.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"

#define LONG_ONLY    256
#define LEFT_COLUMNS 28 /* of an option in the help */
#define PID_MOST     4194304
#define STATUS_MOST  65536
#define NS_IN_S      1000000000ull
#define NS_IN_MS     1000000ull
#define NS_IN_US     1000ull
#define TIME_MOST_NS 9000000000000000000ull

/* getopt's two tables, made from ours. */
struct tables {
	char shorts[3 + 2 * SKEP_OPTIONS_MOST];
	struct option longs[SKEP_OPTIONS_MOST + 1];
};

/* --- Messages ------------------------------------------------------------------------------ */

void skep_diag_show(struct skep_diag *diag)
{
	_cleanup_buf_ struct skep_buf text = {0};
	const char *no_color = getenv("NO_COLOR");
	bool color = isatty(STDERR_FILENO) && !(no_color && no_color[0]);

	fflush(stdout);
	skep_diag_render(diag, color, &text);
	if (text.len)
		fwrite(text.data, 1, text.len, stderr);
	skep_diag_done(diag);
}

int skep_usage_show(struct skep_diag *diag)
{
	skep_diag_show(diag);
	return 2;
}

static void try_help(const struct skep_command *command, struct skep_diag *diag)
{
	skep_diag_try(diag, "skep %s --help", command->name);
}

/* "--fromat" → "did you mean --format?" Short names are too short to guess at. */
static int refuse_unknown(const struct skep_command *command, const char *word)
{
	struct skep_diag diag = {0};
	char dashed[SKEP_OPTIONS_MOST][40];
	const char *names[SKEP_OPTIONS_MOST];
	char whole[64], name[64];

	snprintf(whole, sizeof(whole), "skep %s", command->name);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	for (size_t i = 0; i < command->n_options; i++) {
		snprintf(dashed[i], sizeof(dashed[i]), "--%s", command->options[i].name);
		names[i] = dashed[i];
	}
	skep_diag_add(&diag, SKEP_DIAG_OPTION_UNKNOWN, SKEP_NOWHERE, whole, name);
	try_help(command, &diag);
	if (!strncmp(name, "--", 2))
		skep_diag_did_you_mean(&diag, name, names, command->n_options);
	return skep_usage_show(&diag);
}

static int refuse_ambiguous(const struct skep_command *command, const char *word)
{
	_cleanup_buf_ struct skep_buf names = {0};
	struct skep_diag diag = {0};

	const char *start = word + 2;
	size_t len = strlen(start);

	for (size_t i = 0; i < command->n_options; i++) {
		if (!strncmp(command->options[i].name, start, len))
			skep_buf_printf(&names, "%s--%s", names.len ? ", " : "",
					command->options[i].name);
	}
	skep_diag_add(&diag, SKEP_DIAG_OPTION_AMBIGUOUS, SKEP_NOWHERE, word, names.data);
	try_help(command, &diag);
	return skep_usage_show(&diag);
}

static int refuse_missing(const struct skep_command *command, const struct skep_option *option,
			  const char *word)
{
	struct skep_diag diag = {0};
	char dashed[3] = {'-', option->short_name, '\0'};

	/* "-qe" ends in the option, "--expr" is it. */
	skep_diag_add(&diag, SKEP_DIAG_OPTION_ARG, SKEP_NOWHERE,
		      strncmp(word, "--", 2) ? dashed : word, option->arg);
	try_help(command, &diag);
	return skep_usage_show(&diag);
}

static int refuse_flag_value(const struct skep_command *command, const struct skep_option *option)
{
	struct skep_diag diag = {0};

	skep_diag_add(&diag, SKEP_DIAG_OPTION_NO_ARG, SKEP_NOWHERE, option->name);
	try_help(command, &diag);
	return skep_usage_show(&diag);
}

static int refuse_choice(const struct skep_option *option, const char *value)
{
	_cleanup_buf_ struct skep_buf text = {0};
	char dashed[40];

	snprintf(dashed, sizeof(dashed), "--%s", option->name);
	for (const char *at = option->choices; *at; at += *at == '|') {
		size_t len = strcspn(at, "|");
		bool last = !at[len] && text.len;
		skep_buf_printf(&text, "%s%.*s",
				last       ? " or "
				: text.len ? ", "
					   : "",
				(int)len, at);
		at += len;
	}
	return skep_option_wrong(dashed, text.data, value);
}

int skep_options_extra(const struct skep_command *command, const char *arg)
{
	struct skep_diag diag = {0};

	skep_diag_add(&diag, SKEP_DIAG_ARGS_EXTRA, SKEP_NOWHERE, command->name, arg);
	try_help(command, &diag);
	return skep_usage_show(&diag);
}

int skep_option_wrong(const char *option, const char *takes, const char *value)
{
	struct skep_diag diag = {0};

	skep_diag_add(&diag, SKEP_DIAG_OPTION_VALUE, SKEP_NOWHERE, option, takes, value);
	return skep_usage_show(&diag);
}

/* --- Parsing ------------------------------------------------------------------------------- */

static void fill(const struct skep_command *command, bool stop_at_args, struct tables *ret)
{
	char *at = ret->shorts;

	memset(ret, 0, sizeof(*ret));
	if (stop_at_args)
		*at++ = '+';
	*at++ = ':';
	for (size_t i = 0; i < command->n_options; i++) {
		const struct skep_option *option = &command->options[i];
		if (option->short_name) {
			*at++ = option->short_name;
			if (option->arg)
				*at++ = ':';
		}
		ret->longs[i] =
			(struct option){.name = option->name,
					.has_arg = option->arg ? required_argument : no_argument,
					.val = LONG_ONLY + (int)i};
	}
}

static const struct skep_option *find(const struct skep_command *command, int c)
{
	if (c >= LONG_ONLY)
		return &command->options[c - LONG_ONLY];
	for (size_t i = 0; i < command->n_options; i++) {
		if (command->options[i].short_name == c)
			return &command->options[i];
	}
	return NULL;
}

/* getopt takes "--deb" for --debug where nothing else begins so. */
static size_t count_beginning(const struct skep_command *command, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < command->n_options; i++)
		n += !strncmp(command->options[i].name, name, strlen(name));
	return n;
}

static int refuse(const struct skep_command *command, int c, char **argv)
{
	const char *word = argv[optind - 1];
	char short_word[3] = {'-', (char)optopt, '\0'};

	if (c == ':')
		return refuse_missing(command, find(command, optopt), word);
	if (optopt >= LONG_ONLY)
		return refuse_flag_value(command, find(command, optopt));
	if (optopt)
		return refuse_unknown(command, short_word);
	if (count_beginning(command, word + 2) > 1)
		return refuse_ambiguous(command, word);
	return refuse_unknown(command, word);
}

static bool is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (const char *at = choices; *at; at += strcspn(at, "|"), at += *at == '|') {
		if (strcspn(at, "|") == len && !strncmp(at, value, len))
			return true;
	}
	return false;
}

static void take(struct skep_parsed *parsed, int id, const char *value)
{
	parsed->values[id] = value;
	if (parsed->n_given < SKEP_GIVEN_MOST)
		parsed->given[parsed->n_given++] = (struct skep_given){id, value};
}

int skep_options_parse(const struct skep_command *command, int argc, char **argv, bool stop_at_args,
		       struct skep_parsed *ret)
{
	struct tables tables;
	int c;

	*ret = (struct skep_parsed){0};
	fill(command, stop_at_args, &tables);
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
		const struct skep_option *option = c == '?' || c == ':' ? NULL : find(command, c);
		if (!option)
			return refuse(command, c, argv);
		if (option->choices && !is_choice(option->choices, optarg))
			return refuse_choice(option, optarg);
		take(ret, option->id, option->arg ? optarg : "");
	}
	ret->args = argv + optind;
	ret->n_args = argc - optind;
	return 0;
}

/* --- Values --------------------------------------------------------------------------------- */

/* "1.5", up to @end, of what @unit nanoseconds are. False: it is no number, or nothing, or too
 * great. */
static bool take_time(const char *text, const char *end, uint64_t unit, uint64_t *ret_ns)
{
	uint64_t n = 0;

	for (; text < end && *text != '.'; text++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*text - '0') * unit, &n))
			return false;
	}
	for (text++; text < end && *text != '.'; text++) {
		unit /= 10;
		if (__builtin_add_overflow(n, (uint64_t)(*text - '0') * unit, &n))
			return false;
	}
	if (text < end || !n || n > TIME_MOST_NS)
		return false;
	*ret_ns = n;
	return true;
}

bool skep_option_time(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"", NS_IN_S},         {"s", NS_IN_S},      {"ms", NS_IN_MS},
		     {"us", NS_IN_US},      {"m", 60 * NS_IN_S}, {"h", 3600 * NS_IN_S},
		     {"d", 86400 * NS_IN_S}};
	const char *end = text + strspn(text, "0123456789.");

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strcmp(end, units[i].name))
			return take_time(text, end, units[i].ns, ret_ns);
	}
	return false;
}

bool skep_option_number(const char *text, uint64_t most, uint64_t *ret)
{
	uint64_t n = 0;

	for (const char *at = text; *at; at++) {
		if (*at < '0' || *at > '9' || __builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, *at - '0', &n))
			return false;
	}
	if (!n || n > most)
		return false;
	*ret = n;
	return true;
}

bool skep_option_pid(const char *text, pid_t *ret)
{
	uint64_t n;

	if (!skep_option_number(text, PID_MOST, &n))
		return false;
	*ret = (pid_t)n;
	return true;
}

/* The process that a thread is of; 0: there is no such thread. */
static pid_t process_of(pid_t tid)
{
	_cleanup_buf_ struct skep_buf status = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	if (skep_file_read(path, STATUS_MOST, &status))
		return kill(tid, 0) && errno == ESRCH ? 0 : tid;
	const char *tgid = strstr(status.data, "\nTgid:");
	return tgid ? (pid_t)strtol(tgid + strlen("\nTgid:"), NULL, 10) : tid;
}

int skep_option_process(const char *option, const char *takes, const char *text, pid_t *ret)
{
	struct skep_diag diag = {0};
	pid_t pid, process;

	if (!skep_option_pid(text, &pid))
		return skep_option_wrong(option, takes, text);
	process = process_of(pid);
	if (!process)
		skep_diag_add(&diag, SKEP_DIAG_PROCESS_NONE, SKEP_NOWHERE, text);
	else if (process != pid)
		skep_diag_add(&diag, SKEP_DIAG_PROCESS_THREAD, SKEP_NOWHERE, text, (int)process);
	else
		*ret = pid;
	return process == pid ? 0 : skep_usage_show(&diag);
}

/* --- Help ---------------------------------------------------------------------------------- */

static void help_line(const struct skep_option *option, FILE *out)
{
	char left[80];
	char dash[5] = "    ";

	if (option->short_name)
		snprintf(dash, sizeof(dash), "-%c, ", option->short_name);
	snprintf(left, sizeof(left), "%s--%s%s%s", dash, option->name, option->arg ? " " : "",
		 option->arg ? option->arg : "");
	if (strlen(left) > LEFT_COLUMNS)
		fprintf(out, "  %s\n  %-*s %s\n", left, LEFT_COLUMNS, "", option->help);
	else
		fprintf(out, "  %-*s %s\n", LEFT_COLUMNS, left, option->help);
}

const char *skep_options_exit_status(const struct skep_command *command)
{
	return command->exit_status ? command->exit_status : "0 ok, 1 failed, 2 wrong usage.";
}

void skep_options_help(const struct skep_command *command, FILE *out)
{
	fprintf(out, "Usage: skep %s %s\n\n%s\n", command->name, command->usage,
		command->description);
	if (command->arguments)
		fprintf(out, "\nArguments:\n%s", command->arguments);
	fputs("\nOptions:\n", out);
	for (size_t i = 0; i < command->n_options; i++)
		help_line(&command->options[i], out);
	if (command->examples)
		fprintf(out, "\nExamples:\n%s", command->examples);
	for (size_t i = 0; i < command->n_sections; i++)
		fprintf(out, "\n%s:\n%s", command->sections[i].title, command->sections[i].text);
	fprintf(out, "\nExit status: %s\n", skep_options_exit_status(command));
}
