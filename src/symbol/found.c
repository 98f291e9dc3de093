/* Ranges of addresses whose names are known; see found.h. */
#include "symbol/found.h"

#include <string.h>

/* How many begin at or below @addr. */
static size_t count_upto(const struct skep_found *found, uint64_t addr)
{
	size_t low = 0, high = found->entries.len;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (found->entries.data[mid].from <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct skep_found_entry *skep_found_get(const struct skep_found *found, uint64_t addr)
{
	size_t i = count_upto(found, addr);
	const struct skep_found_entry *entry = i ? &found->entries.data[i - 1] : NULL;

	return entry && addr - entry->from < entry->bytes ? entry : NULL;
}

bool skep_found_put(struct skep_found *found, const struct skep_found_entry *entry)
{
	size_t i = count_upto(found, entry->from);
	bool is_over_next =
		i < found->entries.len && found->entries.data[i].from - entry->from < entry->bytes;

	if (is_over_next || skep_found_get(found, entry->from))
		return false;
	skep_vec_push(&found->entries, *entry);
	struct skep_found_entry *at = &found->entries.data[i];
	memmove(at + 1, at, (found->entries.len - 1 - i) * sizeof(*at));
	*at = *entry;
	return true;
}

void skep_found_done(struct skep_found *found)
{
	skep_vec_done(&found->entries);
}
