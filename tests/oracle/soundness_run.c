/* A program verified, and run with its states at hand: see soundness.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/btf.h>
#include <skep/check.h>

#include "soundness.h"

#define BUDGET      1500 /* instructions of a run */
#define MOST_WALKED 4000 /* on all paths to their ends */
#define HEADROOM    256
#define TAILROOM    256
#define ETH_BYTES   14

/* --- Once ------------------------------------------------------------------------------------ */

static uint32_t kfunc_id(struct skep_btf *btf, const char *name)
{
	return skep_btf_find(btf, name, strlen(name), 1u << SKEP_BTF_FUNC);
}

static void open_kernel(struct sound *sound)
{
	if (skep_btf_open_kernel(&sound->kernel, NULL))
		return;
	sound->kfuncs = (struct typed_kfuncs){
		.iter_new = kfunc_id(sound->kernel, "bpf_iter_num_new"),
		.iter_next = kfunc_id(sound->kernel, "bpf_iter_num_next"),
		.iter_destroy = kfunc_id(sound->kernel, "bpf_iter_num_destroy"),
	};
}

int sound_open(struct sound *sound, struct sound_counts *counts)
{
	int err = skep_btf_parse(typed_btf, typed_btf_bytes, NULL, &sound->types, NULL);

	sound->counts = counts;
	for (int m = 0; m < TYPED_MAPS && !err; m++) {
		const struct skep_map_attr attr = {.type = typed_maps[m].type,
						   .key_size = typed_maps[m].key_bytes,
						   .value_size = typed_maps[m].value_bytes,
						   .max_entries = typed_maps[m].entries};

		err = skep_map_create(&attr, &sound->maps[m]);
	}
	if (err)
		return err;
	open_kernel(sound);
	sound->check = skep_check_new();
	states_init(&sound->strict);
	states_init(&sound->loose);
	return 0;
}

void sound_close(struct sound *sound)
{
	for (int m = 0; m < TYPED_MAPS; m++)
		skep_map_unref(sound->maps[m]);
	skep_btf_free(sound->types);
	skep_btf_free(sound->kernel);
	skep_check_free(sound->check);
	states_done(&sound->strict);
	states_done(&sound->loose);
}

/* --- Linking --------------------------------------------------------------------------------- */

static int find_map(void *ctx, const struct skep_insn *insn, struct skep_map **ret)
{
	const struct sound *sound = ctx;

	if ((uint32_t)insn->imm >= TYPED_MAPS)
		return -EBADF;
	*ret = sound->maps[insn->imm];
	skep_map_ref(*ret);
	return 0;
}

static int find_helper(void *ctx, int32_t id, const struct skep_callable **ret)
{
	*ret = skep_helper(id);
	return *ret && (*ret)->call ? 0 : -EINVAL;
}

static int find_kfunc(void *ctx, const struct skep_insn *insn, const struct skep_callable **ret)
{
	const struct sound *sound = ctx;

	*ret = sound->kernel ? skep_kfunc(skep_btf_name(sound->kernel, (uint32_t)insn->imm)) : NULL;
	return *ret && (*ret)->call ? 0 : -EINVAL;
}

static struct skep_image *link_program(struct sound *sound, const struct typed_program *p)
{
	const struct skep_link_env env = {
		.map = find_map, .helper = find_helper, .kfunc = find_kfunc, .ctx = sound};
	struct skep_image *image;

	return skep_image_link(p->insns, p->n, p->type, &env, NULL, &image) ? NULL : image;
}

/* --- Inputs: numbers near those that the program is about ------------------------------------ */

struct input {
	uint64_t random;
	const struct typed_program *program;
};

static uint64_t draw(struct input *in)
{
	in->random ^= in->random << 13;
	in->random ^= in->random >> 7;
	in->random ^= in->random << 17;
	return in->random * 0x2545f4914f6cdd1dull;
}

static uint64_t draw_number(struct input *in)
{
	static const uint64_t edges[] = {0,
					 1,
					 UINT64_MAX,
					 0x7fffffff,
					 0x80000000,
					 0xffffffff,
					 0x100000000,
					 (uint64_t)INT64_MAX,
					 (uint64_t)INT64_MIN,
					 0xffffffff80000000,
					 0x80,
					 0x7f,
					 0xff,
					 0x8000,
					 0xffff,
					 0x7fff};
	uint64_t chance = draw(in) >> 32;
	const struct typed_program *p = in->program;
	uint64_t imm = (uint64_t)(int64_t)p->insns[chance / 8 % p->n].imm;

	switch (chance % 8) {
	case 0:
	case 1:
	case 2: return imm + chance / 4096 % 5 - 2;
	case 3: return (uint32_t)(imm + chance / 4096 % 5 - 2) | draw(in) << 32;
	case 4: return chance / 4096 % 64;
	case 5: return draw(in) >> (chance / 4096 % 64);
	default: return edges[chance / 4096 % 16];
	}
}

static void fill(struct input *in, uint8_t *at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		uint64_t number = draw_number(in), chance = draw(in) >> 40;
		size_t n = (size_t)1 << chance % 4;

		n = n > bytes - i ? 1 : n;
		memcpy(at + i, &number, n);
		i += n - 1;
	}
}

static int ignore(void *ctx, void *sample, uint32_t size)
{
	return 0;
}

static void set_maps(struct sound *sound, struct input *in)
{
	uint8_t value[64];

	for (int m = TYPED_ARRAY; m <= TYPED_ONE; m++)
		for (uint32_t i = 0; i < typed_maps[m].entries; i++)
			fill(in, sound->maps[m]->values + i * sound->maps[m]->elem_size,
			     typed_maps[m].value_bytes);
	for (uint32_t key = 0; key < 2 * typed_maps[TYPED_HASH].entries; key++) {
		skep_map_sys_delete(sound->maps[TYPED_HASH], &key);
		if (key % 3)
			continue;
		fill(in, value, typed_maps[TYPED_HASH].value_bytes);
		skep_map_sys_update(sound->maps[TYPED_HASH], &key, value, 0);
	}
	skep_ringbuf_read(sound->maps[TYPED_RINGBUF], ignore, NULL);
}

/* --- A run ----------------------------------------------------------------------------------- */

struct watch {
	struct sound *sound;
	struct sound_finding *finding;
	struct skep_run *run;
	bool strict, escaped;
	struct live live;
	struct live_frame frames[SKEP_MOST_FRAMES + 1];
	uint32_t at[SKEP_MOST_FRAMES + 1]; /* the instruction that each frame is at */
};

/* Which function's registers these are tells of calls and returns. */
static void follow(struct watch *w, uint32_t insn, const uint64_t *r, unsigned set)
{
	uint32_t n = w->live.n_frames;

	while (n && w->frames[n - 1].r != r)
		n--;
	if (!n) {
		n = w->live.n_frames;
		w->frames[n] = (struct live_frame){
			.r = r,
			.func = skep_image_func_at(w->live.image, insn),
			.call_at = n ? w->at[n - 1] : UINT32_MAX,
		};
		n++;
	}
	w->live.n_frames = n;
	w->frames[n - 1].set = set;
	w->at[n - 1] = insn;
}

static void print_where(struct watch *w, uint32_t insn, const struct seen *seen, const char *what)
{
	const struct live_frame *top = &w->frames[w->live.n_frames - 1];
	struct sound_finding *f = w->finding;
	size_t len;

	f->insn = insn;
	len = (size_t)snprintf(f->why, sizeof(f->why),
			       "%s: %s; registers:", w->strict ? "strictly" : "loosely",
			       seen ? what : "never come to by the verifier");
	for (unsigned r = 0; r < SKEP_N_REGS && len < sizeof(f->why); r++)
		if (top->set >> r & 1)
			len += (size_t)snprintf(f->why + len, sizeof(f->why) - len, " r%u=%#llx", r,
						(unsigned long long)top->r[r]);
}

static void expect_one(struct watch *w, const struct states *states, uint32_t insn,
		       const struct scope *scope)
{
	char all[400] = "", what[160] = "";
	size_t len = 0;

	if (states->full)
		return;
	for (const struct seen *seen = states->at[insn]; seen; seen = seen->next)
		if (live_matches(&w->live, seen, scope, what))
			return;
	w->escaped = true;
	w->run->budget = 0;
	for (const struct seen *seen = states->at[insn]; seen && len < 300; seen = seen->next) {
		live_matches(&w->live, seen, scope, what);
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", len ? "; or " : "",
					what);
	}
	print_where(w, insn, states->at[insn], all);
}

/* What a call is given, by its prototype: registers with pointers; and with sizes. */
static void scope_of_call(const struct skep_callable *row, struct scope *scope)
{
	const struct skep_proto *proto = row->proto;

	for (unsigned i = 0; proto && i < 5 && proto->args[i]; i++) {
		uint32_t kind = proto->args[i] & SKEP_ARG_KIND_MASK;

		if (kind == SKEP_ARG_SIZE || kind == SKEP_ARG_SIZE_OR_ZERO ||
		    kind == SKEP_ARG_CONST_ALLOC_SIZE)
			scope->numbers |= (uint16_t)(2u << i);
		else if (kind != SKEP_ARG_ANYTHING)
			scope->pointers |= (uint16_t)(2u << i);
	}
}

/* The registers that an instruction uses as addresses, or adds to them. */
static struct scope scope_of(const struct skep_image *image, uint32_t at)
{
	const struct skep_insn *insn = &image->insns[at];
	struct scope scope = {0};
	int op = insn->code & 0xf0;

	switch (insn->code & 7) {
	case SKEP_LDX: scope.pointers = (uint16_t)(1u << insn->src); break;
	case SKEP_ST:
	case SKEP_STX: {
		bool loads = (insn->code & 0xe0) == SKEP_ATOMIC && insn->imm == SKEP_LOAD_ACQ;

		scope.pointers = (uint16_t)(1u << (loads ? insn->src : insn->dst));
		break;
	}
	case SKEP_ALU64:
		if (insn->code & SKEP_X && (op == SKEP_ADD || op == SKEP_SUB))
			scope.pointers = (uint16_t)(1u << insn->dst | 1u << insn->src);
		break;
	case SKEP_JMP:
		if (image->ops[at] == SKEP_OP_CALL_HELPER)
			scope_of_call(image->calls[insn->imm], &scope);
	}
	return scope;
}

static void step(void *ctx, uint32_t insn, const uint64_t r[SKEP_N_REGS], unsigned set)
{
	static const struct scope all = {0x7ff, 0x7ff, true, true};
	struct watch *w = ctx;
	struct scope used;

	if (w->escaped)
		return;
	w->sound->counts->steps++;
	follow(w, insn, r, set);
	if (w->strict)
		expect_one(w, &w->sound->strict, insn, &all);
	if (w->escaped)
		return;
	used = scope_of(w->live.image, insn);
	w->strict = false;
	expect_one(w, &w->sound->loose, insn, &used);
	w->strict = w->sound->strict.n && !w->escaped;
}

/* What the kernel lets root do, and the checked interpreter nobody: reading bytes of the stack that
 * hold nothing, and atomics in a slice of a dynptr that begins anywhere. */
static bool is_forgiven(const char *fault)
{
	return strstr(fault, "never written") || strstr(fault, "not aligned");
}

static void look_for_fault(struct watch *w)
{
	struct sound_finding *f = w->finding;
	const char *why;

	if (w->escaped || !skep_check_fault(w->sound->check, &f->insn, &why) || is_forgiven(why))
		return;
	w->escaped = true;
	snprintf(f->why, sizeof(f->why), "%s (%s)", why, skep_check_registers(w->sound->check));
}

union context {
	struct __sk_buff skb;
	struct xdp_md xdp;
};

static size_t make_context(struct input *in, struct skep_packet *packet, union context *ret)
{
	uint32_t data = (uint32_t)(uintptr_t)packet->data, end = (uint32_t)(uintptr_t)packet->end;

	memset(ret, 0, sizeof(*ret));
	packet->ctx = ret;
	packet->network_off = packet->transport_off = ETH_BYTES;
	packet->is_xdp = in->program->type == BPF_PROG_TYPE_XDP;
	if (packet->is_xdp) {
		ret->xdp = (struct xdp_md){.data = data,
					   .data_end = end,
					   .data_meta = data,
					   .ingress_ifindex = (uint32_t)draw_number(in),
					   .rx_queue_index = (uint32_t)draw_number(in)};
		return sizeof(ret->xdp);
	}
	fill(in, (uint8_t *)ret, sizeof(ret->skb));
	ret->skb.len = end - data;
	ret->skb.data = ret->skb.data_meta = data;
	ret->skb.data_end = end;
	return sizeof(ret->skb);
}

static struct skep_packet *make_packet(struct input *in)
{
	uint8_t bytes[128];
	uint32_t n = ETH_BYTES + (uint32_t)(draw(in) >> 33) % 90;

	fill(in, bytes, n);
	return skep_packet_new(bytes, n, HEADROOM, TAILROOM);
}

static void run_once(struct watch *w, const struct skep_program *program, struct input *in)
{
	struct skep_packet *packet = make_packet(in);
	struct skep_world world = {.packet = packet, .fixed_random = true, .seed = draw(in)};
	struct skep_run run = {.budget = BUDGET, .check = w->sound->check, .world = &world};
	union context context;
	size_t bytes = make_context(in, packet, &context);

	set_maps(w->sound, in);
	skep_check_reset(w->sound->check);
	skep_run_grant(&run, &context, bytes, SKEP_MAY_READ | SKEP_MAY_WRITE);
	w->run = &run;
	w->live.run = &run;
	w->live.ctx = (uintptr_t)&context;
	w->live.packet = packet;
	w->live.n_frames = 0;
	skep_program_run(program, &context, &run);
	w->sound->counts->runs++;
	look_for_fault(w);
	skep_packet_free(packet);
}

/* --- Verifying ------------------------------------------------------------------------------- */

static int verify(struct sound *sound, const struct typed_program *p,
		  const struct skep_image *image, const struct skep_verify_opts *opts,
		  struct skep_verify_report *report)
{
	struct skep_verify_func funcs[TYPED_MOST_FUNCS];
	const struct skep_verify_program program = {
		.image = image,
		.insns = p->insns,
		.gpl = true,
		.btf = sound->types,
		.funcs = funcs,
		.n_funcs = image->n_funcs,
		.kernel_btf = sound->kernel,
	};
	struct skep_buf log = {0};
	int err;

	for (uint32_t i = 0; i < p->n_funcs; i++)
		funcs[i] = (struct skep_verify_func){p->funcs[i].start, p->funcs[i].type_id};
	err = skep_verify(&program, opts, opts->log_level ? &log : NULL, report);
	if (err && log.data && opts->log_level)
		fprintf(stderr, "%s\n", log.data);
	skep_buf_done(&log);
	return err;
}

/* A loop that ends only because rounds become alike never does if none are compared. */
static bool ends_unpruned(const struct skep_image *image)
{
	for (uint32_t i = 0; i < image->n_insns; i++)
		if (image->ops[i] == SKEP_OP_CALL_KFUNC || image->ops[i] == SKEP_OP_MAY_GOTO)
			return false;
	return !image->n_callbacks;
}

/* Return the kernel's verdict. *ret_strict: every path was walked to its end, to *ret_strict_err */
static int verify_both(struct sound *sound, const struct typed_program *p,
		       const struct skep_image *image, bool *ret_strict, int *ret_strict_err,
		       const char **ret_refusal)
{
	struct skep_verify_opts opts = {.observe = states_observe,
					.observe_ctx = &sound->loose,
					.test_state_freq = p->seed % 4 == 1,
					.log_level = sound->print_refusals ? 1 : 0};
	struct skep_verify_report report;
	int err;

	if (getenv("SKEP_SOUND_EXTENDED")) { /* at once to the walk that joins states */
		opts.mode = SKEP_VERIFY_EXTENDED;
		opts.most_insns = 1;
	}
	states_clear(&sound->loose);
	states_clear(&sound->strict);
	err = verify(sound, p, image, &opts, &report);
	*ret_refusal = report.refusal;
	*ret_strict = ends_unpruned(image) && opts.mode == SKEP_VERIFY_KERNEL;
	if (!*ret_strict)
		return err;
	opts.observe_ctx = &sound->strict;
	opts.no_pruning = true;
	opts.most_insns = MOST_WALKED;
	opts.log_level = sound->print_refusals ? 2 : 0;
	*ret_strict_err = verify(sound, p, image, &opts, &report);
	*ret_strict = *ret_strict_err != -E2BIG;
	if (!*ret_strict)
		states_clear(&sound->strict);
	return err;
}

/* --- All of it ------------------------------------------------------------------------------- */

static void count_states(struct sound_counts *counts, const struct states *states)
{
	counts->states += states->n;
	for (uint32_t i = 0; i < TYPED_MOST_INSNS; i++) {
		const struct seen *seen = states->at[i];
		const struct seen_frame *top = seen ? &seen->frames[seen->n_frames - 1] : NULL;

		for (unsigned r = 0; top && r < SKEP_R10; r++)
			counts->kinds[top->regs[r].kind]++;
		for (uint32_t s = 0; top && s < top->n_slots; s++) {
			uint8_t kind = top->slots[s].kinds[SLOT_BYTES - 1];

			counts->spills += kind == SLOT_SPILL;
			counts->iterators += kind == SLOT_ITER;
			counts->dynptrs += kind == SLOT_DYNPTR;
		}
		counts->callees += seen && seen->n_frames > 1;
	}
}

static void count_program(struct sound *sound, const struct typed_program *p)
{
	struct sound_counts *counts = sound->counts;

	for (uint32_t i = 0; i < p->n; i++) {
		counts->codes[p->insns[i].code]++;
		if (p->insns[i].code == (SKEP_JMP | SKEP_CALL) && !p->insns[i].src)
			counts->helpers[p->insns[i].imm & 255]++;
		i += p->insns[i].code == (SKEP_LD | SKEP_DW | SKEP_IMM);
	}
	if (p->seed % 64 == 0)
		count_states(counts, &sound->loose);
}

static enum sound_outcome run_all(struct sound *sound, const struct typed_program *p,
				  const struct skep_image *image, bool strict,
				  struct sound_finding *ret)
{
	struct watch watch = {.sound = sound, .finding = ret, .strict = strict};
	const struct skep_exec_opts opts = {.budget = true, .step = step, .step_ctx = &watch};
	struct skep_program program = {.image = image, .exec = &skep_exec_checked};

	watch.live = (struct live){.image = image, .frames = watch.frames, .maps = sound->maps};
	if (skep_exec_checked.compile(image, &opts, &program.code))
		return SOUND_UNLINKED;
	for (ret->input = 0; ret->input < SOUND_RUNS && !watch.escaped; ret->input++) {
		struct input in = {(p->seed + 1) * 0x9e3779b97f4a7c15ull + ret->input * 0x632be5ab,
				   p};

		watch.strict = strict;
		run_once(&watch, &program, &in);
	}
	skep_exec_checked.free(program.code);
	return watch.escaped ? SOUND_ESCAPED : SOUND_FINE;
}

static enum sound_outcome judge(struct sound *sound, const struct typed_program *p,
				const struct skep_image *image, struct sound_finding *ret)
{
	struct sound_counts *counts = sound->counts;
	const char *refusal = NULL;
	bool strict = false;
	int strict_err = 0, err;

	err = verify_both(sound, p, image, &strict, &strict_err, &refusal);
	ret->insn = UINT32_MAX;
	if (*sound->loose.broken || *sound->strict.broken) {
		snprintf(ret->why, sizeof(ret->why), "%s",
			 *sound->loose.broken ? sound->loose.broken : sound->strict.broken);
		return SOUND_BROKEN;
	}
	counts->compared += strict;
	if (strict && !err != !strict_err) {
		snprintf(ret->why, sizeof(ret->why), "%d, with every path walked %d", err,
			 strict_err);
		return SOUND_DISPUTED;
	}
	snprintf(ret->why, sizeof(ret->why), "%s", refusal ? refusal : "");
	if (err)
		return SOUND_REFUSED;
	counts->accepted++;
	counts->strict += strict;
	count_program(sound, p);
	return run_all(sound, p, image, strict, ret);
}

enum sound_outcome sound_try(struct sound *sound, const struct typed_program *program,
			     struct sound_finding *ret)
{
	struct skep_image *image = link_program(sound, program);
	enum sound_outcome outcome = SOUND_UNLINKED;

	sound->counts->programs++;
	ret->why[0] = '\0';
	if (!image)
		return outcome;
	if (image->n_funcs == program->n_funcs)
		outcome = judge(sound, program, image, ret);
	skep_image_free(image);
	return outcome;
}
