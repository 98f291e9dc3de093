/* Names of the code that was found on the CPUs. */
#include "watch/watcher_impl.h"

#include <stdio.h>
#include <string.h>

void skep_functions_init(struct skep_functions *functions)
{
	*functions = (struct skep_functions){.kernel = skep_ksyms_new(),
					     .processes = skep_spots_new(true)};
}

void skep_functions_done(struct skep_functions *functions)
{
	skep_ksyms_free(functions->kernel);
	skep_spots_free(functions->processes);
	skep_vec_done(&functions->spots);
}

static bool is_kernel(const struct skep_key_address *at)
{
	return at->ip >> 63;
}

/* All of user space at once: a file is read once for all of its addresses. */
static void name_processes(struct skep_functions *functions, const struct skep_rows *on)
{
	functions->spots.len = 0;
	for (uint32_t i = 0; i < on->n; i++) {
		const struct skep_key_address *at = skep_rows_key(on, i);
		struct skep_spot *spot = is_kernel(at) ? NULL : skep_vec_add(&functions->spots);
		if (spot)
			*spot = (struct skep_spot){.pid = (pid_t)at->pid, .addr = at->ip};
	}
	skep_spots_name(functions->processes, functions->spots.data, functions->spots.len);
}

static void put_kernel(struct skep_functions *functions, uint64_t ip, char *ret, size_t size)
{
	struct skep_symbol symbol = {0};

	skep_ksyms_lookup(functions->kernel, ip, &symbol);
	snprintf(ret, size, "%s", symbol.name ? symbol.name : "(not known)");
}

/* "malloc", or where it lies: "in libc.so.6". */
static void put_user(const struct skep_spot *spot, char *ret, size_t size)
{
	if (!spot->name[0])
		snprintf(ret, size, "(not known)");
	else if (spot->is_named)
		snprintf(ret, size, "%s", spot->name);
	else
		snprintf(ret, size, "in %.60s", spot->name);
}

void skep_functions_name(struct skep_functions *functions, struct skep_snapshot *into)
{
	struct skep_rows *on = &into->rows[SKEP_TALLY_ON];

	uint64_t unread = skep_spots_unread(functions->processes);
	name_processes(functions, on);
	into->overhead.unread = skep_spots_unread(functions->processes) - unread;
	const struct skep_spot *spot = functions->spots.data;
	for (uint32_t i = 0; i < on->n; i++) {
		const struct skep_key_address *at = skep_rows_key(on, i);
		struct skep_key_function key = {.is_kernel = is_kernel(at)};
		memcpy(key.comm, at->comm, sizeof(key.comm));
		if (key.is_kernel)
			put_kernel(functions, at->ip, key.name, sizeof(key.name));
		else
			put_user(spot++, key.name, sizeof(key.name));
		uint64_t *n = skep_rows_at(&into->rows[SKEP_TALLY_FUNCTIONS], &key);
		if (n)
			*n += *(const uint64_t *)skep_rows_value(on, i);
	}
	skep_rows_clear(on);
}
