/* Names of the code that was found on the CPUs. */
#include "watch/watcher_impl.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

/** What is known of processes is forgotten when it is of so many: most of them will have ended. */
#define PROCESSES_MOST 250

void skep_functions_init(struct skep_functions *functions)
{
	functions->kernel = skep_ksyms_new();
	functions->processes = skep_usyms_new(true);
	skep_rows_init(&functions->asked, 8, 0);
}

void skep_functions_done(struct skep_functions *functions)
{
	skep_ksyms_free(functions->kernel);
	skep_usyms_free(functions->processes);
	skep_rows_done(&functions->asked);
}

static void ask_process(struct skep_functions *functions, uint64_t pid, uint64_t ip,
			struct skep_symbol *ret)
{
	if (functions->asked.n >= PROCESSES_MOST) {
		skep_usyms_free(functions->processes);
		functions->processes = skep_usyms_new(true);
		skep_rows_clear(&functions->asked);
		malloc_trim(0); /* tables of symbols are large */
	}
	skep_rows_at(&functions->asked, &pid);
	skep_usyms_lookup(functions->processes, (pid_t)pid, ip, ret);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "malloc", or where it lies: "in libc.so.6". */
static void put_name(const struct skep_symbol *symbol, char *ret, size_t size)
{
	if (symbol->name)
		snprintf(ret, size, "%s", symbol->name);
	else if (symbol->module)
		snprintf(ret, size, "in %s", base_name(symbol->module));
	else
		snprintf(ret, size, "(not known)");
}

static void name_address(struct skep_functions *functions, const struct skep_key_address *at,
			 struct skep_key_function *key)
{
	struct skep_symbol symbol = {0};

	key->is_kernel = at->ip >> 63;
	if (key->is_kernel)
		skep_ksyms_lookup(functions->kernel, at->ip, &symbol);
	else
		ask_process(functions, at->pid, at->ip, &symbol);
	put_name(&symbol, key->name, sizeof(key->name));
}

void skep_functions_name(struct skep_functions *functions, struct skep_snapshot *into)
{
	struct skep_rows *on = &into->rows[SKEP_TALLY_ON];

	for (uint32_t i = 0; i < on->n; i++) {
		const struct skep_key_address *at = skep_rows_key(on, i);
		struct skep_key_function key = {0};
		memcpy(key.comm, at->comm, sizeof(key.comm));
		name_address(functions, at, &key);
		uint64_t *n = skep_rows_at(&into->rows[SKEP_TALLY_FUNCTIONS], &key);
		if (n)
			*n += *(const uint64_t *)skep_rows_value(on, i);
	}
	skep_rows_clear(on);
}
