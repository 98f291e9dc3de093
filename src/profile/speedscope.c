/*
 * Speedscope's file format: frames once, then a profile for each value type, of stacks by
 * numbers of frames and what each weighs.
 *
 * Source: file-format-schema.json, which comes with speedscope (1.x).
 */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/vec.h"
#include "profile/format_impl.h"
#include "sink/jsonw.h"

struct writing {
	const struct skep_profile *shown;
	struct skep_jsonw json;
	SKEP_VEC(uint32_t) stack; /* scratch */
};

/* Its numbers are a double's, whatever that rounds. */
static void put_number(struct writing *w, int64_t value)
{
	skep_jsonw_item(&w->json);
	skep_buf_printf(w->json.buf, "%" PRId64, value > 0 ? value : 0);
}

static const char *unit_of(const char *unit)
{
	static const char *const known[] = {"bytes", "nanoseconds", "microseconds", "milliseconds",
					    "seconds"};

	for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(unit, known[i]))
			return unit;
	}
	return "none";
}

static void put_text(struct writing *w, const char *key, const char *text)
{
	skep_jsonw_key(&w->json, key);
	skep_jsonw_string(&w->json, text);
}

/* The module is the file: functions of one name in two files are two. */
static void put_frames(struct writing *w)
{
	skep_jsonw_key(&w->json, "shared");
	skep_jsonw_open(&w->json, '{');
	skep_jsonw_key(&w->json, "frames");
	skep_jsonw_open(&w->json, '[');
	for (uint32_t i = 0; i < w->shown->n_frames; i++) {
		const struct skep_profile_frame *frame = &w->shown->frames[i];
		skep_jsonw_open(&w->json, '{');
		put_text(w, "name", w->shown->strings[frame->name]);
		if (frame->module)
			put_text(w, "file", w->shown->strings[frame->module]);
		skep_jsonw_close(&w->json);
	}
	skep_jsonw_close(&w->json);
	skep_jsonw_close(&w->json);
}

static void put_stack(struct writing *w, uint32_t node)
{
	w->stack.len = 0;
	for (; node; node = w->shown->nodes[node].parent)
		skep_vec_push(&w->stack, w->shown->nodes[node].frame);
	skep_jsonw_open(&w->json, '[');
	for (size_t i = w->stack.len; i-- > 0;)
		skep_jsonw_u64(&w->json, w->stack.data[i]);
	skep_jsonw_close(&w->json);
}

static void put_samples(struct writing *w, uint32_t type)
{
	skep_jsonw_key(&w->json, "samples");
	skep_jsonw_open(&w->json, '[');
	for (uint32_t i = 0; i < w->shown->n_samples; i++)
		put_stack(w, w->shown->samples[i].node);
	skep_jsonw_close(&w->json);
	skep_jsonw_key(&w->json, "weights");
	skep_jsonw_open(&w->json, '[');
	for (uint32_t i = 0; i < w->shown->n_samples; i++)
		put_number(w, w->shown->samples[i].values[type]);
	skep_jsonw_close(&w->json);
}

static void put_profile(struct writing *w, uint32_t type)
{
	struct skep_profile_value_type value = w->shown->types[type];

	skep_jsonw_open(&w->json, '{');
	put_text(w, "type", "sampled");
	put_text(w, "name", w->shown->strings[value.name]);
	put_text(w, "unit", unit_of(w->shown->strings[value.unit]));
	skep_jsonw_key(&w->json, "startValue");
	skep_jsonw_u64(&w->json, 0);
	skep_jsonw_key(&w->json, "endValue");
	put_number(w, skep_profile_total(w->shown, type));
	put_samples(w, type);
	skep_jsonw_close(&w->json);
}

/* The only text that is shown is the name: so what was lost is said there. */
static void put_name(struct writing *w, const struct skep_profile_job *job)
{
	const struct skep_profile *p = w->shown;
	_cleanup_buf_ struct skep_buf name = {0};

	skep_buf_puts(&name, job->title);
	for (uint32_t i = 0; i < p->n_losses; i++)
		skep_buf_printf(&name, "%slost: %" PRIu64 " %s", name.len ? "; " : "",
				p->losses[i].n, p->strings[p->losses[i].what]);
	skep_jsonw_key(&w->json, "name");
	skep_jsonw_bytes(&w->json, name.data ? name.data : "", name.len);
}

static void put_file(struct writing *w, const struct skep_profile_job *job)
{
	skep_jsonw_open(&w->json, '{');
	put_text(w, "$schema", "https://www.speedscope.app/file-format-schema.json");
	put_text(w, "exporter", "skep " SKEP_VERSION);
	put_name(w, job);
	skep_jsonw_key(&w->json, "activeProfileIndex");
	skep_jsonw_u64(&w->json, job->type);
	put_frames(w);
	skep_jsonw_key(&w->json, "profiles");
	skep_jsonw_open(&w->json, '[');
	for (uint32_t i = 0; i < w->shown->n_types; i++)
		put_profile(w, i);
	skep_jsonw_close(&w->json);
	skep_jsonw_close(&w->json);
	skep_buf_addc(w->json.buf, '\n');
}

int skep_profile_write_speedscope(const struct skep_profile_job *job, struct skep_buf *buf)
{
	_cleanup_profile_ struct skep_profile shown;
	struct writing w = {.shown = &shown, .json.buf = buf};

	skep_profile_weighed(job, &shown);
	put_file(&w, job);
	skep_vec_done(&w.stack);
	return 0;
}
