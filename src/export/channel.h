/*
 * Between `skep export` and the processes of its scripts: a stream socket each.
 *
 *	parent: u32 length, identity       once, before the script starts
 *	parent: struct skep_channel_ask    for each scrape
 *	child:  struct skep_channel_reply, packed exposition
 *
 * A child whose socket is closed ends: nothing is left behind by a parent that was killed.
 */
#ifndef SKEP_EXPORT_CHANNEL_H
#define SKEP_EXPORT_CHANNEL_H

#include <stdint.h>

#include "export/identity.h"
#include "export/loop.h"

struct skep_channel_ask {
	uint32_t number, format;
};

struct skep_channel_reply {
	uint32_t number, bytes;
};

#define SKEP_CHANNEL_BYTES_MOST (64u << 20) /* of one reply */

struct skep_channel;

typedef void (*skep_channel_fn)(void *ctx, struct skep_exposition *exposition);

/**
 * The child's end.
 *
 * @fd  inherited; owned by the channel, also after an error
 * @fn  fills the exposition; called within skep_loop_poll()
 * Return 0 | -EBADMSG nobody who speaks this is at the other end | -errno
 */
int skep_channel_new(struct skep_loop *loop, int fd, skep_channel_fn fn, void *ctx,
		     struct skep_channel **ret);
void skep_channel_free(struct skep_channel *channel);
const struct skep_export_identity *skep_channel_identity(const struct skep_channel *channel);
/** Has the other end been closed? */
bool skep_channel_is_closed(const struct skep_channel *channel);

#endif
