/* The trail of the path under way: see explain_trail.h. */
#include "verify/explain_trail.h"

#include <string.h>

/* --- Steps ------------------------------------------------------------------------------------ */

static bool is_memory(const struct skep_insn *insn)
{
	uint8_t class = insn->code & 7;

	return class == SKEP_LDX || class == SKEP_ST || class == SKEP_STX;
}

/* Where in the stack a load or store goes, if its address is one of the stack's. */
static void note_stack(struct trail_step *step, const struct skep_insn *insn)
{
	const struct reg *base = (insn->code & 7) == SKEP_LDX ? &step->src : &step->dst;

	if (!is_memory(insn) || base->kind != REG_STACK)
		return;
	step->on_stack = true;
	step->on_stack_known = skep_tnum_is_const(base->value.bits);
	step->stack_frame = base->frame;
	step->stack_off = base->off + (int32_t)base->value.bits.value + insn->off;
}

static uint32_t plain_id(const struct reg *reg)
{
	return reg->kind == REG_SCALAR ? reg->id & ~ID_ADD : reg->id;
}

static bool is_alike(const struct reg *a, const struct reg *b)
{
	if (a->kind == REG_PACKET || a->kind == REG_PACKET_META)
		return a->kind == b->kind && a->id == b->id;
	return a->kind == b->kind && plain_id(a) && plain_id(a) == plain_id(b);
}

/* What is learned of an operand is learned of what carries its id. */
static void note_alike(struct verifier *v, struct trail_step *step)
{
	const struct frame *frame = top_frame(v->state);

	for (unsigned r = 0; r < SKEP_N_REGS; r++)
		if (is_alike(&frame->regs[r], &step->dst) || is_alike(&frame->regs[r], &step->src))
			step->alike_regs |= (uint16_t)(1u << r);
	for (uint32_t s = 0; s < frame->n_slots && s < MOST_SLOTS; s++)
		if (slot_is_spill(&frame->slots[s]) &&
		    (is_alike(&frame->slots[s].spilled, &step->dst) ||
		     is_alike(&frame->slots[s].spilled, &step->src)))
			step->alike_slots |= 1ull << s;
}

/* Kept over calls: r6 to r9. */
static uint16_t pointer_regs(struct verifier *v)
{
	uint16_t mask = 0;

	for (unsigned r = SKEP_R6; r <= SKEP_R9; r++)
		if (reg_is_pointer(verify_reg(v, r)))
			mask |= (uint16_t)(1u << r);
	return mask;
}

static uint64_t pointer_slots(struct verifier *v)
{
	const struct frame *frame = top_frame(v->state);
	uint64_t mask = 0;

	for (uint32_t s = 0; s < frame->n_slots && s < MOST_SLOTS; s++)
		if (slot_is_spill(&frame->slots[s]) && reg_is_pointer(&frame->slots[s].spilled))
			mask |= 1ull << s;
	return mask;
}

static struct reg operand(struct verifier *v, unsigned regno)
{
	return regno < SKEP_N_REGS ? *verify_reg(v, regno) : verify_reg_unset;
}

/* What the instruction before left. Its registers are those of the frame it ran in, or of the one
 * that it called or returned to: explain_chain.c asks only where that makes sense. */
static void complete_last(struct verifier *v, struct trail *t)
{
	struct trail_step *last;
	const struct skep_insn *insn;

	if (!t->len || t->len <= trail_first(t))
		return;
	last = trail_step(t, t->len - 1);
	insn = &v->insns[last->at];
	last->dst_after = operand(v, insn->dst);
	last->src_after = operand(v, insn->src);
	last->r0_after = *verify_reg(v, SKEP_R0);
	last->written_slots = v->changed_slots;
	if (last->frame + 1u == v->state->n_frames) {
		last->lost_regs = last->pointer_regs & (uint16_t)~pointer_regs(v);
		last->lost_slots = last->pointer_slots & ~pointer_slots(v) & ~v->changed_slots;
	}
}

void verify_trail_step(struct verifier *v)
{
	const struct skep_insn *insn = &v->insns[v->at];
	const struct state *state = v->state;
	struct trail *t = v->trail;
	struct trail_step *step;
	uint8_t class = insn->code & 7;

	complete_last(v, t);
	skep_buf_clear(&t->said);
	v->changed_slots = 0;
	v->changed_regs = 0;
	t->visits[v->at]++;
	step = trail_step(t, t->len++);
	if (t->longest < t->len)
		t->longest = t->len;
	*step = (struct trail_step){
		.at = v->at,
		.frame = (uint8_t)(state->n_frames - 1),
		.rcu_locked = (uint8_t)state->rcu_locked,
		.preempt_off = (uint8_t)state->preempt_off,
		.n_refs = state->n_refs,
		.dst = operand(v, insn->dst),
		.src = operand(v, insn->src),
	};
	note_stack(step, insn);
	if (insn->code == (SKEP_JMP | SKEP_CALL)) {
		step->pointer_regs = pointer_regs(v);
		step->pointer_slots = pointer_slots(v);
	} else if (class == SKEP_JMP || class == SKEP_JMP32) {
		note_alike(v, step);
	}
}

uint32_t verify_trail_len(const struct verifier *v)
{
	return v->trail ? v->trail->len : 0;
}

void verify_trail_cut(struct verifier *v, uint32_t len)
{
	v->trail->len = len;
	if (!len)
		v->trail->longest = 0; /* another function: all of the ring is free */
	v->changed_slots = 0;
}

/* --- The refusal ------------------------------------------------------------------------------ */

/* Texts are of memory that goes, so they are copied. Takes what the conversion at @at takes, and
 * returns where the format goes on. Conversions are those of refusals.def: %u %d %s %lld %llu %02x.
 */
static const char *take_argument(struct trail *t, const char *at, va_list *ap)
{
	struct trail_argument *arg = &t->args[t->n_args++];
	bool wide = false;

	for (at++; *at && strchr("0123456789l", *at); at++)
		wide |= *at == 'l';
	if (*at == 's')
		arg->text = skep_arena_strdup(t->arena, va_arg(*ap, const char *));
	else if (wide)
		arg->number = va_arg(*ap, long long);
	else if (*at == 'd')
		arg->number = va_arg(*ap, int);
	else
		arg->number = va_arg(*ap, unsigned);
	return *at ? at + 1 : at;
}

static bool is_behind(const char *fmt, const char *at, const char *word)
{
	size_t len = strlen(word);

	return (size_t)(at - fmt) >= len && !memcmp(at - len, word, len);
}

static void take_arguments(struct trail *t, const char *fmt, va_list *ap)
{
	t->n_args = 0;
	memset(t->args, 0, sizeof(t->args));
	for (const char *at = fmt; *at && t->n_args < TRAIL_ARGUMENTS;) {
		if (*at != '%') {
			at++;
			continue;
		}
		t->args[t->n_args].is_register = is_behind(fmt, at, "R");
		t->args[t->n_args].is_slot = is_behind(fmt, at, "insn ");
		t->args[t->n_args].is_func = is_behind(fmt, at, "subprog ");
		at = take_argument(t, at, ap);
	}
}

static void take_state(struct verifier *v, struct trail *t)
{
	const struct state *state = v->state;
	const struct frame *frame = top_frame(state);

	t->in_walk = true;
	memcpy(t->regs, frame->regs, sizeof(t->regs));
	memset(t->slots, 0, sizeof(t->slots));
	if (frame->n_slots)
		memcpy(t->slots, frame->slots,
		       (frame->n_slots < MOST_SLOTS ? frame->n_slots : MOST_SLOTS) *
			       sizeof(*t->slots));
	t->n_refs = state->n_refs < TRAIL_REFERENCES ? state->n_refs : TRAIL_REFERENCES;
	if (t->n_refs)
		memcpy(t->refs, state->refs + state->n_refs - t->n_refs,
		       t->n_refs * sizeof(*t->refs));
}

static char *last_line(struct trail *t)
{
	const char *text = t->said.len ? t->said.data : "";
	size_t end = t->said.len, from;

	while (end && text[end - 1] == '\n')
		end--;
	for (from = end; from && text[from - 1] != '\n';)
		from--;
	return skep_arena_dup(t->arena, text + from, end - from);
}

void verify_trail_refused(struct verifier *v, enum refusal row, const char *fmt, va_list ap)
{
	struct trail *t = v->trail;
	va_list args;

	t->refusal = row;
	t->words = last_line(t);
	va_copy(args, ap);
	take_arguments(t, fmt, &args);
	va_end(args);
	t->in_walk = false;
	if (v->state && v->state->n_frames)
		take_state(v, t);
}

/* Behind those of an endless loop stand two states. */
void verify_trail_ends(struct verifier *v)
{
	struct trail *t = v->trail;

	if (t->refusal && t->refusal != REFUSE_INFINITE_LOOP)
		t->words = last_line(t);
}
