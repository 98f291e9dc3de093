/* The language's tables as data; see functions.def and builtins.def. */
#include "trace/table.h"

#include <string.h>

const struct skep_function skep_functions[SKEP_FN_CNT] = {
#define FUNCTION(name, least, most, flags, synopsis, help)                                         \
	[SKEP_FN_##name] = {#name, least, most, flags, synopsis, help},
#include "trace/functions.def"
#undef FUNCTION
};

const char *const skep_builtin_names[SKEP_BI_CNT] = {
#define BUILTIN(name, help) [SKEP_BI_##name] = #name,
#include "trace/builtins.def"
#undef BUILTIN
};

enum skep_function_id skep_function_find(const char *name)
{
	for (int id = SKEP_FN_NONE + 1; id < SKEP_FN_CNT; id++) {
		if (!strcmp(skep_functions[id].name, name))
			return id;
	}
	return SKEP_FN_NONE;
}

enum skep_builtin_id skep_builtin_find(const char *name)
{
	for (int id = SKEP_BI_NONE + 1; id < SKEP_BI_CNT; id++) {
		if (!strcmp(skep_builtin_names[id], name))
			return id;
	}
	return SKEP_BI_NONE;
}
