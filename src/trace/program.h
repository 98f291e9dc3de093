/*
 * A compiled script: the object for the kernel, and what the run time needs to
 * understand what comes back. Made by lower/, used by run/.
 */
#ifndef SKEP_TRACE_PROGRAM_H
#define SKEP_TRACE_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <skep/ir.h>
#include <skep/object.h>

#include "linux/choice.h"
#include "trace/config.h"
#include "trace/probe.h"
#include "trace/type.h"
#include "unwind/program.h"

/** How a script's map is kept. */
enum skep_storage {
	SKEP_STORE_GLOBAL,     /* scalar: in the globals array map, at off: u64 is-set, value */
	SKEP_STORE_CPU_GLOBAL, /* scalar aggregate: in the per-CPU globals, element page, at off */
	SKEP_STORE_HASH,       /* BPF hash (or LRU) map of its own: key -> value */
	SKEP_STORE_CPU_HASH,   /* per-CPU hash: key -> one aggregate value for each CPU */
	SKEP_STORE_TASK,       /* task storage: key is the thread; u64 is-set, value */
	SKEP_STORE_CHOICE,     /* an aggregate of few keys, all known: in the per-CPU globals, as
			      CPU_GLOBAL; for each key u64 is-set, value: skep_choice_stride() */
	SKEP_STORE_CPU,        /* key is the CPU: in its per-CPU globals, as CPU_GLOBAL; the same */
};

struct skep_trace_map {
	const char *name;                    /* "@x" */
	const struct skep_type *key, *value; /* key NULL: scalar */
	enum skep_storage storage;
	uint32_t bpf_map; /* index into the object's maps */
	uint32_t off;     /* GLOBAL, CPU_GLOBAL, CHOICE, CPU */
	uint32_t page;    /* CPU_GLOBAL, CHOICE, CPU */
	const uint8_t
		*choices; /* CHOICE: the keys, key->size bytes each; some may be there twice */
	uint32_t n_choices;
	uint32_t max_keys;
	bool only_sums; /* CPU_GLOBAL, CHOICE: programs add to it and never look; see skep_map_clear() */
	bool is_off; /* only what options have turned off would assign it: not printed */
};

/** From one value of a CHOICE to the next, in bytes. */
static inline uint32_t skep_choice_stride(const struct skep_type *value)
{
	return 8 + ((value->size + 7) & ~7u);
}

/*
 * Events in the ring: a u64 whose low half is the index into `events` and
 * whose high half is the length of the fixed part in bytes, then each argument
 * at its offset. A value that is long and of varying length (a string over
 * SKEP_INLINE_MAX bytes, a buffer) is not stored there itself but as u32 offset
 * from the event's start, u32 length in bytes, with its bytes behind the fixed
 * part.
 */
#define SKEP_INLINE_MAX 64
struct skep_event_hdr {
	uint32_t event;
	uint32_t fixed_bytes;
};

enum skep_event_kind {
	SKEP_EV_PRINTF, /* text: the format; args */
	SKEP_EV_ERRORF, /* printf to stderr */
	SKEP_EV_WARNF,
	SKEP_EV_PRINT,     /* print(value): args[0] */
	SKEP_EV_PRINT_KEY, /* print(@x[key]): map, args[0] the key, args[1] the value */
	SKEP_EV_PRINT_MAP, /* print(@x, top, div): map, args: top, div (u32 each, may be missing) */
	SKEP_EV_CLEAR,     /* map */
	SKEP_EV_ZERO,      /* map */
	SKEP_EV_EXIT,      /* args[0]: exit status, may be missing */
	SKEP_EV_JOIN,      /* text: the separator; args: up to 16 strings (u32 count first) */
	SKEP_EV_TIME,      /* text: strftime format of the wall clock now */
	SKEP_EV_SYSTEM,    /* text: format of the command; args */
	SKEP_EV_CAT,       /* text: format of the path; args */
	SKEP_EV_ROW,       /* text: columns (column.h); args */
	SKEP_EV_TABLE,     /* text: columns; maps; args[0]: top */
	SKEP_EV_REFRESH,
	SKEP_EV_N_KINDS
};

struct skep_event_arg {
	const struct skep_type *type;
	uint32_t off;    /* from the event's start */
	bool is_varying; /* at off: u32 offset, u32 length (see above) */
	bool is_signed;
};

struct skep_event {
	enum skep_event_kind kind;
	const char *text; /* format, separator */
	const struct skep_event_arg *args;
	uint32_t n_args;
	uint32_t map;         /* index into maps */
	const uint32_t *maps; /* TABLE: indices into maps, n_maps */
	uint32_t n_maps;
	uint64_t takes; /* PRINT_MAP, TABLE: which maps are emptied as they are read, a bit each */
	uint32_t sort;  /* TABLE: number of the column it is sorted by */
	struct skep_span span;
};

/** Causes of loss: rows of losses.def, each a u64 in the per-CPU globals. */
enum skep_loss {
#define LOSS(name, text, hint) SKEP_LOSS_##name,
#include "trace/losses.def"
#undef LOSS
	SKEP_LOSS_CNT
};

struct skep_trace_program {
	struct skep_object object;
	struct skep_types types;
	struct skep_config config;
	struct skep_script *script;
	struct skep_probe **probes; /* attach.prog filled in; cookie = index + 1 where used */
	uint32_t n_probes;
	struct skep_trace_map *maps;
	uint32_t n_maps;
	struct skep_event *events;
	uint32_t n_events;
	const char **strings; /* formats named by index in values (strftime, cgroup_path) */
	uint32_t n_strings;
	/* Indices into the object's maps; UINT32_MAX: not used by this script. */
	uint32_t ring, ring_control; /* control: second chance of exit, clear, zero and print(@) */
	uint32_t ring_bytes, ring_control_bytes; /* powers of two; of perf buffers, all CPUs' */
	uint32_t globals, cpu_globals, stacks[2 /* kernel, user */];
	uint32_t stack_depth[2];
	/* Stacks whose place in `stacks` was taken: numbers with SKEP_STACK_MORE. */
	uint32_t more_stacks[2];
	bool unwinds; /* user stacks are walked by call frame information, with these maps */
	struct skep_unwind_walk_maps unwind;
	/* The program that zeroes map ctx[0] of the per-CPU globals: all CPUs' copies, or where
	 * it has not the best way for SKEP_FOR_COPIES, its own CPU's. */
	uint32_t eraser;
	uint32_t loss_off;  /* of u64[SKEP_LOSS_CNT], then u64[n_maps] (full map), in globals */
	uint32_t stand_ins; /* bit n: for enum skep_purpose n this script does not have the best */
	bool names_code;    /* of processes: user stacks, usym() */
	bool needs_elapsed; /* u64 at elapsed_off of globals: start, ns of skep_trace_clock() */
	uint32_t elapsed_off;
};

static inline bool skep_trace_has_best(const struct skep_trace_program *program,
				       enum skep_purpose purpose)
{
	return !(program->stand_ins & 1u << purpose);
}

/** The clock of nsecs and elapsed. */
static inline clockid_t skep_trace_clock(const struct skep_trace_program *program)
{
	return skep_trace_has_best(program, SKEP_FOR_CLOCK) ? CLOCK_BOOTTIME : CLOCK_MONOTONIC;
}

/** In numbers of stacks that are taken by frame pointers, see more_stacks. */
#define SKEP_STACK_MORE (1u << 30)

/** What a compilation is given. */
struct skep_compile_opts {
	const char *const *params; /* $1… */
	uint32_t n_params;
	/* What getopt() takes: "--name", "--name=value". NULL: those of params that look so. */
	const char *const *options;
	uint32_t n_options;
	pid_t pid;
	/* pid is where probes in user space are put; what else is looked at the script decides. */
	bool pid_is_place;
	const char *cmd_path;
	uint32_t cpid; /* pid of -c, 0: not yet known */
	bool allow_unsafe;
	bool is_frugal; /* it goes on for days: maps that nobody declares have room for this machine,
			 * as it is now, rather than for any */
	char *const *env; /* "NAME=value"…: BPFTRACE_ and SKEP_ names set config items; NULL */
	const struct skep_ir_target *target;
	/* The kernel's types, for whoever compiles several scripts: what one of them looked up the
	 * others need not. Borrowed until the program is done; NULL: it opens them itself. */
	struct skep_btf *btf;
	/* Is the best way there? Asked when the script needs it; NULL: all are. */
	bool (*has_best_way)(enum skep_purpose purpose);
	/* Where the stages are written as text; NULL: not asked for. */
	struct skep_buf *dump_ast, *dump_ir, *dump_bytecode;
};

/**
 * Compile @source to a program: parse, expand, type, lower, emit.
 *
 * @arena  everything but the object's own arrays lives there
 * @ret    to be freed with skep_trace_program_done(), also after an error
 * Return  0 | -EINVAL (see @diag) | -errno
 */
int skep_trace_compile(struct skep_arena *arena, const struct skep_source *source,
		       const struct skep_compile_opts *given, struct skep_trace_program *ret,
		       struct skep_diag *diag);
void skep_trace_program_done(struct skep_trace_program *program);

#endif
