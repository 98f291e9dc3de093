/*
 * A profile: stacks of frames that have names, and what each of them weighs.
 *
 * Stacks share what they have in common: a node is a frame and the node of its
 * caller, so a stack is the number of its innermost node. A sample is a node,
 * whose it is (process, thread), and one value for each of the profile's value
 * types. Equal strings, frames, nodes and samples are kept once; adding a sample
 * again adds to its values.
 *
 * Whatever makes profiles (a script's map of stacks, a file) fills one of these;
 * whatever shows them (flame graph, pprof, folded, …: format.h) reads it.
 */
#ifndef SKEP_PROFILE_PROFILE_H
#define SKEP_PROFILE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKEP_PROFILE_VALUES_MOST 4

/** Where code comes from: decides a frame's colour and mark ("_[k]" in folded stacks). */
enum skep_frame_kind {
	SKEP_FRAME_USER,        /* of a program or library */
	SKEP_FRAME_KERNEL,      /* of the kernel or a module of it */
	SKEP_FRAME_INLINE,      /* inlined into the frame below it */
	SKEP_FRAME_JIT,         /* made at run time, named by its maker */
	SKEP_FRAME_INTERPRETED, /* of a program that an interpreter runs */
	SKEP_FRAME_PROCESS,     /* no code: the process, as the outermost frame */
	SKEP_FRAME_THREAD,      /* no code: the thread */
	SKEP_FRAME_BROKEN,      /* no code: the stack has no more frames, and why */
	SKEP_FRAME_KIND_CNT
};

/** A number of a string of the profile; 0: "". */
typedef uint32_t skep_profile_str;

struct skep_profile_frame {
	skep_profile_str name;   /* of the function, demangled; an address as text if it has none */
	skep_profile_str module; /* path of the file, or "[kernel]" */
	skep_profile_str file;   /* of source; 0: not known */
	uint32_t line;           /* in it; 0: not known */
	uint64_t addr;           /* in the module's file; 0: not known */
	uint8_t kind;            /* enum skep_frame_kind */
};

/** Node 0 is where every stack begins: no frame. A parent's number is below its callees'. */
struct skep_profile_node {
	uint32_t parent;
	uint32_t frame;
};

struct skep_profile_sample {
	uint32_t node;
	uint32_t pid, tid; /* 0: not known */
	skep_profile_str comm;
	int64_t values[SKEP_PROFILE_VALUES_MOST];
	skep_profile_str cgroup; /* path below the root of control groups; 0: not known */
};

/** What a value counts: ("samples", "count"), ("cpu", "nanoseconds"), ("alloc_space", "bytes"). */
struct skep_profile_value_type {
	skep_profile_str name, unit;
};

/** A file that code comes from, and what tells its builds apart. */
struct skep_profile_module {
	skep_profile_str path;     /* as in frames */
	skep_profile_str build_id; /* digits in base 16 */
};

/** What did not come into the profile, by cause: ("stack maps full", 3). */
struct skep_profile_loss {
	skep_profile_str what;
	uint64_t n;
};

struct skep_profile {
	struct skep_profile_value_type types[SKEP_PROFILE_VALUES_MOST];
	uint32_t n_types;
	uint64_t start_ns;    /* since 1970; 0: not known */
	uint64_t duration_ns; /* 0: not known */
	int64_t period;       /* of what `period_type` counts, between two samples; 0: none */
	struct skep_profile_value_type period_type;
	skep_profile_str title;
	bool is_diff; /* of two types: what was before, and what is now (shape.h) */

	/* Read as you like; written by the functions below only. */
	const char **strings;
	struct skep_profile_frame *frames;
	struct skep_profile_node *nodes;
	struct skep_profile_sample *samples;
	struct skep_profile_module *modules; /* whose builds are known */
	struct skep_profile_loss *losses;
	uint32_t n_strings, n_frames, n_nodes, n_samples, n_modules, n_losses;
	struct skep_profile_index *index; /* how equal ones are found again */
};

/** With no value type yet. Never fails (see base/vec.h). */
void skep_profile_init(struct skep_profile *ret);
void skep_profile_done(struct skep_profile *profile);
#define _cleanup_profile_ __attribute__((cleanup(skep_profile_done)))

/** The string's number; @text is copied. A string over 2^20 bytes is cut there. */
skep_profile_str skep_profile_string(struct skep_profile *profile, const char *text, size_t len);
skep_profile_str skep_profile_text(struct skep_profile *profile, const char *text);
/** Return 0 | -E2BIG there are SKEP_PROFILE_VALUES_MOST already, or samples */
int skep_profile_add_type(struct skep_profile *profile, const char *name, const char *unit);
/** The number of a frame equal to @frame; one without a name gets its address, or "[unknown]". */
uint32_t skep_profile_frame(struct skep_profile *profile, const struct skep_profile_frame *frame);
/** The node of @frame called by @parent (0: by nobody). */
uint32_t skep_profile_node(struct skep_profile *profile, uint32_t parent, uint32_t frame);
/** Add @sample's values to those of the sample of the same node, process, thread, name and control
 *  group. */
void skep_profile_add(struct skep_profile *profile, const struct skep_profile_sample *sample);
/** The code of @module (a path, as in frames) is of this build; the last word counts. */
void skep_profile_set_build(struct skep_profile *profile, skep_profile_str module,
			    skep_profile_str build_id);
/** 0: not known. */
skep_profile_str skep_profile_build(const struct skep_profile *profile, skep_profile_str module);
void skep_profile_lose(struct skep_profile *profile, const char *what, uint64_t n);

/** Forget samples and losses; strings, frames and nodes stay, and keep their numbers. */
void skep_profile_clear(struct skep_profile *profile);

/** @a + @b; what 64 bits do not hold stays at their end. */
int64_t skep_profile_sum(int64_t a, int64_t b);
/** Of type @type, over all samples. What is below zero counts as nothing. */
int64_t skep_profile_total(const struct skep_profile *profile, uint32_t type);

#endif
