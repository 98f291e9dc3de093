/*
 * Probes: what a script attaches to. A provider (a row of providers.def, a
 * file of provider/) turns a spec as written ("tracepoint:sched:*") into the
 * places it means on this machine, each a struct skep_probe: its full name,
 * how to attach there, and what the program can see in its context.
 */
#ifndef SKEP_TRACE_PROBE_H
#define SKEP_TRACE_PROBE_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <skep/elf.h>
#include <skep/load.h>

#include "trace/ast.h"
#include "trace/packet.h"
#include "trace/type.h"

struct skep_buf;
struct skep_config;
struct skep_expand;
struct skep_probe;

/** What the program's context pointer points to: decides args, argN, retval, reg(). */
enum skep_ctx_kind {
	SKEP_CTX_NONE,       /* BEGIN, END, self: nothing */
	SKEP_CTX_TRACEPOINT, /* the trace record: args->field are loads at offsets */
	SKEP_CTX_RAW,        /* u64[]: argument i at 8*i */
	SKEP_CTX_PERF,       /* struct bpf_perf_event_data */
	SKEP_CTX_REGS,       /* struct pt_regs: function arguments in registers */
	SKEP_CTX_USDT,       /* struct pt_regs; arguments where the note says */
	SKEP_CTX_ITER,       /* struct bpf_iter__NAME */
	SKEP_CTX_HOOK,       /* a packet's or socket's: probe->hook says which */
};

/** Whether `-l` without a provider's name, and `*:NAME`, mean a provider too. */
enum skep_listed {
	SKEP_LISTED_NEVER, /* only by name: it has no places of its own */
	SKEP_LISTED_KERNEL,
	SKEP_LISTED_USER, /* where a binary or a process is named */
};

/** When the run time starts a probe itself rather than attaching it. */
enum skep_probe_special {
	SKEP_PROBE_ATTACHED,
	SKEP_PROBE_BEGIN,
	SKEP_PROBE_END,
	SKEP_PROBE_SIGNAL
};

/** Places that are reached through one raw tracepoint for all of them: see lower/gather.c. */
struct skep_gather {
	const struct skep_probe *first; /* the one that is attached */
	uint32_t n;                     /* places */
	bool is_exit;                   /* sys_exit, else sys_enter */
	uint32_t map, n_numbers;        /* the table of places by number; its length */
	uint32_t compat_off;            /* in the task: the word that tells a 32-bit call */
	uint32_t number_off;            /* in the registers: the call's number */
};

/** Places that one link attaches, of one program: kprobe.multi. */
struct skep_bundle {
	const struct skep_probe *first; /* whose attach has the arrays of all */
	uint32_t n;
};

struct skep_provider {
	const char *name;           /* "tracepoint" */
	const char *const *aliases; /* "t", NULL-terminated */
	const char *synopsis;       /* "tracepoint:CATEGORY:EVENT" */
	enum skep_listed listed;
	enum skep_ctx_kind ctx;
	uint32_t prog_type;    /* enum bpf_prog_type */
	enum skep_space space; /* what plain pointers point to */
	bool is_return;        /* retval instead of arguments */
	/** Add every place that @spec means. No match at all is an error in @x->diag (with "did
	 *  you mean"), or a warning where config.missing_probes says so. Return 0 | -errno */
	int (*expand)(struct skep_expand *x, const struct skep_probe_spec *spec);
	/** List what could be attached to and matches @pattern (-l), one name a line; with @verbose
	 *  the arguments below each, indented by four spaces ("    int fd"). */
	int (*list)(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		    struct skep_buf *out);
	/** Fill the layout of the arguments (probe->args, usdt_args), when the script uses them.
	 *  NULL: there is nothing to fill. Return 0 | -errno (see @x->diag) */
	int (*layout)(struct skep_expand *x, struct skep_probe *probe);
};

/** One place. Strings on the compilation's arena. */
struct skep_probe {
	const struct skep_provider *provider;
	struct skep_probe_def *def; /* whose body runs there */
	const struct skep_probe_spec *spec;
	const char *name; /* what the builtin `probe` says: attach.target, or the
			     NAME of NAME=provider:… */
	const char *func; /* what the builtin `func` says where it is static, or NULL */
	enum skep_probe_special special;
	int signal;        /* SIGNAL */
	const char *kfunc; /* "MODULE:FUNCTION" of the kernel where it is one */
	/* How its program is loaded, 0: nothing to say; see struct skep_object_prog. */
	uint32_t expected_attach_type, attach_btf_id;
	int attach_fd; /* owned: see skep_probe_close() */
	bool is_typed; /* a raw tracepoint whose program is TRACING: see lower/typed.c */
	struct skep_attach attach;        /* all but prog and cookie */
	const struct skep_record *args;   /* what `args` is (space CTX), or NULL */
	const struct skep_format *format; /* TRACEPOINT: what `args` was made of */
	const struct skep_type *retval;   /* its type if known, or NULL */
	const char *usdt_text;            /* USDT: the note's argument text; layout() parses it */
	uint16_t usdt_machine;            /* e_machine of the binary */
	struct skep_usdt_arg *usdt_args;  /* USDT */
	uint32_t n_usdt_args;
	/* CTX_HOOK: where packets or sockets are seen, what packets begin with there, of which
	 * device; else NULL and 0. */
	const struct skep_trace_hook *hook;
	enum skep_link link;
	const char *ifname;
	const struct skep_gather *gather; /* NULL: it is attached by itself */
	const struct skep_bundle *bundle; /* the same */
	uint32_t index;                   /* in the program's list; the attach cookie */
};

/** Does the value that the script returns there decide for the kernel? */
static inline bool skep_probe_decides(const struct skep_probe *probe)
{
	return probe->provider->prog_type == BPF_PROG_TYPE_LSM ||
	       probe->expected_attach_type == BPF_MODIFY_RETURN;
}

/** What expansion works on. */
struct skep_expand {
	struct skep_types *types;
	struct skep_arena *arena;
	struct skep_diag *diag;
	const struct skep_config *config;
	pid_t pid;            /* -p, or of -c; -1: every process */
	const char *cmd_path; /* -c's program, resolved; or NULL */
	struct skep_probe_def *def;
	struct skep_probe **probes; /* arena-grown result: probes[0 … n_probes) */
	uint32_t n_probes, cap_probes;
	/* expand.c's own: */
	uint32_t n_specs;                /* in the whole script */
	bool must_find;                  /* what is missing now is an error */
	bool over_limit;                 /* config.max_probes was reached */
	const char *traceable, *symbols; /* the kernel's lists of functions; NULL: not read yet */
	/* of binaries, what was asked last: scripts name one and the same for several functions */
	const char *target, *target_path; /* what resolved to what; NULL: nothing so far */
	const char *elf_path;
	struct skep_elf *elf; /* owned, until all is expanded */
};

/** Close what it has open until it is attached: a control group, a module's BTF. */
void skep_probe_close(struct skep_probe *probe);
/** The provider called @name or one of its aliases; NULL: none. */
const struct skep_provider *skep_provider_find(const char *name);
/** All providers in order; returns how many. */
size_t skep_providers(const struct skep_provider *const **ret);
/** A new probe at the end of the list, its provider, def and spec filled in; NULL: there are
 *  config.max_probes already. */
struct skep_probe *skep_expand_add(struct skep_expand *x, const struct skep_provider *provider,
				   const struct skep_probe_spec *spec);
/**
 * Expand every spec of every probe of @script, in order; several specs of one
 * probe that mean the same place give it once.
 *
 * @x  probes and n_probes are the result; on failure what could be expanded, so
 *     that other errors of the script can still be looked for
 * Return 0 | -EINVAL (see diag)
 */
int skep_expand_script(struct skep_expand *x, struct skep_script *script);
/** -l and -lv: everything that matches @pattern ("*:sys_enter_*", "usdt:/bin/x:*", several
 *  after commas, "*sleep*" in any provider; NULL or "": all of the kernel's).
 *  Return 0 | -EINVAL no such provider, no such binary (see diag) */
int skep_probe_list(struct skep_expand *x, const char *pattern, bool verbose, struct skep_buf *out);
/** Shell-style match: * and ?, [a-z]; no escapes. Linear. */
bool skep_wildcard_match(const char *pattern, const char *text);
bool skep_has_wildcard(const char *text);

#endif
