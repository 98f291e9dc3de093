/*
 * The verifier: does a program stay within what it may touch, on every path it can take?
 *
 * It decides as Linux 6.18 decides, and says so in the kernel's words (the log). It needs no
 * kernel: helpers, kernel functions and maps come with the linked image, the kernel's types as
 * BTF.
 */
#ifndef SKEP_VERIFY_H
#define SKEP_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/image.h>
#include <skep/map.h>

#include <skep/begin.h>

struct skep_btf;
struct skep_buf;

/** A function of the program, as its func_info has it. */
struct skep_verify_func {
	uint32_t insn, type_id; /* the slot it starts at; a FUNC of the program's BTF */
};

/** A line of the source, as line_info has it; offsets into the BTF's strings. */
struct skep_verify_line {
	uint32_t insn, file_off, text_off, line_col; /* line_col: line << 10 | column */
};

/** What is to be verified; all of it borrowed. */
struct skep_verify_program {
	const struct skep_image *image;
	const struct skep_insn *insns; /* image->n_insns of them, as they were loaded */
	uint32_t attach_type, flags;   /* of BPF_PROG_LOAD; the type is the image's */
	bool gpl;
	const struct skep_btf *btf; /* the program's types; NULL: none */
	const struct skep_verify_func *funcs;
	uint32_t n_funcs; /* 0 or image->n_funcs */
	const struct skep_verify_line *lines;
	uint32_t n_lines;
	const struct skep_btf *kernel_btf; /* NULL: this machine has none */
	const struct skep_btf *attach_btf; /* with attach_btf_id: what it attaches to, or NULL */
	uint32_t attach_btf_id;
	/* it attaches to a function of a program of this type, attach_btf is its BTF; 0: not */
	uint32_t target_type, target_attach_type;
	bool target_changes_packet, target_might_sleep; /* the function */
};

enum skep_verify_mode {
	SKEP_VERIFY_KERNEL,  /* decide as the kernel does */
	SKEP_VERIFY_EXTENDED /* is it safe, though Linux may find it too large? */
};

struct skep_verify_opts {
	enum skep_verify_mode mode;
	uint32_t log_level; /* BPF_LOG_LEVEL1 | BPF_LOG_LEVEL2 | BPF_LOG_STATS */
	bool unprivileged;  /* no CAP_BPF, CAP_PERFMON: what leaks or speculates is refused */
	bool strict_alignment;
	bool test_state_freq;  /* BPF_F_TEST_STATE_FREQ: states are kept more often */
	bool no_pruning;       /* follow every path to its end: for tests */
	uint32_t most_insns;   /* processed at most; 0: the kernel's 1,000,000 */
	uint64_t time_ns;      /* at most; 0: no limit */
	uint64_t memory_bytes; /* of states, at most; 0: 512 MiB */
	/* told of each instruction that a path goes on with, and what is known before it: a struct
	 * state of the verifier's own headers, gone with the call. For tests; NULL: nobody is */
	void (*observe)(void *ctx, uint32_t insn, const void *state);
	void *observe_ctx;
};

#define SKEP_VERIFY_FIELD_WORDS 4

/** What a verification came to. */
struct skep_verify_report {
	uint32_t n_processed; /* instructions, on all paths */
	uint32_t most_states_per_insn, n_states, peak_states;
	uint32_t stack_bytes;   /* of the deepest chain of calls */
	uint32_t chain_bytes;   /* the same, as if no function had a stack of its own */
	uint32_t most_frames;   /* functions in the longest chain of calls */
	uint32_t most_branches; /* that waited to be walked, at one time */
	uint64_t peak_bytes;    /* of memory that the verification took, at the most */
	/* fields of the context that were accessed, for skep_verify_requirements() */
	uint64_t context_fields[SKEP_VERIFY_FIELD_WORDS];
	uint32_t refused_at; /* slot; UINT32_MAX: accepted, or not about one */
	size_t log_bytes;    /* of the log at its longest: what is told of paths is taken back */
	const char *refusal; /* the rule's stable name ("uninit_register"); NULL: accepted */
	uint32_t ctx_bytes;  /* accepted: so much of its context it may touch */
	/* accepted: it is given, or reads and writes by, pointers to the kernel's structures, which
	 * the kernel vouches for or catches the faults of; who is no kernel must look where they
	 * lead */
	bool kernel_pointers;
	/* EXTENDED, accepted: what part Linux would have used of its budget (of instructions, or of
	 * paths that wait, whichever is more), in percent, over 100 where it would refuse for that;
	 * UINT32_MAX: more than was looked at, or refused as a loop that does not end */
	uint32_t linux_budget;
};

/**
 * Verify @program.
 *
 * @log    what the kernel's log has at opts->log_level is appended; NULL: not wanted
 * @ret    filled in either way; may be NULL
 * Return  0 | -EACCES, -EINVAL, -EPERM … refused, as the kernel's errno | -E2BIG more
 *         instructions than are looked at | -EAGAIN the time was up | -ENOMEM
 * Thread  safe; nothing is kept from one call to the next
 * Cost    O(paths, less what is pruned)
 * Source  behaviour of Linux 6.18, bpf_check()
 */
int skep_verify(const struct skep_verify_program *program, const struct skep_verify_opts *opts,
		struct skep_buf *log, struct skep_verify_report *ret);

/** What a function may do, itself or by those it calls. */
struct skep_verify_effects {
	bool changes_packet, might_sleep;
};

/**
 * What @type_id, a FUNC of the program's BTF, may do; @program as for skep_verify(), verified.
 *
 * @ret     nothing of both, where the program has no such function
 * Return   0 | -ENOMEM | what skep_verify() would refuse it for
 * Source   behaviour of Linux 6.18, check_cfg()
 */
int skep_verify_function_effects(const struct skep_verify_program *program, uint32_t type_id,
				 struct skep_verify_effects *ret);

/**
 * The special fields of a value of type @value_type, which has @value_size bytes.
 *
 * @object  it is an object of the program's own: nodes of lists and trees are fields too
 * @ret     room for SKEP_MAP_MOST_FIELDS, in the order of the type's members
 * Return   how many | -EINVAL | -EEXIST | -E2BIG
 * Source   behaviour of Linux 6.18, btf_parse_fields()
 */
int skep_fields_find(struct skep_btf *btf, uint32_t value_type, uint32_t value_size, bool object,
		     struct skep_map_field *ret);

#include <skep/end.h>

#endif
