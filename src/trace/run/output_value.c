/*
 * One value of any type: a table says for each kind how it is written. Kinds
 * that are text give text, which becomes a string in JSON; the others write
 * themselves in the style asked for.
 *
 * Invariant: no byte outside the view is read, whatever it holds.
 */
#include <string.h>

#include <skep/btf.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/json.h"
#include "sink/hist.h"
#include "sink/number.h"
#include "trace/run/output_impl.h"

/* --- Views --------------------------------------------------------------------------------- */

struct skep_view skep_view_of(const struct skep_type *type, const void *at, size_t size)
{
	if (size < type->size)
		return (struct skep_view){.type = type};
	return (struct skep_view){.type = type, .at = at, .len = type->size};
}

static struct skep_view varying_arg(const struct skep_event_arg *arg, const uint8_t *data,
				    size_t size)
{
	struct skep_view view = {.type = arg->type, .is_bare = true};
	uint32_t place[2];

	memcpy(place, data + arg->off, sizeof(place));
	if (place[0] > size || place[1] > size - place[0])
		return view;
	view.at = data + place[0];
	view.len = place[1];
	return view;
}

struct skep_view skep_view_arg(const struct skep_event_arg *arg, const void *data, size_t size)
{
	size_t need = arg->is_varying ? 2 * sizeof(uint32_t) : arg->type->size;

	if (arg->off > size || need > size - arg->off)
		return (struct skep_view){.type = arg->type};
	if (arg->is_varying)
		return varying_arg(arg, data, size);
	return skep_view_of(arg->type, (const uint8_t *)data + arg->off, size - arg->off);
}

static uint64_t load(const uint8_t *at, uint32_t size, bool is_signed)
{
	uint64_t bits = 0;

	memcpy(&bits, at, size < 8 ? size : 8);
	if (!is_signed || size >= 8 || !size)
		return bits;
	unsigned shift = 64 - 8 * size;
	return (uint64_t)((int64_t)(bits << shift) >> shift);
}

uint64_t skep_view_int(const struct skep_view *view)
{
	return view->at ? load(view->at, view->len < 8 ? (uint32_t)view->len : 8,
			       view->type->is_signed)
			: 0;
}

static uint64_t word(const struct skep_view *view, size_t i)
{
	uint64_t bits = 0;

	if (view->at && 8 * i + 8 <= view->len)
		memcpy(&bits, view->at + 8 * i, 8);
	return bits;
}

const char *skep_view_bytes(const struct skep_view *view, size_t *ret_len)
{
	const char *bytes = (const char *)view->at;
	uint32_t used;

	*ret_len = 0;
	if (!bytes)
		return "";
	if (view->type->kind == SKEP_T_STRING) {
		*ret_len = strnlen(bytes, view->len);
		return bytes;
	}
	if (view->is_bare) {
		*ret_len = view->len;
		return bytes;
	}
	if (view->len < sizeof(used))
		return "";
	memcpy(&used, bytes, sizeof(used));
	*ret_len = used < view->len - sizeof(used) ? used : view->len - sizeof(used);
	return bytes + sizeof(used);
}

/*
 * Cut is what str() read and that fills its room but for the NUL, which the
 * kernel always puts; other types (comm, a literal, an array without a NUL) may
 * be full by right, and a length that the script asked for is no loss.
 */
bool skep_view_is_cut(const struct skep_output *out, const struct skep_view *view, size_t len)
{
	uint64_t read_most = out->program ? out->program->config.max_strlen : 0;
	uint32_t size = view->type->size;

	if (!view->at || view->type->is_explicit || !size)
		return false;
	return len + 1 == size && (size == read_most || size == read_most + 1);
}

/* --- Styles ----------------------------------------------------------------------------------- */

static bool is_json(const struct skep_printer *p)
{
	return p->style == SKEP_STYLE_JSON;
}

/* A blank that is there for looks. */
static void blank(const struct skep_printer *p)
{
	if (p->style == SKEP_STYLE_TEXT)
		skep_buf_addc(p->buf, ' ');
}

static void number(struct skep_printer *p, uint64_t bits, bool is_signed)
{
	int64_t div = p->div ? p->div : 1;
	int64_t value = (int64_t)bits;

	if (is_signed && is_json(p))
		skep_sink_json_s64(p->buf, value / div);
	else if (is_signed)
		skep_sink_s64(p->buf, value / div);
	else if (is_json(p))
		skep_sink_json_u64(p->buf, bits / (uint64_t)div);
	else
		skep_sink_u64(p->buf, bits / (uint64_t)div);
}

/* --- Numbers --------------------------------------------------------------------------------- */

static void print_none(struct skep_printer *p, const struct skep_view *view)
{
	skep_buf_puts(p->buf, "null");
}

static const char *script_name(const struct skep_enum *named, uint64_t mask, uint64_t value)
{
	for (uint32_t i = 0; i < named->n; i++) {
		if ((((uint64_t)named->values[i].value ^ value) & mask) == 0)
			return named->values[i].name;
	}
	return NULL;
}

const char *skep_enum_name(struct skep_output *out, const struct skep_type *type, uint64_t value)
{
	const struct skep_btf *btf = out->program->types.btf;
	uint64_t mask = type->size < 8 ? (1ull << (8 * type->size)) - 1 : UINT64_MAX;

	if (type->enum_script)
		return script_name(type->enum_script, mask, value);
	for (uint32_t i = 0; btf && i < skep_btf_n_members(btf, type->enum_btf); i++) {
		const char *name;
		int64_t known;
		if (!skep_btf_enumerator(btf, type->enum_btf, i, &name, &known) &&
		    (((uint64_t)known ^ value) & mask) == 0)
			return name;
	}
	return NULL;
}

static void print_int(struct skep_printer *p, const struct skep_view *view)
{
	uint64_t value = skep_view_int(view);

	if (view->type->is_bool) {
		skep_buf_puts(p->buf, value ? "true" : "false");
		return;
	}
	if (skep_type_is_enum(view->type) && !is_json(p)) {
		const char *name = skep_enum_name(p->out, view->type, value);
		if (name) {
			skep_buf_puts(p->buf, name);
			return;
		}
	}
	number(p, value, view->type->is_signed);
}

static void print_ptr(struct skep_printer *p, const struct skep_view *view)
{
	if (is_json(p)) {
		skep_sink_json_u64(p->buf, skep_view_int(view));
		return;
	}
	skep_buf_add(p->buf, "0x", 2);
	skep_sink_hex(p->buf, skep_view_int(view));
}

static void print_word(struct skep_printer *p, const struct skep_view *view)
{
	number(p, word(view, 0), view->type->is_signed);
}

uint64_t skep_average(const struct skep_type *type, uint64_t total, uint64_t count)
{
	if (!count)
		return 0;
	if (!type->is_signed)
		return total / count;
	/* One overflow there is: the least number by -1. */
	return count == UINT64_MAX ? -total : (uint64_t)((int64_t)total / (int64_t)count);
}

static void print_avg(struct skep_printer *p, const struct skep_view *view)
{
	number(p, skep_average(view->type, word(view, 0), word(view, 1)), view->type->is_signed);
}

/* --- Text and bytes -------------------------------------------------------------------------- */

static void text_string(struct skep_printer *p, const struct skep_view *view)
{
	size_t len;
	const char *text = skep_view_bytes(view, &len);

	skep_buf_add(p->buf, text, len);
	if (skep_view_is_cut(p->out, view, len)) {
		skep_buf_puts(p->buf, p->out->program->config.str_trunc_trailer);
		p->out->strings_cut++;
	}
}

static void add_hex_byte(struct skep_buf *buf, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";

	skep_buf_addc(buf, digits[byte >> 4]);
	skep_buf_addc(buf, digits[byte & 15]);
}

void skep_print_bytes(struct skep_buf *buf, const char *bytes, size_t len, bool escape_all,
		      bool spaced)
{
	skep_buf_reserve(buf, 4 * len);
	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)bytes[i];
		if (!escape_all && byte >= 32 && byte <= 126) {
			skep_buf_addc(buf, (char)byte);
			continue;
		}
		if (!spaced)
			skep_buf_add(buf, "\\x", 2);
		else if (i)
			skep_buf_addc(buf, ' ');
		add_hex_byte(buf, byte);
	}
}

/* In JSON an array of numbers; as char is signed there, so are they. */
static void print_buffer(struct skep_printer *p, const struct skep_view *view)
{
	size_t len;
	const char *bytes = skep_view_bytes(view, &len);

	if (!is_json(p)) {
		skep_print_bytes(p->buf, bytes, len, false, false);
		return;
	}
	skep_buf_addc(p->buf, '[');
	for (size_t i = 0; i < len; i++) {
		if (i)
			skep_buf_addc(p->buf, ',');
		skep_sink_s64(p->buf, (signed char)bytes[i]);
	}
	skep_buf_addc(p->buf, ']');
}

/* --- Made of others -------------------------------------------------------------------------- */

static struct skep_view part(const struct skep_view *view, const struct skep_type *type, size_t off)
{
	if (!view->at || off > view->len)
		return (struct skep_view){.type = type};
	return skep_view_of(type, view->at + off, view->len - off);
}

static void print_array(struct skep_printer *p, const struct skep_view *view)
{
	const struct skep_type *elem = view->type->elem;

	skep_buf_addc(p->buf, '[');
	for (uint32_t i = 0; elem && i < view->type->n; i++) {
		struct skep_view at = part(view, elem, (size_t)i * elem->size);
		if (i)
			skep_buf_addc(p->buf, ',');
		skep_print_value(p, &at);
	}
	skep_buf_addc(p->buf, ']');
}

static bool is_named(const struct skep_type *tuple)
{
	return tuple->n && tuple->fields[0].name;
}

static void print_named(struct skep_printer *p, const struct skep_view *view)
{
	const struct skep_type *type = view->type;

	skep_print_open(p);
	for (uint32_t i = 0; i < type->n; i++) {
		struct skep_view at = part(view, type->fields[i].type, type->fields[i].off);
		skep_print_member(p, i, type->fields[i].name ? type->fields[i].name : "");
		skep_print_value(p, &at);
	}
	skep_print_close(p);
}

static void print_tuple(struct skep_printer *p, const struct skep_view *view)
{
	const struct skep_type *type = view->type;

	if (is_named(type)) {
		print_named(p, view);
		return;
	}
	skep_buf_addc(p->buf, is_json(p) ? '[' : '(');
	for (uint32_t i = 0; i < type->n; i++) {
		struct skep_view at = part(view, type->fields[i].type, type->fields[i].off);
		if (i) {
			skep_buf_addc(p->buf, ',');
			blank(p);
		}
		skep_print_value(p, &at);
	}
	skep_buf_addc(p->buf, is_json(p) ? ']' : ')');
}

/* { .m = 2, .n = 3 }, {.m=2,.n=3} in a key, {"m": 2, "n": 3} in JSON. */
void skep_print_open(struct skep_printer *p)
{
	skep_buf_addc(p->buf, '{');
	blank(p);
}

void skep_print_member(struct skep_printer *p, uint32_t i, const char *name)
{
	if (is_json(p)) {
		if (i)
			skep_buf_puts(p->buf, ", ");
		skep_json_string(p->buf, name, strlen(name));
		skep_buf_puts(p->buf, ": ");
		return;
	}
	if (i) {
		skep_buf_addc(p->buf, ',');
		blank(p);
	}
	skep_buf_addc(p->buf, '.');
	skep_buf_puts(p->buf, name);
	skep_buf_puts(p->buf, p->style == SKEP_STYLE_KEY ? "=" : " = ");
}

void skep_print_close(struct skep_printer *p)
{
	blank(p);
	skep_buf_addc(p->buf, '}');
}

static void print_stats(struct skep_printer *p, const struct skep_view *view)
{
	uint64_t total = word(view, 0), count = word(view, 1);
	bool is_signed = view->type->is_signed;
	uint32_t div = p->div;

	skep_print_open(p);
	skep_print_member(p, 0, "count");
	p->div = 0;
	number(p, count, is_signed);
	p->div = div;
	skep_print_member(p, 1, "average");
	number(p, skep_average(view->type, total, count), is_signed);
	p->div = 0;
	skep_print_member(p, 2, "total");
	number(p, total, is_signed);
	p->div = div;
	skep_print_close(p);
}

static void print_hist(struct skep_printer *p, const struct skep_view *view)
{
	const struct skep_type *type = view->type;
	size_t n = view->at ? view->len / 8 : 0;
	_cleanup_free_ uint64_t *counts = skep_xcalloc(n + 1, 8);

	if (n)
		memcpy(counts, view->at, n * 8);
	_cleanup_hist_ struct skep_hist hist =
		type->kind == SKEP_T_HIST ? skep_hist_log2(counts, n, type->hist_bits, p->div)
					  : skep_hist_linear(counts, n, type->lhist.min,
							     type->lhist.max, type->lhist.step);
	if (is_json(p))
		skep_hist_json(&hist, p->buf);
	else
		skep_hist_render(&hist, p->buf);
}

/* --- The table ------------------------------------------------------------------------------- */

static const struct kind {
	void (*print)(struct skep_printer *p, const struct skep_view *view);
	bool is_text; /* gives text, to be quoted in JSON */
} kinds[SKEP_T_N_KINDS] = {
	[SKEP_T_NONE] = {print_none},
	[SKEP_T_INT] = {print_int},
	[SKEP_T_PTR] = {print_ptr},
	[SKEP_T_STRING] = {text_string, true},
	[SKEP_T_BUFFER] = {print_buffer},
	[SKEP_T_ARRAY] = {print_array},
	[SKEP_T_RECORD] = {skep_print_record},
	[SKEP_T_TUPLE] = {print_tuple},
	[SKEP_T_KSTACK] = {skep_text_stack, true},
	[SKEP_T_USTACK] = {skep_text_stack, true},
	[SKEP_T_KSYM] = {skep_text_ksym, true},
	[SKEP_T_USYM] = {skep_text_usym, true},
	[SKEP_T_USERNAME] = {skep_text_username, true},
	[SKEP_T_INET] = {skep_text_inet, true},
	[SKEP_T_MAC] = {skep_text_mac, true},
	[SKEP_T_TIMESTAMP] = {skep_text_timestamp, true},
	[SKEP_T_CGROUP_PATH] = {skep_text_cgroup_path, true},
	[SKEP_T_STRERROR] = {skep_text_strerror, true},
	[SKEP_T_SIGNAL] = {skep_text_signal, true},
	[SKEP_T_PROBE] = {skep_text_probe, true},
	[SKEP_T_COUNT] = {print_word},
	[SKEP_T_SUM] = {print_word},
	[SKEP_T_AVG] = {print_avg},
	[SKEP_T_MIN] = {print_word},
	[SKEP_T_MAX] = {print_word},
	[SKEP_T_STATS] = {print_stats},
	[SKEP_T_HIST] = {print_hist},
	[SKEP_T_LHIST] = {print_hist},
};

/* What the kind prints, quoted. Text never contains other values, so there is one scratch. */
static void print_quoted(struct skep_printer *p, const struct kind *kind,
			 const struct skep_view *view)
{
	struct skep_buf *scratch = &skep_output_state(p->out)->scratch;
	struct skep_printer as_text = {.out = p->out, .buf = scratch, .style = SKEP_STYLE_TEXT};

	skep_buf_clear(scratch);
	kind->print(&as_text, view);
	skep_json_string(p->buf, scratch->data ? scratch->data : "", scratch->len);
}

void skep_print_value(struct skep_printer *p, const struct skep_view *view)
{
	const struct kind *kind = &kinds[view->type->kind];

	if (!view->at && view->type->kind != SKEP_T_NONE) { /* the record was too short for it */
		skep_buf_puts(p->buf, is_json(p) ? "null" : "?");
		return;
	}
	if (p->depth >= SKEP_VALUE_DEPTH_MAX) {
		skep_buf_puts(p->buf, is_json(p) ? "null" : "...");
		return;
	}
	p->depth++;
	if (kind->is_text && is_json(p))
		print_quoted(p, kind, view);
	else
		kind->print(p, view);
	p->depth--;
}

void skep_output_value(struct skep_output *out, const struct skep_type *type, const void *value,
		       struct skep_buf *buf)
{
	struct skep_printer p = {
		.out = out, .buf = buf, .style = out->json ? SKEP_STYLE_JSON : SKEP_STYLE_TEXT};
	struct skep_view view = skep_view_of(type, value, type->size);

	skep_print_value(&p, &view);
}
