/*
 * JSON, an object a line: the profile, what was lost, then each stack with its frames, the
 * innermost first. All that the profile knows is there, so that jq is enough of a tool:
 *
 *	{"type": "profile", "title": "on-CPU", "values": [{"name": "samples", "unit": "count"}], …}
 *	{"type": "lost", "what": "stack maps full", "count": 3}
 *	{"type": "stack", "pid": 7, "comm": "nginx", "samples": 12, "frames": [{"name": "main", …}]}
 */
#include "base/buf.h"
#include "profile/format_impl.h"
#include "sink/jsonw.h"

static const char *const kinds[SKEP_FRAME_KIND_CNT] = {
	[SKEP_FRAME_USER] = "user",
	[SKEP_FRAME_KERNEL] = "kernel",
	[SKEP_FRAME_INLINE] = "inline",
	[SKEP_FRAME_JIT] = "jit",
	[SKEP_FRAME_INTERPRETED] = "interpreted",
	[SKEP_FRAME_PROCESS] = "process",
	[SKEP_FRAME_THREAD] = "thread",
	[SKEP_FRAME_BROKEN] = "broken",
};

static void start(struct skep_jsonw *w, const char *type)
{
	skep_jsonw_open(w, '{');
	skep_jsonw_key(w, "type");
	skep_jsonw_string(w, type);
}

static void end(struct skep_jsonw *w)
{
	skep_jsonw_close(w);
	skep_buf_addc(w->buf, '\n');
	*w = (struct skep_jsonw){.buf = w->buf};
}

static void put_text(struct skep_jsonw *w, const char *key, const char *text)
{
	if (!*text)
		return;
	skep_jsonw_key(w, key);
	skep_jsonw_string(w, text);
}

static void put_number(struct skep_jsonw *w, const char *key, uint64_t number)
{
	if (!number)
		return;
	skep_jsonw_key(w, key);
	skep_jsonw_u64(w, number);
}

static void put_type(const struct skep_profile *p, struct skep_jsonw *w,
		     struct skep_profile_value_type type)
{
	skep_jsonw_open(w, '{');
	put_text(w, "name", p->strings[type.name]);
	put_text(w, "unit", p->strings[type.unit]);
	skep_jsonw_close(w);
}

static void put_head(const struct skep_profile_job *job, struct skep_jsonw *w)
{
	const struct skep_profile *p = job->profile;

	start(w, "profile");
	put_text(w, "title", job->title);
	skep_jsonw_key(w, "values");
	skep_jsonw_open(w, '[');
	for (uint32_t i = 0; i < p->n_types; i++)
		put_type(p, w, p->types[i]);
	skep_jsonw_close(w);
	put_number(w, "start_ns", p->start_ns);
	put_number(w, "duration_ns", p->duration_ns);
	if (p->period) {
		skep_jsonw_key(w, "period");
		skep_jsonw_s64(w, p->period);
		skep_jsonw_key(w, "period_type");
		put_type(p, w, p->period_type);
	}
	end(w);
}

static void put_losses(const struct skep_profile *p, struct skep_jsonw *w)
{
	for (uint32_t i = 0; i < p->n_losses; i++) {
		start(w, "lost");
		put_text(w, "what", p->strings[p->losses[i].what]);
		skep_jsonw_key(w, "count");
		skep_jsonw_u64(w, p->losses[i].n);
		end(w);
	}
}

static void put_frame(const struct skep_profile *p, const struct skep_profile_frame *frame,
		      struct skep_jsonw *w)
{
	skep_jsonw_open(w, '{');
	put_text(w, "name", p->strings[frame->name]);
	put_text(w, "module", p->strings[frame->module]);
	put_text(w, "build_id", p->strings[skep_profile_build(p, frame->module)]);
	put_text(w, "file", p->strings[frame->file]);
	put_number(w, "line", frame->line);
	put_number(w, "addr", frame->addr);
	put_text(w, "kind", kinds[frame->kind]);
	skep_jsonw_close(w);
}

static void put_sample(const struct skep_profile *p, const struct skep_profile_sample *sample,
		       struct skep_jsonw *w)
{
	start(w, "stack");
	put_number(w, "pid", sample->pid);
	put_number(w, "tid", sample->tid);
	put_text(w, "comm", p->strings[sample->comm]);
	put_text(w, "cgroup", p->strings[sample->cgroup]);
	for (uint32_t i = 0; i < p->n_types; i++) {
		skep_jsonw_key(w, p->strings[p->types[i].name]);
		skep_jsonw_s64(w, sample->values[i]);
	}
	skep_jsonw_key(w, "frames");
	skep_jsonw_open(w, '[');
	for (uint32_t node = sample->node; node; node = p->nodes[node].parent)
		put_frame(p, &p->frames[p->nodes[node].frame], w);
	skep_jsonw_close(w);
	end(w);
}

int skep_profile_write_json(const struct skep_profile_job *job, struct skep_buf *buf)
{
	struct skep_jsonw w = {.buf = buf};

	put_head(job, &w);
	put_losses(job->profile, &w);
	for (uint32_t i = 0; i < job->profile->n_samples; i++)
		put_sample(job->profile, &job->profile->samples[i], &w);
	return 0;
}
