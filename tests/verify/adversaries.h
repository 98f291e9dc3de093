/*
 * Programs that were made to take a verifier's time: each is large in one way, and shows whether
 * something in the verifier grows faster than what it looks at. tests/verify holds verdicts and
 * counts against the kernel's, bench/verify the time.
 */
#ifndef SKEP_TESTS_VERIFY_ADVERSARIES_H
#define SKEP_TESTS_VERIFY_ADVERSARIES_H

#include <stdbool.h>
#include <stdint.h>

struct skep_buf;

struct adversary {
	const char *name;
	/** Its text, @n large. */
	void (*write)(struct skep_buf *text, uint32_t n);
	uint32_t n, n_bench; /* how large in tests, and where time is measured */
	bool has_globals;    /* all functions but main are global: BTF says so */
	/* the kernel follows each chain of calls by itself, and does not come to an end */
	bool not_on_kernel;
	/* of @n */
	int err; /* 0: accepted */
	const char *refusal;
	uint32_t n_processed;
	uint64_t most_bytes; /* of memory that it may take; 0: not looked at */
};

extern const struct adversary adversaries[];
extern const unsigned n_adversaries;

/** bpf(2), of either side. */
typedef long (*adversary_bpf)(int cmd, void *attr, unsigned size);

/**
 * Load @adversary, @n large, with the map and the BTF that it needs; what was made is closed.
 *
 * @log, @log_bytes  what the statistics say (BPF_LOG_STATS)
 * Return  0 accepted | errno
 */
int adversary_load(const struct adversary *adversary, uint32_t n, adversary_bpf bpf, char *log,
		   uint32_t log_bytes);

#endif
