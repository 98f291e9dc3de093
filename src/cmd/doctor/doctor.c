/*
 * skep doctor: tries every feature of src/linux/features.def and shows what it
 * found, and what skep therefore uses (choices.def), as a table or as JSON. The
 * probing itself, and the words, are src/linux/feature.c's.
 */
#include "cmd/doctor/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "cmd/options.h"
#include "linux/choice.h"

#define OPTIONS_DEF "cmd/doctor/options.def"
#include "cmd/options_table.h"

const struct skep_command skep_command_doctor = {
	.name = "doctor",
	.usage = "[OPTIONS]",
	.description =
		"Show what this kernel and your privileges allow, why something is refused,\n"
		"and what to change; and what skep uses for what, where there is a choice.\n"
		"Everything is found out by trying it, and taken back.",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.examples = "  skep doctor                      everything, in groups\n"
		    "  sudo skep doctor --missing       what even root does not get here\n"
		    "  skep doctor --json | jq -r 'select(.available == false) | .name'\n",
	.exit_status = "0 tracing is usable, 1 its basics are not, 2 wrong usage.",
};

/* Without these nothing can be traced. */
static const enum skep_feature_id basics[] = {
	SKEP_FEATURE_BPF,
	SKEP_FEATURE_TRACEFS,
	SKEP_FEATURE_MAP_ARRAY,
	SKEP_FEATURE_MAP_HASH,
	SKEP_FEATURE_TRACEPOINT,
	SKEP_FEATURE_PROG_TRACEPOINT,
	SKEP_FEATURE_MAP_PERF_EVENT_ARRAY,
};

struct report {
	bool json, color, missing_only;
	struct skep_feature_result probes[SKEP_FEATURE_CNT];
};

/* --- JSON ------------------------------------------------------------------------------------ */

static void json_text(struct skep_buf *out, const char *key, const char *text)
{
	if (!text[0])
		return;
	skep_buf_printf(out, ", \"%s\": ", key);
	skep_json_string(out, text, strlen(text));
}

static void json_feature(const struct skep_feature *feature,
			 const struct skep_feature_result *probe, struct skep_buf *out)
{
	skep_buf_puts(out, "{\"type\": \"feature\"");
	json_text(out, "group", skep_feature_group_name(feature->group));
	json_text(out, "name", feature->name);
	json_text(out, "gives", feature->gives);
	skep_buf_printf(out, ", \"available\": %s", probe->yes ? "true" : "false");
	if (probe->err)
		skep_buf_printf(out, ", \"errno\": %d", -probe->err);
	json_text(out, "since", feature->since);
	json_text(out, "why", probe->why);
	json_text(out, "try", probe->hint);
	skep_buf_puts(out, "}\n");
}

static void json_choice(enum skep_purpose purpose, struct skep_buf *out)
{
	const struct skep_way *way = skep_way(purpose), *best = skep_best_way(purpose);

	skep_buf_puts(out, "{\"type\": \"choice\"");
	json_text(out, "for", skep_purpose_name(purpose));
	json_text(out, "uses", way ? way->by : "");
	skep_buf_printf(out, ", \"best\": %s", way == best ? "true" : "false");
	json_text(out, "instead_of", way == best ? "" : best->by);
	json_text(out, "lost", way ? way->lost : "");
	skep_buf_puts(out, "}\n");
}

/* --- text ------------------------------------------------------------------------------------ */

static void text_note(const char *label, const char *text, struct skep_buf *out)
{
	if (text[0])
		skep_buf_printf(out, "       %s: %s\n", label, text);
}

/* One reason often holds for a run of rows; it stands under the first of them. */
static bool same_reason(const struct skep_feature_result *a, const struct skep_feature_result *b)
{
	return strcmp(a->why, b->why) == 0 && strcmp(a->hint, b->hint) == 0;
}

static void text_feature(const struct report *report, enum skep_feature_id id,
			 const struct skep_feature_result *last, struct skep_buf *out)
{
	const struct skep_feature *feature = skep_feature(id);
	const struct skep_feature_result *probe = &report->probes[id];
	const char *color = probe->yes ? "\033[32m" : "\033[31m";

	skep_buf_printf(out, "  %s%-3s%s  %-34s %s\n", report->color ? color : "",
			probe->yes ? "yes" : "no", report->color ? "\033[0m" : "", feature->name,
			feature->gives);
	if (last && same_reason(last, probe))
		return;
	text_note("why", probe->why, out);
	text_note("try", probe->hint, out);
}

static void text_group(const struct report *report, enum skep_feature_group group,
		       struct skep_buf *out)
{
	unsigned yes = 0, all = 0;

	for (int id = 0; id < SKEP_FEATURE_CNT; id++) {
		if (skep_feature(id)->group != group)
			continue;
		all++;
		yes += report->probes[id].yes;
	}
	skep_buf_printf(out, "%s%s (%u of %u)\n", out->len ? "\n" : "",
			skep_feature_group_name(group), yes, all);
}

static void text_choice(const struct report *report, enum skep_purpose purpose,
			struct skep_buf *out)
{
	const struct skep_way *way = skep_way(purpose), *best = skep_best_way(purpose);
	const char *color = way == best ? "\033[32m" : way ? "\033[33m" : "\033[31m";

	skep_buf_printf(out, "  %-27s %s%s%s\n", skep_purpose_name(purpose),
			report->color ? color : "", way ? way->by : "nothing",
			report->color ? "\033[0m" : "");
	if (way == best)
		return;
	text_note("not", best->by, out);
	text_note("lost", way ? way->lost : "", out);
}

static void text_choices(const struct report *report, struct skep_buf *out)
{
	unsigned best = 0;

	for (int i = 0; i < SKEP_PURPOSE_CNT; i++)
		best += skep_has_best_way(i);
	skep_buf_printf(out, "\nwhat is used here (the best: %u of %u)\n", best, SKEP_PURPOSE_CNT);
	for (int i = 0; i < SKEP_PURPOSE_CNT; i++) {
		if (!report->missing_only || !skep_has_best_way(i))
			text_choice(report, i, out);
	}
}

/* --- both ------------------------------------------------------------------------------------ */

static bool usable(const struct report *report)
{
	bool all = true;

	for (size_t i = 0; i < sizeof(basics) / sizeof(basics[0]); i++)
		all = all && report->probes[basics[i]].yes;
	return all;
}

static void text_summary(const struct report *report, struct skep_buf *out)
{
	struct utsname name;
	const char *sep = " ";

	uname(&name);
	skep_buf_printf(out, "\nLinux %s, %s, user %u: ", name.release, name.machine, geteuid());
	if (usable(report)) {
		skep_buf_puts(out, "tracing is usable\n");
		return;
	}
	skep_buf_puts(out, "tracing is not usable; it needs");
	for (size_t i = 0; i < sizeof(basics) / sizeof(basics[0]); i++) {
		if (report->probes[basics[i]].yes)
			continue;
		skep_buf_printf(out, "%s%s", sep, skep_feature(basics[i])->name);
		sep = ", ";
	}
	skep_buf_addc(out, '\n');
}

static void json_summary(const struct report *report, struct skep_buf *out)
{
	struct utsname name;

	uname(&name);
	skep_buf_puts(out, "{\"type\": \"summary\"");
	json_text(out, "release", name.release);
	json_text(out, "machine", name.machine);
	skep_buf_printf(out, ", \"user\": %u, \"tracing\": %s}\n", geteuid(),
			usable(report) ? "true" : "false");
}

static void render_text(const struct report *report, struct skep_buf *out)
{
	const struct skep_feature_result *last = NULL;
	int group = -1;

	for (int id = 0; id < SKEP_FEATURE_CNT; id++) {
		if ((int)skep_feature(id)->group != group) {
			group = (int)skep_feature(id)->group;
			text_group(report, skep_feature(id)->group, out);
			last = NULL;
		}
		if (report->missing_only && report->probes[id].yes)
			continue;
		text_feature(report, id, last, out);
		last = &report->probes[id];
	}
	text_choices(report, out);
	text_summary(report, out);
}

static void render_json(const struct report *report, struct skep_buf *out)
{
	for (int id = 0; id < SKEP_FEATURE_CNT; id++) {
		if (!report->missing_only || !report->probes[id].yes)
			json_feature(skep_feature(id), &report->probes[id], out);
	}
	for (int i = 0; i < SKEP_PURPOSE_CNT; i++) {
		if (!report->missing_only || !skep_has_best_way(i))
			json_choice(i, out);
	}
	json_summary(report, out);
}

static int run(struct report *report)
{
	_cleanup_buf_ struct skep_buf out = {0};

	for (int id = 0; id < SKEP_FEATURE_CNT; id++)
		skep_feature_try(id, &report->probes[id]);
	if (report->json)
		render_json(report, &out);
	else
		render_text(report, &out);
	fwrite(out.data, 1, out.len, stdout);
	return usable(report) ? 0 : 1;
}

int skep_cmd_doctor(int argc, char **argv)
{
	const char *no_color = getenv("NO_COLOR");
	struct report report = {.color = isatty(STDOUT_FILENO) && !(no_color && no_color[0])};
	struct skep_parsed given;
	int status = skep_options_parse(&skep_command_doctor, argc, argv, false, &given);

	if (status)
		return status;
	if (given.values[OPT_HELP]) {
		skep_options_help(&skep_command_doctor, stdout);
		return 0;
	}
	if (given.n_args)
		return skep_options_extra(&skep_command_doctor, given.args[0]);
	const char *format = given.values[OPT_FORMAT];
	report.json = given.values[OPT_JSON] || (format && !strcmp(format, "json"));
	report.missing_only = given.values[OPT_MISSING];
	return run(&report);
}
