/* What the tests of src/profile share: profiles as text, and profiles made at random. */
#ifndef SKEP_TESTS_PROFILE_TEST_H
#define SKEP_TESTS_PROFILE_TEST_H

#include "base/buf.h"
#include "profile/profile.h"

/** Everything that @profile says, a line each; equal texts: equal profiles. */
static inline void profile_dump(const struct skep_profile *p, struct skep_buf *buf)
{
	skep_buf_printf(buf, "title %s start %lu duration %lu period %ld %s %s diff %d\n",
			p->strings[p->title], p->start_ns, p->duration_ns, p->period,
			p->strings[p->period_type.name], p->strings[p->period_type.unit],
			p->is_diff);
	for (uint32_t i = 0; i < p->n_types; i++)
		skep_buf_printf(buf, "type %s %s\n", p->strings[p->types[i].name],
				p->strings[p->types[i].unit]);
	for (uint32_t i = 0; i < p->n_losses; i++)
		skep_buf_printf(buf, "lost %lu %s\n", p->losses[i].n,
				p->strings[p->losses[i].what]);
	for (uint32_t i = 0; i < p->n_samples; i++) {
		const struct skep_profile_sample *s = &p->samples[i];
		skep_buf_printf(buf, "sample %u/%u %s", s->pid, s->tid, p->strings[s->comm]);
		if (s->cgroup)
			skep_buf_printf(buf, " in %s", p->strings[s->cgroup]);
		for (uint32_t k = 0; k < p->n_types; k++)
			skep_buf_printf(buf, " %ld", s->values[k]);
		for (uint32_t node = s->node; node; node = p->nodes[node].parent) {
			const struct skep_profile_frame *f = &p->frames[p->nodes[node].frame];
			skep_buf_printf(buf, "\n  %s [%s %s] %s:%u 0x%lx %u", p->strings[f->name],
					p->strings[f->module],
					p->strings[skep_profile_build(p, f->module)],
					p->strings[f->file], f->line, f->addr, f->kind);
		}
		skep_buf_addc(buf, '\n');
	}
}

static inline uint32_t random_below(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % n;
}

/* One of @n names; some with characters that formats have a use for. */
static inline skep_profile_str random_name(struct skep_profile *p, uint64_t *seed, uint32_t n)
{
	static const char *const odd[] = {"a b",    "operator<<", "f(\"x\")", "\xc3\xa9t\xc3\xa9",
					  "<&>]]>", "[x]"};
	char name[32];

	if (!random_below(seed, 8))
		return skep_profile_text(p, odd[random_below(seed, 6)]);
	snprintf(name, sizeof(name), "f%u", random_below(seed, n));
	return skep_profile_text(p, name);
}

/* A frame of a kind that can be at @depth; inlined code is where what it is inlined in is. */
static inline struct skep_profile_frame random_frame(struct skep_profile *p, uint64_t *seed,
						     const struct skep_profile_frame *outer)
{
	static const char *const modules[] = {"/bin/a", "/lib/libc.so.6", "[kernel]"};
	uint32_t m = random_below(seed, 3);
	struct skep_profile_frame frame = {
		.name = random_name(p, seed, 50),
		.module = skep_profile_text(p, modules[m]),
		.file = random_below(seed, 2) ? skep_profile_text(p, "a.c") : 0,
		.line = random_below(seed, 100),
		.addr = random_below(seed, 1000) + 1,
		.kind = m == 2 ? SKEP_FRAME_KERNEL : SKEP_FRAME_USER,
	};

	if (outer && outer->kind == SKEP_FRAME_USER && !random_below(seed, 4)) {
		frame.kind = SKEP_FRAME_INLINE;
		frame.addr = outer->addr;
		frame.module = outer->module;
	} else if (!random_below(seed, 16)) {
		frame.kind = (uint8_t)(SKEP_FRAME_JIT + random_below(seed, 5));
	}
	return frame;
}

static inline void random_sample(struct skep_profile *p, uint64_t *seed)
{
	struct skep_profile_sample sample = {
		.pid = random_below(seed, 5),
		.tid = random_below(seed, 5),
		.comm = random_below(seed, 4) ? skep_profile_text(p, "nginx") : 0,
		.cgroup = random_below(seed, 4) ? 0 : skep_profile_text(p, "/user.slice")};
	struct skep_profile_frame outer = {0};
	uint32_t depth = random_below(seed, 12);

	for (uint32_t i = 0; i < depth; i++) {
		outer = random_frame(p, seed, i ? &outer : NULL);
		sample.node = skep_profile_node(p, sample.node, skep_profile_frame(p, &outer));
	}
	for (uint32_t i = 0; i < p->n_types; i++)
		sample.values[i] = 1 + random_below(seed, 1000);
	skep_profile_add(p, &sample);
}

/** Of @n samples at most; the same for the same @seed. */
static inline void random_profile(struct skep_profile *ret, uint64_t seed, uint32_t n)
{
	skep_profile_init(ret);
	skep_profile_add_type(ret, "samples", "count");
	skep_profile_add_type(ret, "cpu", "nanoseconds");
	ret->title = skep_profile_text(ret, "on-CPU");
	ret->start_ns = 1700000000000000000u;
	ret->duration_ns = 10000000000u;
	ret->period = 10101010;
	ret->period_type = ret->types[1];
	for (uint32_t i = 0; i < n; i++)
		random_sample(ret, &seed);
	skep_profile_set_build(ret, skep_profile_text(ret, "/bin/a"),
			       skep_profile_text(ret, "abcdef0123"));
	skep_profile_lose(ret, "stack maps full", seed & 7);
}

#endif
