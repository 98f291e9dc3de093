/*
 * BPF maps in user space: the 33 types of Linux 6.18, with its limits, flags,
 * results and error codes. Adding a type is a row in map_types.def and a file in
 * src/map.
 *
 * A map is used from two sides, as in the kernel. A *program* gets pointers
 * into the map, valid until the map is freed (an element that is deleted may be
 * taken for another key meanwhile, as in a preallocated map of the kernel). The
 * *syscall* side copies values in and out, and sees a per-CPU value as
 * skep_possible_cpus() copies of it, each rounded up to 8 bytes.
 *
 * Thread    every function is safe from many threads, readers without locks.
 * Memory    one reservation a map, made when it is created and shared with
 *           children of fork(); pages come with use. Nothing is returned to the
 *           system before the map is freed, so no pointer of a program dangles.
 * Source    Linux 6.18, kernel/bpf/<type>.c, for behaviour.
 */
#ifndef SKEP_MAP_H
#define SKEP_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skep/begin.h>

struct skep_btf;
struct skep_map;
struct skep_map_ops;

/** Numbers as in Linux's enum bpf_map_type: SKEP_MAP_HASH == BPF_MAP_TYPE_HASH. */
enum skep_map_type {
#define SKEP_MAP_TYPE(number, NAME, ...) SKEP_MAP_##NAME = (number),
#include "map_types.def"
#undef SKEP_MAP_TYPE
	SKEP_MAP_TYPE_CNT
};

/** What lies in a value beside plain bytes; found by whoever reads the map's BTF. */
enum skep_field_kind {
	SKEP_FIELD_SPIN_LOCK, /* struct bpf_spin_lock */
	SKEP_FIELD_RES_SPIN_LOCK,
	SKEP_FIELD_TIMER,
	SKEP_FIELD_WORKQUEUE,
	SKEP_FIELD_TASK_WORK,
	SKEP_FIELD_KPTR, /* __kptr, __kptr_untrusted, __percpu_kptr */
	SKEP_FIELD_UPTR,
	SKEP_FIELD_LIST_HEAD,
	SKEP_FIELD_LIST_NODE,
	SKEP_FIELD_RB_ROOT,
	SKEP_FIELD_RB_NODE,
	SKEP_FIELD_REFCOUNT,
	SKEP_FIELD_KIND_CNT
};

/** How a KPTR is kept. */
enum skep_kptr_kind {
	SKEP_KPTR_REF, /* owned by the value: only bpf_kptr_xchg() changes it */
	SKEP_KPTR_UNTRUSTED,
	SKEP_KPTR_PERCPU, /* owned, an object for each CPU */
};

struct skep_map_field {
	enum skep_field_kind kind;
	enum skep_kptr_kind kptr;
	uint32_t off, size; /* bytes in the value */
	uint32_t btf_id;    /* KPTR: what it points to; LIST_HEAD, RB_ROOT: what it holds */
	uint32_t node_off;  /* LIST_HEAD, RB_ROOT: the node within what it holds */
};

#define SKEP_MAP_MOST_FIELDS 11 /* as the kernel */

/**
 * Objects that are not maps' own: programs, other maps, sockets, tasks, cgroups.
 * A map keeps such an element as a pointer that it got here and gives back.
 */
struct skep_map_env {
	/** The object behind a descriptor for an element of @map, with a reference.
	 *  Return NULL and *@ret_err < 0: what the kernel says. */
	void *(*get)(struct skep_map *map, int fd, int *ret_err);
	/** The element's number as the syscall side reads it (a program's or map's id). */
	uint32_t (*id)(struct skep_map *map, void *object);
	/** Some time after it left the map: @map's env_ctx may be gone by then. */
	void (*put)(struct skep_map *map, void *object);
	/** A value is about to be overwritten or freed: cancel timers, release kptrs, free lists.
	 */
	void (*release_fields)(struct skep_map *map, void *value);
	/* The rest may be NULL. */
	/** One more reference to an object that a program holds: it puts a socket in a map. */
	void (*ref)(struct skep_map *map, void *object);
	/** The number of a socket where values are 8 bytes; NULL: the id. */
	uint64_t (*cookie)(struct skep_map *map, void *object);
	/** Is there such a network device? NULL: any may be. */
	bool (*device)(struct skep_map *map, uint32_t ifindex);
	/** struct_ops: check the members of @value and turn its programs' descriptors into ids,
	 *  with references; unfill() drops these. 0 | -errno */
	int (*fill)(struct skep_map *map, void *value);
	void (*unfill)(struct skep_map *map, void *value);
	/** struct_ops without BPF_F_LINK: the table is now the kernel's to call, or no more. */
	int (*enlist)(struct skep_map *map, const void *value);
	void (*delist)(struct skep_map *map, const void *value);
	/** ring buffer: there is something to read (or, forced, even without). */
	void (*wake)(struct skep_map *map, bool force);
};

/** As BPF_MAP_CREATE's part of union bpf_attr. */
struct skep_map_attr {
	uint32_t type, key_size, value_size, max_entries, flags, numa_node;
	uint64_t extra; /* map_extra: bloom filter's hashes, arena's address */
	char name[16];
	struct skep_map *inner;         /* of maps: the template; borrowed */
	const struct skep_map_env *env; /* borrowed, NULL: no such elements */
	void *env_ctx;                  /* for @env's functions: map->env_ctx */
	const struct skep_map_field *fields;
	uint32_t n_fields;
};

/**
 * What every map begins with. Read-only for others but for the parts that say otherwise; the JIT
 * reads `values` and `elem_size` to write array look-ups in place.
 */
struct skep_map {
	const struct skep_map_ops *ops;
	uint32_t type, key_size, value_size, max_entries, flags, numa_node;
	uint64_t extra;
	char name[16];
	/* Arrays: element i of CPU c is at values + c * cpu_stride + (i & index_mask) * elem_size.
	 */
	uint8_t *values;
	uint32_t elem_size; /* value_size rounded up to 8 */
	uint32_t index_mask;
	uint64_t cpu_stride; /* 0: not per CPU */
	struct skep_map_field fields[SKEP_MAP_MOST_FIELDS];
	uint32_t n_fields;
	const struct skep_map_env *env;
	void *env_ctx;
	void *owner;                /* the machine's object; not touched here */
	const struct skep_btf *btf; /* whose ids the fields have, the owner's; NULL: none */
	uint8_t *base;              /* the whole reservation */
	size_t memory_bytes;        /* of it: what the map can come to take */
	int memory_fd;              /* what mmap() of the map shows; -1: not to be mapped */
	uint32_t frozen;            /* atomic: the syscall side may not write */
	uint32_t refs;              /* atomic */
};

/** @ret one reference; Return 0 | -errno as BPF_MAP_CREATE, its order of checks included. */
int skep_map_create(const struct skep_map_attr *attr, struct skep_map **ret);
void skep_map_ref(struct skep_map *map);
void skep_map_unref(struct skep_map *map);
static inline void skep_map_unref_p(struct skep_map **map)
{
	if (*map)
		skep_map_unref(*map);
}
#define _cleanup_map_ __attribute__((cleanup(skep_map_unref_p)))

/** CPUs that per-CPU values have copies for: those the system may ever have. */
uint32_t skep_map_n_cpus(void);
/**
 * Become a CPU for as long as a program runs: no other thread is the same one meanwhile, so
 * per-CPU values need no atomics. Nests. Blocks while more threads run programs than there are
 * CPUs. The number is that of the current CPU if it is free.
 */
uint32_t skep_cpu_enter(void);
void skep_cpu_leave(void);
/** The CPU this thread is; outside skep_cpu_enter() any. */
uint32_t skep_cpu_current(void);
/**
 * What is taken out of a map (a program, an inner map, a socket) is given back to its environment
 * when every program that ran at that moment has left its CPU. Normally nobody has to ask for it.
 * skep_grace_poll() gives back what can go now; skep_grace_wait() waits until nothing is left to,
 * before what the environment stands on goes. Neither is called by a program, or with a lock held
 * that env->put takes.
 */
void skep_grace_poll(void);
void skep_grace_wait(void);

/* --- A program's side; keys and values in memory that the program owns ------------------------ */

/** The value of @key or NULL. What it points to is the map's. */
void *skep_map_lookup(struct skep_map *map, const void *key);
/** What skep_map_lookup() comes to for @map, for code that calls it directly; NULL: ask there. */
typedef void *skep_map_lookup_function(struct skep_map *map, const void *key);
skep_map_lookup_function *skep_map_lookup_of(const struct skep_map *map);
/** Return 0 | -E2BIG full | -EEXIST | -ENOENT | -EINVAL flags | -EBUSY … */
int skep_map_update(struct skep_map *map, const void *key, const void *value, uint64_t flags);
int skep_map_delete(struct skep_map *map, const void *key);
int skep_map_push(struct skep_map *map, const void *value, uint64_t flags);
int skep_map_pop(struct skep_map *map, void *value);
int skep_map_peek(struct skep_map *map, void *value);
void *skep_map_lookup_percpu(struct skep_map *map, const void *key, uint32_t cpu);
/** Calls @each until it returns nonzero; returns the number of calls | -EINVAL type or flags. */
long skep_map_for_each(struct skep_map *map,
		       long (*each)(struct skep_map *map, void *key, void *value, void *ctx),
		       void *ctx, uint64_t flags);

/* --- The syscall side ------------------------------------------------------------------------ */

/** The kernel's own ENOTSUPP, no errno of libc's, which bpf(2) does return. */
#define SKEP_ENOTSUPP 524

/** Bytes of a value on this side: per CPU, all of them. */
uint32_t skep_map_sys_value_size(const struct skep_map *map);
int skep_map_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags);
int skep_map_sys_update(struct skep_map *map, const void *key, const void *value, uint64_t flags);
int skep_map_sys_delete(struct skep_map *map, const void *key);
int skep_map_sys_lookup_and_delete(struct skep_map *map, const void *key, void *value,
				   uint64_t flags);
/** BPF_MAP_FREEZE: no more writing from this side. Return 0 | -EPERM it is so already |
 *  -ENOTSUPP special fields. Writable mappings are the caller's to look for first. */
int skep_map_sys_freeze(struct skep_map *map);
/** @key NULL: the first. Return 0 | -ENOENT after the last | -ENOTSUPP | -EINVAL */
int skep_map_sys_next_key(struct skep_map *map, const void *key, void *next_key);

/** BPF_MAP_*_BATCH, arrays of keys and values one behind the other. */
struct skep_map_batch {
	const void *in_batch; /* NULL: from the start */
	void *out_batch;
	void *keys, *values;
	uint32_t count; /* in: room; out: how many were done */
	uint64_t elem_flags, flags;
};
int skep_map_sys_lookup_batch(struct skep_map *map, struct skep_map_batch *batch);
int skep_map_sys_lookup_and_delete_batch(struct skep_map *map, struct skep_map_batch *batch);
int skep_map_sys_update_batch(struct skep_map *map, struct skep_map_batch *batch);
int skep_map_sys_delete_batch(struct skep_map *map, struct skep_map_batch *batch);

/** bpf_spin_lock() and bpf_spin_unlock(): @lock is a struct bpf_spin_lock in a value. */
void skep_map_spin_lock(void *lock);
void skep_map_spin_unlock(void *lock);

/* --- Maps with an interface of their own ----------------------------------------------------- */

/** prog_array, array and hash of maps, dev, xsk and sock maps: the object, with no reference; or
 *  NULL. Valid as long as the program runs. */
void *skep_map_object(struct skep_map *map, const void *key);

/** Put all elements: for a prog_array when its last descriptor and pin are gone (it may hold the
 *  programs that hold it), for a perf_event_array when the descriptor that filled it is. */
void skep_map_clear_objects(struct skep_map *map);
/** of maps: what all elements are like; it has no elements itself. NULL: another type. */
const struct skep_map *skep_map_inner(const struct skep_map *map);

/* Ring buffer, in the kernel's memory layout (consumer page, producer page, data twice). */
void *skep_ringbuf_reserve(struct skep_map *map, uint64_t size); /* NULL: no room */
void skep_ringbuf_submit(void *sample, uint64_t flags);
void skep_ringbuf_discard(void *sample, uint64_t flags);
int skep_ringbuf_output(struct skep_map *map, const void *data, uint64_t size, uint64_t flags);
uint64_t skep_ringbuf_query(struct skep_map *map, uint64_t flags);
/**
 * Read what was submitted, for who has the map in this process and not libbpf: @each gets every
 * sample, in order, until there are no more, one is still being written, or it returns non-zero.
 *
 * @sample  borrowed, gone when @each returns
 * Return   how many samples were read | what @each returned below 0 | -EINVAL another type
 * Thread   one reader of a ring at a time; producers do not wait for it
 * Source   the protocol of Linux 6.18, kernel/bpf/ringbuf.c
 */
long skep_ringbuf_read(struct skep_map *map, int (*each)(void *ctx, void *sample, uint32_t size),
		       void *ctx);
/** mmap() of the map's descriptor as the kernel would do it. Return the address or -errno. */
intptr_t skep_map_mmap(struct skep_map *map, void *addr, size_t len, int prot, int flags,
		       uint64_t off);
/** Samples that user space submitted; @each returns 1 to stop. Return their number | -errno. */
long skep_user_ringbuf_drain(struct skep_map *map,
			     long (*each)(void *sample, uint32_t size, void *ctx), void *ctx,
			     uint64_t flags);

/** The storage of @owner (a socket, task, inode or cgroup object), made if @create; NULL: none.
 *  Storages of an owner go with skep_map_storage_forget(). */
void *skep_map_storage(struct skep_map *map, void *owner, const void *init, bool create,
		       int *ret_err);
int skep_map_storage_delete(struct skep_map *map, void *owner);
void skep_map_storage_forget(void *owner);

/**
 * cgroup storages: the value of the attachment that @key (struct bpf_cgroup_storage_key, or the
 * cgroup's id alone) names, made zero when a program is attached; per CPU, the first CPU's, the
 * others map->elem_size apart. NULL: no memory. A run without attachment (a test run) takes
 * skep_map_storage() with itself as the owner instead: nobody else sees that value.
 */
void *skep_cgroup_storage_link(struct skep_map *map, const void *key);
void skep_cgroup_storage_unlink(struct skep_map *map, const void *key);

/* Numbers as in enum bpf_struct_ops_state. */
enum skep_struct_ops_state {
	SKEP_STRUCT_OPS_INIT,
	SKEP_STRUCT_OPS_INUSE,
	SKEP_STRUCT_OPS_TOBEFREE,
	SKEP_STRUCT_OPS_READY, /* a link may register it */
};
enum skep_struct_ops_state skep_struct_ops_state(const struct skep_map *map);
/** The table as it was filled: ids of programs in the place of functions. Valid unless INIT. */
const void *skep_struct_ops_value(const struct skep_map *map);

/** stack_trace: the id of a stack of @n addresses; flags of bpf_get_stackid(). -EEXIST | -ENOMEM */
int64_t skep_stack_map_id(struct skep_map *map, const uint64_t *ips, uint32_t n, uint64_t flags);

/** arena: @n pages at @addr (0: anywhere); the address in the program's view, 0: none. */
uint64_t skep_arena_alloc_pages(struct skep_map *map, uint64_t addr, uint32_t n, int node,
				uint64_t flags);
void skep_arena_free_pages(struct skep_map *map, uint64_t addr, uint32_t n);
/** Keep @n pages at @addr from being given out. 0 | -EINVAL outside | -EBUSY not free */
int skep_arena_reserve_pages(struct skep_map *map, uint64_t addr, uint32_t n);
/** Where user space sees page 0; 0: nowhere yet. Its upper half goes before what programs have. */
uint64_t skep_arena_user_start(const struct skep_map *map);
/** What is added to a program's 32-bit arena address to make it ours. */
uintptr_t skep_arena_base(const struct skep_map *map);

#include <skep/end.h>

#endif
