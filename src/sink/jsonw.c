/* Building JSON, see jsonw.h. */
#include "sink/jsonw.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "sink/number.h"

static uint64_t level(const struct skep_jsonw *w)
{
	return w->depth ? 1ull << (w->depth - 1) : 0;
}

/* The comma before an item, if it is not the first; a value behind its key needs none. */
static void separate(struct skep_jsonw *w)
{
	uint64_t bit = level(w);

	if (!w->after_key && w->has_items & bit)
		skep_buf_puts(w->buf, w->is_array & bit ? "," : ", ");
	w->has_items |= bit;
	w->after_key = false;
}

void skep_jsonw_open(struct skep_jsonw *w, char bracket)
{
	assert(w->depth < SKEP_JSONW_DEPTH);
	separate(w);
	w->depth++;
	w->has_items &= ~level(w);
	w->is_array &= ~level(w);
	if (bracket == '[')
		w->is_array |= level(w);
	skep_buf_addc(w->buf, bracket);
}

void skep_jsonw_close(struct skep_jsonw *w)
{
	assert(w->depth);
	skep_buf_addc(w->buf, w->is_array & level(w) ? ']' : '}');
	w->depth--;
}

void skep_jsonw_key(struct skep_jsonw *w, const char *key)
{
	separate(w);
	skep_json_string(w->buf, key, strlen(key));
	skep_buf_puts(w->buf, ": ");
	w->after_key = true;
}

void skep_jsonw_bytes(struct skep_jsonw *w, const char *text, size_t len)
{
	separate(w);
	skep_json_string(w->buf, text, len);
}

void skep_jsonw_string(struct skep_jsonw *w, const char *text)
{
	skep_jsonw_bytes(w, text, strlen(text));
}

void skep_jsonw_u64(struct skep_jsonw *w, uint64_t value)
{
	separate(w);
	skep_sink_json_u64(w->buf, value);
}

void skep_jsonw_s64(struct skep_jsonw *w, int64_t value)
{
	separate(w);
	skep_sink_json_s64(w->buf, value);
}

void skep_jsonw_bool(struct skep_jsonw *w, bool value)
{
	separate(w);
	skep_buf_puts(w->buf, value ? "true" : "false");
}

void skep_jsonw_item(struct skep_jsonw *w)
{
	separate(w);
}

void skep_jsonw_null(struct skep_jsonw *w)
{
	separate(w);
	skep_buf_puts(w->buf, "null");
}
