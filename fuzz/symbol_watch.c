/* Any bytes as the kernel's records of mappings, forks and executions: u8 type, u8 misc, u16 size,
 * then the record. What is noted stays within its bounds and is found again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/perf_event.h>

#include "linux/perfring.h"
#include "symbol/usyms.h"
#include "symbol/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 4

static const uint32_t types[] = {PERF_RECORD_MMAP2, PERF_RECORD_MMAP2, PERF_RECORD_COMM,
				 PERF_RECORD_FORK};

static size_t take(struct skep_usyms *syms, const uint8_t *at, size_t left)
{
	uint64_t body[64];
	size_t bytes = (at[2] | (size_t)at[3] << 8) % sizeof(body);

	bytes = bytes < left - HEAD ? bytes : left - HEAD;
	memset(body, 0, sizeof(body));
	memcpy(body, at + HEAD, bytes);
	/* Few pids, and none that a process has. */
	((uint32_t *)body)[0] = ((uint32_t *)body)[0] % 8 + 5000000;
	((uint32_t *)body)[1] = ((uint32_t *)body)[1] % 8 + 5000000;
	struct skep_perf_record record = {
		.type = types[at[0] % 4],
		.misc = at[1] & 1 ? PERF_RECORD_MISC_COMM_EXEC : 0,
		.data = body,
		.size = bytes & ~(size_t)7,
	};
	skep_watch_record(syms, 0, &record);
	return HEAD + bytes;
}

static void check(const struct skep_maps *maps)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct skep_mapping *m = &maps->data[i];

		if (m->start >= m->end || (i && m->start < m[-1].end) ||
		    m->path >= maps->paths_len || skep_maps_find(maps, m->end - 1) != m)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_usyms *syms = skep_usyms_new(true);

	syms->followed = true;
	for (size_t at = 0; size - at > HEAD;)
		at += take(syms, data + at, size - at);
	for (size_t i = 0; i < SKEP_USYMS_BUCKETS; i++) {
		for (struct skep_process_node *node = syms->buckets[i]; node; node = node->next) {
			for (size_t k = 0; k < node->process.n_maps; k++)
				check(&node->process.maps[k]);
		}
	}
	skep_usyms_free(syms);
	return 0;
}
