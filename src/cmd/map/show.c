/* Maps and their entries as text or JSON: see show.h. */
#include "cmd/map/show.h"

#include <stdio.h>
#include <string.h>

#include <skep/map.h>

#include "base/json.h"

#define FLUSH_BYTES (64u << 10)

void map_info_json(const struct bpf_map_info *info, const char *name, struct skep_jsonw *w)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"id", info->id},
		{"key_bytes", info->key_size},
		{"value_bytes", info->value_size},
		{"max_entries", info->max_entries},
		{"flags", info->map_flags},
		{"btf_id", info->btf_id},
	};

	skep_jsonw_open(w, '{');
	skep_jsonw_key(w, "type"), skep_jsonw_string(w, "map");
	skep_jsonw_key(w, "name"), skep_jsonw_string(w, name);
	skep_jsonw_key(w, "map_type"), skep_jsonw_string(w, skep_map_type_name(info->type));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		skep_jsonw_key(w, numbers[i].key), skep_jsonw_u64(w, numbers[i].value);
	skep_jsonw_close(w);
	skep_buf_addc(w->buf, '\n');
}

void map_show_entry(const struct map_show *show, const struct skep_view *view)
{
	struct skep_buf *out = show->out;

	if (show->json) {
		skep_buf_puts(out, "{\"type\": \"entry\", \"map\": ");
		skep_json_string(out, view->info.name, strlen(view->info.name));
		skep_buf_puts(out, ", \"key\": ");
		skep_view_key_text(view, true, out);
		skep_buf_puts(out, view->n_cpus > 1 ? ", \"values\": " : ", \"value\": ");
		skep_view_value_text(view, true, out);
		skep_buf_puts(out, "}\n");
		return;
	}
	skep_buf_puts(out, "  ");
	if (!skep_view_is_variables(view)) {
		skep_view_key_text(view, false, out);
		skep_buf_puts(out, ": ");
	}
	skep_view_value_text(view, false, out);
	skep_buf_addc(out, '\n');
}

/* All elements of these are there from the start. */
static bool is_array(const struct skep_view *view)
{
	return view->info.type == SKEP_MAP_ARRAY || view->info.type == SKEP_MAP_PERCPU_ARRAY;
}

static void flush(const struct map_show *show)
{
	if (!show->flush || show->out->len < FLUSH_BYTES)
		return;
	fwrite(show->out->data, 1, show->out->len, stdout);
	skep_buf_clear(show->out);
}

int64_t map_show(const struct map_show *show, struct skep_view *view)
{
	bool zeros = show->skip_zeros && is_array(view) && view->info.max_entries > 1;
	uint64_t n = 0, shown = 0, zero = 0;
	int got;

	if (!show->json)
		skep_buf_printf(show->out, "%s (%s, at most %u)\n", view->info.name,
				skep_map_type_name(view->info.type), view->info.max_entries);
	while ((got = skep_view_next(view)) > 0) {
		n++;
		if (zeros && skep_view_is_zero(view)) {
			zero++;
			continue;
		}
		if (!show->most || shown < show->most)
			map_show_entry(show, view);
		shown++;
		flush(show);
	}
	if (!show->json && show->most && shown > show->most)
		skep_buf_printf(show->out, "  … and %llu more; --json shows all\n",
				(unsigned long long)(shown - show->most));
	if (!show->json && zero)
		skep_buf_printf(show->out, "  (%llu are zero)\n", (unsigned long long)zero);
	if (!show->json && !n && got >= 0)
		skep_buf_puts(show->out, "  (empty)\n");
	return got < 0 ? got : (int64_t)n;
}
