/* Whole maps: "@x[key]: value" lines, or one object of JSON. */
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/json.h"
#include "trace/run/output_impl.h"

static bool is_hist(const struct skep_type *type)
{
	return type->kind == SKEP_T_HIST || type->kind == SKEP_T_LHIST;
}

static void print(struct skep_printer *p, const struct skep_type *type, const void *at)
{
	struct skep_view view = skep_view_of(type, at, type->size);

	skep_print_value(p, &view);
}

/* A key of several values is shown without a tuple's parentheses. */
static void print_key(struct skep_printer *p, const struct skep_type *type, const void *key)
{
	size_t start = p->buf->len;

	print(p, type, key);
	if (type->kind != SKEP_T_TUPLE || type->fields[0].name)
		return;
	memmove(p->buf->data + start, p->buf->data + start + 1, p->buf->len - start - 2);
	p->buf->len -= 2;
	p->buf->data[p->buf->len] = '\0';
}

/* --- Text ------------------------------------------------------------------------------------ */

static void text_entry(struct skep_printer *p, const struct skep_trace_map *map,
		       const struct skep_map_entry *entry)
{
	uint32_t div = p->div;

	skep_buf_puts(p->buf, map->name);
	if (map->key) {
		skep_buf_addc(p->buf, '[');
		p->div = 0;
		print_key(p, map->key, entry->key);
		p->div = div;
		skep_buf_addc(p->buf, ']');
	}
	skep_buf_puts(p->buf, is_hist(map->value) ? ":\n" : ": ");
	print(p, map->value, entry->value);
	skep_buf_addc(p->buf, '\n');
}

/* --- JSON ------------------------------------------------------------------------------------- */

static const char *json_type(const struct skep_type *value)
{
	if (is_hist(value))
		return "hist";
	return value->kind == SKEP_T_AVG || value->kind == SKEP_T_STATS ? "stats" : "map";
}

/* Keys of objects are strings: the key as text, put in quotes. */
static void json_key(struct skep_output *out, const struct skep_trace_map *map,
		     const struct skep_map_entry *entry, struct skep_buf *buf)
{
	_cleanup_buf_ struct skep_buf text = {0};
	struct skep_printer p = {.out = out, .buf = &text, .style = SKEP_STYLE_KEY};

	print_key(&p, map->key, entry->key);
	skep_json_string(buf, text.data ? text.data : "", text.len);
}

static void json_entries(struct skep_printer *p, const struct skep_trace_map *map,
			 const struct skep_map_entry *entries, size_t n)
{
	if (!map->key) {
		print(p, map->value, entries[0].value);
		return;
	}
	skep_buf_addc(p->buf, '{');
	for (size_t i = 0; i < n; i++) {
		if (i)
			skep_buf_puts(p->buf, ", ");
		json_key(p->out, map, &entries[i], p->buf);
		skep_buf_puts(p->buf, ": ");
		print(p, map->value, entries[i].value);
	}
	skep_buf_addc(p->buf, '}');
}

static void json_map(struct skep_printer *p, const struct skep_trace_map *map,
		     const struct skep_map_entry *entries, size_t n)
{
	skep_buf_puts(p->buf, "{\"type\": \"");
	skep_buf_puts(p->buf, json_type(map->value));
	skep_buf_puts(p->buf, "\", \"data\": {");
	skep_json_string(p->buf, map->name, strlen(map->name));
	skep_buf_puts(p->buf, ": ");
	json_entries(p, map, entries, n);
	skep_buf_puts(p->buf, "}}\n");
}

void skep_output_map(struct skep_output *out, const struct skep_trace_map *map,
		     struct skep_map_entry *entries, size_t n, uint32_t top, uint32_t div,
		     struct skep_buf *buf)
{
	struct skep_printer p = {.out = out, .buf = buf, .div = div};

	if (!n)
		return;
	skep_sort_entries(map, entries, n);
	if (top && n > top) {
		entries += n - top;
		n = top;
	}
	if (out->json) {
		p.style = SKEP_STYLE_JSON;
		json_map(&p, map, entries, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		text_entry(&p, map, &entries[i]);
}

void skep_output_map_unset(struct skep_output *out, const struct skep_trace_map *map,
			   struct skep_buf *buf)
{
	_cleanup_free_ void *zero = skep_xcalloc(1, map->value->size + 1);
	struct skep_map_entry entry = {.value = zero};

	if (!map->key && !is_hist(map->value))
		skep_output_map(out, map, &entry, 1, 0, 0, buf);
}
