/* A file that is fetched by HTTP, by who has nothing else to do meanwhile. */
#ifndef SKEP_HTTP_GET_H
#define SKEP_HTTP_GET_H

#include <stddef.h>

struct skep_http_get {
	const char
		*url; /* of the server, and a folder of it; as struct skep_http_target has them */
	const char *path; /* in that folder: "buildid/…" */
	int fd;           /* where the file is written to; borrowed */
	size_t most;      /* bytes of it */
	int timeout_s;    /* for which nothing comes */
};

/**
 * Ask, and wait for the whole answer. What is written may be a part, if it is not there in full.
 *
 * Return  the status of the answer: 200, the file is there | 0 there was none, or not all of it, or
 *         it is longer than wanted | -EINVAL the address is none, or has a user in it | -errno of
 *         writing
 */
int skep_http_get(const struct skep_http_get *get);

#endif
