/*
 * Addresses become frames of a profile.
 *
 * But for the innermost frame an address is that behind a call: it is looked up one before, as a
 * call may be the last that a function does. Stacks are written from the outside in, so a stack
 * that does not begin where threads do (roots.def) has first a frame that says why.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "interp/hotspot_layout.h"
#include "interp/v8.h"
#include "profiler/impl.h"

#define KERNEL_MODULE "[kernel]"
#define NAME_MOST     4096
#define ROOT_WITHIN   4          /* frames from the outermost */
#define READ_MOST     (8u << 20) /* bytes of stacks */
#define UNWOUND_HEAD  offsetof(struct skep_unwind_stack, pcs)

static const char *const roots[] = {
#define ROOT(name) name,
#include "profiler/roots.def"
#undef ROOT
};

static const char *const machinery[] = {
#define MACHINERY(beginning) beginning,
#include "profiler/machinery.def"
#undef MACHINERY
};

void skep_namer_init(struct skep_namer *namer, bool with_lines)
{
	*namer = (struct skep_namer){
		.ksyms = skep_ksyms_new(),
		.usyms = skep_usyms_new(true),
		.with_lines = with_lines,
	};
	if (with_lines)
		skep_usyms_want_lines(namer->usyms);
}

void skep_namer_done(struct skep_namer *namer)
{
	skep_vec_done(&namer->has_asked);
	skep_namer_end(namer);
	skep_ksyms_free(namer->ksyms);
	skep_usyms_free(namer->usyms);
}

void skep_namer_want_debuginfod(struct skep_namer *namer, struct skep_debuginfod *debuginfod)
{
	namer->debuginfod = debuginfod;
	skep_usyms_want_debuginfod(namer->usyms, debuginfod);
}

void skep_namer_renew(struct skep_namer *namer)
{
	const struct skep_namer_losses lost = namer->lost;
	struct skep_debuginfod *debuginfod = namer->debuginfod;

	skep_namer_done(namer);
	skep_namer_init(namer, namer->with_lines);
	skep_namer_want_debuginfod(namer, debuginfod);
	namer->lost = lost;
}

void skep_namer_begin(struct skep_namer *namer, struct skep_profile *profile)
{
	namer->profile = profile;
	namer->has_asked.len = 0;
	skep_namer_end(namer);
}

void skep_namer_end(struct skep_namer *namer)
{
	skep_named_done(&namer->named);
	skep_buf_done(&namer->read);
}

/* --- One frame ------------------------------------------------------------------------------- */

struct place {
	uint64_t addr;
	pid_t pid;
	bool is_user, is_return; /* an address that a call returns to */
};

static uint32_t add_node(struct skep_namer *namer, uint32_t node, const char *name,
			 const char *module, enum skep_frame_kind kind)
{
	const struct skep_profile_frame frame = {
		.name = skep_profile_text(namer->profile, name),
		.module = skep_profile_text(namer->profile, module),
		.kind = (uint8_t)kind,
	};

	return skep_profile_node(namer->profile, node, skep_profile_frame(namer->profile, &frame));
}

/* A signal's handler returns to the first instruction of this one, which nobody calls. */
static bool is_signals(const struct skep_symbol *symbol)
{
	return symbol->name && symbol->offset == 0 && strstr(symbol->name, "restore_rt");
}

static void ask(struct skep_namer *namer, const struct place *place, struct skep_symbol *ret)
{
	uint64_t before = place->addr - place->is_return;

	*ret = (struct skep_symbol){0};
	if (!place->is_user) {
		skep_ksyms_lookup(namer->ksyms, before, ret);
		return;
	}
	skep_usyms_lookup(namer->usyms, place->pid, place->addr, ret);
	if (place->is_return && !is_signals(ret)) {
		*ret = (struct skep_symbol){0};
		skep_usyms_lookup(namer->usyms, place->pid, before, ret);
	}
}

static struct skep_named *slot_of(struct skep_namer *namer, const struct place *place,
				  bool *ret_is_new)
{
	return skep_named_find(&namer->named,
			       place->is_return ? SKEP_NAMED_RETURN : SKEP_NAMED_INSTRUCTION,
			       place->addr, place->is_user ? (uint32_t)place->pid : 0, ret_is_new);
}

/* Good until the next one. */
static struct skep_named *find(struct skep_namer *namer, const struct place *place)
{
	bool is_new;
	struct skep_named *named = slot_of(namer, place, &is_new);

	if (!named->is_asked)
		ask(namer, place, &named->symbol);
	named->is_asked = true;
	return named;
}

static void look_up(struct skep_namer *namer, const struct place *place, struct skep_symbol *ret)
{
	*ret = find(namer, place)->symbol;
}

/* Code in no file, or one that never was on a disk, whose maker named it. */
static enum skep_frame_kind kind_of(const struct place *place, const struct skep_symbol *symbol)
{
	if (!place->is_user)
		return SKEP_FRAME_KERNEL;
	if (!symbol->name || (symbol->module && symbol->module[0] == '[') ||
	    (symbol->module && symbol->module[0] == '/' && strncmp(symbol->module, "/memfd:", 7)))
		return SKEP_FRAME_USER;
	return strncmp(symbol->name, "py::", 4) ? SKEP_FRAME_JIT : SKEP_FRAME_INTERPRETED;
}

static const char *module_of(const struct place *place, const struct skep_symbol *symbol)
{
	if (symbol->module)
		return symbol->module;
	return place->is_user ? "" : KERNEL_MODULE;
}

/* "[libfoo.so]" where only the file is known. */
static void name_of(const struct place *place, const struct skep_symbol *symbol, char *ret,
		    size_t size)
{
	const char *module = module_of(place, symbol);
	const char *slash = strrchr(module, '/');

	if (symbol->name)
		snprintf(ret, size, "%s", symbol->name);
	else if (module[0] == '[')
		snprintf(ret, size, "%s", module);
	else
		snprintf(ret, size, "[%s]", slash ? slash + 1 : module[0] ? module : "unknown");
}

/* Once for each: a profile tells files by their paths alone. */
static void note_build(struct skep_namer *namer, const struct place *place,
		       const struct skep_symbol *symbol, skep_profile_str module)
{
	_cleanup_buf_ struct skep_buf id = {0};

	while (namer->has_asked.len <= module)
		skep_vec_push(&namer->has_asked, false);
	if (!module || namer->has_asked.data[module])
		return;
	namer->has_asked.data[module] = true;
	int err = place->is_user ? skep_usyms_build_id(namer->usyms, place->pid, place->addr, &id)
				 : skep_ksyms_build_id(symbol->module, &id);
	if (!err)
		skep_profile_set_build(namer->profile, module,
				       skep_profile_text(namer->profile, id.data));
}

/* Functions of JavaScript, whose names say where they are, too. */
static bool take_javascript(struct skep_namer *namer, const char *name,
			    struct skep_profile_frame *frame)
{
	struct skep_v8_name v8;

	if (frame->kind != SKEP_FRAME_JIT || !skep_v8_parse(name, &v8))
		return false;
	frame->name = v8.function_len
			      ? skep_profile_string(namer->profile, v8.function, v8.function_len)
			      : skep_profile_text(namer->profile, "(anonymous)");
	frame->file = skep_profile_string(namer->profile, v8.file ? v8.file : "", v8.file_len);
	frame->module = frame->file ? frame->file : frame->module;
	frame->line = v8.line;
	return true;
}

/* The function that an address is in: the last of its source's frames, of which there may be none.
 * Its symbol's name goes before that one, as it does where there are no lines. */
static struct skep_profile_frame frame_of(struct skep_namer *namer, const struct place *place,
					  const struct skep_symbol *symbol,
					  const struct skep_source_frame *source)
{
	struct skep_symbol named = *symbol;
	char name[NAME_MOST];
	struct skep_profile_frame frame = {
		.module = skep_profile_text(namer->profile, module_of(place, symbol)),
		.kind = (uint8_t)kind_of(place, symbol),
	};

	note_build(namer, place, symbol, frame.module);
	if (source) {
		frame.file = skep_profile_text(namer->profile, source->file ? source->file : "");
		frame.line = source->line;
		if (!named.name)
			named.name = source->name;
	}
	if (!named.name)
		frame.addr = symbol->module ? symbol->offset : place->addr;
	name_of(place, &named, name, sizeof(name));
	if (!take_javascript(namer, name, &frame))
		frame.name = skep_profile_text(namer->profile, name);
	return frame;
}

/* @source is inlined into @frame. */
static uint32_t add_inlined(struct skep_namer *namer, const struct skep_source_frame *source,
			    const struct skep_profile_frame *frame, uint32_t node)
{
	const struct skep_profile_frame inner = {
		.name = skep_profile_text(namer->profile,
					  source->name ? source->name : "[unknown]"),
		.module = frame->module,
		.file = skep_profile_text(namer->profile, source->file ? source->file : ""),
		.line = source->line,
		.kind = SKEP_FRAME_INLINE,
	};

	return skep_profile_node(namer->profile, node, skep_profile_frame(namer->profile, &inner));
}

/* With what is inlined there, by the source, which is called by it. */
static uint32_t add_place(struct skep_namer *namer, const struct place *place,
			  const struct skep_symbol *symbol, uint32_t node, bool is_inwards)
{
	const struct skep_source_frame *sources = NULL;
	uint32_t n =
		skep_usyms_lines(namer->usyms, place->pid,
				 place->addr - (place->is_return && !is_signals(symbol)), &sources);
	struct skep_profile_frame frame =
		frame_of(namer, place, symbol, n ? &sources[n - 1] : NULL);
	for (uint32_t i = 0; !is_inwards && i + 1 < n; i++)
		node = add_inlined(namer, &sources[i], &frame, node);
	node = skep_profile_node(namer->profile, node, skep_profile_frame(namer->profile, &frame));
	for (uint32_t i = is_inwards && n ? n - 1 : 0; i-- > 0;)
		node = add_inlined(namer, &sources[i], &frame, node);
	return node;
}

/* --- Stacks ---------------------------------------------------------------------------------- */

struct stack {
	const struct skep_stack_key *key;
	bool is_user;
	uint32_t n;          /* addresses, in the namer's room */
	uint32_t first;      /* the innermost that is shown */
	bool is_interpreted; /* the namer has what stands in place of some */
};

static struct place place_at(const struct skep_namer *namer, const struct stack *stack, uint32_t i)
{
	return (struct place){
		.addr = namer->addrs[i],
		.pid = (pid_t)stack->key->pid,
		.is_user = stack->is_user,
		.is_return = i > 0,
	};
}

static bool is_machinery(const char *name)
{
	for (size_t i = 0; name && i < sizeof(machinery) / sizeof(machinery[0]); i++) {
		if (!strncmp(name, machinery[i], strlen(machinery[i])))
			return true;
	}
	return false;
}

static void skip_machinery(struct skep_namer *namer, struct stack *stack)
{
	for (; stack->first + 1 < stack->n; stack->first++) {
		const struct place place = place_at(namer, stack, stack->first);
		struct skep_symbol symbol;
		look_up(namer, &place, &symbol);
		if (!is_machinery(symbol.name))
			break;
	}
}

static int read_user(struct skep_namer *namer, uint32_t stack_id)
{
	struct skep_unwind_stack *unwound = &namer->unwound;
	int n;

	if (!namer->maps->program->unwinds)
		return skep_map_stack(namer->maps, true, stack_id, namer->addrs,
				      SKEP_PROFILER_FRAMES_MOST);
	int err = skep_map_unwound(namer->maps, stack_id, unwound);
	if (err)
		return err;
	n = unwound->n < SKEP_UNWIND_FRAMES_MOST ? unwound->n : SKEP_UNWIND_FRAMES_MOST;
	memcpy(namer->addrs, unwound->pcs, (size_t)n * sizeof(*namer->addrs));
	return n;
}

/* What is told of a stack beside its addresses is that of no stack, where it was not taken. */
static void read_stack(struct skep_namer *namer, struct stack *stack)
{
	uint32_t id = stack->key->stack_id;
	int n = 0;

	memset(&namer->unwound, 0, UNWOUND_HEAD);
	namer->unwound.end = SKEP_UNWIND_ROOT;
	if (id != UINT32_MAX && stack->is_user)
		n = read_user(namer, id);
	else if (id != UINT32_MAX)
		n = skep_map_stack(namer->maps, false, id, namer->addrs, SKEP_PROFILER_FRAMES_MOST);
	stack->n = n > 0 ? (uint32_t)n : 0;
}

/* How many, what is told of it, its addresses. */
static size_t keep_read(struct skep_namer *namer, const struct stack *stack)
{
	size_t at = namer->read.len;

	skep_buf_add(&namer->read, &stack->n, sizeof(stack->n));
	skep_buf_add(&namer->read, &namer->unwound, UNWOUND_HEAD);
	skep_buf_add(&namer->read, namer->addrs, stack->n * sizeof(*namer->addrs));
	return at;
}

static void take_read(struct skep_namer *namer, struct stack *stack, size_t at)
{
	const char *from = namer->read.data + at;

	memcpy(&stack->n, from, sizeof(stack->n));
	memcpy(&namer->unwound, from + sizeof(stack->n), UNWOUND_HEAD);
	memcpy(namer->addrs, from + sizeof(stack->n) + UNWOUND_HEAD,
	       stack->n * sizeof(*namer->addrs));
}

/* Get a stack's addresses, none if it was not taken: it is read once, until it has been named. */
static void get(struct skep_namer *namer, struct stack *stack)
{
	const enum skep_named_kind kind =
		stack->is_user ? SKEP_NAMED_READ_USER : SKEP_NAMED_READ_KERNEL;
	bool is_new;

	if (namer->read.len > READ_MOST) {
		skep_named_clear(&namer->named);
		skep_buf_clear(&namer->read);
	}
	struct skep_named *named = skep_named_find(&namer->named, kind, stack->key->stack_id,
						   stack->key->pid, &is_new);
	stack->first = 0;
	if (is_new) {
		read_stack(namer, stack);
		named->read_at = keep_read(namer, stack);
	} else {
		take_read(namer, stack, named->read_at);
	}
	if (!stack->is_user)
		skip_machinery(namer, stack);
}

/* --- What an interpreter runs ----------------------------------------------------------------- */

/* Lay the interpreter's frames beside the stack's, by the names of those that are in its file. */
static void merge_by_names(struct skep_namer *namer, const struct stack *stack)
{
	const uint64_t *frames = namer->unwound.in_interpreter;
	bool is_evaluator[SKEP_PROFILER_FRAMES_MOST];
	uint32_t end = namer->unwound.end;

	for (uint32_t i = 0; i < stack->n; i++) {
		const struct place place = place_at(namer, stack, i);
		struct skep_symbol symbol;
		is_evaluator[i] = i < SKEP_UNWIND_FRAMES_MOST && frames[i / 64] >> i % 64 & 1;
		if (!is_evaluator[i])
			continue;
		look_up(namer, &place, &symbol);
		is_evaluator[i] =
			skep_interp_is_evaluator(namer->interp_stack.version, symbol.name);
	}
	const struct skep_interp_rest rest = skep_interp_merge(
		&namer->interp_stack, is_evaluator, stack->n,
		end == SKEP_UNWIND_ROOT || end == SKEP_UNWIND_GUESSED, namer->runs);
	namer->outer = rest.outer;
	namer->lost.n_displaced += rest.n_displaced;
}

static void merge(struct skep_namer *namer, struct stack *stack)
{
	if (!stack->n || !namer->interp || !namer->maps->program->unwinds)
		return;
	int err = skep_map_stack_interp(namer->maps, &namer->unwound, &namer->interp_stack);
	namer->lost.n_chainless += err && err != -ENOENT;
	stack->is_interpreted = !err;
	if (err)
		return;
	namer->outer = (struct skep_interp_run){0};
	if (namer->interp_stack.version == SKEP_INTERP_HOTSPOT)
		skep_interp_place(&namer->interp_stack, stack->n, namer->runs);
	else
		merge_by_names(namer, stack);
	skep_interp_names_note(namer->interp, stack->key->pid, &namer->interp_stack);
}

/* Of Java, each says itself what it is. */
static enum skep_frame_kind kind_of_interpreted(const struct skep_namer *namer,
						const struct skep_interp_frame *at)
{
	bool is_compiled = namer->interp_stack.version == SKEP_INTERP_HOTSPOT &&
			   at->at & SKEP_HOTSPOT_COMPILED;

	return is_compiled ? SKEP_FRAME_JIT : SKEP_FRAME_INTERPRETED;
}

static uint32_t add_interpreted(struct skep_namer *namer, const struct stack *stack, uint32_t i,
				uint32_t node)
{
	const struct skep_interp_frame *at = &namer->interp_stack.frames[i];
	struct skep_interp_name name = {"[not read]", "", 0};

	if (!at->code) /* no frame, but a call from C */
		return node;
	namer->lost.n_unread += !skep_interp_names_find(namer->interp, stack->key->pid, at, &name);
	const struct skep_profile_frame frame = {
		.name = skep_profile_text(namer->profile, name.function),
		.module = skep_profile_text(namer->profile, name.file),
		.file = skep_profile_text(namer->profile, name.file),
		.line = name.line,
		.kind = (uint8_t)kind_of_interpreted(namer, at),
	};
	return skep_profile_node(namer->profile, node, skep_profile_frame(namer->profile, &frame));
}

static uint32_t add_run(struct skep_namer *namer, const struct stack *stack,
			struct skep_interp_run run, bool is_inwards, uint32_t node)
{
	for (uint32_t i = 0; i < run.n; i++)
		node = add_interpreted(namer, stack, run.first + (is_inwards ? run.n - 1 - i : i),
				       node);
	return node;
}

static uint32_t add_one(struct skep_namer *namer, const struct stack *stack, uint32_t i,
			bool is_inwards, uint32_t node)
{
	const struct place place = place_at(namer, stack, i);

	if (stack->is_interpreted && namer->runs[i].n)
		return add_run(namer, stack, namer->runs[i], is_inwards, node);
	struct skep_named *named = find(namer, &place);
	if (namer->with_lines && place.is_user) {
		const struct skep_symbol symbol = named->symbol;
		return add_place(namer, &place, &symbol, node, is_inwards);
	}
	if (!named->at) {
		const struct skep_profile_frame frame =
			frame_of(namer, &place, &named->symbol, NULL);
		named->at = skep_profile_frame(namer->profile, &frame);
	}
	return skep_profile_node(namer->profile, node, named->at);
}

static uint32_t add_inwards(struct skep_namer *namer, const struct stack *stack, uint32_t node)
{
	if (stack->is_interpreted)
		node = add_run(namer, stack, namer->outer, true, node);
	for (uint32_t i = stack->n; i-- > stack->first;)
		node = add_one(namer, stack, i, true, node);
	return node;
}

static uint32_t add_outwards(struct skep_namer *namer, const struct stack *stack, uint32_t node)
{
	for (uint32_t i = stack->first; i < stack->n; i++)
		node = add_one(namer, stack, i, false, node);
	if (stack->is_interpreted)
		node = add_run(namer, stack, namer->outer, false, node);
	return node;
}

/* --- Is it whole? ---------------------------------------------------------------------------- */

static bool is_root(const char *name)
{
	for (size_t i = 0; name && i < sizeof(roots) / sizeof(roots[0]); i++) {
		if (!strcmp(name, roots[i]))
			return true;
	}
	return false;
}

static bool is_code(struct skep_namer *namer, const struct stack *stack, uint32_t i)
{
	const struct place place = place_at(namer, stack, i);
	struct skep_symbol symbol;

	look_up(namer, &place, &symbol);
	return symbol.name || (symbol.module && strcmp(symbol.module, "[heap]") &&
			       strcmp(symbol.module, "[stack]"));
}

/* Leave out the outermost addresses where no code is: they are what a register held that was no
 * frame pointer. Where even the innermost is none, nothing is known of the process. */
static bool cut_garbage(struct skep_namer *namer, struct stack *stack)
{
	uint32_t n = stack->n;

	while (n > 1 && !is_code(namer, stack, n - 1))
		n--;
	if (n == 1 && !is_code(namer, stack, 0))
		return true;
	bool is_cut = n < stack->n;
	stack->n = n;
	return is_cut;
}

/* Is there one that begins a thread? It need not be the outermost: those that are called without
 * a frame pointer to a caller that there is not have garbage outside of them. */
static bool cut_at_root(struct skep_namer *namer, struct stack *stack)
{
	for (uint32_t i = stack->n; i-- > 0 && i + ROOT_WITHIN >= stack->n;) {
		const struct place place = place_at(namer, stack, i);
		struct skep_symbol symbol;
		look_up(namer, &place, &symbol);
		if (!is_root(symbol.name))
			continue;
		stack->n = i + 1;
		return true;
	}
	return false;
}

/* Frame pointers do not tell where they end. */
static const char *why_pointers_end(struct skep_namer *namer, struct stack *stack)
{
	uint32_t n = stack->n;
	bool has_garbage = cut_garbage(namer, stack);
	if (cut_at_root(namer, stack))
		return NULL;
	if (has_garbage)
		return "an address where no code is";
	if (n >= namer->maps->program->stack_depth[true])
		return "deeper than there is room for";
	return "no frame pointer from here on";
}

/* All its frames were in code, also where nobody remembers by now what was mapped there. */
static const char *why_guess_ends(struct skep_namer *namer, struct stack *stack)
{
	if (cut_at_root(namer, stack) || !is_code(namer, stack, stack->n - 1))
		return NULL;
	return "no frame pointer from here on";
}

/* Why a user stack does not begin where its thread did; NULL: it does. */
static const char *why_broken(struct skep_namer *namer, struct stack *stack)
{
	enum skep_unwind_end end = namer->unwound.end;

	if (!stack->n)
		return "its stack was not taken";
	if (!namer->maps->program->unwinds)
		return why_pointers_end(namer, stack);
	if (end == SKEP_UNWIND_GUESSED)
		return why_guess_ends(namer, stack);
	return end == SKEP_UNWIND_ROOT ? NULL : skep_unwind_end_words(end);
}

static uint32_t add_broken(struct skep_namer *namer, uint32_t node, const char *why)
{
	char name[128];

	snprintf(name, sizeof(name), "[broken: %s]", why);
	return add_node(namer, node, name, "", SKEP_FRAME_BROKEN);
}

/* A thread of the kernel has no other half. Who has not asked for the kernel's cannot tell. */
static bool is_kernel_thread(struct skep_namer *namer, const struct skep_stacks *stacks)
{
	struct stack kernel = {.key = &stacks->kernel};
	struct skep_symbol symbol;

	if (!stacks->wants_kernel)
		return true;
	get(namer, &kernel);
	for (uint32_t i = kernel.first; i < kernel.n; i++) {
		const struct place place = place_at(namer, &kernel, i);
		look_up(namer, &place, &symbol);
		if (symbol.name &&
		    (!strcmp(symbol.name, "kthread") || !strncmp(symbol.name, "ret_from_fork", 13)))
			return true;
	}
	return false;
}

/* Who ends, or executes another program, has no user stack any more: nothing is missing. */
static uint32_t add_user(struct skep_namer *namer, struct stack *user, uint32_t node)
{
	get(namer, user);
	if (namer->maps->program->unwinds && namer->unwound.end == SKEP_UNWIND_GONE)
		return node;
	const char *why = why_broken(namer, user);
	if (why)
		node = add_broken(namer, node, why);
	merge(namer, user);
	return add_inwards(namer, user, node);
}

static struct skep_namer_losses difference(const struct skep_namer_losses *a,
					   const struct skep_namer_losses *b)
{
	return (struct skep_namer_losses){.n_unread = a->n_unread - b->n_unread,
					  .n_displaced = a->n_displaced - b->n_displaced,
					  .n_chainless = a->n_chainless - b->n_chainless};
}

/* The same stack of a process is the same node, whatever the kernel did below it. What it has lost
 * counts with each. */
static uint32_t add_user_once(struct skep_namer *namer, struct stack *user)
{
	const struct skep_namer_losses before = namer->lost;
	uint32_t id = user->key->stack_id, pid = user->key->pid, node;
	bool is_new;
	const struct skep_named *known =
		skep_named_find(&namer->named, SKEP_NAMED_STACK, id, pid, &is_new);

	if (known->is_asked) {
		namer->lost.n_unread += known->lost.n_unread;
		namer->lost.n_displaced += known->lost.n_displaced;
		namer->lost.n_chainless += known->lost.n_chainless;
		return known->at;
	}
	node = add_user(namer, user, 0);
	struct skep_named *named =
		skep_named_find(&namer->named, SKEP_NAMED_STACK, id, pid, &is_new);
	named->at = node;
	named->is_asked = true;
	named->lost = difference(&namer->lost, &before);
	return node;
}

void skep_namer_expect(struct skep_namer *namer, const struct skep_stacks *stacks)
{
	struct stack user = {.key = &stacks->user, .is_user = true};
	size_t n_read = namer->read.len;
	bool is_new;

	if (!stacks->wants_user || stacks->user.stack_id == UINT32_MAX)
		return;
	get(namer, &user);
	if (n_read == namer->read.len)
		return;
	for (uint32_t i = 0; i < user.n; i++) {
		const struct place place = place_at(namer, &user, i);
		slot_of(namer, &place, &is_new);
		if (!is_new)
			continue;
		skep_usyms_expect(namer->usyms, place.pid, place.addr);
		if (place.is_return)
			skep_usyms_expect(namer->usyms, place.pid, place.addr - 1);
	}
}

void skep_namer_settle(struct skep_namer *namer)
{
	skep_usyms_settle(namer->usyms);
}

uint32_t skep_namer_stacks(struct skep_namer *namer, const struct skep_stacks *stacks)
{
	struct stack user = {.key = &stacks->user, .is_user = true};
	struct stack kernel = {.key = &stacks->kernel};
	bool has_user = stacks->user.stack_id != UINT32_MAX;
	uint32_t node = 0;

	if (stacks->wants_user && has_user)
		node = add_user_once(namer, &user);
	else if (stacks->wants_user && !is_kernel_thread(namer, stacks))
		node = add_user(namer, &user, 0);
	get(namer, &kernel);
	if (stacks->wants_user && has_user && !node && !kernel.n &&
	    stacks->wants_kernel) /* lost: it cannot be empty */
		node = add_broken(namer, node, "its stack was not taken");
	return add_inwards(namer, &kernel, node);
}

uint32_t skep_namer_waker(struct skep_namer *namer, const struct skep_stacks *stacks,
			  const char *comm, uint32_t node)
{
	struct stack user = {.key = &stacks->user, .is_user = true};
	struct stack kernel = {.key = &stacks->kernel};
	char name[64];

	snprintf(name, sizeof(name), "[woken by %s]", comm);
	node = add_node(namer, node, name, "", SKEP_FRAME_THREAD);
	get(namer, &kernel);
	node = add_outwards(namer, &kernel, node);
	get(namer, &user);
	merge(namer, &user);
	return add_outwards(namer, &user, node);
}
