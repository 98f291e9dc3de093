/*
 * Programs as text, loaded by the running kernel and by a machine that verifies: verdict, errno and
 * the line that says why must be the same (or whatever a test compares).
 *
 * Maps are named by their place in the test's list: "r1 = map[id:0]" is one, "r1 = map[id:0][0]+4"
 * an address in its first value.
 */
#ifndef SKEP_TESTS_VERIFY_SIDES_H
#define SKEP_TESTS_VERIFY_SIDES_H

#include "../machine/both.h"

#include <linux/bpf.h>

struct skep_btf_writer;

struct program {
	const char *name;
	uint32_t type;
	const char *text;
};

struct map_spec {
	uint32_t type, key, value, entries, flags;
	bool frozen; /* with numbers in its first value */
};

/** What a test brings; functions may be NULL. */
struct sides {
	const struct program *programs;
	size_t n_programs;
	const struct map_spec *maps;
	size_t n_maps;
	uint32_t log_level; /* 0: 1 */
	/** The text to assemble, on the heap; NULL: this kernel cannot be asked. */
	char *(*text)(const struct program *program);
	/** More attributes. What prog_btf_fd is set to is closed. */
	void (*add)(int side, const struct program *program, const struct skep_insn *insns,
		    size_t n, union bpf_attr *attr);
	/** Both errnos and logs, instead of all else: what is to be compared is the test's. */
	void (*judge)(const struct program *program, const long err[2], char *logs[2]);
	/** The logs, instead of the line that says why. */
	void (*compare)(const struct program *program, char *kernel, char *ours);
};

/** A machine, and the maps on both sides; sets has_kernel. Return 0 | -1 */
int sides_begin(const struct sides *sides);
void sides_end(void);
/** The line of @log that says why: the last before the counts. "": it was accepted. */
char *sides_reason(char *log);
/** Finish the types, load them and let go of the writer. Return the BTF's descriptor | -1, errno */
int sides_load_types(int side, struct skep_btf_writer *writer);
/** All programs; fails where a difference was told. Skips with a message where bpf(2) is refused.
 */
void sides_compare(const struct sides *sides);

#endif
