/* The settings of one run: rows of config.def, set by `config = { … }` or SKEP_/BPFTRACE_
 * environment variables. */
#ifndef SKEP_TRACE_CONFIG_H
#define SKEP_TRACE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/type.h"

struct skep_config {
#define CONFIG_UINT(name, initial, min, max, help)  uint64_t name;
#define CONFIG_BOOL(name, initial, help)            bool name;
#define CONFIG_STACK_MODE(name, initial, help)      enum skep_stack_mode name;
#define CONFIG_CHOICE(name, initial, choices, help) const char *name;
#include "trace/config.def"
#undef CONFIG_UINT
#undef CONFIG_BOOL
#undef CONFIG_STACK_MODE
#undef CONFIG_CHOICE
};

void skep_config_init(struct skep_config *config);
/**
 * Set one by its name, in either case, with or without BPFTRACE_ or SKEP_ before it.
 *
 * @value  borrowed where the setting is text: must outlive @config
 * Return  0 | -ENOENT no such setting | -EINVAL a value it cannot have
 */
int skep_config_set(struct skep_config *config, const char *name, const char *value);

struct skep_config_value {
	const char *text; /* NULL: a number, or true or false */
	uint64_t number;
	bool is_bool;
};
/** One by its name, written as for skep_config_set(). Return 0 | -ENOENT */
int skep_config_get(const struct skep_config *config, const char *name,
		    struct skep_config_value *ret);

#endif
