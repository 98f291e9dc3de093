/* Reading BPF ring buffers (BPF_MAP_TYPE_RINGBUF), without libbpf. */
#ifndef SKEP_LINUX_RINGBUF_H
#define SKEP_LINUX_RINGBUF_H

#include <stddef.h>
#include <stdint.h>

struct skep_ringbuf;

/** Called for each record; @data is 8-byte aligned and good until it returns.
 *  Return < 0 to stop consuming (the record counts as consumed). */
typedef int (*skep_ringbuf_fn)(void *ctx, const void *data, size_t size);

/** Map the ring behind @map_fd of @size_bytes (the map's max_entries). @map_fd is borrowed. */
int skep_ringbuf_open(int map_fd, size_t size_bytes, struct skep_ringbuf **ret);
void skep_ringbuf_free(struct skep_ringbuf *ring);
/** Consume what is there, at most @max records (0: no limit).
 *  Return number of records | what the callback returned (< 0) */
int64_t skep_ringbuf_consume(struct skep_ringbuf *ring, size_t max, skep_ringbuf_fn fn, void *ctx);
/** Bytes not consumed yet. */
size_t skep_ringbuf_pending(const struct skep_ringbuf *ring);

#endif
