/*
 * The flame graph: one SVG that needs nothing else, and a page around it.
 *
 * In it are a picture of frames at least a pixel wide, for whoever shows pictures; the
 * whole profile as JSON; and a script (flame.js) that draws from that what there is room
 * for, again at each zoom. So the browser never has more elements than pixels show, and
 * a search still finds what is too narrow to be seen.
 *
 *	<svg>
 *	  <style>…</style> <title>…</title>
 *	  <g id="picture">…</g>
 *	  <script type="application/json" id="profile">…</script>
 *	  <script>…</script>
 *	</svg>
 *
 * The JSON lists names, modules and frames, then nodes from callers to callees, depth first:
 * of each its frame, its depth, and what it weighs itself.
 *
 * Names are a stranger's: as text they are escaped for XML, as JSON for XML, too.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/utf8.h"
#include "profile/flame.h"
#include "profile/report.h"
#include "sink/jsonw.h"
#include "sink/number.h"

#define WIDTH       1200.0
#define MARGIN      10.0
#define HEAD        44.0 /* above the frames */
#define ROW         18.0
#define CHARACTER   7.23 /* width of one, 12 px high */
#define DEPTH_FLAME 40   /* what is deeper begins at the top, so that its beginning is in view */

struct drawing {
	const struct skep_profile_job *job;
	struct skep_profile shown;
	struct skep_profile_tree tree;
	struct skep_buf *buf;
	struct skep_buf json; /* before it is escaped */
	double all;
	uint32_t depth; /* of the deepest frame */
	double *left;   /* by depth: where the next frame begins, in weights; owned */
};

/* --- Text in XML ---------------------------------------------------------------------------- */

/* XML has no U+FFFE and U+FFFF, whatever escapes them. */
static bool is_no_character(const char *at, size_t len)
{
	return len == 3 && !memcmp(at, "\xef\xbf", 2) && (unsigned char)at[2] >= 0xbe;
}

static void add_xml_char(struct skep_buf *buf, const char *at, size_t len)
{
	if (!len || is_no_character(at, len))
		skep_buf_puts(buf, SKEP_UTF8_REPLACEMENT);
	else if (*at == '&')
		skep_buf_puts(buf, "&amp;");
	else if (*at == '<')
		skep_buf_puts(buf, "&lt;");
	else if (*at == '>')
		skep_buf_puts(buf, "&gt;");
	else if (*at == '"')
		skep_buf_puts(buf, "&quot;");
	else if ((unsigned char)*at < ' ' || *at == 0x7f)
		skep_buf_addc(buf, '?');
	else
		skep_buf_add(buf, at, len);
}

/* @most characters (0: all) of @text. */
static void add_xml(struct skep_buf *buf, const char *text, size_t most)
{
	const char *end = text + strlen(text);
	size_t n = 0;

	for (; text < end && (!most || n < most); n++) {
		size_t len = skep_utf8_len(text, (size_t)(end - text));
		add_xml_char(buf, text, len);
		text += len ? len : 1;
	}
	if (text < end)
		skep_buf_puts(buf, "…");
}

/* JSON's own escapes stand for what would be markup. */
static void add_json(struct skep_buf *buf, const struct skep_buf *json)
{
	for (size_t i = 0; i < json->len; i++) {
		char c = json->data[i];
		if (c == '<' || c == '>' || c == '&')
			skep_buf_printf(buf, "\\u%04x", c);
		else if (c == '\xef' && is_no_character(json->data + i, json->len - i < 3 ? 0 : 3))
			skep_buf_printf(buf, "\\ufff%c", json->data[(i += 2)] & 1 ? 'f' : 'e');
		else
			skep_buf_addc(buf, c);
	}
}

/* --- The picture ---------------------------------------------------------------------------- */

static uint32_t hash_of(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

/* A colour of the kind, lighter or darker by the name; as flame.js has it. */
static void add_fill(const struct drawing *d, const struct skep_profile_frame *frame,
		     struct skep_profile_weight total)
{
	uint8_t kind = frame == d->shown.frames ? SKEP_FRAME_PROCESS : frame->kind; /* "all" */
	const struct skep_flame_color *color = &skep_flame_colors[kind];
	uint32_t hash = hash_of(d->shown.strings[frame->name]);
	double change = 3 * (total.now - total.before);

	if (!d->shown.is_diff) {
		skep_buf_printf(d->buf, "hsl(%u,%u%%,%u%%)", color->hue + hash % color->hues,
				color->saturation, color->light + hash / 64 % 10);
	} else {
		change = change > 1 ? 1 : change < -1 ? -1 : change;
		skep_buf_printf(d->buf, "hsl(%u,85%%,%.0f%%)", change > 0 ? 8 : 212,
				92 - 34 * (change < 0 ? -change : change));
	}
}

static double row_of(const struct drawing *d, uint32_t depth)
{
	if (d->depth > DEPTH_FLAME)
		return HEAD + depth * ROW;
	return HEAD + (d->depth - depth) * ROW;
}

static void add_frame(struct drawing *d, uint32_t node, uint32_t depth)
{
	const struct skep_profile_frame *frame = &d->shown.frames[d->shown.nodes[node].frame];
	const char *name = node ? d->shown.strings[frame->name] : "all";
	double scale = (WIDTH - 2 * MARGIN) / d->all;
	double width = skep_profile_weight_all(d->tree.total[node]) * scale;
	double x = MARGIN + d->left[depth] * scale, y = row_of(d, depth);

	if (width < 1)
		return;
	skep_buf_printf(d->buf,
			"<rect x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%.0f\" fill=\"", x, y,
			width, ROW - 1);
	add_fill(d, frame, d->tree.total[node]);
	skep_buf_puts(d->buf, "\"/>\n");
	if (width < 4 * CHARACTER)
		return;
	skep_buf_printf(d->buf, "<text x=\"%.1f\" y=\"%.0f\">", x + 3, y + 13);
	size_t room = (size_t)((width - 6) / CHARACTER);
	add_xml(d->buf, name, skep_report_width(name) > room ? room - 1 : 0);
	skep_buf_puts(d->buf, "</text>\n");
}

/* The depth of what weighs something, and room for where the next frame of each begins. */
static void measure(struct drawing *d)
{
	_cleanup_profile_walk_ struct skep_profile_walk walk;
	uint32_t node;

	skep_profile_walk_init(&walk, &d->tree);
	while (skep_profile_walk_next(&walk, &node)) {
		if (!(skep_profile_weight_all(d->tree.total[node]) > 0))
			skep_profile_walk_skip(&walk);
		else if (walk.n - 1 > d->depth)
			d->depth = (uint32_t)walk.n - 1;
	}
	d->left = skep_xcalloc(d->depth + 2, sizeof(*d->left));
}

/* What it is of, and what is missing. */
static void add_head(struct drawing *d)
{
	const struct skep_profile *p = &d->shown;
	_cleanup_buf_ struct skep_buf text = {0};

	skep_report_head(d->job, &text);
	for (uint32_t i = 0; i < p->n_losses; i++)
		skep_buf_printf(&text, "%s%" PRIu64 " %s", i ? ", " : "; lost: ", p->losses[i].n,
				p->strings[p->losses[i].what]);
	add_xml(d->buf, text.data, 0);
}

static void add_picture(struct drawing *d)
{
	_cleanup_profile_walk_ struct skep_profile_walk walk;
	uint32_t node;

	skep_buf_puts(d->buf, "<g id=\"picture\">\n<text class=\"head\" x=\"10\" y=\"26\">");
	add_head(d);
	skep_buf_puts(d->buf, "</text>\n");
	skep_profile_walk_init(&walk, &d->tree);
	while (skep_profile_walk_next(&walk, &node)) {
		uint32_t depth = (uint32_t)walk.n - 1;
		double weight = skep_profile_weight_all(d->tree.total[node]);
		if (!(weight > 0)) {
			skep_profile_walk_skip(&walk);
			continue;
		}
		/* Its callees begin where it begins. */
		d->left[depth + 1] = d->left[depth];
		add_frame(d, node, depth);
		d->left[depth] += weight;
	}
	skep_buf_puts(d->buf, "</g>\n");
}

/* --- The profile ---------------------------------------------------------------------------- */

static void open_list(struct skep_jsonw *w, const char *key)
{
	skep_jsonw_key(w, key);
	skep_jsonw_open(w, '[');
}

static void put_strings(struct drawing *d, struct skep_jsonw *w)
{
	open_list(w, "strings");
	for (uint32_t i = 0; i < d->shown.n_strings; i++)
		skep_jsonw_string(w, d->shown.strings[i]);
	skep_jsonw_close(w);
}

static void put_frames(struct drawing *d, struct skep_jsonw *w)
{
	open_list(w, "frames"); /* name, module, kind of each */
	for (uint32_t i = 0; i < d->shown.n_frames; i++) {
		skep_jsonw_u64(w, d->shown.frames[i].name);
		skep_jsonw_u64(w, d->shown.frames[i].module);
		skep_jsonw_u64(w, d->shown.frames[i].kind);
	}
	skep_jsonw_close(w);
}

/* Weights of a profile that is no difference are whole numbers; shares are given in 1e-9. */
static void put_weight(const struct drawing *d, struct skep_jsonw *w, double weight)
{
	skep_jsonw_item(w);
	skep_buf_printf(w->buf, "%.0f", d->shown.is_diff ? weight * 1e9 : weight);
}

static void put_nodes(struct drawing *d, struct skep_jsonw *w)
{
	_cleanup_profile_walk_ struct skep_profile_walk walk;
	uint32_t node;

	open_list(w, "nodes"); /* frame, depth, weight (of a difference before, now) of each */
	skep_profile_walk_init(&walk, &d->tree);
	while (skep_profile_walk_next(&walk, &node)) {
		if (!(skep_profile_weight_all(d->tree.total[node]) > 0)) {
			skep_profile_walk_skip(&walk);
			continue;
		}
		skep_jsonw_u64(w, d->shown.nodes[node].frame);
		skep_jsonw_u64(w, walk.n - 1);
		if (d->shown.is_diff)
			put_weight(d, w, d->tree.self[node].before);
		put_weight(d, w, d->tree.self[node].now);
	}
	skep_jsonw_close(w);
}

static void put_colors(struct skep_jsonw *w)
{
	open_list(w, "kinds");
	for (unsigned i = 0; i < SKEP_FRAME_KIND_CNT; i++) {
		const struct skep_flame_color *color = &skep_flame_colors[i];
		skep_jsonw_open(w, '[');
		skep_jsonw_string(w, color->word);
		skep_jsonw_u64(w, color->hue);
		skep_jsonw_u64(w, color->hues);
		skep_jsonw_u64(w, color->saturation);
		skep_jsonw_u64(w, color->light);
		skep_jsonw_close(w);
	}
	skep_jsonw_close(w);
}

static void put_losses(struct drawing *d, struct skep_jsonw *w)
{
	open_list(w, "losses");
	for (uint32_t i = 0; i < d->shown.n_losses; i++) {
		_cleanup_buf_ struct skep_buf text = {0};
		skep_sink_u64(&text, d->shown.losses[i].n);
		skep_buf_addc(&text, ' ');
		skep_buf_puts(&text, d->shown.strings[d->shown.losses[i].what]);
		skep_jsonw_bytes(w, text.data, text.len);
	}
	skep_jsonw_close(w);
}

static void put_head(struct drawing *d, struct skep_jsonw *w)
{
	_cleanup_buf_ struct skep_buf head = {0};

	skep_report_head(d->job, &head);
	skep_jsonw_key(w, "head");
	skep_jsonw_bytes(w, head.data, head.len);
	skep_jsonw_key(w, "unit");
	skep_jsonw_string(w, d->shown.strings[d->shown.types[d->job->type].unit]);
	skep_jsonw_key(w, "is_diff");
	skep_jsonw_bool(w, d->shown.is_diff);
}

static void add_profile(struct drawing *d)
{
	struct skep_jsonw w = {.buf = &d->json};

	skep_jsonw_open(&w, '{');
	put_head(d, &w);
	put_losses(d, &w);
	put_colors(&w);
	put_strings(d, &w);
	put_frames(d, &w);
	put_nodes(d, &w);
	skep_jsonw_close(&w);
	skep_buf_puts(d->buf, "<script type=\"application/json\" id=\"profile\">");
	add_json(d->buf, &d->json);
	skep_buf_puts(d->buf, "</script>\n");
}

/* --- The whole ------------------------------------------------------------------------------ */

static void add_title(const struct drawing *d)
{
	add_xml(d->buf, *d->job->title ? d->job->title : "flame graph", 0);
}

static void draw(struct drawing *d)
{
	double height = HEAD + (d->depth + 1) * ROW + MARGIN;

	skep_buf_printf(d->buf,
			"<svg xmlns=\"http://www.w3.org/2000/svg\" id=\"flame\" width=\"%.0f\" "
			"height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n<title>",
			WIDTH, height, WIDTH, height);
	add_title(d);
	skep_buf_printf(d->buf, "</title>\n<style>\n%s</style>\n", skep_flame_css);
	skep_buf_puts(d->buf, "<rect id=\"back\" width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
	if (d->all > 0)
		add_picture(d);
	add_profile(d);
	skep_buf_printf(d->buf, "<script><![CDATA[\n%s]]></script>\n</svg>\n", skep_flame_js);
}

static void drawing_init(struct drawing *d, const struct skep_profile_job *job,
			 struct skep_buf *buf)
{
	*d = (struct drawing){.job = job, .buf = buf};
	skep_profile_weighed(job, &d->shown);
	skep_profile_tree_init(&d->tree, &d->shown, job->type, SKEP_TREE_BY_NAME);
	d->all = skep_profile_weight_all(d->tree.total[0]);
	measure(d);
}

static void drawing_done(struct drawing *d)
{
	skep_profile_tree_done(&d->tree);
	skep_profile_done(&d->shown);
	skep_buf_done(&d->json);
	free(d->left);
}

int skep_profile_write_svg(const struct skep_profile_job *job, struct skep_buf *buf)
{
	struct drawing d;

	drawing_init(&d, job, buf);
	skep_buf_puts(buf, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	draw(&d);
	drawing_done(&d);
	return 0;
}

int skep_profile_write_html(const struct skep_profile_job *job, struct skep_buf *buf)
{
	struct drawing d;

	drawing_init(&d, job, buf);
	skep_buf_puts(buf,
		      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		      /* Whatever a name says, nothing is loaded from anywhere. */
		      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		      "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>");
	add_title(&d);
	skep_buf_puts(buf, "</title>\n</head>\n<body style=\"margin: 0\">\n");
	draw(&d);
	skep_buf_puts(buf, "</body>\n</html>\n");
	drawing_done(&d);
	return 0;
}
