/*
 * Back along the trail: which instructions made the bad value what it is.
 *
 * What is wanted is a set of registers and stack slots of each frame, at first the refusal's
 * subject. Going back, an instruction that wrote one of them is a link of the chain, and what it
 * read is wanted instead; the rules are those of backtrack.c, but here memory that is no stack, a
 * call's result and a constant are ends: there the value came from. A condition on what is wanted
 * is a link too: it tells why no more is known.
 *
 *	r0 = *(u32 *)(r1 +76)     r0 is wanted: link, and the end (the context)
 *	r2 = r0                   r2 is wanted: link; r0 is, instead
 *	if r2 > 64 goto …         r2 is wanted: link, as it learned
 *	r1 += r2                  r1 is wanted: link; both are
 *	*(r1 +0) = 1              refused: r1 is wanted
 *
 * An instruction is a link once, where it ran last. If there are more than fit, conditions that
 * tell nothing go first, then the middle: the origin and what came last are kept.
 */
#include "verify/explain_tell.h"

#include <string.h>

#include "verify/call.h"

#define MOST_FOUND 64
#define MOST_BACK  20000 /* instructions that are gone back */
#define FROM_BEGIN 4     /* of those that are kept of too long a chain */
#define ARGUMENTS  0x3eu /* r1 to r5 */

enum worth { WORTH_LITTLE, WORTH_MUCH };

struct found {
	uint32_t step;
	enum worth worth;
	const char *says;
};

struct search {
	struct telling *t;
	uint32_t regs[SKEP_MOST_FRAMES];
	uint64_t slots[SKEP_MOST_FRAMES];
	struct found found[MOST_FOUND]; /* the latest first */
	uint32_t n;
	/* the step that is looked at, and the one behind it */
	uint32_t i;
	const struct trail_step *step, *next;
	const struct skep_insn *insn;
};

/* --- Links ------------------------------------------------------------------------------------ */

static bool is_link(const struct search *s, uint32_t at)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (trail_step(s->t->trail, s->found[i].step)->at == at)
			return true;
	return false;
}

static void add(struct search *s, enum worth worth, const char *says)
{
	if (s->n < MOST_FOUND && !is_link(s, s->step->at))
		s->found[s->n++] = (struct found){s->i, worth, says};
}

static bool wants_reg(const struct search *s, unsigned regno)
{
	return s->regs[s->step->frame] >> regno & 1;
}

static void want_reg(struct search *s, unsigned regno)
{
	if (regno != SKEP_R10)
		s->regs[s->step->frame] |= 1u << regno;
}

static void forget_reg(struct search *s, unsigned regno)
{
	s->regs[s->step->frame] &= ~(1u << regno);
}

static bool wants_nothing(const struct search *s)
{
	uint64_t any = 0;

	for (uint32_t f = 0; f < SKEP_MOST_FRAMES; f++)
		any |= s->regs[f] | s->slots[f];
	return !any;
}

static const char *sentence(struct search *s, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = skep_arena_vprintf(s->t->arena, fmt, ap);
	va_end(ap);
	return text;
}

/* --- Arithmetic ------------------------------------------------------------------------------- */

static const char *says_moved(struct search *s)
{
	const struct skep_insn *insn = s->insn;
	const char *now = explain_reg(s->t, &s->step->dst_after);

	if (!(insn->code & SKEP_X))
		return sentence(s, "r%u is %s", insn->dst, now);
	if ((insn->code & 7) == SKEP_ALU && insn->src == insn->dst)
		return sentence(s, "r%u is cut to its lower 32 bits: %s", insn->dst, now);
	return sentence(s, "r%u is what r%u is: %s", insn->dst, insn->src, now);
}

static void over_alu(struct search *s)
{
	const struct skep_insn *insn = s->insn;
	uint8_t op = insn->code & 0xf0;

	if (!wants_reg(s, insn->dst))
		return;
	if (op == SKEP_MOV) {
		add(s, WORTH_MUCH, says_moved(s));
		forget_reg(s, insn->dst);
	} else {
		add(s, WORTH_MUCH,
		    sentence(s, "r%u is now %s", insn->dst,
			     explain_reg(s->t, &s->step->dst_after)));
	}
	if (insn->code & SKEP_X && op != SKEP_END && op != SKEP_NEG)
		want_reg(s, insn->src);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static uint64_t slot_mask(const struct trail_step *step, uint32_t bytes)
{
	int32_t first = (-step->stack_off - 1) / SLOT_BYTES;
	int32_t last = (-step->stack_off - (int32_t)bytes) / SLOT_BYTES;
	uint64_t mask = 0;

	for (int32_t s = last; s <= first; s++)
		if (s >= 0 && s < MOST_SLOTS)
			mask |= 1ull << s;
	return mask;
}

static const char *load_source(struct search *s)
{
	const struct trail_step *step = s->step;

	const struct reg *base = &step->src;
	const char *member = NULL;
	uint32_t id;

	if (step->on_stack)
		return sentence(s, "the stack at fp%+d", step->stack_off);
	if (base->kind == REG_CTX && explain_context_name(s->t, &id))
		member = explain_member(s->t->v->program->kernel_btf, id, base->off + s->insn->off);
	else if (base->kind == REG_BTF_PTR)
		member = explain_member(base->btf, base->btf_id, base->off + s->insn->off);
	if (member)
		return sentence(s, "the field %s of %s", member, explain_pointee(s->t, base));
	return explain_pointee(s->t, &step->src);
}

static void over_load(struct search *s)
{
	const struct skep_insn *insn = s->insn;
	const struct trail_step *step = s->step;
	bool chases = step->src.kind == REG_BTF_PTR && step->dst_after.kind == REG_BTF_PTR;

	if (!wants_reg(s, insn->dst))
		return;
	add(s, WORTH_MUCH,
	    sentence(s, "r%u comes from %s: %s", insn->dst, load_source(s),
		     explain_reg(s->t, &step->dst_after)));
	forget_reg(s, insn->dst);
	if (step->on_stack_known)
		s->slots[step->stack_frame] |= slot_mask(step, explain_access_bytes(insn));
	else if (chases)
		want_reg(s, insn->src);
}

static const char *says_stored(struct search *s)
{
	const struct trail_step *step = s->step;

	if ((s->insn->code & 7) == SKEP_ST)
		return sentence(s, "%d is stored on the stack at fp%+d", s->insn->imm,
				step->stack_off);
	return sentence(s, "r%u is stored on the stack at fp%+d: %s", s->insn->src, step->stack_off,
			explain_reg(s->t, &step->src));
}

static void over_store(struct search *s)
{
	const struct trail_step *step = s->step;
	uint64_t mask;

	if (!step->on_stack_known)
		return;
	mask = slot_mask(step, explain_access_bytes(s->insn)) & s->slots[step->stack_frame];
	if (!mask)
		return;
	add(s, WORTH_MUCH, says_stored(s));
	/* a smaller store leaves bytes that came from elsewhere */
	if (explain_access_bytes(s->insn) == SLOT_BYTES || s->t->row->about != ABOUT_STACK)
		s->slots[step->stack_frame] &= ~mask;
	if ((s->insn->code & 7) == SKEP_STX)
		want_reg(s, s->insn->src);
}

static void over_atomic(struct search *s)
{
	const struct skep_insn *insn = s->insn;
	unsigned regno = insn->imm == SKEP_LOAD_ACQ  ? insn->dst
			 : insn->imm == SKEP_CMPXCHG ? SKEP_R0
						     : insn->src;

	if (insn->imm == SKEP_STORE_REL) {
		over_store(s);
		return;
	}
	if (!(insn->imm & SKEP_FETCH || insn->imm == SKEP_LOAD_ACQ) || !wants_reg(s, regno))
		return;
	add(s, WORTH_MUCH, sentence(s, "r%u is what was in memory", regno));
	forget_reg(s, regno);
}

static void over_ld(struct search *s)
{
	unsigned regno = (s->insn->code & 0xe0) == SKEP_IMM ? s->insn->dst : SKEP_R0;

	if (!wants_reg(s, regno))
		return;
	add(s, WORTH_MUCH,
	    sentence(s, "r%u is %s", regno,
		     explain_reg(s->t, regno ? &s->step->dst_after : &s->step->r0_after)));
	forget_reg(s, regno);
}

/* --- Conditions ------------------------------------------------------------------------------- */

static bool is_known_same(const struct reg *a, const struct reg *b)
{
	return a->kind == b->kind && a->flags == b->flags && a->off == b->off &&
	       (a->kind != REG_PACKET || a->range == b->range) &&
	       !memcmp(&a->value.bits, &b->value.bits, sizeof(a->value.bits)) &&
	       !memcmp(&a->value.full, &b->value.full, sizeof(a->value.full));
}

static bool low_differs(const struct reg *a, const struct reg *b)
{
	return a->kind == REG_SCALAR &&
	       (a->value.low.smin != b->value.low.smin || a->value.low.smax != b->value.low.smax);
}

static bool concerns(const struct search *s)
{
	const struct trail_step *step = s->step;

	return s->regs[step->frame] & step->alike_regs || s->slots[step->frame] & step->alike_slots;
}

static void over_condition(struct search *s)
{
	const struct trail_step *step = s->step;
	const struct skep_insn *insn = s->insn;
	bool by_register = insn->code & SKEP_X;
	bool dst = wants_reg(s, insn->dst), src = by_register && wants_reg(s, insn->src);
	const char *way = s->next && s->next->at == step->at + 1 ? "it is not so" : "it is so";
	unsigned regno = src && !dst ? insn->src : insn->dst;
	const struct reg *before = regno == insn->dst ? &step->dst : &step->src;
	const struct reg *after = regno == insn->dst ? &step->dst_after : &step->src_after;

	if (!dst && !src && !concerns(s))
		return;
	if (is_known_same(before, after) && low_differs(before, after))
		add(s, WORTH_MUCH,
		    sentence(s, "%s: here the lower 32 bits of r%u are %lld..%lld", way, regno,
			     (long long)after->value.low.smin, (long long)after->value.low.smax));
	else if (is_known_same(before, after))
		add(s, WORTH_LITTLE, sentence(s, "%s, which tells nothing new of r%u", way, regno));
	else
		add(s, WORTH_MUCH,
		    sentence(s, "%s: here r%u is %s", way, regno, explain_reg(s->t, after)));
}

/* --- Calls ------------------------------------------------------------------------------------ */

/* Into a function that begins with what it is called with: @s->next is its first instruction. */
static void into_function(struct search *s)
{
	uint32_t frame = s->next->frame, args = s->regs[frame] & ARGUMENTS;
	bool local = s->insn->src == CALL_OF_FUNCTION;

	if (s->regs[frame] || s->slots[frame]) {
		const char *name = explain_callee(s->t, s->step->at);

		add(s, WORTH_MUCH,
		    local ? sentence(s, "%s is called with it", name)
			  : sentence(s, "%s calls the function back", name));
	}
	s->regs[frame] = 0;
	s->slots[frame] = 0;
	if (local)
		s->regs[s->step->frame] |= args;
}

/* Back from a function: @s->step is its exit, @s->next is where it was called, or (of a callback)
 * the call itself. */
static void out_of_function(struct search *s)
{
	uint32_t frame = s->next->frame;
	bool callback = s->t->v->facts[s->next->at].calls_callback;

	if (!callback && s->regs[frame] & ARGUMENTS) {
		add(s, WORTH_MUCH, "the function returns, and leaves nothing in r1 to r5");
		s->regs[frame] &= ~ARGUMENTS;
	}
	if (callback || !(s->regs[frame] & 1u))
		return;
	s->regs[frame] &= ~1u;
	want_reg(s, SKEP_R0);
}

static void lost_by_call(struct search *s)
{
	uint32_t frame = s->step->frame;

	if (!(s->regs[frame] & s->step->lost_regs) && !(s->slots[frame] & s->step->lost_slots))
		return;
	add(s, WORTH_MUCH,
	    sentence(s, "%s ends what the pointer stood for: it must not be used from here on",
		     explain_callee(s->t, s->step->at)));
}

static void over_call(struct search *s)
{
	uint32_t frame = s->step->frame;
	const char *name = explain_callee(s->t, s->step->at);

	if (s->next && (s->next->frame > frame || s->next->at != s->step->at + 1)) {
		if (s->next->frame > frame)
			into_function(s);
		else if (s->insn->src != CALL_OF_FUNCTION)
			add(s, WORTH_MUCH, sentence(s, "%s calls the function back", name));
		return;
	}
	lost_by_call(s);
	if (wants_reg(s, SKEP_R0))
		add(s, WORTH_MUCH,
		    sentence(s, "%s returns %s", name, explain_reg(s->t, &s->step->r0_after)));
	else if (s->regs[frame] & ARGUMENTS)
		add(s, WORTH_MUCH, sentence(s, "%s leaves nothing in r1 to r5", name));
	else if (s->slots[frame] & s->step->written_slots)
		add(s, WORTH_MUCH, sentence(s, "%s writes there", name));
	s->regs[frame] &= ~(ARGUMENTS | 1u);
	s->slots[frame] &= ~s->step->written_slots;
}

static void over_jump(struct search *s)
{
	switch (s->insn->code & 0xf0) {
	case SKEP_CALL: over_call(s); break;
	case SKEP_EXIT:
		if (s->next && s->next->frame < s->step->frame)
			out_of_function(s);
		break;
	default:
		if (explain_is_condition(s->insn))
			over_condition(s);
	}
}

/* --- The way back ----------------------------------------------------------------------------- */

static void over(struct search *s)
{
	switch (s->insn->code & 7) {
	case SKEP_ALU:
	case SKEP_ALU64: over_alu(s); break;
	case SKEP_LDX: over_load(s); break;
	case SKEP_ST: over_store(s); break;
	case SKEP_STX:
		if ((s->insn->code & 0xe0) == SKEP_ATOMIC)
			over_atomic(s);
		else
			over_store(s);
		break;
	case SKEP_LD: over_ld(s); break;
	default: over_jump(s);
	}
}

static void look_at(struct search *s, uint32_t i)
{
	struct trail *trail = s->t->trail;

	s->i = i;
	s->step = trail_step(trail, i);
	s->next = i + 1 < trail->len ? trail_step(trail, i + 1) : NULL;
	s->insn = &s->t->v->insns[s->step->at];
}

static void go_back(struct search *s, uint32_t from)
{
	uint32_t first = trail_first(s->t->trail), most = MOST_BACK;

	for (uint32_t i = from; i-- > first && most-- && !wants_nothing(s) && s->n < MOST_FOUND;) {
		look_at(s, i);
		over(s);
	}
}

bool explain_origin(struct telling *t, uint32_t before, unsigned regno, uint32_t *ret)
{
	struct search s = {.t = t};
	uint32_t frame = trail_step(t->trail, before)->frame;

	s.regs[frame] = 1u << regno;
	go_back(&s, before);
	if (!s.n || !wants_nothing(&s))
		return false;
	*ret = s.found[s.n - 1].step;
	return true;
}

/* --- What is held ----------------------------------------------------------------------------- */

static bool is_meant(enum refusal refusal, enum ref_kind kind)
{
	switch (refusal) {
	case REFUSE_REFERENCE_LEAK: return kind == REF_PTR;
	case REFUSE_IRQS_OFF:
	case REFUSE_HELPER_SLEEPS_IRQ:
	case REFUSE_KFUNC_SLEEPS_IRQ: return kind == REF_IRQ;
	default: return kind != REF_PTR && kind != REF_IRQ;
	}
}

const struct ref *explain_held_ref(const struct telling *t)
{
	const struct trail *trail = t->trail;

	for (uint32_t i = trail->n_refs; i-- > 0;)
		if (is_meant(trail->refusal, trail->refs[i].kind))
			return &trail->refs[i];
	return NULL;
}

static bool is_release_of_all(const struct skep_insn *insn)
{
	return insn->code == (SKEP_JMP | SKEP_EXIT);
}

/* Where it was acquired, and then the conditions that led past its release. */
static void chain_of_held(struct search *s)
{
	struct trail *trail = s->t->trail;
	const struct ref *held = explain_held_ref(s->t);
	uint32_t since = held ? held->insn : NOWHERE;
	uint32_t first = trail_first(trail);

	look_at(s, trail->len - 1);
	if (is_release_of_all(s->insn))
		add(s, WORTH_MUCH, "here the program ends, and still holds it");
	for (uint32_t i = trail->len - 1; i-- > first;) {
		look_at(s, i);
		if (s->step->at == since) {
			add(s, WORTH_MUCH,
			    sentence(s, "%s acquires it", explain_callee(s->t, since)));
			if (s->t->row->more)
				s->t->at_fault = i;
			return;
		}
		if (explain_is_condition(s->insn))
			add(s, WORTH_LITTLE,
			    s->next->at == s->step->at + 1 ? "it is not so: the path goes on"
							   : "it is so: the path goes this way");
	}
}

/* Where the section began that is still open. */
static void chain_of_section(struct search *s)
{
	struct trail *trail = s->t->trail;
	const struct trail_step *last = trail_step(trail, trail->len - 1);

	for (uint32_t i = trail->len - 1; i-- > trail_first(trail);) {
		look_at(s, i);
		if ((last->rcu_locked && !s->step->rcu_locked) ||
		    (!last->rcu_locked && last->preempt_off && !s->step->preempt_off)) {
			add(s, WORTH_MUCH,
			    sentence(s, "%s begins it", explain_callee(s->t, s->step->at)));
			return;
		}
	}
}

/* --- Loops ------------------------------------------------------------------------------------ */

/* One round back: its conditions, and what they compared. */
static void chain_of_loop(struct search *s)
{
	struct trail *trail = s->t->trail;
	uint32_t at = s->t->v->at, first = trail_first(trail);

	for (uint32_t i = trail->len; i-- > first && s->n < MOST_FOUND;) {
		look_at(s, i);
		if (explain_is_condition(s->insn))
			add(s, WORTH_MUCH,
			    sentence(s, "%s, in each round: r%u is %s",
				     s->next && s->next->at == s->step->at + 1 ? "it is not so"
									       : "it is so",
				     s->insn->dst, explain_reg(s->t, &s->step->dst)));
		else if (s->insn->code == (SKEP_JMP | SKEP_JA) && s->insn->off < 0)
			add(s, WORTH_MUCH, "it goes back: another round");
		if (s->step->at == at && i + 1 < trail->len)
			return;
	}
}

/* --- All of it -------------------------------------------------------------------------------- */

static void drop(struct search *s, uint32_t i)
{
	memmove(&s->found[i], &s->found[i + 1], (--s->n - i) * sizeof(*s->found));
}

static void shorten(struct search *s)
{
	for (uint32_t i = s->n; i-- > 0 && s->n > SKEP_EXPLAIN_MOST_LINKS;)
		if (s->found[i].worth == WORTH_LITTLE)
			drop(s, i);
	while (s->n > SKEP_EXPLAIN_MOST_LINKS)
		drop(s, SKEP_EXPLAIN_MOST_LINKS - FROM_BEGIN);
}

static void tell(struct search *s)
{
	struct skep_explanation *ret = s->t->ret;

	shorten(s);
	ret->n_links = s->n;
	for (uint32_t i = 0; i < s->n; i++) {
		const struct found *found = &s->found[s->n - 1 - i];
		uint32_t at = trail_step(s->t->trail, found->step)->at;

		ret->chain[i] = (struct skep_explain_link){
			.place = explain_place(s->t, at),
			.insn = explain_insn(s->t, at),
			.says = found->says,
		};
	}
}

/* Bytes of the stack, at the words' first number. */
static void want_stack(struct search *s)
{
	const struct trail *trail = s->t->trail;
	struct trail_step at = {.stack_off = 0};
	uint32_t frame = s->t->step->frame;

	for (uint32_t i = 0; i < trail->n_args && !at.stack_off; i++)
		if (!trail->args[i].text && trail->args[i].number < 0)
			at.stack_off = (int32_t)trail->args[i].number;
	if (s->t->subject >= 0 && trail->regs[s->t->subject].kind == REG_STACK)
		frame = trail->regs[s->t->subject].frame;
	s->slots[frame] = at.stack_off ? slot_mask(&at, 1) : 0;
}

static bool adds_register(const struct skep_insn *insn)
{
	uint8_t op = insn->code & 0xf0;

	return (insn->code & 7) == SKEP_ALU64 && insn->code & SKEP_X && insn->src != SKEP_R10 &&
	       (op == SKEP_ADD || op == SKEP_SUB);
}

void explain_chain(struct telling *t)
{
	struct search *s = skep_arena_new(t->arena, struct search);

	s->t = t;
	if (!t->step)
		return;
	switch (t->row->about) {
	case ABOUT_NOTHING:
	case ABOUT_LIMIT: return;
	case ABOUT_HELD: chain_of_held(s); break;
	case ABOUT_SECTION: chain_of_section(s); break;
	case ABOUT_LOOP: chain_of_loop(s); break;
	case ABOUT_STACK:
		want_stack(s);
		go_back(s, t->trail->len - 1);
		break;
	default:
		if (t->subject >= 0)
			s->regs[t->step->frame] = 1u << t->subject;
		/* arithmetic: what is wrong may be either */
		if (t->subject >= 0 && adds_register(t->insn))
			s->regs[t->step->frame] |= 1u << t->insn->dst | 1u << t->insn->src;
		go_back(s, t->trail->len - 1);
	}
	tell(s);
}
