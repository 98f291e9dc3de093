/*
 * libyaml makes a document of the bytes; each mapping in it is read by a table of
 * its keys. Everything that is wrong is reported, not only the first.
 *
 * A node may be reached in more than one way (anchors), even from inside of itself: what is
 * read here is three levels deep, whatever is in the document.
 */
#include "export/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/utf8.h"

struct reader {
	yaml_document_t *document;
	const struct skep_source *source;
	struct skep_diag *diag;
	struct skep_export_config *config;
	struct skep_export_identity common; /* prefix and labels of all */
	yaml_node_t *scripts;               /* read last */
};

struct key {
	const char *name;
	void (*take)(struct reader *reader, yaml_node_t *value, void *into);
};

/* --- Places --------------------------------------------------------------------------------- */

/* Columns are characters. What is at the end of the file is told of its last byte. */
static uint32_t offset_of(const struct skep_source *source, yaml_mark_t mark)
{
	const char *at = source->text, *end = at + source->len;

	for (size_t line = 0; line < mark.line; line++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline)
			break;
		at = newline + 1;
	}
	for (size_t column = 0; column < mark.column && at < end && *at != '\n'; column++) {
		size_t len = skep_utf8_len(at, (size_t)(end - at));
		at += len ? len : 1;
	}
	return (uint32_t)(at - source->text);
}

static struct skep_span span_from(const struct skep_source *source, yaml_mark_t from,
				  yaml_mark_t to)
{
	uint32_t off = offset_of(source, from), end = offset_of(source, to);

	if (off >= source->len && source->len)
		off = (uint32_t)source->len - 1;
	if (off >= source->len)
		return SKEP_NOWHERE;
	return (struct skep_span){off, end > off ? end - off : 1};
}

static struct skep_span span_of(const struct reader *reader, const yaml_node_t *node)
{
	return span_from(reader->source, node->start_mark, node->end_mark);
}

/* --- Values --------------------------------------------------------------------------------- */

static void refuse(struct reader *reader, const yaml_node_t *node, const char *what,
		   const char *takes)
{
	skep_diag_add(reader->diag, SKEP_DIAG_EXPORT_VALUE, span_of(reader, node), what, takes);
}

/* The text of a scalar without a NUL in it; NULL: it is none. */
static const char *text_of(const yaml_node_t *node)
{
	if (node->type != YAML_SCALAR_NODE ||
	    strlen((const char *)node->data.scalar.value) != node->data.scalar.length)
		return NULL;
	return (const char *)node->data.scalar.value;
}

static void take_text(struct reader *reader, yaml_node_t *value, const char *what, char **into)
{
	const char *text = text_of(value);

	if (!text || !*text) {
		refuse(reader, value, what, "a text");
		return;
	}
	free(*into);
	*into = skep_xstrdup(text);
}

static void take_name(struct reader *reader, yaml_node_t *value, const char *what, char **into)
{
	const char *text = text_of(value);

	if (!text || !skep_label_name_is_valid(text))
		refuse(reader, value, what,
		       "letters, digits and '_', no digit first and no two '_'");
	else
		take_text(reader, value, what, into);
}

/* What skep's own families are told apart by, and Prometheus the buckets. */
static bool is_reserved(const char *label)
{
	static const char *const names[] = {"le", "script", "cause", "map", "version"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(names[i], label))
			return true;
	}
	return false;
}

static void take_label(struct reader *reader, const yaml_node_pair_t *pair,
		       struct skep_export_identity *into)
{
	yaml_node_t *key = yaml_document_get_node(reader->document, pair->key);
	yaml_node_t *value = yaml_document_get_node(reader->document, pair->value);
	const char *name = text_of(key), *text = text_of(value);

	if (!name || !skep_label_name_is_valid(name) || is_reserved(name))
		refuse(reader, key, "a label's name",
		       "letters, digits and '_', and none of le, script, cause, map, version");
	else if (!text)
		refuse(reader, value, name, "a text");
	else if (into->labels.len == SKEP_LABELS_MOST / 2)
		refuse(reader, key, "labels", "no more than 16");
	else
		skep_export_identity_label(into, name, text);
}

static void take_labels(struct reader *reader, yaml_node_t *value,
			struct skep_export_identity *into)
{
	if (value->type != YAML_MAPPING_NODE) {
		refuse(reader, value, "labels", "names and values: {rack: r1}");
		return;
	}
	for (yaml_node_pair_t *pair = value->data.mapping.pairs.start;
	     pair < value->data.mapping.pairs.top; pair++)
		take_label(reader, pair, into);
}

/* --- Mappings ------------------------------------------------------------------------------- */

static const struct key *find_key(const struct key *keys, const char *name)
{
	for (; name && keys->name; keys++) {
		if (!strcmp(keys->name, name))
			return keys;
	}
	return NULL;
}

static void unknown_key(struct reader *reader, const yaml_node_t *node, const char *where,
			const struct key *keys)
{
	const char *names[16], *text = text_of(node);
	size_t n = 0;

	for (; keys->name && n < 16; keys++)
		names[n++] = keys->name;
	skep_diag_add(reader->diag, SKEP_DIAG_EXPORT_KEY, span_of(reader, node), where,
		      text ? text : "such a key");
	if (text)
		skep_diag_did_you_mean(reader->diag, text, names, n);
}

static bool is_first(const struct reader *reader, const yaml_node_t *mapping,
		     const yaml_node_pair_t *pair, const char *name)
{
	for (yaml_node_pair_t *other = mapping->data.mapping.pairs.start; other < pair; other++) {
		const char *text = text_of(yaml_document_get_node(reader->document, other->key));
		if (text && !strcmp(text, name))
			return false;
	}
	return true;
}

static void take_mapping(struct reader *reader, yaml_node_t *node, const char *where,
			 const struct key *keys, void *into)
{
	if (node->type != YAML_MAPPING_NODE) {
		refuse(reader, node, where, "settings, each a line \"name: value\"");
		return;
	}
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *name = yaml_document_get_node(reader->document, pair->key);
		const struct key *key = find_key(keys, text_of(name));
		if (!key)
			unknown_key(reader, name, where, keys);
		else if (!is_first(reader, node, pair, key->name))
			skep_diag_add(reader->diag, SKEP_DIAG_EXPORT_TWICE, span_of(reader, name),
				      key->name);
		else
			key->take(reader, yaml_document_get_node(reader->document, pair->value),
				  into);
	}
}

/* --- A script ------------------------------------------------------------------------------- */

static void script_tool(struct reader *reader, yaml_node_t *value, void *into)
{
	take_text(reader, value, "tool", &((struct skep_export_script *)into)->tool);
}

/* From the folder of the configuration on. */
static void script_file(struct reader *reader, yaml_node_t *value, void *into)
{
	struct skep_export_script *script = into;
	const char *slash = strrchr(reader->source->name, '/');
	_cleanup_buf_ struct skep_buf path = {0};

	take_text(reader, value, "file", &script->file);
	if (!script->file || script->file[0] == '/' || !slash)
		return;
	skep_buf_add(&path, reader->source->name, (size_t)(slash + 1 - reader->source->name));
	skep_buf_puts(&path, script->file);
	free(script->file);
	script->file = skep_xstrdup(path.data);
}

static void script_name(struct reader *reader, yaml_node_t *value, void *into)
{
	take_name(reader, value, "name", &((struct skep_export_script *)into)->identity.name);
}

static void script_prefix(struct reader *reader, yaml_node_t *value, void *into)
{
	take_name(reader, value, "prefix", &((struct skep_export_script *)into)->identity.prefix);
}

static void script_labels(struct reader *reader, yaml_node_t *value, void *into)
{
	take_labels(reader, value, &((struct skep_export_script *)into)->identity);
}

static void script_args(struct reader *reader, yaml_node_t *value, void *into)
{
	struct skep_export_script *script = into;

	if (value->type != YAML_SEQUENCE_NODE) {
		refuse(reader, value, "args", "a list: [-n, nginx]");
		return;
	}
	for (yaml_node_item_t *item = value->data.sequence.items.start;
	     item < value->data.sequence.items.top; item++) {
		const yaml_node_t *node = yaml_document_get_node(reader->document, *item);
		const char *text = text_of(node);
		if (text)
			skep_vec_push(&script->args, skep_xstrdup(text));
		else
			refuse(reader, node, "args", "texts and numbers");
	}
}

static const struct key script_keys[] = {
	{"tool", script_tool}, {"file", script_file},     {"name", script_name},
	{"args", script_args}, {"prefix", script_prefix}, {"labels", script_labels},
	{NULL, NULL},
};

static char *default_name(const struct skep_export_script *script)
{
	const char *text = script->tool ? script->tool : script->file;
	const char *slash = strrchr(text, '/'), *base = slash ? slash + 1 : text;
	_cleanup_buf_ struct skep_buf name = {0};
	_cleanup_free_ char *stem = skep_xstrdup(base);
	size_t len = strlen(stem);

	if (len > 3 && !strcmp(stem + len - 3, ".bt"))
		stem[len - 3] = '\0';
	skep_metric_name_add(&name, stem);
	return skep_xstrdup(name.data ? name.data : "script");
}

static bool is_name_taken(const struct reader *reader, const struct skep_export_script *script)
{
	for (size_t i = 0; i + 1 < reader->config->scripts.len; i++) {
		const struct skep_export_identity *other =
			&reader->config->scripts.data[i].identity;
		if (other->name && !strcmp(other->name, script->identity.name))
			return true;
	}
	return false;
}

static void take_common(const struct reader *reader, struct skep_export_script *script)
{
	if (!script->identity.prefix)
		script->identity.prefix =
			skep_xstrdup(reader->common.prefix ? reader->common.prefix : "skep");
	for (size_t i = 0; i < reader->common.labels.len; i++)
		skep_export_identity_label(&script->identity, reader->common.labels.data[i].name,
					   reader->common.labels.data[i].value);
}

/* The script's own labels go before the common ones: they are read behind them. */
static void take_script(struct reader *reader, yaml_node_t *node)
{
	struct skep_export_script *script = skep_vec_add(&reader->config->scripts);

	take_common(reader, script);
	take_mapping(reader, node, "a script", script_keys, script);
	if (!script->tool == !script->file) {
		skep_diag_add(reader->diag, SKEP_DIAG_EXPORT_MISSING, span_of(reader, node),
			      "a script", "tool: or file:, one of them");
		return;
	}
	if (!script->identity.name)
		script->identity.name = default_name(script);
	if (is_name_taken(reader, script)) {
		skep_diag_add(reader->diag, SKEP_DIAG_EXPORT_TWICE, span_of(reader, node),
			      script->identity.name);
		skep_diag_try(reader->diag, "give one of them another name: …");
	}
}

/* --- The file ------------------------------------------------------------------------------- */

static void file_listen(struct reader *reader, yaml_node_t *value, void *into)
{
	take_text(reader, value, "listen", &reader->config->listen);
}

static void file_prefix(struct reader *reader, yaml_node_t *value, void *into)
{
	take_name(reader, value, "prefix", &reader->common.prefix);
}

static void file_labels(struct reader *reader, yaml_node_t *value, void *into)
{
	take_labels(reader, value, &reader->common);
}

static void file_scripts(struct reader *reader, yaml_node_t *value, void *into)
{
	reader->scripts = value;
}

static const struct key file_keys[] = {
	{"listen", file_listen},
	{"prefix", file_prefix},
	{"labels", file_labels},
	{"scripts", file_scripts},
	{NULL, NULL},
};

static void take_scripts(struct reader *reader)
{
	yaml_node_t *list = reader->scripts;

	if (!list || list->type != YAML_SEQUENCE_NODE ||
	    list->data.sequence.items.start == list->data.sequence.items.top) {
		skep_diag_add(reader->diag, SKEP_DIAG_EXPORT_MISSING,
			      list ? span_of(reader, list) : SKEP_NOWHERE, "the configuration",
			      "scripts: a list of them, each with tool: or file:");
		return;
	}
	for (yaml_node_item_t *item = list->data.sequence.items.start;
	     item < list->data.sequence.items.top; item++) {
		if (reader->config->scripts.len == SKEP_EXPORT_SCRIPTS_MOST) {
			refuse(reader, list, "scripts", "no more than 256");
			return;
		}
		take_script(reader, yaml_document_get_node(reader->document, *item));
	}
}

static void read_document(struct reader *reader)
{
	yaml_node_t *root = yaml_document_get_root_node(reader->document);

	if (root)
		take_mapping(reader, root, "the configuration", file_keys, NULL);
	if (reader->scripts || !reader->diag->n_errors)
		take_scripts(reader);
	skep_export_identity_done(&reader->common);
}

static void no_yaml(const struct skep_source *source, const yaml_parser_t *parser,
		    struct skep_diag *diag)
{
	skep_diag_add(diag, SKEP_DIAG_EXPORT_YAML,
		      span_from(source, parser->problem_mark, parser->problem_mark),
		      parser->problem ? parser->problem : "it ends too early");
	if (parser->context)
		skep_diag_why(diag, "%s", parser->context);
}

int skep_export_config_parse(const struct skep_source *source, struct skep_export_config *ret,
			     struct skep_diag *diag)
{
	struct reader reader = {.source = source, .diag = diag, .config = ret};
	yaml_document_t document;
	yaml_parser_t parser;

	*ret = (struct skep_export_config){0};
	if (!yaml_parser_initialize(&parser))
		skep_oom();
	yaml_parser_set_input_string(&parser, (const unsigned char *)source->text, source->len);
	if (yaml_parser_load(&parser, &document)) {
		reader.document = &document;
		read_document(&reader);
		yaml_document_delete(&document);
	} else {
		no_yaml(source, &parser, diag);
	}
	yaml_parser_delete(&parser);
	return diag->n_errors ? -EINVAL : 0;
}

void skep_export_config_done(struct skep_export_config *config)
{
	free(config->listen);
	skep_vec_foreach (struct skep_export_script, script, &config->scripts) {
		free(script->tool);
		free(script->file);
		skep_vec_foreach (char *, arg, &script->args)
			free(*arg);
		skep_vec_done(&script->args);
		skep_export_identity_done(&script->identity);
	}
	skep_vec_done(&config->scripts);
	*config = (struct skep_export_config){0};
}
