/* Names and labels, see metrics.h. */
#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "sink/metrics_impl.h"

void skep_labels_add(struct skep_labels *labels, const char *name, const char *value, size_t len)
{
	if (labels->n < SKEP_LABELS_MOST)
		labels->items[labels->n++] = (struct skep_label){name, value, len};
}

void skep_label_pieces(const struct skep_label *label,
		       void (*add)(struct skep_buf *buf, const char *piece, size_t len),
		       struct skep_buf *buf)
{
	size_t left = label->len, room = SKEP_LABEL_BYTES_MOST;

	for (const char *at = label->value; left;) {
		size_t valid = skep_utf8_len(at, left), step = valid ? valid : 1;
		const char *piece = valid && *at ? at : SKEP_UTF8_REPLACEMENT;
		size_t len = piece == at ? valid : strlen(SKEP_UTF8_REPLACEMENT);
		if (len > room)
			return;
		add(buf, piece, len);
		room -= len;
		at += step;
		left -= step;
	}
}

static void add_piece(struct skep_buf *buf, const char *piece, size_t len)
{
	skep_buf_add(buf, piece, len);
}

/* No value has a NUL in it: see above. */
void skep_labels_identity(const struct skep_labels *labels, struct skep_buf *buf)
{
	for (uint32_t i = 0; i < labels->n; i++) {
		skep_label_pieces(&labels->items[i], add_piece, buf);
		skep_buf_addc(buf, '\0');
	}
}

static bool may_be_in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

void skep_metric_name_add(struct skep_buf *buf, const char *text)
{
	if (isdigit((unsigned char)*text) && !buf->len)
		skep_buf_addc(buf, '_');
	for (; *text; text++)
		skep_buf_addc(buf, may_be_in_name(*text) ? *text : '_');
}

bool skep_label_name_is_valid(const char *name)
{
	if (!*name || isdigit((unsigned char)*name) || !strncmp(name, "__", 2))
		return false;
	while (may_be_in_name(*name))
		name++;
	return !*name;
}
