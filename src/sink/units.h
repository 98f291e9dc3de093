/* Quantities for people: three digits and a unit. */
#ifndef SKEP_SINK_UNITS_H
#define SKEP_SINK_UNITS_H

#include <stdint.h>

struct skep_buf;

/** "512 B", "1.5 KiB", "20.3 GiB". */
void skep_sink_bytes(struct skep_buf *buf, uint64_t bytes);
/** "850 ns", "1.25 us", "12.5 ms", "3.20 s", "4m05s", "2h03m", "5d04h". */
void skep_sink_duration(struct skep_buf *buf, uint64_t ns);
/** "999", "1.23k", "45.6M". */
void skep_sink_count(struct skep_buf *buf, uint64_t n);
/** @part of @whole with one decimal: "12.5%"; "0.0%" of nothing. */
void skep_sink_percent(struct skep_buf *buf, uint64_t part, uint64_t whole);

#endif
