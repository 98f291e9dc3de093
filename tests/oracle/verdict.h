/*
 * One program, two verdicts: the running kernel's verifier's, and a machine's.
 *
 * Each is asked in a process of its own, which may die of it; both at once, as the kernel waits for
 * most of its time. What they said is in memory that the processes share.
 */
#ifndef SKEP_TESTS_ORACLE_VERDICT_H
#define SKEP_TESTS_ORACLE_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include <skep/machine.h>

#define VERDICT_LOG_BYTES (16u << 20)

/** What one of them said. */
struct verdict {
	int err; /* of BPF_PROG_LOAD: 0 accepted; errno; -signal: it died */
	bool loaded;
	bool not_asked; /* nothing to compare: something that the program needs is missing */
	char log[VERDICT_LOG_BYTES];
};

/** What became of all that were compared. */
struct verdict_count {
	unsigned n, agree, both_accept, both_refuse, same_words, wrongly_accepted, wrongly_refused;
	/* what the kernel is locked against, whatever the program is; and what the machine says */
	unsigned not_asked, not_asked_accepted;
};

/** How much is printed: 0 what differs, 1 all, 2 with both logs. */
extern int verdict_verbose;

/** Room for the kernel's and the machine's, empty; never given back. NULL: no memory */
struct verdict *verdict_pair_new(void);

/**
 * Have @load called for the kernel (@pair[0]) and for a machine of @opts (@pair[1]), each in a
 * child.
 *
 * @load  loads a program by bpf(2), and says in its second argument what came of it
 */
void verdict_ask_both(struct verdict *pair, const struct skep_machine_opts *opts,
		      void (*load)(const void *ctx, struct verdict *ret), const void *ctx);

/** Count the @pair, and print it as @name if it differs. Return whether verdicts and words agree.
 */
bool verdict_compare(const struct verdict *pair, const char *name, struct verdict_count *count);

void verdict_print_count(const struct verdict_count *count);

/** Where a log's words end and the numbers of how long it took begin. */
const char *verdict_end_of_words(const char *log);
/** The line that says why, which is the last one before the numbers, in @ret of @cap bytes. */
void verdict_reason(const struct verdict *verdict, char *ret, size_t cap);

#endif
