/*
 * One script's process, as the parent has it: script.c starts it, reads what it
 * says and notes its end; scripts.c asks it.
 */
#ifndef SKEP_EXPORT_SCRIPTS_IMPL_H
#define SKEP_EXPORT_SCRIPTS_IMPL_H

#include <sys/types.h>

#include "export/scripts.h"

struct bufferevent;

struct skep_export_script_process {
	const struct skep_export_script *script;
	struct skep_scripts *scripts;
	pid_t pid;                   /* 0: does not run */
	int pid_fd, messages_fd;     /* -1: none */
	struct event *end, *message; /* owned */
	struct bufferevent *channel; /* owned */
	struct skep_buf said;        /* of a line that is not whole yet */
	bool is_asked;               /* and who asked still waits */
	bool owes;                   /* an answer: until it comes there is no other question */
	struct skep_buf answer;      /* to what it was asked; empty: none */
};

struct skep_scripts {
	const struct skep_export_config *config;
	struct skep_loop *loop;
	struct skep_scripts_events events;
	struct skep_export_script_process *processes;
	size_t n;
	SKEP_VEC(struct skep_scrape *) waiting; /* the first is being answered, if is_asking */
	bool is_asking;
	uint32_t number; /* of the asking */
	struct event *deadline;
};

/** Start it. Return 0 | -errno */
int skep_export_script_start(struct skep_export_script_process *process);
/** Note that it has ended, if it has: collects it, passes on its last words. */
void skep_export_script_collect(struct skep_export_script_process *process);
/** Free what is left of it. */
void skep_export_script_done(struct skep_export_script_process *process);
/** Send it the question. */
void skep_export_script_ask(struct skep_export_script_process *process,
			    enum skep_metrics_format format);

/** Called by script.c: it has answered, or never will. */
void skep_scripts_answered(struct skep_scripts *scripts);

#endif
