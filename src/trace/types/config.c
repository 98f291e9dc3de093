/*
 * The settings: rows of config.def as data, and setting one by its name.
 * Every way to set one (config block, environment, option) comes through here,
 * so a value outside its range never gets into a struct skep_config.
 */
#include "trace/config.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum kind { KIND_UINT, KIND_BOOL, KIND_STACK_MODE, KIND_CHOICE };

static const struct setting {
	const char *name;
	enum kind kind;
	size_t off;
	uint64_t min, max;
	const char *choices; /* "a|b"; "": any text */
} settings[] = {
#define FIELD_OFF(name) offsetof(struct skep_config, name)
#define CONFIG_UINT(name, initial, least, most, help)                                              \
	{#name, KIND_UINT, FIELD_OFF(name), least, most, ""},
#define CONFIG_BOOL(name, initial, help)       {#name, KIND_BOOL, FIELD_OFF(name), 0, 1, ""},
#define CONFIG_STACK_MODE(name, initial, help) {#name, KIND_STACK_MODE, FIELD_OFF(name), 0, 0, ""},
#define CONFIG_CHOICE(name, initial, choices, help)                                                \
	{#name, KIND_CHOICE, FIELD_OFF(name), 0, 0, choices},
#include "trace/config.def"
#undef CONFIG_UINT
#undef CONFIG_BOOL
#undef CONFIG_STACK_MODE
#undef CONFIG_CHOICE
};

/* Names of earlier versions of the language, and what stands for them today. */
static const struct {
	const char *old, *name;
} renamed[] = {
	{"strlen", "max_strlen"},
	{"map_keys_max", "max_map_keys"},
	{"cat_bytes_max", "max_cat_bytes"},
	{"symbol_source", "use_blazesym"},
};

void skep_config_init(struct skep_config *config)
{
	*config = (struct skep_config){
#define CONFIG_UINT(name, initial, min, max, help)  .name = initial,
#define CONFIG_BOOL(name, initial, help)            .name = initial,
#define CONFIG_STACK_MODE(name, initial, help)      .name = initial,
#define CONFIG_CHOICE(name, initial, choices, help) .name = initial,
#include "trace/config.def"
#undef CONFIG_UINT
#undef CONFIG_BOOL
#undef CONFIG_STACK_MODE
#undef CONFIG_CHOICE
	};
}

static const char *without_prefix(const char *name)
{
	static const char *const prefixes[] = {"BPFTRACE_", "SKEP_"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (!strncasecmp(name, prefixes[i], strlen(prefixes[i])))
			return name + strlen(prefixes[i]);
	}
	return name;
}

static const struct setting *find_setting(const char *name)
{
	name = without_prefix(name);
	for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++) {
		if (!strcasecmp(renamed[i].old, name))
			name = renamed[i].name;
	}
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (!strcasecmp(settings[i].name, name))
			return &settings[i];
	}
	return NULL;
}

static int set_uint(const struct setting *setting, const char *value, uint64_t *field)
{
	char *end;

	if (!isdigit((unsigned char)value[0]))
		return -EINVAL;
	errno = 0;
	unsigned long long number = strtoull(value, &end, 0);
	if (errno || *end || number < setting->min || number > setting->max)
		return -EINVAL;
	*field = number;
	return 0;
}

/* The enumerations that these settings are elsewhere: caching per what, unstable features. */
static int set_bool(const char *value, bool *field)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{"true", true}, {"1", true},       {"yes", true},         {"enable", true},
		{"warn", true}, {"per_pid", true}, {"per_program", true}, {"false", false},
		{"0", false},   {"no", false},     {"error", false},      {"none", false},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcasecmp(words[i].word, value)) {
			*field = words[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

static const char *const modes[] = {
	[SKEP_STACK_BPFTRACE] = "bpftrace",
	[SKEP_STACK_PERF] = "perf",
	[SKEP_STACK_RAW] = "raw",
	[SKEP_STACK_BUILD_ID] = "build_id",
};

static int set_stack_mode(const char *value, enum skep_stack_mode *field)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!strcmp(modes[i], value)) {
			*field = (enum skep_stack_mode)i;
			return 0;
		}
	}
	return -EINVAL;
}

static int set_choice(const struct setting *setting, const char *value, const char **field)
{
	size_t len = strlen(value);

	if (!setting->choices[0]) {
		*field = value;
		return 0;
	}
	for (const char *at = setting->choices; *at;) {
		size_t choice_len = strcspn(at, "|");
		if (choice_len == len && !memcmp(at, value, len)) {
			*field = value;
			return 0;
		}
		at += choice_len + (at[choice_len] == '|');
	}
	return -EINVAL;
}

int skep_config_set(struct skep_config *config, const char *name, const char *value)
{
	const struct setting *setting = find_setting(name);

	if (!setting)
		return -ENOENT;
	void *field = (char *)config + setting->off;
	switch (setting->kind) {
	case KIND_UINT: return set_uint(setting, value, field);
	case KIND_BOOL: return set_bool(value, field);
	case KIND_STACK_MODE: return set_stack_mode(value, field);
	default: return set_choice(setting, value, field);
	}
}

int skep_config_get(const struct skep_config *config, const char *name,
		    struct skep_config_value *ret)
{
	const struct setting *setting = find_setting(name);

	if (!setting)
		return -ENOENT;
	const void *field = (const char *)config + setting->off;
	*ret = (struct skep_config_value){.is_bool = setting->kind == KIND_BOOL};
	switch (setting->kind) {
	case KIND_UINT: ret->number = *(const uint64_t *)field; break;
	case KIND_BOOL: ret->number = *(const bool *)field; break;
	case KIND_STACK_MODE: ret->text = modes[*(const enum skep_stack_mode *)field]; break;
	default: ret->text = *(const char *const *)field; break;
	}
	return 0;
}
