/*
 * The scripts of `skep export`: a process each, started as people start them
 * (skep trace FILE, skep tool NAME), asked for their metrics over a socket
 * (channel.h). One that fails, hangs or is killed is no harm to the others.
 */
#ifndef SKEP_EXPORT_SCRIPTS_H
#define SKEP_EXPORT_SCRIPTS_H

#include "export/config.h"
#include "export/loop.h"
#include "export/server.h"

struct skep_scripts;

/** What there is to say meanwhile; called within skep_loop_poll() and skep_scripts_stop(). */
struct skep_scripts_events {
	/** A line that a script wrote to its standard error. */
	void (*said)(void *ctx, const struct skep_export_script *script, const char *line);
	/** It does not run any more; @why in words. */
	void (*ended)(void *ctx, const struct skep_export_script *script, const char *why);
	void *ctx;
};

/** Start them all. One that cannot be is told of as having ended.
 *  @config, @loop  borrowed, must live as long */
struct skep_scripts *skep_scripts_start(const struct skep_export_config *config,
					struct skep_loop *loop,
					const struct skep_scripts_events *events);
/** How many run. */
size_t skep_scripts_n_up(const struct skep_scripts *scripts);
/** A skep_scrape_fn, @ctx being the skep_scripts: answers with what all that run have to tell, once
 *  they have told it or some seconds are over. */
void skep_scripts_scrape(void *ctx, struct skep_scrape *scrape);
/** End them, by force those that take more than a few seconds, and answer who waits. */
void skep_scripts_stop(struct skep_scripts *scripts);

#endif
