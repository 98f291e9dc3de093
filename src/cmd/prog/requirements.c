/*
 * What an accepted program asks of kernels, as text and JSON:
 *
 *	count needs Linux 5.17: helper bpf_loop (count.bpf.c:12)
 *	  5.17  helper bpf_loop (count.bpf.c:12)
 *	  5.8   map type RINGBUF (count.bpf.c:9)
 *	  …
 *	  instructions processed   1,200 of 1,000,000
 *	error L0012: program count was refused by Linux 5.15: helper bpf_loop is there since 5.17 …
 */
#include "cmd/prog/requirements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/arena.h>
#include <skep/btf.h>
#include <skep/diag.h>

#include "sink/number.h"

#define MAJOR(version) ((version) >> 16)
#define MINOR(version) ((version) >> 8 & 255)

/* --- Versions --------------------------------------------------------------------------------- */

static bool read_number(const char **text, uint32_t *ret)
{
	char *end;
	unsigned long value = strtoul(*text, &end, 10);

	if (end == *text || **text == '-' || **text == '+' || **text == ' ' || value > 255)
		return false;
	*text = end;
	*ret = (uint32_t)value;
	return true;
}

/* "5.15", also "v5.15" and, as uname has it, "5.15.0-91-generic". */
static bool read_version(const char *text, uint32_t *ret)
{
	uint32_t major, minor;

	text += *text == 'v';
	if (!read_number(&text, &major) || *text++ != '.' || !read_number(&text, &minor))
		return false;
	*ret = SKEP_LINUX(major, minor);
	return !*text || *text == '.' || *text == '-';
}

int prog_read_target(struct prog_job *job, uint32_t *ret)
{
	const char *text = prog_given(job, PROG_OPT_TARGET);

	*ret = 0;
	if (!text || read_version(text, ret))
		return 0;
	return skep_option_wrong("--target", "a version of Linux (5.15)", text);
}

static void put_version(uint32_t version, struct skep_buf *out)
{
	skep_buf_printf(out, "%u.%u", MAJOR(version), MINOR(version));
}

/* --- Collecting ------------------------------------------------------------------------------- */

/* The file's name and the line that @slot comes from; NULL: there are no lines. */
static const char *place_of(const struct skep_verify_program *program, uint32_t slot,
			    struct skep_arena *arena)
{
	const struct skep_verify_line *line = NULL;
	const char *file, *slash;

	for (uint32_t i = 0; i < program->n_lines && program->lines[i].insn <= slot; i++)
		line = &program->lines[i];
	file = line && program->btf && slot != UINT32_MAX
		       ? skep_btf_string(program->btf, line->file_off)
		       : NULL;
	if (!file)
		return NULL;
	slash = strrchr(file, '/');
	return skep_arena_printf(arena, "%s:%u", slash ? slash + 1 : file, line->line_col >> 10);
}

void prog_requirements_take(const struct skep_verify_program *program,
			    const struct skep_verify_report *report, struct skep_arena *arena,
			    struct prog_requirements *ret)
{
	const struct skep_requirements *all = &ret->all;

	ret->known = !skep_verify_requirements(program, report, arena, &ret->all);
	if (!ret->known)
		return;
	ret->places = skep_arena_array(arena, const char *, all->n_needs + 1);
	for (uint32_t i = 0; i < all->n_needs; i++)
		ret->places[i] = place_of(program, all->needs[i].slot, arena);
}

uint32_t prog_requirements_lacking(const struct prog_requirements *requirements)
{
	const struct skep_requirements *all = &requirements->all;
	uint32_t n = 0;

	if (requirements->known && requirements->target)
		while (n < all->n_needs && all->needs[n].since > requirements->target)
			n++;
	return n;
}

const char *prog_requirements_since(const struct prog_requirements *requirements, char text[16])
{
	uint32_t since = requirements->all.since;

	text[0] = '\0';
	if (requirements->known)
		snprintf(text, 16, "%u.%u", MAJOR(since), MINOR(since));
	return text;
}

/* --- Text ------------------------------------------------------------------------------------- */

static void put_need(const struct prog_requirements *requirements, uint32_t i, struct skep_buf *out)
{
	const struct skep_requirement *need = &requirements->all.needs[i];

	skep_buf_printf(out, "%s %s", need->kind, need->name);
	if (requirements->places[i])
		skep_buf_printf(out, " (%s)", requirements->places[i]);
}

/* What decides the version: all that came with it. */
static void put_latest(const struct prog_requirements *requirements, const char *program,
		       struct skep_buf *out)
{
	const struct skep_requirements *all = &requirements->all;

	skep_buf_printf(out, "%s needs Linux ", program);
	put_version(all->since, out);
	for (uint32_t i = 0; i < all->n_needs && all->needs[i].since == all->since; i++) {
		skep_buf_puts(out, i ? ", " : ": ");
		put_need(requirements, i, out);
	}
	skep_buf_addc(out, '\n');
}

/* Below their versions; of some functions it is not known since when they are there. */
static void put_needs(const struct prog_requirements *requirements, struct skep_buf *out)
{
	const struct skep_requirements *all = &requirements->all;

	for (uint32_t i = 0; i < all->n_needs; i++) {
		char version[16] = "?";
		uint32_t since = all->needs[i].since;

		if (since)
			snprintf(version, sizeof(version), "%u.%u", MAJOR(since), MINOR(since));
		skep_buf_printf(out, "  %-5s ", version);
		put_need(requirements, i, out);
		if (!since)
			skep_buf_puts(out, ", it is not known since when there is it");
		skep_buf_addc(out, '\n');
	}
}

static void put_uses(const struct prog_requirements *requirements, struct skep_buf *out)
{
	const struct skep_requirements *all = &requirements->all;

	for (uint32_t i = 0; i < all->n_uses; i++) {
		skep_buf_printf(out, "  %-30s ", all->uses[i].what);
		skep_sink_u64(out, all->uses[i].used);
		skep_buf_puts(out, " of ");
		skep_sink_u64(out, all->uses[i].limit);
		skep_buf_addc(out, '\n');
	}
}

static void put_refusal(const struct prog_requirements *requirements, const char *program,
			uint32_t i, struct skep_buf *out)
{
	skep_buf_printf(out, "error %s: program %s was refused by Linux ",
			skep_diag_code(SKEP_DIAG_PROG_UNVERIFIED), program);
	put_version(requirements->target, out);
	skep_buf_puts(out, ": it needs ");
	put_version(requirements->all.needs[i].since, out);
	skep_buf_puts(out, " for ");
	put_need(requirements, i, out);
	skep_buf_addc(out, '\n');
}

void prog_requirements_text(const struct prog_requirements *requirements, const char *program,
			    bool whole, struct skep_buf *out)
{
	uint32_t n = prog_requirements_lacking(requirements);

	if (!requirements->known)
		return;
	for (uint32_t i = 0; i < n; i++)
		put_refusal(requirements, program, i, out);
	if (whole || !n)
		put_latest(requirements, program, out);
	if (!whole)
		return;
	put_needs(requirements, out);
	put_uses(requirements, out);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void version_json(struct skep_jsonw *w, const char *key, uint32_t version)
{
	char text[16];

	skep_jsonw_key(w, key);
	if (!version) {
		skep_jsonw_null(w);
		return;
	}
	snprintf(text, sizeof(text), "%u.%u", MAJOR(version), MINOR(version));
	skep_jsonw_string(w, text);
}

static void need_json(const struct prog_requirements *requirements, uint32_t i,
		      struct skep_jsonw *w)
{
	const struct skep_requirement *need = &requirements->all.needs[i];

	skep_jsonw_open(w, '{');
	version_json(w, "since", need->since);
	skep_jsonw_key(w, "kind"), skep_jsonw_string(w, need->kind);
	skep_jsonw_key(w, "name"), skep_jsonw_string(w, need->name);
	if (need->slot != UINT32_MAX)
		skep_jsonw_key(w, "slot"), skep_jsonw_u64(w, need->slot);
	if (requirements->places[i])
		skep_jsonw_key(w, "place"), skep_jsonw_string(w, requirements->places[i]);
	skep_jsonw_close(w);
}

static void needs_json(const struct prog_requirements *requirements, const char *key, uint32_t n,
		       struct skep_jsonw *w)
{
	skep_jsonw_key(w, key), skep_jsonw_open(w, '[');
	for (uint32_t i = 0; i < n; i++)
		need_json(requirements, i, w);
	skep_jsonw_close(w);
}

static void uses_json(const struct skep_requirements *all, struct skep_jsonw *w)
{
	skep_jsonw_key(w, "uses"), skep_jsonw_open(w, '[');
	for (uint32_t i = 0; i < all->n_uses; i++) {
		skep_jsonw_open(w, '{');
		skep_jsonw_key(w, "what"), skep_jsonw_string(w, all->uses[i].what);
		skep_jsonw_key(w, "used"), skep_jsonw_u64(w, all->uses[i].used);
		skep_jsonw_key(w, "limit"), skep_jsonw_u64(w, all->uses[i].limit);
		skep_jsonw_close(w);
	}
	skep_jsonw_close(w);
}

void prog_requirements_json(const struct prog_requirements *requirements, struct skep_jsonw *w)
{
	const struct skep_requirements *all = &requirements->all;
	uint32_t n = prog_requirements_lacking(requirements);

	if (!requirements->known)
		return;
	if (n) {
		version_json(w, "refused_by", requirements->target);
		needs_json(requirements, "lacking", n, w);
	}
	skep_jsonw_key(w, "requirements"), skep_jsonw_open(w, '{');
	version_json(w, "since", all->since);
	needs_json(requirements, "needs", all->n_needs, w);
	uses_json(all, w);
	skep_jsonw_close(w);
}
