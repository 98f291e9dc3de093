/*
 * Names, see metric_plan.h. Nothing that is exposed may have the name of something
 * else: a family's "_count" is one too. Whatever comes second gets a number.
 */
#include "trace/run/metric_plan.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "trace/ast.h"

#define PREFIX "skep"

static const struct unit {
	const char *word, *base;
	unsigned scale;
} units[] = {
#define UNIT(word, base, scale) {word, base, scale},
#include "trace/run/metric_units.def"
#undef UNIT
};

/* What a map's values are; -1: nothing that can be measured. */
static int type_of(const struct skep_type *value)
{
	static const int types[SKEP_T_N_KINDS] = {
		[SKEP_T_INT] = 1 + SKEP_METRIC_GAUGE,
		[SKEP_T_COUNT] = 1 + SKEP_METRIC_COUNTER,
		[SKEP_T_SUM] = 1 + SKEP_METRIC_COUNTER,
		[SKEP_T_AVG] = 1 + SKEP_METRIC_GAUGE,
		[SKEP_T_MIN] = 1 + SKEP_METRIC_GAUGE,
		[SKEP_T_MAX] = 1 + SKEP_METRIC_GAUGE,
		[SKEP_T_STATS] = 1 + SKEP_METRIC_SUMMARY,
		[SKEP_T_HIST] = 1 + SKEP_METRIC_HISTOGRAM,
		[SKEP_T_LHIST] = 1 + SKEP_METRIC_HISTOGRAM,
	};

	return types[value->kind] - 1;
}

/* --- Families ------------------------------------------------------------------------------- */

static const struct unit *unit_of(const char *name)
{
	const char *last = strrchr(name, '_');

	last = last ? last + 1 : name;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strcmp(units[i].word, last))
			return &units[i];
	}
	return NULL;
}

static bool has_suffix(const char *text, const char *suffix)
{
	size_t len = strlen(text), n = strlen(suffix);

	return len >= n && !strcmp(text + len - n, suffix);
}

/* Is @name what @other's samples are called? */
static bool is_exposed_by(const struct skep_family *other, const char *name)
{
	static const char *const suffixes[][4] = {
		[SKEP_METRIC_COUNTER] = {"", "_total"},
		[SKEP_METRIC_GAUGE] = {""},
		[SKEP_METRIC_SUMMARY] = {"", "_count", "_sum"},
		[SKEP_METRIC_HISTOGRAM] = {"", "_count", "_sum", "_bucket"},
	};
	size_t len = strlen(other->name);

	if (strncmp(name, other->name, len) != 0)
		return false;
	for (int i = 0; i < 4 && suffixes[other->type][i]; i++) {
		if (!strcmp(name + len, suffixes[other->type][i]))
			return true;
	}
	return false;
}

static bool have_one_name(const struct skep_family *a, const struct skep_family *b)
{
	return is_exposed_by(a, b->name) || is_exposed_by(b, a->name);
}

static bool is_taken(const struct skep_metric_plan *plan, const struct skep_family *family)
{
	for (uint32_t i = 0; i < plan->n_maps; i++) {
		if (have_one_name(&plan->maps[i].family, family))
			return true;
	}
	for (uint32_t i = 0; i < SKEP_FAMILY_CNT; i++) {
		if (have_one_name(&skep_families[i], family))
			return true;
	}
	return false;
}

static char *family_name(struct skep_metric_plan *plan, const char *prefix, const char *map,
			 const struct unit *unit)
{
	_cleanup_buf_ struct skep_buf name = {0};
	size_t len = unit ? strlen(map) - strlen(unit->word) : strlen(map);

	skep_metric_name_add(&name, prefix);
	skep_buf_addc(&name, '_');
	skep_metric_name_add(&name, plan->script);
	if (*map)
		skep_buf_addc(&name, '_');
	skep_buf_printf(&name, "%.*s%s", (int)len, map, unit ? unit->base : "");
	return skep_arena_strdup(&plan->arena, name.data);
}

static void name_family(struct skep_metric_plan *plan, const char *prefix,
			struct skep_metric_plan_map *it)
{
	bool is_count = it->map->value->kind == SKEP_T_COUNT;
	char *map = skep_arena_strdup(&plan->arena, it->map->name + 1);

	if (it->family.type == SKEP_METRIC_COUNTER && has_suffix(map, "_total"))
		map[strlen(map) - strlen("_total")] = '\0';
	/* How often is no time, whatever it is called. */
	const struct unit *unit = is_count ? NULL : unit_of(map);
	it->scale = unit ? unit->scale : 0;
	it->family.unit = unit ? unit->base : NULL;
	const char *name = family_name(plan, prefix, map, unit);
	it->family.name = name;
	for (uint32_t i = 2; is_taken(plan, &it->family); i++) {
		it->family.name = skep_arena_printf(&plan->arena, "%s_%u", name, i);
		it->family.unit = NULL; /* the name does not end in it */
	}
	it->family.help = skep_arena_printf(&plan->arena, "Map %s of the script %s.", it->map->name,
					    plan->script);
}

/* --- Labels --------------------------------------------------------------------------------- */

static bool is_label_taken(const struct skep_metric_plan_map *it, uint32_t n,
			   const struct skep_export_identity *identity, const char *name)
{
	for (size_t i = 0; identity && i < identity->labels.len; i++) {
		if (!strcmp(identity->labels.data[i].name, name))
			return true;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!strcmp(it->labels[i], name))
			return true;
	}
	return !strcmp(name, "le") || !strncmp(name, "__", 2); /* Prometheus' own */
}

static const char *label_name(struct skep_metric_plan *plan, const char *wanted, uint32_t i)
{
	_cleanup_buf_ struct skep_buf name = {0};

	if (!wanted)
		return skep_arena_printf(&plan->arena, "key%u", i);
	/* of a macro's variable, which is "disk#5" to the compiler, what is written */
	skep_metric_name_add(&name, skep_arena_dup(&plan->arena, wanted, strcspn(wanted, "#")));
	return skep_arena_strdup(&plan->arena, name.data ? name.data : "key");
}

static uint32_t parts_of(const struct skep_type *key)
{
	if (!key)
		return 0;
	uint32_t n = key->kind == SKEP_T_TUPLE ? key->n : 1;
	return n < SKEP_LABELS_MOST / 2 ? n : SKEP_LABELS_MOST / 2;
}

static void name_labels(struct skep_metric_plan *plan, const struct skep_script *script,
			const struct skep_export_identity *identity,
			struct skep_metric_plan_map *it)
{
	const struct skep_type *key = it->map->key;
	const char *written[SKEP_LABELS_MOST] = {0};

	it->n_labels = parts_of(key);
	it->labels = skep_arena_array(&plan->arena, const char *, it->n_labels + 1);
	skep_metric_key_names(script, it->map->name, written, it->n_labels);
	for (uint32_t i = 0; i < it->n_labels; i++) {
		bool is_named = key->kind == SKEP_T_TUPLE && key->fields[i].name;
		const char *name = label_name(plan, is_named ? key->fields[i].name : written[i], i);
		const char *base = name;
		for (uint32_t n = 2; is_label_taken(it, i, identity, name); n++)
			name = skep_arena_printf(&plan->arena, "key_%s_%u", base, n);
		it->labels[i] = name;
	}
}

/* --- The setting ---------------------------------------------------------------------------- */

/* One item of the setting: @name or @name{label,label}. */
struct item {
	const char *map, *labels; /* labels NULL: not given */
	size_t map_len, labels_len;
};

static bool next_item(const char **at, struct item *ret)
{
	*at += strspn(*at, " \t\n,");
	ret->map = *at;
	ret->map_len = strcspn(*at, " \t\n,{");
	*at += ret->map_len;
	ret->labels = NULL;
	ret->labels_len = 0;
	if (**at == '{') {
		ret->labels = *at + 1;
		ret->labels_len = strcspn(ret->labels, "}");
		*at = ret->labels + ret->labels_len;
		*at += **at == '}';
	}
	return ret->map_len || ret->labels;
}

static bool is_of_map(const struct item *item, const struct skep_trace_map *map)
{
	const char *name = item->map, *want = map->name;
	size_t len = item->map_len;

	if (len && *name == '@')
		name++, len--;
	return strlen(want + 1) == len && !memcmp(want + 1, name, len);
}

struct setting {
	const char *text;
	struct skep_span span; /* where the script sets it */
	struct skep_diag *diag;
};

static struct skep_span span_of_setting(const struct skep_script *script)
{
	const struct skep_config_item *item = script ? script->config : NULL;

	while (item && strcmp(item->name, "metrics") != 0)
		item = item->next;
	return item ? item->value_span : SKEP_NOWHERE;
}

static int refuse(const struct setting *setting, const char *why)
{
	return skep_diag_fail(setting->diag, -EINVAL, SKEP_DIAG_METRICS_MAP, setting->span, why);
}

static int take_labels(struct skep_metric_plan *plan, const struct item *item,
		       struct skep_metric_plan_map *it, const struct setting *setting)
{
	char *list = skep_arena_dup(&plan->arena, item->labels, item->labels_len), *rest = NULL;
	uint32_t n = 0;

	for (char *name = strtok_r(list, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest)) {
		if (!skep_label_name_is_valid(name) || n == it->n_labels ||
		    is_label_taken(it, n, NULL, name))
			return refuse(setting,
				      skep_arena_printf(&plan->arena, "%s cannot have the label %s",
							it->map->name, name));
		it->labels[n++] = name;
	}
	if (n != it->n_labels)
		return refuse(setting,
			      skep_arena_printf(&plan->arena,
						"the key of %s has %u parts, %u labels are named",
						it->map->name, it->n_labels, n));
	return 0;
}

static struct skep_metric_plan_map *planned(struct skep_metric_plan *plan, const struct item *item)
{
	for (uint32_t i = 0; i < plan->n_maps; i++) {
		if (is_of_map(item, plan->maps[i].map))
			return &plan->maps[i];
	}
	return NULL;
}

static int apply_labels(struct skep_metric_plan *plan, const struct setting *setting)
{
	const char *at = setting->text;
	struct item item;
	int err = 0;

	while (!err && next_item(&at, &item)) {
		struct skep_metric_plan_map *it = planned(plan, &item);
		if (!it)
			err = refuse(setting,
				     skep_arena_printf(&plan->arena,
						       "the script has no map %.*s of numbers",
						       (int)item.map_len, item.map));
		else if (item.labels)
			err = take_labels(plan, &item, it, setting);
	}
	return err;
}

static bool is_listed(const char *setting, const struct skep_trace_map *map)
{
	struct item item;

	while (next_item(&setting, &item)) {
		if (is_of_map(&item, map))
			return true;
	}
	return false;
}

/* --- The plan ------------------------------------------------------------------------------- */

static const struct skep_map *written_map(const struct skep_script *script, const char *name)
{
	for (const struct skep_map *map = script ? script->maps : NULL; map; map = map->next) {
		if (!strcmp(map->name, name))
			return map;
	}
	return NULL;
}

/* What a script keeps for itself from one event to another (@start[tid]), it deletes, or keeps by
 * thread; results are not so. */
static bool is_memory(const struct skep_script *script, const struct skep_trace_map *map)
{
	const struct skep_map *written = written_map(script, map->name);

	return map->key && !skep_type_is_agg(map->value) && written &&
	       (written->is_deleted || written->only_tid_keys);
}

static bool is_wanted(const struct skep_trace_program *program, const struct skep_trace_map *map)
{
	const char *setting = program->config.metrics;

	if (type_of(map->value) < 0 || !skep_metric_is_written(program->script, map->name))
		return false;
	return *setting ? is_listed(setting, map) : !is_memory(program->script, map);
}

/* "tools/process/opensnoop.bt": opensnoop; "-e" and the standard input: script. */
static const char *script_name(struct skep_metric_plan *plan, const char *file)
{
	const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
	_cleanup_buf_ struct skep_buf name = {0};
	size_t len = strlen(base);

	if (has_suffix(base, ".bt"))
		len -= 3;
	if (!len || *base == '-' || strchr(base, ' '))
		return "script";
	skep_metric_name_add(&name, skep_arena_dup(&plan->arena, base, len));
	return skep_arena_strdup(&plan->arena, name.data);
}

int skep_metric_plan_make(const struct skep_trace_program *program,
			  const struct skep_export_identity *identity, const char *file,
			  struct skep_metric_plan *ret, struct skep_diag *diag)
{
	const char *prefix = identity && identity->prefix ? identity->prefix : PREFIX;

	*ret = (struct skep_metric_plan){0};
	skep_arena_init(&ret->arena);
	ret->script = identity && identity->name ? identity->name : script_name(ret, file);
	ret->maps = skep_arena_array(&ret->arena, struct skep_metric_plan_map, program->n_maps + 1);
	for (uint32_t i = 0; i < program->n_maps; i++) {
		struct skep_metric_plan_map *it = &ret->maps[ret->n_maps];
		if (!is_wanted(program, &program->maps[i]))
			continue;
		it->map = &program->maps[i];
		it->family.type = (enum skep_metric_type)type_of(it->map->value);
		name_family(ret, prefix, it);
		name_labels(ret, program->script, identity, it);
		ret->n_maps++;
	}
	const struct setting setting = {program->config.metrics, span_of_setting(program->script),
					diag};
	return apply_labels(ret, &setting);
}

void skep_metric_plan_done(struct skep_metric_plan *plan)
{
	skep_arena_done(&plan->arena);
	*plan = (struct skep_metric_plan){0};
}
