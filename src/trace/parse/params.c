/* What stands behind a script on the command line. */
#include <string.h>

#include "trace/parse.h"

const char *skep_params_option(const char *const *options, uint32_t n, const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;

	for (uint32_t i = 0; i < n; i++) {
		const char *option = options[i] + strlen("--");
		if (!strncmp(option, name, len) && (!option[len] || option[len] == '='))
			found = option + len;
	}
	return found;
}
