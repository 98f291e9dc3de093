/* Ids and rows of the language's tables: functions.def and builtins.def. */
#ifndef SKEP_TRACE_TABLE_H
#define SKEP_TRACE_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum skep_function_id {
	SKEP_FN_NONE,
#define FUNCTION(name, least, most, flags, synopsis, help) SKEP_FN_##name,
#include "trace/functions.def"
#undef FUNCTION
	SKEP_FN_CNT
};

enum skep_builtin_id {
	SKEP_BI_NONE,
#define BUILTIN(name, help) SKEP_BI_##name,
#include "trace/builtins.def"
#undef BUILTIN
	SKEP_BI_CNT
};

enum skep_function_flags { FN_STMT = 1, FN_UNSAFE = 2, FN_MAP = 4 };

struct skep_function {
	const char *name;
	uint32_t least, most, flags;
	const char *synopsis, *help;
};

extern const struct skep_function skep_functions[SKEP_FN_CNT];
/** Names in the order of the ids; [0] is NULL. */
extern const char *const skep_builtin_names[SKEP_BI_CNT];

/** SKEP_FN_NONE / SKEP_BI_NONE: no such name. */
enum skep_function_id skep_function_find(const char *name);
enum skep_builtin_id skep_builtin_find(const char *name);

#endif
