/*
 * What is in a map, from outside of programs: entries one after the other, single ones, writing.
 */
#ifndef SKEP_ENGINE_MAP_H
#define SKEP_ENGINE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/diag.h>

#include "base/buf.h"
#include "linux/bpf.h"

struct skep_btf;

/** A map that is looked at. */
struct skep_view {
	int fd; /* owned; -1: none */
	struct bpf_map_info info;
	struct skep_btf *btf;          /* owned; NULL: keys and values are bytes */
	uint32_t key_type, value_type; /* in btf; 0: not known */
	uint32_t n_cpus;               /* values are per CPU: so many; else 1 */
	uint32_t stride;               /* bytes from one CPU's value to the next's */
	uint8_t *key, *value; /* owned; the entry at hand, of value n_cpus × stride bytes */
	bool started;
};

/** Return 0 | -errno */
int skep_map_info(int fd, struct bpf_map_info *ret);
/** "hash"; "unknown". Never NULL. */
const char *skep_map_type_name(uint32_t type);
uint32_t skep_map_next_id(uint32_t id);
/** Return a descriptor | -errno */
int skep_map_open_id(uint32_t id);

/** @fd taken over. @ret ended with skep_view_done(); untouched on error. Return 0 | -errno */
int skep_view_open(int fd, struct skep_view *ret);
void skep_view_done(struct skep_view *view);
/** Go to the next entry: view->key and view->value. Entries that go away meanwhile are passed over.
 *  Return 1 | 0 the end | -errno; maps without keys: -ENOTSUP */
int skep_view_next(struct skep_view *view);
/** Look view->key up. Return 0 | -ENOENT | -errno */
int skep_view_lookup(struct skep_view *view);
/** Write view->value (the same for all CPUs) under view->key. Return 0 | -errno */
int skep_view_update(struct skep_view *view);
int skep_view_delete(struct skep_view *view);
/** Is every byte of the value zero? */
bool skep_view_is_zero(const struct skep_view *view);
/** One array element whose members are an object's global variables. */
bool skep_view_is_variables(const struct skep_view *view);
/** Has it elements that can be asked for one by one? If not, why, in a few words. */
const char *skep_view_unreadable(const struct skep_view *view);

/** Key and value as text or as JSON ("17", {"pid": 3}); per-CPU values as a list. */
void skep_view_key_text(const struct skep_view *view, bool json, struct skep_buf *out);
void skep_view_value_text(const struct skep_view *view, bool json, struct skep_buf *out);
/** Text into view->key or the first of view->value: see skep_value_parse(). Return 0 | -EINVAL */
int skep_view_parse_key(struct skep_view *view, const char *text, struct skep_diag *diag);
int skep_view_parse_value(struct skep_view *view, const char *text, struct skep_diag *diag);

#define _cleanup_view_ __attribute__((cleanup(skep_view_done)))

#endif
