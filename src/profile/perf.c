/*
 * What perf script prints: a head, then a line a frame from the innermost outwards, then
 * an empty line, without which the frames may not be all. A head's fields are perf script's
 * -F, so that there are many forms:
 *
 *	V8 Worker 24636/25607 [000] 4794564.109216:     104345 cycles:
 *	    ffffffff8103ce3b native_safe_halt+0x6 ([kernel.kallsyms])
 *	          7f722d1427 Interpreter (/tmp/perf-24636.map)
 *
 * Of several events the first is taken, the others are counted as lost: cycles and page
 * faults do not add up. Where nothing was said of stacks, a line is a sample with its one frame.
 *
 * Source: output of perf 3.x to 6.x; names are made as FlameGraph's stackcollapse-perf.pl does.
 */
#include <errno.h>
#include <string.h>

#include <skep/diag.h>

#include "base/buf.h"
#include "base/vec.h"
#include "profile/format_impl.h"
#include "profile/text.h"

#define SNIFF_BYTES (64U << 10)

static const char anonymous[] = "(anonymous namespace)";

struct reading {
	struct skep_profile *profile;
	struct skep_profile_sample sample; /* that is read */
	enum { NO_SAMPLE, SAMPLE, OTHER_SAMPLE } state;
	SKEP_VEC(uint32_t) stack; /* its frames, from the innermost outwards */
	skep_profile_str event;   /* 0: none was named yet */
	struct skep_buf name;     /* scratch */
	bool is_java;
	uint64_t n_samples, n_others, n_strange, n_headless, n_periods;
};

/* --- A sample's head ------------------------------------------------------------------------ */

struct head {
	struct skep_span_text comm, event; /* empty: not told */
	uint32_t pid, tid;
	uint64_t period;            /* 0: not told */
	struct skep_span_text rest; /* what is behind the event */
};

/* Digits as a number that ends where they do; more than 64 bits hold: the most they hold. */
static uint64_t cut_number(struct skep_span_text *text)
{
	uint64_t value = 0;

	for (; text->at < text->end && skep_char_is_digit(*text->at); text->at++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text->at - '0'), &value))
			value = UINT64_MAX;
	}
	return value;
}

static void skip_blanks(struct skep_span_text *text)
{
	while (text->at < text->end && skep_char_is_blank(*text->at))
		text->at++;
}

/* The next word of @text; empty: there is none. */
static struct skep_span_text cut_word(struct skep_span_text *text)
{
	skip_blanks(text);
	struct skep_span_text word = {text->at, text->at};
	while (word.end < text->end && !skep_char_is_blank(*word.end))
		word.end++;
	text->at = word.end;
	return word;
}

static uint32_t id_of(uint64_t number)
{
	return number <= UINT32_MAX ? (uint32_t)number : 0;
}

/* Cut "25607 " or "24636/25607 " off the front of @rest: one number is a thread. */
static bool cut_ids(struct skep_span_text *rest, struct head *ret)
{
	struct skep_span_text word = cut_word(rest);
	uint64_t first, second = 0;

	if (word.at == word.end || !skep_char_is_digit(*word.at))
		return false;
	first = cut_number(&word);
	if (word.at < word.end && *word.at == '/') {
		word.at++;
		second = cut_number(&word);
	}
	if (word.at < word.end || rest->at == rest->end)
		return false;
	ret->pid = second ? id_of(first) : 0;
	ret->tid = id_of(second ? second : first);
	return true;
}

/* "4794564.109216:" */
static bool is_time(struct skep_span_text word)
{
	size_t whole = skep_span_len(word);

	cut_number(&word);
	if (skep_span_len(word) == whole || word.at == word.end || *word.at++ != '.')
		return false;
	cut_number(&word);
	return skep_span_len(word) == 1 && *word.at == ':';
}

/* "[003]" */
static bool is_cpu(struct skep_span_text word)
{
	return skep_span_starts(word, "[") && skep_span_ends(word, "]") && word.end - word.at > 2 &&
	       skep_char_is_digit(word.at[1]);
}

/* Do the ids before it stand in a head, for sure? It has a CPU and a time, unless perf script is
 * told otherwise. */
static bool is_certain(struct skep_span_text rest)
{
	struct skep_span_text word = cut_word(&rest);

	return is_cpu(word) || is_time(word);
}

/* Names have blanks and numbers in them, or are missing: first ids that are certain count, then
 * the first that are behind a name. */
static bool parse_whose(struct skep_span_text line, bool must_be_certain, struct head *ret)
{
	for (const char *at = line.at; at < line.end; at++) {
		struct skep_span_text rest = {at, line.end};
		bool is_first = at == line.at;
		if (!is_first && (!skep_char_is_blank(*at) || skep_char_is_blank(at[-1])))
			continue;
		if (!cut_ids(&rest, ret))
			continue;
		if (must_be_certain ? !is_certain(rest) : is_first)
			continue;
		ret->comm = (struct skep_span_text){line.at, at};
		ret->rest = rest;
		return true;
	}
	return false;
}

/* What is no number is none: 0. */
static uint64_t whole_number(struct skep_span_text word)
{
	uint64_t number = cut_number(&word);

	return word.at == word.end ? number : 0;
}

/* "[000] 4794564.109216:     104345 cycles:u: …": the first word with a colon behind it that is no
 * time; the number before it is the period. */
static void parse_event(struct head *head)
{
	struct skep_span_text rest = head->rest, number = {0}, word;

	while (word = cut_word(&rest), word.at < word.end) {
		bool is_event = skep_span_len(word) > 1 && word.end[-1] == ':' && !is_time(word);
		if (is_event) {
			head->event = (struct skep_span_text){word.at, word.end - 1};
			head->period = whole_number(number);
			head->rest = rest;
			return;
		}
		number = word;
	}
}

/* Without ids it is "java cycles:", or "cycles:". */
static bool parse_bare(struct skep_span_text line, struct head *ret)
{
	const char *at = line.end;

	if (skep_char_is_blank(*line.at) || !skep_span_ends(line, ":"))
		return false;
	while (at > line.at && !skep_char_is_blank(at[-1]))
		at--;
	if (line.end - at < 2)
		return false;
	ret->event = (struct skep_span_text){at, line.end - 1};
	while (at > line.at && skep_char_is_blank(at[-1]))
		at--;
	ret->comm = (struct skep_span_text){line.at, at};
	return true;
}

static bool parse_head(struct skep_span_text line, bool must_be_certain, struct head *ret)
{
	*ret = (struct head){.rest = {line.end, line.end}};
	if (!must_be_certain && skep_char_is_blank(*line.at))
		return false;
	if (!parse_whose(line, must_be_certain, ret))
		return !must_be_certain && parse_bare(line, ret);
	skip_blanks(&ret->comm); /* a name may be put to the right */
	parse_event(ret);
	return true;
}

/* --- A frame -------------------------------------------------------------------------------- */

static uint8_t kind_of(struct skep_span_text module)
{
	bool unknown = skep_span_find(module, "unknown");

	if (skep_span_starts(module, "inlined"))
		return SKEP_FRAME_INLINE;
	if (skep_span_starts(module, "/tmp/perf-") && skep_span_ends(module, ".map"))
		return SKEP_FRAME_JIT;
	if (!unknown && (skep_span_starts(module, "[") || skep_span_ends(module, "vmlinux")))
		return SKEP_FRAME_KERNEL;
	return SKEP_FRAME_USER;
}

/* The end of @name before its parameters: "f(int)" is f, "(anonymous namespace)::f" and the
 * "(*T)" of Go's methods are names. */
static const char *without_parameters(struct skep_span_text name)
{
	const char *method = skep_span_find(name, ".(");

	if (method && skep_span_find((struct skep_span_text){method, name.end}, ")."))
		return name.end;
	for (struct skep_span_text rest = name; rest.at < rest.end; rest.at++) {
		if (*rest.at == '(' && !skep_span_starts(rest, anonymous))
			return rest.at;
	}
	return name.end;
}

static skep_profile_str tidy(struct reading *r, struct skep_span_text name)
{
	name.end = without_parameters(name);
	skep_buf_clear(&r->name);
	for (const char *at = name.at; at < name.end; at++) {
		if (*at != '"' && *at != '\'')
			skep_buf_addc(&r->name, *at);
	}
	/* Classes of Java: "Ljava/io/File;::read". */
	size_t skipped = r->is_java && r->name.len && r->name.data[0] == 'L' &&
			 memchr(r->name.data, '/', r->name.len);
	return skep_profile_string(r->profile, r->name.len ? r->name.data + skipped : "",
				   r->name.len - skipped);
}

/* A function that perf does not know is named by its file. */
static skep_profile_str unknown(struct reading *r, struct skep_span_text module)
{
	const char *slash = memrchr(module.at, '/', skep_span_len(module));

	if (slash)
		module.at = slash + 1;
	if (skep_span_starts(module, "[unknown]"))
		return skep_profile_text(r->profile, "[unknown]");
	skep_buf_clear(&r->name);
	skep_buf_printf(&r->name, "[%.*s]", (int)skep_span_len(module), module.at);
	return skep_profile_string(r->profile, r->name.data, r->name.len);
}

/* Looks no further than it is, since it is looked for again behind it. */
static const char *find_arrow(struct skep_span_text name)
{
	const char *at = memchr(name.at, '-', skep_span_len(name));

	while (at && !(at + 1 < name.end && at[1] == '>'))
		at = memchr(at + 1, '-', (size_t)(name.end - at - 1));
	return at;
}

/* Where the name of what is inlined into @name begins, "->" before it; NULL: nothing is. Operators
 * of C++ have such arrows in their names. */
static const char *inlined(struct skep_span_text name)
{
	static const char operator[] = "operator";
	const char *arrow = find_arrow(name);

	if (!arrow || arrow + 2 == name.end ||
	    skep_span_ends((struct skep_span_text){name.at, arrow}, operator))
		return NULL;
	return arrow;
}

/* Frames are pushed from the innermost outwards, names come the other way round. */
static void push_frames(struct reading *r, struct skep_profile_frame *frame,
			struct skep_span_text name)
{
	size_t first = r->stack.len;
	const char *arrow;

	do {
		arrow = inlined(name);
		struct skep_span_text one = {name.at, arrow ? arrow : name.end};
		if (!frame->name)
			frame->name = tidy(r, one);
		skep_vec_push(&r->stack, skep_profile_frame(r->profile, frame));
		frame->kind = SKEP_FRAME_INLINE;
		frame->name = 0;
		name.at = arrow ? arrow + 2 : name.end;
	} while (arrow && r->stack.len <= SKEP_PROFILE_FILE_MOST_NODES);
	for (size_t a = first, b = r->stack.len - 1; a < b; a++, b--) {
		uint32_t kept = r->stack.data[a];
		r->stack.data[a] = r->stack.data[b];
		r->stack.data[b] = kept;
	}
}

static int hex_digit(char c)
{
	if (skep_char_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint64_t cut_hex(struct skep_span_text *text)
{
	uint64_t value = 0;

	for (; text->at < text->end && hex_digit(*text->at) >= 0; text->at++)
		value = value << 4 | (uint64_t)hex_digit(*text->at);
	return value;
}

/* "name+0x6" without what is behind the name. */
static void cut_offset(struct skep_span_text *name)
{
	const char *at = name->end;

	while (at > name->at && hex_digit(at[-1]) >= 0)
		at--;
	if (at < name->end && at - name->at > 3 && !memcmp(at - 3, "+0x", 3))
		name->end = at - 3;
}

/* Behind the bracket that @close is the other one of, as "(/lib/x.so (deleted))" has it; of those
 * that have no other, behind the last that has a blank before it. NULL: there is none. */
static const char *opening(struct skep_span_text line, const char *close)
{
	const char *last = NULL;
	size_t depth = 0;

	for (const char *at = close; at - line.at >= 1; at--) {
		depth += *at == ')';
		if (*at != '(')
			continue;
		if (at[-1] == ' ' && depth <= 1)
			return at + 1;
		if (at[-1] == ' ' && !last)
			last = at + 1;
		depth -= depth > 0;
	}
	return last;
}

/* Cut " (module)" off the end of @line. */
static bool cut_module(struct skep_span_text *line, struct skep_span_text *ret)
{
	const char *close = memrchr(line->at, ')', skep_span_len(*line));
	const char *at = close ? opening(*line, close) : NULL;

	if (!at)
		return false;
	*ret = (struct skep_span_text){at, close};
	line->end = at - 2;
	return true;
}

/* "    ffffffff8103ce3b native_safe_halt+0x6 ([kernel.kallsyms])": is it a frame's line? */
static bool parse_frame(struct skep_span_text line, uint64_t *ret_pc,
			struct skep_span_text *ret_name, struct skep_span_text *ret_module)
{
	skip_blanks(&line);
	if (line.at == line.end || hex_digit(*line.at) < 0)
		return false;
	*ret_pc = cut_hex(&line);
	if (line.at == line.end || !skep_char_is_blank(*line.at) || !cut_module(&line, ret_module))
		return false;
	skip_blanks(&line);
	cut_offset(&line);
	*ret_name = line;
	return true;
}

/* perf names the process like that. */
static bool is_process(struct skep_span_text name)
{
	return skep_span_starts(name, "(") && !skep_span_starts(name, anonymous);
}

static bool read_frame(struct reading *r, struct skep_span_text line)
{
	struct skep_profile_frame frame = {0};
	struct skep_span_text name, module;
	uint64_t pc;

	if (!parse_frame(line, &pc, &name, &module))
		return false;
	if (r->state == NO_SAMPLE) {
		r->sample = (struct skep_profile_sample){.values = {1}};
		r->state = SAMPLE;
		r->n_headless++;
	}
	if (r->state == OTHER_SAMPLE || is_process(name))
		return true;
	frame.kind = kind_of(module);
	if (frame.kind != SKEP_FRAME_INLINE) /* for that it says "inlined" */
		frame.module = skep_profile_string(r->profile, module.at, skep_span_len(module));
	if (name.at == name.end || skep_span_starts(name, "[unknown]")) {
		frame.name = unknown(r, module);
		frame.addr = pc;
	}
	push_frames(r, &frame, name);
	return true;
}

/* --- The whole ------------------------------------------------------------------------------ */

static void end_sample(struct reading *r)
{
	uint32_t node = 0;

	if (r->state == SAMPLE) {
		for (size_t i = r->stack.len; i-- > 0;)
			node = skep_profile_node(r->profile, node, r->stack.data[i]);
		r->sample.node = node;
		skep_profile_add(r->profile, &r->sample);
		r->n_samples++;
	}
	r->state = NO_SAMPLE;
	r->stack.len = 0;
}

static void take_head(struct reading *r, const struct head *head)
{
	struct skep_profile *p = r->profile;
	size_t event_len = skep_span_len(head->event);
	skep_profile_str event = event_len ? skep_profile_string(p, head->event.at, event_len) : 0;

	/* Of samples that have no frames, one follows on the other. */
	end_sample(r);
	if (!r->event)
		r->event = event;
	r->state = !event || event == r->event ? SAMPLE : OTHER_SAMPLE;
	r->n_others += r->state == OTHER_SAMPLE;
	r->n_periods += r->state == SAMPLE && head->period;
	r->sample = (struct skep_profile_sample){.pid = head->pid, .tid = head->tid};
	r->sample.comm = skep_profile_string(p, head->comm.at, skep_span_len(head->comm));
	r->sample.values[0] = head->period > INT64_MAX ? INT64_MAX
			      : head->period           ? (int64_t)head->period
						       : 1;
	r->is_java = skep_span_starts(head->comm, "java");
}

/* Without stacks, a sample is a line that has its one frame at the end. */
static bool read_head(struct reading *r, struct skep_span_text line, bool must_be_certain)
{
	struct head head;

	if (!parse_head(line, must_be_certain, &head))
		return false;
	take_head(r, &head);
	if (skep_span_ends(head.rest, ")") && read_frame(r, head.rest))
		end_sample(r);
	return true;
}

/* Frames stand to the right, heads begin at the left, unless names are put to the right. */
static void read_line(struct reading *r, struct skep_span_text line)
{
	bool is_comment = line.at < line.end && *line.at == '#';

	if (line.at == line.end)
		end_sample(r);
	else if (!read_head(r, line, true) && !is_comment && !read_head(r, line, false) &&
		 !read_frame(r, line))
		r->n_strange++;
}

/* Of these the period is a time. */
static bool is_clock(const char *event)
{
	static const char *const clocks[] = {"cpu-clock", "task-clock"};

	for (unsigned i = 0; i < sizeof(clocks) / sizeof(*clocks); i++) {
		size_t n = strlen(clocks[i]);
		if (!strncmp(event, clocks[i], n) && (!event[n] || event[n] == ':'))
			return true;
	}
	return false;
}

/* The type is named when the event is known: after the samples, so not by add_type(). */
static void name_type(struct reading *r)
{
	struct skep_profile *profile = r->profile;

	if (!r->event)
		return;
	profile->types[0].name = r->event;
	if (r->n_periods == r->n_samples && is_clock(profile->strings[r->event]))
		profile->types[0].unit = skep_profile_text(profile, "nanoseconds");
}

static int finish(struct reading *r, const char *name, struct skep_diag *diag)
{
	struct skep_profile *profile = r->profile;

	if (!r->n_samples)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_PROFILE_UNKNOWN, SKEP_NOWHERE, name);
	name_type(r);
	if (r->state == SAMPLE)
		skep_profile_lose(profile, "samples that the file's end cuts off", 1);
	if (r->n_others)
		skep_profile_lose(profile, "samples of other events", r->n_others);
	if (r->n_headless)
		skep_profile_lose(profile, "heads of samples", r->n_headless);
	if (r->n_strange)
		skep_profile_lose(profile, "lines that are not perf script's", r->n_strange);
	return 0;
}

int skep_profile_read_perf(const struct skep_profile_bytes *bytes, struct skep_profile *ret,
			   struct skep_diag *diag)
{
	struct skep_span_text text = {bytes->data, bytes->data + bytes->len};
	struct reading r = {.profile = ret};
	int err = 0;

	skep_profile_add_type(ret, "samples", "count");
	while (!err && text.at < text.end) {
		read_line(&r, skep_span_cut_line(&text));
		err = skep_profile_check_size(ret, r.stack.len, bytes->name, diag);
	}
	if (!err)
		err = finish(&r, bytes->name, diag);
	skep_vec_done(&r.stack);
	skep_buf_done(&r.name);
	return err;
}

/* A line of a frame, or a head that is certain and ends with an event or a frame: not with a
 * number, as folded stacks do. */
static bool is_perf(struct skep_span_text line)
{
	struct skep_span_text name, module;
	struct head head;
	uint64_t pc;

	if (line.at == line.end)
		return false;
	if (skep_span_ends(line, ")") && parse_frame(line, &pc, &name, &module))
		return true;
	return parse_head(line, true, &head) && head.event.at < head.event.end &&
	       (head.rest.at == head.rest.end || skep_span_ends(line, ")"));
}

bool skep_profile_is_perf(const struct skep_profile_bytes *bytes)
{
	size_t n = bytes->len < SNIFF_BYTES ? bytes->len : SNIFF_BYTES;
	struct skep_span_text text = {bytes->data, bytes->data + n};

	while (text.at < text.end) {
		if (is_perf(skep_span_cut_line(&text)))
			return true;
	}
	return false;
}
