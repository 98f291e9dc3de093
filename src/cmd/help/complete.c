/*
 * Completion scripts for bash, zsh and fish, from the tables: commands, their
 * options, the choices of these, and by an option's placeholder (FILE, DIR,
 * COMMAND, PID) what its value is. Where a command can list what its arguments
 * may be (skep trace -l), the scripts ask it; so they do for a tool's options,
 * of which its --help has a line each.
 */
#include <string.h>

#include "cmd/help/help.h"
#include "cmd/tool/command.h"

/* --- What all three need ------------------------------------------------------------------- */

/* How each shell completes a value, by its placeholder. */
static const struct value_kind {
	const char *arg, *bash, *zsh, *fish;
} value_kinds[] = {
	{"FILE", "-f", "_files", " -r -F"},
	{"DIR", "-d", "_files -/", " -x -a '(__fish_complete_directories)'"},
	{"COMMAND", "-c", "_command_names -e", " -x -a '(__fish_complete_command)'"},
	{"PID", "-W \"$(cd /proc && echo [0-9]*)\"", "_pids", " -x -a '(__fish_complete_pids)'"},
	{NULL, "-W ''", "", " -x"},
};

static const struct value_kind *value_kind(const char *arg)
{
	const struct value_kind *kind = value_kinds;

	while (kind->arg && strcmp(kind->arg, arg))
		kind++;
	return kind;
}

/* @text with every character of @specials behind a @quote. */
static void put_escaped(struct skep_buf *out, const char *text, const char *specials,
			const char *quote)
{
	for (; *text; text++) {
		if (strchr(specials, *text))
			skep_buf_puts(out, quote);
		skep_buf_addc(out, *text);
	}
}

/* @text within the single quotes of a shell; each of @specials has a backslash before it. */
static void put_quoted(struct skep_buf *out, const char *text, const char *specials)
{
	for (; *text; text++) {
		if (*text == '\'')
			skep_buf_puts(out, "'\\''");
		else
			put_escaped(out, (const char[]){*text, '\0'}, specials, "\\");
	}
}

/* "text|json" → "text json" */
static void put_choices(struct skep_buf *out, const char *choices)
{
	for (; *choices; choices++)
		skep_buf_addc(out, *choices == '|' ? ' ' : *choices);
}

static void put_commands(struct skep_buf *out)
{
	for (size_t i = 0; i < SKEP_COMMAND_CNT; i++)
		skep_buf_printf(out, "%s%s", i ? " " : "", skep_commands[i].name);
}

static void put_tools(struct skep_buf *out, const struct skep_catalogue *catalogue)
{
	for (size_t i = 0; i < catalogue->n_tools; i++) {
		const struct skep_tool_header *header = &catalogue->tools[i].header;
		skep_buf_printf(out, " %s", header->name);
		for (uint32_t n = 0; n < header->n_aliases; n++)
			skep_buf_printf(out, " %s", header->aliases[n].name);
	}
}

/* What may stand behind skep tool, and behind skep help. */
static void put_tool_words(struct skep_buf *out, const struct skep_catalogue *catalogue)
{
#define VERB(name, ...) skep_buf_puts(out, #name " ");
#include "cmd/tool/verbs.def"
#undef VERB
	put_tools(out, catalogue);
}

static void put_topics(struct skep_buf *out, const struct skep_catalogue *catalogue)
{
	put_commands(out);
	put_tools(out, catalogue);
}

static bool is_arg(const struct skep_command *command, const char *arg)
{
	return command->arg && !strcmp(command->arg, arg);
}

/* The command of a tool that has all that others may have, and nothing of its own. */
static void any_tool(struct skep_arena *arena, struct skep_tool_command *ret)
{
	const struct skep_tool_header header = {
		.name = "", .summary = "", .filters = (1u << SKEP_TOOL_FILTER_CNT) - 1};

	*ret = (struct skep_tool_command){0};
	skep_tool_command_make(arena, &header, "", ret, NULL);
}

static char list_letter(const struct skep_command *command)
{
	for (size_t i = 0; i < command->n_options; i++) {
		if (!strcmp(command->options[i].name, command->list_option))
			return command->options[i].short_name;
	}
	return 0;
}

/* --- bash ---------------------------------------------------------------------------------- */

/* bash splits words at colons; probes are full of them. */
static const char bash_head[] = "# bash completion for skep; made by: skep help --completion bash\n"
				"_skep()\n"
				"{\n"
				"	local words=() word cur prev command='' i\n"
				"	for ((i = 0; i <= COMP_CWORD; i++)); do\n"
				"		word=${COMP_WORDS[i]}\n"
				"		if ((i > 1)) && [[ $word == :* || "
				"${words[${#words[@]} - 1]} == *: ]]; then\n"
				"			words[${#words[@]} - 1]+=$word\n"
				"		else\n"
				"			words+=(\"$word\")\n"
				"		fi\n"
				"	done\n"
				"	cur=${words[${#words[@]} - 1]}\n"
				"	prev=${words[${#words[@]} - 2]}\n"
				"	((${#words[@]} > 2)) && command=${words[1]}\n"
				"	COMPREPLY=()\n"
				"	case $command/$prev in\n";

static const char bash_tail[] =
	"	esac\n"
	"	if [[ $cur == *:* ]]; then\n"
	"		COMPREPLY=(\"${COMPREPLY[@]#\"${cur%\"${cur##*:}\"}\"}\")\n"
	"	fi\n"
	"}\n"
	"complete -o filenames -F _skep skep\n";

static void bash_compgen(struct skep_buf *out, const char *how)
{
	skep_buf_printf(out, "mapfile -t COMPREPLY < <(compgen %s -- \"$cur\")", how);
}

/* Letters of tools may mean something else in each. */
static void bash_value(struct skep_buf *out, const char *command, const struct skep_option *option)
{
	_cleanup_buf_ struct skep_buf how = {0};

	skep_buf_puts(out, "\t");
	if (option->short_name && strcmp(command, "tool") != 0)
		skep_buf_printf(out, "%s/-%c|", command, option->short_name);
	skep_buf_printf(out, "%s/--%s) ", command, option->name);
	if (option->choices) {
		skep_buf_puts(&how, "-W '");
		put_choices(&how, option->choices);
		skep_buf_addc(&how, '\'');
	} else {
		skep_buf_puts(&how, value_kind(option->arg)->bash);
	}
	bash_compgen(out, how.data);
	skep_buf_puts(out, "; return ;;\n");
}

/* Before the first colon, which kinds of probe there are; behind it, what the command lists. */
static const char bash_list[] =
	"\t\telif [[ \" ${words[*]:2} \" =~ \\ (-%c[a-z]*|--%s)\\  ]]; then\n"
	"\t\t\tif [[ $cur != *:* ]]; then\n"
	"\t\t\t\tcompopt -o nospace\n"
	"\t\t\t\tmapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\")\n"
	"\t\t\telse\n"
	"\t\t\t\tmapfile -t COMPREPLY < <(\"${words[0]}\" %s --%s \"$cur*\" 2>/dev/null)\n"
	"\t\t\tfi\n";

static void bash_args(struct skep_buf *out, const struct skep_catalogue *catalogue,
		      const struct skep_command *command)
{
	_cleanup_buf_ struct skep_buf how = {0};

	if (command->list_option)
		skep_buf_printf(out, bash_list, list_letter(command), command->list_option,
				command->list_words, command->name, command->list_option);
	if (!command->arg)
		return;
	if (is_arg(command, "TOPIC")) {
		skep_buf_puts(&how, "-W '");
		put_topics(&how, catalogue);
		skep_buf_addc(&how, '\'');
	} else {
		skep_buf_puts(&how, value_kind(command->arg)->bash);
	}
	skep_buf_puts(out, "\t\telse\n\t\t\t");
	bash_compgen(out, how.data);
	skep_buf_addc(out, '\n');
}

/* The name of a tool, its options, or a file. */
static const char bash_tool_head[] =
	"\ttool)\n"
	"\t\tif [[ $cur == -* ]] && ((${#words[@]} > 3)); then\n"
	"\t\t\tmapfile -t COMPREPLY < <(compgen -W \"$(\"${words[0]}\" tool \"${words[2]}\" --help "
	"2>/dev/null |\n"
	"\t\t\t\tgrep -oE '^ +(-., )?--[a-z0-9_-]+' | grep -oE -e '--.*')\" -- \"$cur\")\n"
	"\t\telif [[ $cur == -* ]]; then\n"
	"\t\t\tmapfile -t COMPREPLY < <(compgen -W '--json --help' -- \"$cur\")\n"
	"\t\telif [[ $cur == */* ]] || { ((${#words[@]} > 3)) && "
	"[[ ${words[2]} != @(show|help) ]]; }; then\n"
	"\t\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	"\t\telse\n"
	"\t\t\tmapfile -t COMPREPLY < <(compgen -W '";
static const char bash_tool_tail[] = "' -- \"$cur\")\n\t\tfi\n\t\t;;\n";

static void bash_tool(struct skep_buf *out, const struct skep_catalogue *catalogue)
{
	skep_buf_puts(out, bash_tool_head);
	put_tool_words(out, catalogue);
	skep_buf_puts(out, bash_tool_tail);
}

static void bash_command(struct skep_buf *out, const struct skep_catalogue *catalogue,
			 const struct skep_command *command)
{
	_cleanup_buf_ struct skep_buf how = {0};

	if (is_arg(command, "TOOL"))
		return bash_tool(out, catalogue);
	skep_buf_printf(out, "\t%s)\n\t\tif [[ $cur == -* ]]; then\n\t\t\t", command->name);
	skep_buf_puts(&how, "-W '");
	for (size_t i = 0; i < command->n_options; i++)
		skep_buf_printf(&how, "%s--%s", i ? " " : "", command->options[i].name);
	skep_buf_addc(&how, '\'');
	bash_compgen(out, how.data);
	skep_buf_addc(out, '\n');
	bash_args(out, catalogue, command);
	skep_buf_puts(out, "\t\tfi\n\t\t;;\n");
}

static void bash_values(struct skep_buf *out, const struct skep_command *command, const char *name)
{
	for (size_t o = 0; o < command->n_options; o++) {
		if (command->options[o].arg)
			bash_value(out, name, &command->options[o]);
	}
}

static void bash(struct skep_buf *out, const struct skep_catalogue *catalogue)
{
	struct skep_tool_command tool;
	struct skep_arena arena;

	skep_buf_puts(out, bash_head);
	for (size_t i = 0; i < SKEP_COMMAND_CNT; i++)
		bash_values(out, skep_commands[i].command, skep_commands[i].name);
	skep_arena_init(&arena);
	any_tool(&arena, &tool);
	bash_values(out, &tool.command, "tool");
	skep_arena_done(&arena);
	skep_buf_puts(out, "\tesac\n\tcase $command in\n\t'')\n"
			   "\t\tmapfile -t COMPREPLY < <(compgen -W '");
	put_commands(out);
	skep_buf_puts(out, " --help --version' -- \"$cur\")\n\t\t;;\n");
	for (size_t i = 0; i < SKEP_COMMAND_CNT; i++)
		bash_command(out, catalogue, skep_commands[i].command);
	skep_buf_puts(out, bash_tail);
}

/* --- zsh ----------------------------------------------------------------------------------- */

static void zsh_option(struct skep_buf *out, const struct skep_option *option)
{
	skep_buf_puts(out, " \\\n\t\t");
	if (option->short_name)
		skep_buf_printf(out, "'(-%c --%s)'{-%c,--%s}'[", option->short_name, option->name,
				option->short_name, option->name);
	else
		skep_buf_printf(out, "'--%s[", option->name);
	put_quoted(out, option->help, "[]:\\");
	skep_buf_addc(out, ']');
	if (option->arg) {
		skep_buf_printf(out, ":%s:", option->arg);
		if (option->choices) {
			skep_buf_addc(out, '(');
			put_choices(out, option->choices);
			skep_buf_addc(out, ')');
		} else {
			skep_buf_puts(out, value_kind(option->arg)->zsh);
		}
	}
	skep_buf_addc(out, '\'');
}

static void zsh_args(struct skep_buf *out, const struct skep_catalogue *catalogue,
		     const struct skep_command *command)
{
	if (!command->arg)
		return;
	skep_buf_puts(out, " \\\n\t\t");
	if (command->list_option) {
		skep_buf_printf(out, "'*:argument:_skep_%s_args'", command->name);
	} else if (is_arg(command, "TOPIC")) {
		skep_buf_puts(out, "'1:command:(");
		put_topics(out, catalogue);
		skep_buf_puts(out, ")'");
	} else {
		skep_buf_printf(out, "'*:%s:%s'", command->arg, value_kind(command->arg)->zsh);
	}
}

static const char zsh_list[] =
	"_skep_%1$s_args() {\n\tlocal -a found\n"
	"\tif [[ -z ${words[(r)(-%2$c*|--%3$s)]} ]]; then\n"
	"\t\t%5$s\n"
	"\telif [[ $PREFIX != *:* ]]; then\n"
	"\t\tcompadd -S '' -- %4$s\n"
	"\telse\n"
	"\t\tfound=(${(f)\"$(skep %1$s --%3$s \"$PREFIX*\" 2>/dev/null)\"})\n"
	"\t\tcompadd -a found\n"
	"\tfi\n}\n\n";

/* The words are those behind skep: the first is "tool". */
static const char zsh_tool_head[] =
	"_skep_tool() {\n"
	"\tif [[ $PREFIX == -* ]] && (( CURRENT > 2 )); then\n"
	"\t\tcompadd -- $(skep tool $words[2] --help 2>/dev/null |\n"
	"\t\t\tgrep -oE '^ +(-., )?--[a-z0-9_-]+' | grep -oE -e '--.*')\n"
	"\telif [[ $PREFIX == -* ]]; then\n"
	"\t\tcompadd -- --json --help\n"
	"\telif [[ $PREFIX == */* ]] || { (( CURRENT > 2 )) && [[ $words[2] != (show|help) ]] }; "
	"then\n"
	"\t\t_files\n"
	"\telse\n"
	"\t\tcompadd -- ";

static void zsh_tool(struct skep_buf *out, const struct skep_catalogue *catalogue)
{
	skep_buf_puts(out, zsh_tool_head);
	put_tool_words(out, catalogue);
	skep_buf_puts(out, "\n\tfi\n}\n\n");
}

static void zsh_command(struct skep_buf *out, const struct skep_catalogue *catalogue,
			const struct skep_command *command)
{
	if (is_arg(command, "TOOL"))
		return zsh_tool(out, catalogue);
	if (command->list_option)
		skep_buf_printf(out, zsh_list, command->name, list_letter(command),
				command->list_option, command->list_words,
				value_kind(command->arg)->zsh);
	skep_buf_printf(out, "_skep_%s() {\n\t_arguments -s", command->name);
	for (size_t i = 0; i < command->n_options; i++)
		zsh_option(out, &command->options[i]);
	zsh_args(out, catalogue, command);
	skep_buf_puts(out, "\n}\n\n");
}

static void zsh(struct skep_buf *out, const struct skep_catalogue *catalogue)
{
	skep_buf_puts(out, "#compdef skep\n# zsh completion for skep; made by: "
			   "skep help --completion zsh\n\n");
	for (size_t i = 0; i < SKEP_COMMAND_CNT; i++)
		zsh_command(out, catalogue, skep_commands[i].command);
	skep_buf_puts(out, "_skep() {\n\tlocal state line\n\tlocal -a commands\n\tcommands=(");
	for (size_t i = 0; i < SKEP_COMMAND_CNT; i++) {
		skep_buf_printf(out, "\n\t\t'%s:", skep_commands[i].name);
		put_quoted(out, skep_commands[i].summary, ":\\");
		skep_buf_addc(out, '\'');
	}
	skep_buf_puts(out, "\n\t)\n\t_arguments -C '1:command:->command' '*::argument:->args'\n"
			   "\tcase $state in\n\tcommand) _describe command commands ;;\n"
			   "\targs) (( $+functions[_skep_$line[1]] )) && _skep_$line[1] ;;\n"
			   "\tesac\n}\n\n_skep \"$@\"\n");
}

/* --- fish ---------------------------------------------------------------------------------- */

static void fish_option(struct skep_buf *out, const char *command, const struct skep_option *option)
{
	skep_buf_printf(out, "complete -c skep -n '__fish_seen_subcommand_from %s'", command);
	if (option->short_name)
		skep_buf_printf(out, " -s %c", option->short_name);
	skep_buf_printf(out, " -l %s", option->name);
	if (option->choices) {
		skep_buf_puts(out, " -x -a '");
		put_choices(out, option->choices);
		skep_buf_addc(out, '\'');
	} else if (option->arg) {
		skep_buf_puts(out, value_kind(option->arg)->fish);
	}
	skep_buf_puts(out, " -d '");
	put_escaped(out, option->help, "'\\", "\\");
	skep_buf_puts(out, "'\n");
}

static const char fish_list[] = "complete -c skep -n '__fish_seen_subcommand_from %1$s; and "
				"__fish_contains_opt -s %2$c %3$s'"
				" -f -a '(string match -q \"*:*\" -- (commandline -ct); and "
				"skep %1$s --%3$s (commandline -ct)\"*\" 2>/dev/null; or "
				"string split -n \" \" \"%4$s\")'\n";

static const char fish_tool_words[] = "complete -c skep -n '__fish_seen_subcommand_from tool; and "
				      "contains -- (commandline -opc)[-1] tool show help' -a '";
static const char fish_tool_options[] =
	"complete -c skep -n '__fish_seen_subcommand_from tool; and test "
	"(count (commandline -opc)) -gt 2' -a '(skep tool (commandline -opc)[3] --help 2>/dev/null "
	"| "
	"string match -rg \"^ +(?:-., )?(--[a-z0-9_-]+)\")'\n";

static void fish_tool(struct skep_buf *out, const struct skep_catalogue *catalogue)
{
	skep_buf_puts(out, fish_tool_words);
	put_tool_words(out, catalogue);
	skep_buf_puts(out, "'\n");
	skep_buf_puts(out, fish_tool_options);
}

static void fish_args(struct skep_buf *out, const struct skep_catalogue *catalogue,
		      const struct skep_command *command)
{
	if (is_arg(command, "TOOL"))
		return fish_tool(out, catalogue);
	if (command->list_option)
		skep_buf_printf(out, fish_list, command->name, list_letter(command),
				command->list_option, command->list_words);
	if (command->arg && !is_arg(command, "TOPIC"))
		return;
	skep_buf_printf(out, "complete -c skep -n '__fish_seen_subcommand_from %s' -f",
			command->name);
	if (command->arg) {
		skep_buf_puts(out, " -a '");
		put_topics(out, catalogue);
		skep_buf_addc(out, '\'');
	}
	skep_buf_addc(out, '\n');
}

static void fish(struct skep_buf *out, const struct skep_catalogue *catalogue)
{
	skep_buf_puts(out, "# fish completion for skep; made by: skep help --completion fish\n");
	for (size_t i = 0; i < SKEP_COMMAND_CNT; i++) {
		const struct skep_command *command = skep_commands[i].command;
		skep_buf_printf(out, "complete -c skep -n __fish_use_subcommand -x -a %s -d '",
				command->name);
		put_escaped(out, skep_commands[i].summary, "'\\", "\\");
		skep_buf_puts(out, "'\n");
		for (size_t o = 0; o < command->n_options; o++)
			fish_option(out, command->name, &command->options[o]);
		fish_args(out, catalogue, command);
	}
}

void skep_help_completion(const struct skep_catalogue *catalogue, const char *shell,
			  struct skep_buf *out)
{
	static const struct {
		const char *name;
		void (*write)(struct skep_buf *out, const struct skep_catalogue *catalogue);
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (!strcmp(shells[i].name, shell))
			shells[i].write(out, catalogue);
	}
}
