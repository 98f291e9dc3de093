/* Maps and their entries as text or JSON: what skep map and skep prog run print alike. */
#ifndef SKEP_CMD_MAP_SHOW_H
#define SKEP_CMD_MAP_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/map.h"
#include "sink/jsonw.h"

struct map_show {
	bool json;
	bool skip_zeros; /* entries of arrays that nobody wrote */
	uint64_t most;   /* entries shown; 0: all */
	struct skep_buf *out;
	bool flush; /* a big map is written as it is read */
};

/** A heading and the entries. Return how many there are | -errno of reading them */
int64_t map_show(const struct map_show *show, struct skep_view *view);
/** The entry at hand, a line. */
void map_show_entry(const struct map_show *show, const struct skep_view *view);
/** {"type": "map", …} and a line end. @name  its whole name, where the kernel has cut it */
void map_info_json(const struct bpf_map_info *info, const char *name, struct skep_jsonw *w);

#endif
