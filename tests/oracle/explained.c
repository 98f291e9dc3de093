/* Explaining what the machine refuses, and comparing where it says it is: see explained.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <skep/arena.h>
#include <skep/explain.h>

#include "explained.h"

#define LIMIT_LINES 200 /* of a log that ends where it was too much */

struct explained *explained_new(void)
{
	void *memory = mmap(NULL, sizeof(struct explained), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void explained_verified(void *ctx, const struct skep_verify_program *program,
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
		for (uint32_t at = 0, i = 0;
		     at < program->image->n_insns && at < EXPLAINED_MOST_SLOTS; at++) {
			for (; i < program->n_lines && program->lines[i].insn <= at; i++)
				line = program->lines[i].line_col >> 10;
			to->lines[at] = line;
		}
	}
	skep_arena_done(&arena);
}

/* What the kernel's log was at when it ended. */
struct log_end {
	uint32_t line; /* of the last "; text @ file:line"; 0: none */
	int64_t insn;  /* of the last "12: (bf) …"; -1: none */
	int64_t alloc; /* of the last "alloc_insn="; -1: none */
};

static struct log_end read_log(const char *log)
{
	const char *end = verdict_end_of_words(log);
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
	const char *end = verdict_end_of_words(log), *from = end;
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
	if (end->alloc >= 0 && end->alloc < EXPLAINED_MOST_SLOTS)
		return e->line == e->lines[end->alloc];
	if (!strcmp(e->rule, "too_many_insns"))
		return is_among_last(kernel_log, e->line);
	return e->line == end->line || (end->insn >= 0 && end->insn < EXPLAINED_MOST_SLOTS &&
					e->line == e->lines[end->insn]);
}

void explained_compare(const char *name, const struct verdict *kernel, const struct explained *e,
		       struct explained_count *count)
{
	struct log_end end = read_log(kernel->log);
	bool right;

	if (!end.line || end.insn < 0)
		return;
	right = e->done && is_right(kernel->log, e, &end);
	count->n++;
	count->right += right;
	if (!right && verdict_verbose)
		printf("line %s: kernel %u (instruction %lld), skep %u: %s: %s\n", name, end.line,
		       (long long)end.insn, e->line, e->rule, e->done ? e->what : "not explained");
	else if (verdict_verbose)
		printf("explained %s: %s: %s\n", name, e->rule, e->what);
}

void explained_print_count(const struct explained_count *count)
{
	printf("%u refusals with a line of the source in the kernel's log: %u explained at that "
	       "line (%.1f%%)\n",
	       count->n, count->right, count->n ? 100.0 * count->right / count->n : 0);
}
