#include "cmd/options.h"

#include <getopt.h>
#include <string.h>

#define LONG_ONLY 256

/* getopt's two tables, made from ours. */
struct tables {
	char shorts[3 + 2 * SKEP_OPTIONS_MOST];
	struct option longs[SKEP_OPTIONS_MOST + 1];
};

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

static int refuse(const struct skep_command *command, int c, char **argv)
{
	const char *word = argv[optind - 1];

	if (c == ':')
		fprintf(stderr, "skep %s: option %s needs a value\n", command->name, word);
	else if (optopt && optopt < LONG_ONLY)
		fprintf(stderr, "skep %s: there is no option -%c\n", command->name, optopt);
	else
		fprintf(stderr, "skep %s: there is no option %s\n", command->name, word);
	fprintf(stderr, "Try: skep %s --help\n", command->name);
	return 2;
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
		ret->values[option->id] = option->arg ? optarg : "";
	}
	ret->args = argv + optind;
	ret->n_args = argc - optind;
	return 0;
}

static void help_line(const struct skep_option *option, FILE *out)
{
	char left[64];
	char dash[5] = "    ";

	if (option->short_name)
		snprintf(dash, sizeof(dash), "-%c, ", option->short_name);
	snprintf(left, sizeof(left), "%s--%s%s%s", dash, option->name, option->arg ? " " : "",
		 option->arg ? option->arg : "");
	fprintf(out, "  %-28s %s\n", left, option->help);
}

void skep_options_help(const struct skep_command *command, FILE *out)
{
	fprintf(out, "skep %s - %s\n\nUsage: skep %s %s\n\n%s\n\nOptions:\n", command->name,
		command->summary, command->name, command->usage, command->description);
	for (size_t i = 0; i < command->n_options; i++)
		help_line(&command->options[i], out);
	fprintf(out, "\nExamples:\n%s", command->examples);
}
