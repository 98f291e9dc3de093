/*
 * What the files of this folder share: the machine's objects and the request at hand.
 *
 *	bpf.c      bpf(2): checks sizes, finds the command's row in commands.def, calls its handler
 *	object.c   objects: ids, references, the way from a descriptor to an object
 *	fd_*.c     what is behind a descriptor, by system; so are os_*.c, pin_*.c, memory_*.c
 *	user.c     memory of the caller
 *	log.c      the log of PROG_LOAD and BTF_LOAD
 *	map.c …    handlers, by family
 *
 * Invariants: an object's `refs` and the tables of machine->objects change only under
 * machine->lock; an object is freed outside of it, once nothing finds it any more. A handler
 * returns a result or -errno, as the kernel's does, and gives back every reference it took.
 */
#ifndef SKEP_MACHINE_MACHINE_H
#define SKEP_MACHINE_MACHINE_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "skep/btf.h"
#include "skep/helper.h"
#include "skep/image.h"
#include "skep/machine.h"
#include "skep/map.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/vec.h"
#include "machine/wire.h"

enum object_kind { OBJECT_MAP, OBJECT_PROG, OBJECT_BTF, OBJECT_LINK, OBJECT_STATS, OBJECT_KINDS };

/** The way from descriptors to an object and back: see fd_linux.c, fd_other.c. */
struct handle {
	int watch_fd;        /* ours; -1: nothing was ever handed out, or no Linux */
	uint64_t dev, inode; /* of every descriptor of the object */
};

struct object {
	struct skep_machine *machine;
	enum object_kind kind;
	uint32_t id;
	uint32_t refs;      /* by descriptors (one, whatever their number), pins, other objects */
	uint32_t user_refs; /* of those: descriptors and pins */
	bool held;          /* descriptors have their reference */
	struct handle handle;
	struct object *next; /* in its bucket, then among the dead */
};

struct map_object {
	struct object object;
	struct skep_map *map;
	struct btf_object *btf;
	uint32_t btf_key_type_id, btf_value_type_id, btf_vmlinux_value_type_id;
	int event_fd;     /* what waiting for a ring buffer waits on; -1: none yet */
	uint32_t writers; /* atomic: system calls that write now */
};

struct btf_object {
	struct object object;
	struct skep_btf *btf;
	void *data;
	uint32_t size;
	bool is_kernel;
};

struct prog_object {
	struct skep_program program; /* first: what maps and engines know of it */
	struct object object;
	struct skep_image *image;
	struct skep_insn *insns; /* as they were loaded */
	uint32_t n_insns;
	uint32_t type, expected_attach_type, flags, attach_btf_id;
	char name[16];
	uint8_t tag[8];
	bool gpl, checked;  /* checked: the checked interpreter runs it */
	uint32_t ctx_bytes; /* verified: it touches so much of its context; else 0 */
	bool unsure;        /* verified, but what it may touch is for the kernel to know */
	uint32_t uid;
	uint64_t load_time_ns;
	SKEP_VEC(struct map_object *) maps;
	struct btf_object *btf;
	struct btf_object *attach_btf;
	struct prog_object *attach_prog;
	struct wire_func_info *funcs;
	struct wire_line_info *lines;
	uint32_t n_funcs, n_lines;
	uint64_t run_time_ns, run_cnt; /* atomic */
	struct skep_fault fault;       /* of the last run; under machine->lock */
	bool faulted;
};

struct link_object {
	struct object object;
	struct prog_object *prog; /* NULL: detached for good, or of a map */
	struct map_object *map;   /* struct_ops */
	uint32_t type, attach_type;
	uint32_t target, flags;
	int32_t priority;
	uint64_t cookie;
	enum skep_hook kind; /* what it hangs on */
	char hook[64];
	bool detached;
	bool plain; /* attached without a link: see attach.c */
};

/** Objects of one kind by id, ascending. */
struct id_table {
	SKEP_VEC(struct object *) all;
	uint32_t last; /* id given last */
};

/** What stands for a pin: a file (pin_linux.c), or where there are no inodes its name alone
 *  (pin_other.c). */
struct pin_place {
	int fd; /* of the file, so that no other gets its inode; -1: none */
	uint64_t dev, inode;
	char *name; /* owned; NULL: a file */
};

struct pin {
	struct object *object;
	struct pin_place place;
};

/** Memory that stands for a variable of the kernel. */
struct variable {
	uint32_t btf_id;
	void *memory;
};

#define OBJECT_BUCKETS 1024
#define HOST_BUCKETS   64

struct skep_machine {
	struct skep_machine_opts opts;
	pthread_mutex_t lock;
	struct id_table ids[OBJECT_KINDS];
	struct object *buckets[OBJECT_BUCKETS]; /* by inode of their descriptors */
	uint32_t since_sweep;                   /* objects made since */
	SKEP_VEC(struct pin) pins;
	SKEP_VEC(struct variable) variables;
	struct host_object *hosts[HOST_BUCKETS]; /* by name */
	uint32_t n_hosts;
	SKEP_VEC(struct link_object *) attached; /* borrowed: in the order of attachment */
	struct skep_btf *kernel_btf;             /* NULL: none */
	struct btf_object *kernel_btf_object;    /* made when first asked for */
	uint64_t memory_bytes;
	bool mixed; /* atomic: the checked interpreter runs some of its programs */
};

/** One call of bpf(2). */
struct request {
	union attr attr; /* a copy, zeros behind what was given */
	uint64_t user;   /* where the caller's is */
	unsigned size;   /* what the caller said */
};

#define COMMAND(number, NAME, last, handler)                                                       \
	int machine_cmd_##handler(struct skep_machine *machine, struct request *req);
#include "machine/commands.def"
#undef COMMAND

/** Write back a field of the caller's attributes. Return 0 | -EFAULT */
#define request_put(req, field, value)                                                             \
	({                                                                                         \
		typeof((req)->attr.field) put_ = (value);                                          \
		machine_user_write((req)->user + offsetof(union attr, field), &put_,               \
				   sizeof(put_));                                                  \
	})

/* --- user.c -------------------------------------------------------------------------------- */

/** How many of the @n bytes at @at, from the first one on, may be read or (@write) written.
 *  Cost  none on the thread's own stack, else a system call for each page */
size_t machine_user_span(uint64_t at, size_t n, bool write);
/** Copy from and to the caller's memory. Return 0 | -EFAULT */
int machine_user_read(void *ret, uint64_t from, size_t n);
int machine_user_write(uint64_t to, const void *data, size_t n);
/** A copy on the heap; @n 0: one byte of nothing. Return 0 | -EFAULT | -ENOMEM */
int machine_user_dup(uint64_t from, size_t n, void **ret);
/** At most @size - 1 characters. Return the length | -EFAULT */
int machine_user_string(uint64_t from, char *ret, size_t size);
/** A structure of @given bytes at @from, of which we know the first @known: the rest must be zero.
 *  Return 0 | -E2BIG | -EFAULT */
int machine_user_check_tail(uint64_t from, uint32_t known, uint64_t given);

/* --- os_linux.c, os_windows.c, os_other.c: the system ----------------------------------------- */

/** May the page that has @at be read, or written? Where the system does not tell: all but the first
 *  page may. */
bool machine_os_page_is_readable(uintptr_t at);
bool machine_os_page_is_writable(uintptr_t at);
/** Is it on this thread's stack, in frames that are in use? Then nobody needs to be asked. */
bool machine_os_is_own_stack(uintptr_t at, size_t n);
/** Who loads programs. */
uint32_t machine_os_uid(void);

/* --- fd_linux.c, fd_other.c ------------------------------------------------------------------- */

/** A new identity; that of @memory_fd if it is not -1. Return 0 | -errno */
int machine_handle_new(int memory_fd, struct handle *ret);
void machine_handle_done(struct handle *handle);
/** A new descriptor, close-on-exec; @flags: O_RDWR, O_RDONLY or O_WRONLY. Return it | -errno */
int machine_handle_open(const struct handle *handle, int flags);
/** Is any descriptor open, in whatever process? */
bool machine_handle_is_open(const struct handle *handle);
/** What @fd is (to @ret, whose watch_fd is not set); its access mode to @ret_mode (O_ACCMODE).
 *  Return 0 | -EBADF */
int machine_handle_identify(int fd, struct handle *ret, int *ret_mode);

/** Return 0 | -EBADF | -errno */
int machine_handle_close(int fd);
/** This thread's network name space. Return a descriptor | -errno */
int machine_netns_open(void);
/** A descriptor that reads @data from its beginning. Return it | -errno */
int machine_text_new(const void *data, size_t len);

/** There are no tokens: what the kernel says of a descriptor that is none. */
int machine_handle_no_token(int fd);
bool machine_handle_process_exists(uint32_t pid);

/* --- object.c ------------------------------------------------------------------------------ */

/** Give @object an id and a first descriptor. On failure the caller still owns it.
 *  Return the descriptor | -errno */
int machine_object_publish(struct object *object, int memory_fd, int flags);
/** Another descriptor of a published object. */
int machine_object_open(struct object *object, int flags);
/** The object behind @fd with a reference. Return 0 | -EBADF no descriptor | -EINVAL not ours, or
 *  of another kind (@kind OBJECT_KINDS: any). @ret_mode may be NULL. */
int machine_object_get(struct skep_machine *machine, int fd, enum object_kind kind,
		       struct object **ret, int *ret_mode);
/** By id, with a reference; @next: the first with that id or a larger one. NULL: none. */
struct object *machine_object_by_id(struct skep_machine *machine, enum object_kind kind,
				    uint32_t id, bool next);
/** The first with a larger id, of those that are there: nothing is looked for first. */
struct object *machine_object_after(struct skep_machine *machine, enum object_kind kind,
				    uint32_t id);
void machine_object_ref(struct object *object);
void machine_object_put(struct object *object);
/** A reference that keeps what users see (prog arrays empty themselves without). */
void machine_object_ref_user(struct object *object);
void machine_object_put_user(struct object *object);
/** Let go of objects whose descriptors are all closed. */
void machine_object_sweep(struct skep_machine *machine);
/** Let go of pins whose files were removed. */
void machine_pin_sweep(struct skep_machine *machine);
/** Let go of all pins. */
void machine_pin_drop_all(struct skep_machine *machine);
/** Too many of the kind? Return 0 | -ENFILE */
int machine_object_check_room(struct skep_machine *machine, enum object_kind kind);

static inline void object_putp(struct object **object)
{
	if (*object)
		machine_object_put(*object);
}
#define _cleanup_object_     __attribute__((cleanup(object_putp)))

#define object_of(type, ptr) ((struct type *)((char *)(ptr)-offsetof(struct type, object)))

/* how an object of each kind ends; called without the lock */
void machine_map_object_free(struct object *at);
void machine_prog_object_free(struct object *object);
void machine_btf_object_free(struct object *at);
void machine_link_object_free(struct object *object);
/** The last descriptor and pin of a map are gone. */
void machine_map_object_unused(struct object *at);

/* --- pin_linux.c, pin_other.c ---------------------------------------------------------------- */

#define PIN_NO_FOLDER (-100) /* AT_FDCWD */
/** Make what stands for a pin at @path, in the folder behind @folder_fd or PIN_NO_FOLDER.
 *  @ret freed with machine_pin_place_done(). Return 0 | -EEXIST | -errno */
int machine_pin_place_new(int folder_fd, const char *path, struct pin_place *ret);
/** What is there now, to be compared. @ret freed as well. Return 0 | -ENOENT | -errno */
int machine_pin_place_at(int folder_fd, const char *path, struct pin_place *ret);
bool machine_pin_place_is(const struct pin_place *place, const struct pin_place *other);
/** Was it removed? */
bool machine_pin_place_is_gone(const struct pin_place *place);
void machine_pin_place_done(struct pin_place *place);

#define _cleanup_place_ __attribute__((cleanup(machine_pin_place_done)))

/* --- log.c --------------------------------------------------------------------------------- */

struct log {
	uint32_t level, size;
	uint64_t user;
	struct skep_buf text;
	size_t most; /* bytes that the text had before some was taken back */
};

#define LOG_LEVEL 3 /* 1 and 2 */
#define LOG_STATS 4
#define LOG_FIXED 8

/** Return 0 | -EINVAL */
int machine_log_init(struct log *log, uint32_t level, uint64_t user, uint32_t size);
void machine_log_done(struct log *log);
void machine_log_printf(struct log *log, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/** Hand the text over. Return 0 | -ENOSPC it was cut | -EFAULT */
int machine_log_finish(struct log *log, uint32_t *ret_true_size);

#define _cleanup_log_ __attribute__((cleanup(machine_log_done)))

/* --- of one family for another ------------------------------------------------------------- */

/** Return 0 | -EINVAL a name may have letters, digits, '_' and '.' */
int machine_name_check(const char name[16]);
/** O_RDWR, O_RDONLY or O_WRONLY of a map's flags. Return it | -EINVAL */
int machine_map_access(uint32_t flags);
/** The map behind a descriptor with a reference, of its object. */
int machine_map_object_get(struct skep_machine *machine, int fd, struct map_object **ret,
			   int *ret_mode);
int machine_prog_object_get(struct skep_machine *machine, int fd, struct prog_object **ret);
int machine_btf_object_get(struct skep_machine *machine, int fd, struct btf_object **ret);
/** The kernel's BTF as an object, with a reference; NULL: there is none. */
struct btf_object *machine_btf_object_kernel(struct skep_machine *machine);

/** Special fields of a map's value. Return how many | -errno as the kernel's btf_parse_fields() */
int machine_map_fields_find(struct skep_btf *btf, uint32_t value_type, uint32_t value_size,
			    struct skep_map_field *ret);

/** What BTF_LOAD demands of types beyond that they can be read. Return 0 | -EINVAL | -ENOTSUPP */

/** func_info and line_info of a program that was linked. Return 0 | -errno, words to @log */
int machine_prog_check_funcs(struct skep_machine *machine, struct request *req,
			     struct prog_object *prog, struct log *log);
/** The slot of the function that bpf_throw() goes on at, as main's BTF tag names it; 0: none. */
int machine_prog_find_exception(const struct prog_object *prog, struct log *log, uint32_t *ret);
/** May a program of this type sleep, and attach to that? Source: check_attach_btf_id() */
int machine_prog_check_target(struct skep_machine *machine, const struct prog_object *prog,
			      struct log *log);
int machine_prog_check_lines(struct request *req, struct prog_object *prog, struct log *log);
/** What the verifier says of a program that was linked; sets prog->unsure.
 *  Return 0 | -errno, words to @log */
int machine_prog_verify(struct skep_machine *machine, struct prog_object *prog, struct log *log);
/** May who has no privileges load it? Source: bpf_prog_load(). Return 0 | -EPERM | -E2BIG */
int machine_prog_check_rights(const struct skep_machine *machine,
			      const struct attr_prog_load *attr);
/** expected_attach_type and what the program attaches to. Return 0 | -EINVAL */
int machine_prog_check_attach(const struct prog_object *prog);
/** The tag: first 8 bytes of the instructions' SHA-256, descriptors and addresses left out. */
void machine_prog_tag(const struct skep_insn *insns, uint32_t n, uint8_t ret[8]);

/** OBJ_GET_INFO_BY_FD and TASK_FD_QUERY of links. */
int machine_link_info(struct link_object *link, struct request *req);
int machine_link_task_fd(struct object *object, struct request *req);

int machine_link_object_get(struct skep_machine *machine, uint32_t fd, struct link_object **ret);
bool machine_link_is_iter(const struct link_object *link);
/** Is @prog one for that attach type? */
bool machine_link_fits(const struct prog_object *prog, uint32_t attach_type);
/** A link of @prog that is not on its hook yet: @ret is the caller's to free. Return 0 | -errno */
int machine_link_prepare(struct prog_object *prog, const struct attr_link_create *attr,
			 struct link_object **ret);
/** Fill in @link's place: where programs of @type hang on @target. Return 0 | -errno */
int machine_link_name(uint32_t target, uint32_t type, struct link_object *link);
/** Let go of what was attached without links. */
void machine_attach_drop_all(struct skep_machine *machine);
void machine_attach_drop_map(const struct map_object *map);
/** Its program, with a reference. */
struct prog_object *machine_link_prog(struct link_object *link);

/** Take a link off its hook; the lock is held. */
void machine_link_detach_locked(struct link_object *link);

#endif
