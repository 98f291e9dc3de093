/*
 * What programs may call: helpers (helpers.def) and kernel functions
 * (kfuncs.def), their prototypes, and the world that they act on.
 *
 * A prototype says what the verifier must prove and the checked interpreter
 * tests: that r2 is a key of r1's map, that r3 bytes at r2 are readable, that
 * the result is a value of that map or NULL.
 */
#ifndef SKEP_HELPER_H
#define SKEP_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/image.h>
#include <skep/map.h>

#include <skep/begin.h>

struct skep_btf;

/** What an argument must be. Names follow the kernel's enum bpf_arg_type. */
enum skep_arg_kind {
	SKEP_ARG_NONE,
	SKEP_ARG_ANYTHING,
	SKEP_ARG_CONST_MAP_PTR,
	SKEP_ARG_MAP_KEY,   /* key_size bytes of the map before it */
	SKEP_ARG_MAP_VALUE, /* value_size bytes of it */
	SKEP_ARG_MEM,       /* of the size that the next argument gives, or of proto->sizes */
	SKEP_ARG_SIZE,
	SKEP_ARG_SIZE_OR_ZERO,
	SKEP_ARG_CONST_ALLOC_SIZE, /* the result's size */
	SKEP_ARG_CTX,
	SKEP_ARG_SPIN_LOCK,
	SKEP_ARG_SOCK_COMMON,
	SKEP_ARG_SOCKET,
	SKEP_ARG_BTF_ID, /* of the kind named by the prototype */
	SKEP_ARG_RINGBUF_MEM,
	SKEP_ARG_PERCPU_BTF_ID,
	SKEP_ARG_FUNC,
	SKEP_ARG_STACK,
	SKEP_ARG_CONST_STR, /* NUL-terminated, in a read-only map */
	SKEP_ARG_TIMER,
	SKEP_ARG_KPTR,
	SKEP_ARG_DYNPTR,
	SKEP_ARG_LONG,  /* 8 bytes at an address that fits them */
	SKEP_ARG_INT,   /* 4 */
	SKEP_ARG_ALLOC, /* kfuncs: an object of the program's own (bpf_obj_new()) */
	SKEP_ARG_LIST_HEAD,
	SKEP_ARG_LIST_NODE,
	SKEP_ARG_RB_ROOT,
	SKEP_ARG_RB_NODE,
	SKEP_ARG_ITER, /* an open-coded iterator on the stack */
	SKEP_ARG_REFCOUNTED_KPTR,
	SKEP_ARG_IRQ_FLAG,
	SKEP_ARG_KIND_MASK = 0xff,
	/* and with them */
	SKEP_ARG_MAYBE_NULL = 1 << 8,
	SKEP_ARG_WRITES = 1 << 9,  /* memory that the call writes (and so need not be set before) */
	SKEP_ARG_UNINIT = 1 << 10, /* memory that need not be set before, and is after */
	SKEP_ARG_RELEASES = 1 << 11,
	SKEP_ARG_RDONLY = 1 << 12,
	SKEP_ARG_ALIGNED = 1 << 13,
	SKEP_ARG_FIXED_SIZE = 1 << 14, /* MEM of proto->sizes[i] bytes */
	SKEP_ARG_CONST = 1 << 15,      /* must be known when verifying */
	SKEP_ARG_DYNPTR_LOCAL = 1 << 16,
	SKEP_ARG_DYNPTR_RINGBUF = 1 << 17,
};

enum skep_ret_kind {
	SKEP_RET_INTEGER,
	SKEP_RET_VOID,
	SKEP_RET_MAP_VALUE,
	SKEP_RET_SOCKET,
	SKEP_RET_TCP_SOCK,
	SKEP_RET_SOCK_COMMON,
	SKEP_RET_MEM,           /* of the CONST_ALLOC_SIZE argument's bytes */
	SKEP_RET_MEM_OR_BTF_ID, /* per-CPU variables */
	SKEP_RET_BTF_ID,
	SKEP_RET_DYNPTR_SLICE, /* of the size argument's bytes */
	SKEP_RET_KIND_MASK = 0xff,
	SKEP_RET_MAYBE_NULL = 1 << 8,
	SKEP_RET_ACQUIRES = 1 << 9, /* to be released */
	SKEP_RET_RDONLY = 1 << 10,
	SKEP_RET_TRUSTED = 1 << 11, /* BTF_ID: valid, and stays so */
};

struct skep_proto {
	uint32_t ret;     /* skep_ret_kind */
	uint32_t args[5]; /* skep_arg_kind */
	uint32_t sizes[5];
	const char *ret_type, *arg_types[5]; /* BTF_ID: the struct's name */
	bool gpl_only, may_sleep, pkt_access, changes_packet;
};

/** Is this a format of bpf_snprintf() and its kin, for no more than @n_args arguments (12 at most)?
 */
bool skep_format_is_valid(const char *fmt, uint32_t n_args);

/** The row of a helper by number; NULL: no such helper. row->call NULL: has no meaning here. */
const struct skep_callable *skep_helper(int32_t id);
/** A kernel function by name; NULL: none of ours. */
const struct skep_callable *skep_kfunc(const char *name);

/* --- The world a run acts on ----------------------------------------------------------------- */

/**
 * A packet. `ctx` (struct xdp_md or struct __sk_buff, with Linux's layout) has 32-bit addresses of
 * its bytes, so the buffer lies below 4 GiB: skep_packet_new() sees to it.
 *
 *	buf        meta       data                    end           limit
 *	| headroom | metadata | linear part of packet | tail room   |
 */
struct skep_packet {
	uint8_t *buf, *meta, *data, *end, *limit;
	void *ctx;
	bool is_xdp;
	uint32_t frags_bytes; /* XDP with several buffers, skbs that are not linear: behind `end` */
	uint8_t *frags;       /* heap, owned */
	uint16_t protocol;    /* Ethernet type, network byte order */
	/* from data; transport_off UINT32_MAX: nobody looked for it */
	int32_t mac_off; /* negative where the program does not see the link header */
	uint32_t network_off, transport_off;
	/* Results of redirect helpers, for the caller to look at. */
	uint32_t redirect_ifindex;
	uint64_t redirect_flags;
	struct skep_map *redirect_map;
	uint64_t redirect_key;
	uint32_t n_clones, clone_ifindex; /* clone_redirect(): how many, the last one's target */
	bool encapsulated;                /* adjust_room() has put a header around it */
};

/** A packet of @len bytes with room before and after it. Return NULL: no memory below 4 GiB. */
struct skep_packet *skep_packet_new(const void *data, uint32_t len, uint32_t headroom,
				    uint32_t tailroom);
void skep_packet_free(struct skep_packet *packet);
/** At least @head bytes before the metadata and @tail behind the end; addresses may change. Return
 *  0 | -ENOMEM */
int skep_packet_reserve(struct skep_packet *packet, uint32_t head, uint32_t tail);
/**
 * The load of classic BPF: @size bytes in network order, 1, 2 or 4 of them.
 *
 * @off    from data; below 0 from the network header (Linux's SKF_NET_OFF), further below from the
 *         link header (SKF_LL_OFF), which may lie before data
 * Return  false: some of them are not of the packet; @ret is untouched
 */
bool skep_packet_load(const struct skep_packet *packet, int32_t off, unsigned size, uint64_t *ret);
/** Does the host have a network device of this number? */
bool skep_device_exists(uint32_t ifindex);
/** Memory below 4 GiB for contexts and packets; whole pages. NULL: none left. */
void *skep_low_alloc(size_t bytes);
void skep_low_free(void *at, size_t bytes);

/** Everything outside the program, as this run sees it. Zero: the host as it is. */
struct skep_world {
	struct skep_packet *packet; /* NULL: not a packet program */
	/** Where bpf_trace_printk() and friends write a line; NULL: nowhere. */
	void (*trace)(void *ctx, const char *text, size_t len);
	void *trace_ctx;
	uint64_t seed; /* of bpf_get_prandom_u32(), if fixed_random */
	bool fixed_random;
	uint64_t now_ns; /* what clocks show, if fixed_clock */
	bool fixed_clock;
	uint32_t ifindex; /* where packets come from */
	uint64_t attach_cookie, func_ip;
	/** A perf or ring-less sample (perf_event_output()): which map, CPU index, bytes. */
	int (*output)(void *ctx, struct skep_map *map, uint64_t index, const void *data,
		      uint64_t size);
	void *output_ctx;
	/** What an iterator prints: seq_printf(), seq_write(). 0 | -EOVERFLOW; NULL: nowhere. */
	int (*seq_write)(void *ctx, const void *data, size_t len);
	void *seq_ctx;
	int32_t retval;            /* bpf_get_retval(), bpf_set_retval() */
	const uint64_t *func_args; /* bpf_get_func_arg() and the last, bpf_get_func_ret() */
	uint32_t n_func_args;
	/* What the program asked for, for the caller to look at. */
	uint32_t signal; /* bpf_send_signal(); to the thread alone, if signal_thread */
	bool signal_thread;
	bool overridden; /* bpf_override_return() */
	uint64_t override_value;
	/** The program's types: how large what bpf_obj_new() makes is. NULL: it makes nothing. */
	const struct skep_btf *types;
};

/** The program goes: its timers do not call it any more, and none of them is under way. */
void skep_timers_forget(const struct skep_program *program);
/** A map's value goes: timers in it are cancelled, kept objects given back. For
 *  skep_map_env.release_fields. */
void skep_kept_release(struct skep_map *map, void *value);

/** Bytes from @at to the end of what helpers have made there: a program's own object, a task, a
 *  cgroup. 0: nothing of the kind. Cost O(objects). */
size_t skep_object_left(const void *at);

/** What programs see as the task of the calling thread, of one of the process's threads by its
 *  number, and as the process's cgroup by its id: the owners of storages. NULL: none. */
void *skep_task_current(void);
void *skep_task_by_pid(uint32_t pid);
void *skep_cgroup_by_id(uint64_t id);

/* --- Memory that a run may touch (the checked interpreter's; NULL run->check: any) ----------- */

/* A map that a look-up gave is no memory to read or write; it may be handed to helpers. */
enum { SKEP_MAY_READ = 1, SKEP_MAY_WRITE = 2, SKEP_IS_MAP = 4 };

/** Grant [@at, @at + @bytes) until the run ends or it is revoked. Nothing without run->check. */
void skep_run_grant(struct skep_run *run, const void *at, size_t bytes, unsigned rights);
void skep_run_revoke(struct skep_run *run, const void *at);
/** May the program touch all of it? Without run->check: yes. */
bool skep_run_may(const struct skep_run *run, const void *at, size_t bytes, unsigned rights);

#include <skep/end.h>

#endif
