/*
 * Bytes posted to an HTTP server, one request at a time, within a loop (loop.h). No HTTPS: what is
 * beyond this machine is reached through a collector here, or a tunnel.
 */
#ifndef SKEP_EXPORT_POST_H
#define SKEP_EXPORT_POST_H

#include <stdbool.h>
#include <stddef.h>

#include <skep/diag.h>

#include "export/loop.h"

struct skep_post;

/** @status  of the answer; 0: there was none. Not to send from, nor to free. */
typedef void (*skep_post_fn)(void *ctx, int status);

/** @url  "http://HOST[:PORT][/PATH][?QUERY]", HOST a name, a number or [a:b::c]; no user and no
 *        password.  Return 0 | -EINVAL it is none, see @diag */
int skep_post_new(const char *url, struct skep_post **ret, struct skep_diag *diag);
/** NULL is fine. What is under way is given up, and not told. */
void skep_post_free(struct skep_post *post);
/** "/ingest", "" */
const char *skep_post_path(const struct skep_post *post);
/** What follows "?" in the URL, as it stands there; "" */
const char *skep_post_query(const struct skep_post *post);

/** What is sent; borrowed during the call. */
struct skep_post_body {
	const char *path; /* with what follows "?" */
	const char *type;
	const void *data;
	size_t bytes;
};
/**
 * Send; @fn is called when it is answered, or cannot be, within skep_loop_poll().
 * A name is looked up before it returns, which may take as long as that takes.
 *
 * Return 0 | -EBUSY one is under way | -ENOMEM, also if the host has no address
 */
int skep_post_send(struct skep_post *post, struct skep_loop *loop,
		   const struct skep_post_body *body, skep_post_fn fn, void *ctx);
bool skep_post_is_busy(const struct skep_post *post);

#endif
