/*
 * Types of the tracing language. Types are immutable, live on the
 * compilation's arena, and are compared with skep_type_same().
 *
 * A type's `size` and `align` say how a value lies in memory: in a map's key
 * or value, in a tuple, in an event. Scalars are held in 64-bit registers.
 */
#ifndef SKEP_TRACE_TYPE_H
#define SKEP_TRACE_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct skep_arena;
struct skep_btf;
struct skep_buf;

enum skep_type_kind {
	SKEP_T_NONE,   /* no value: printf(), print() */
	SKEP_T_INT,    /* size 1, 2, 4, 8; is_signed; is_bool */
	SKEP_T_PTR,    /* 8 bytes; elem: what it points to (SKEP_T_NONE: void); space */
	SKEP_T_STRING, /* NUL-terminated within `size` bytes, the rest zero */
	SKEP_T_BUFFER, /* buf(): u32 length, then `size` - 4 bytes */
	SKEP_T_ARRAY,  /* n × elem */
	SKEP_T_RECORD, /* struct or union: record; space says where its bytes are */
	SKEP_T_TUPLE,  /* fields at natural alignment, padding zero */
	SKEP_T_KSTACK, /* see struct skep_stack_key below; stack_mode, n: depth */
	SKEP_T_USTACK,
	SKEP_T_KSYM,        /* u64 address, printed as a symbol */
	SKEP_T_USYM,        /* u64 address, u32 pid, u32 zero */
	SKEP_T_USERNAME,    /* u64 uid, printed as a name */
	SKEP_T_INET,        /* ntop(): u32 family (2, 10), u8[16] address; size 20 */
	SKEP_T_MAC,         /* macaddr(): 6 bytes (size 8, last two zero) */
	SKEP_T_TIMESTAMP,   /* strftime(): u64 ns since boot (or wall clock), u32 format index, u32
			       mode */
	SKEP_T_CGROUP_PATH, /* u64 cgroup id, u64 format index of the hierarchy pattern */
	SKEP_T_STRERROR,    /* u64 errno, printed as text */
	SKEP_T_SIGNAL,      /* u64 signal number, printed as a name */
	SKEP_T_PROBE,       /* u64 index into the program's probes, printed as its name */
	/* Only as values of maps; kept per CPU and summed when read. */
	SKEP_T_COUNT, /* u64 */
	SKEP_T_SUM,   /* u64 or s64 by is_signed */
	SKEP_T_AVG,   /* u64 total, u64 count; is_signed */
	SKEP_T_MIN,   /* u64 value, u64 is set; is_signed */
	SKEP_T_MAX,
	SKEP_T_STATS, /* as AVG */
	SKEP_T_HIST,  /* u64[n] buckets; hist_bits */
	SKEP_T_LHIST, /* u64[n] buckets; lhist */
	SKEP_T_N_KINDS
};

/** Which address space a pointer (or a record's bytes) belongs to. */
enum skep_space {
	SKEP_SPACE_NONE,   /* not known: kernel first on most probes, user on uprobes */
	SKEP_SPACE_KERNEL, /* bpf_probe_read_kernel */
	SKEP_SPACE_USER,   /* bpf_probe_read_user */
	SKEP_SPACE_CTX,    /* the program's context: direct loads */
	SKEP_SPACE_BPF,    /* our own memory: a slot or a map value: direct loads */
};

enum skep_stack_mode {
	SKEP_STACK_BPFTRACE,
	SKEP_STACK_PERF,
	SKEP_STACK_RAW,
	SKEP_STACK_BUILD_ID,
	/* By folded() only: in one line, outermost first; then with the kernel's marked by _[k],
	 * innermost first, or both. */
	SKEP_STACK_FOLDED,
	SKEP_STACK_MARKED,
	SKEP_STACK_INVERTED,
	SKEP_STACK_INVERTED_MARKED,
};

/** What a stack is in a key or value: where its frames are, and whose they are. */
struct skep_stack_key {
	uint32_t stack_id; /* of the stack map; UINT32_MAX: could not be taken */
	uint32_t pid;      /* user stacks: the process; kernel stacks: 0 */
};

struct skep_type;
struct skep_record;

struct skep_tuple_field {
	const struct skep_type *type;
	uint32_t off;
	const char *name; /* NULL unless a named record was written */
};

struct skep_type {
	enum skep_type_kind kind;
	uint32_t size, align;
	bool is_signed, is_bool;
	bool is_explicit; /* STRING: the script chose its size; no limit is put on it in maps */
	enum skep_space space;
	const struct skep_type *elem;     /* PTR, ARRAY */
	uint32_t n;                       /* ARRAY: elements; TUPLE: fields; HIST, LHIST: buckets;
					     stacks: depth */
	const struct skep_record *record; /* RECORD */
	const struct skep_tuple_field *fields; /* TUPLE */
	enum skep_stack_mode stack_mode;
	uint32_t hist_bits;
	struct {
		int64_t min, max, step;
	} lhist;
	/* INT that is an enum, for printing names: of the kernel's BTF, or of the script. */
	uint32_t enum_btf;
	const struct skep_enum *enum_script;
};

struct skep_enumerator {
	const char *name;
	int64_t value;
};

/** An enum that the script defines. */
struct skep_enum {
	const char *name; /* "enum foo", or "" */
	const struct skep_enumerator *values;
	uint32_t n;
};

/** A member of a struct or union. */
struct skep_field {
	const char *name;
	const struct skep_type *type;
	uint32_t off;              /* bytes */
	uint8_t bit_off, bit_size; /* bit field: load type->size bytes at `off`, take bit_size bits
				      from bit bit_off on; bit_size 0: none */
	bool is_data_loc;          /* tracepoint __data_loc: u32 at off = length << 16 | offset */
	bool is_rel_loc;           /* the same, the offset counted from the end of this field */
};

struct skep_record {
	const char *name;     /* "struct task_struct", "args of tracepoint:…" */
	uint32_t size, align; /* align 0: not known (BTF does not say) */
	bool is_union;
	uint32_t btf_id; /* fields come from BTF when asked for; 0: they are listed here */
	const struct skep_field *fields;
	uint32_t n_fields;
};

/** The types of one compilation: common ones, and those made so far. */
/** A name that the kernel's BTF was asked for as an enumerator. */
struct skep_asked_name {
	struct skep_asked_name *next;
	const char *name; /* borrowed */
	int64_t value;
	uint32_t btf_id; /* of the enum; 0: there is none */
};

struct skep_types {
	struct skep_arena *arena;          /* borrowed */
	struct skep_btf *btf;              /* kernel BTF, opened when first needed; owned, … */
	bool btf_is_lent;                  /* … unless somebody lent it, before it was needed */
	int btf_err;                       /* why there is none */
	struct skep_module_types *modules; /* of modules, those opened so far; arena */
	struct skep_record **records;      /* structs defined in the script; arena */
	uint32_t n_records;
	struct skep_enum **enums; /* the same for enums */
	uint32_t n_enums;
	struct skep_asked_name *asked; /* arena */
};

void skep_types_init(struct skep_types *types, struct skep_arena *arena);
void skep_types_done(struct skep_types *types);
/** The kernel's BTF or NULL. */
struct skep_btf *skep_types_btf(struct skep_types *types);
#define SKEP_BASE_MODULE "vmlinux" /* what the kernel itself is called among its modules */
/** The BTF of one module, on top of the kernel's, or (SKEP_BASE_MODULE) the kernel's own; opened
 *  once. NULL: there is none. */
struct skep_btf *skep_types_module_btf(struct skep_types *types, const char *name);

extern const struct skep_type skep_type_none, skep_type_u8, skep_type_u16, skep_type_u32,
	skep_type_u64, skep_type_s8, skep_type_s16, skep_type_s32, skep_type_s64, skep_type_bool,
	skep_type_void_ptr, skep_type_ksym, skep_type_usym, skep_type_username, skep_type_inet,
	skep_type_mac, skep_type_timestamp, skep_type_cgroup_path, skep_type_strerror,
	skep_type_signal, skep_type_probe;

const struct skep_type *skep_type_int(uint32_t bytes, bool is_signed);
const struct skep_type *skep_type_string(struct skep_types *types, uint32_t size);
const struct skep_type *skep_type_buffer(struct skep_types *types, uint32_t max_len);
/** An integer of @bytes whose values have the names of @named. */
const struct skep_type *skep_type_named_int(struct skep_types *types, uint32_t bytes,
					    bool is_signed, const struct skep_enum *named);
/** What an enum of the script is as a member or in a cast. */
const struct skep_type *skep_enum_type(struct skep_types *types, const struct skep_enum *named);
const struct skep_type *skep_type_ptr(struct skep_types *types, const struct skep_type *elem,
				      enum skep_space space);
const struct skep_type *skep_type_array(struct skep_types *types, const struct skep_type *elem,
					uint32_t n);
const struct skep_type *skep_type_record(struct skep_types *types, const struct skep_record *record,
					 enum skep_space space);
const struct skep_type *skep_type_tuple(struct skep_types *types,
					const struct skep_type *const *fields, uint32_t n);
const struct skep_type *skep_type_stack(struct skep_types *types, bool user,
					enum skep_stack_mode mode, uint32_t depth);
/** An aggregate (COUNT … STATS) of integers. */
const struct skep_type *skep_type_agg(struct skep_types *types, enum skep_type_kind kind,
				      bool is_signed);
/** bits 0-5: each power of two is cut into 2^bits buckets. */
const struct skep_type *skep_type_hist(struct skep_types *types, uint32_t bits);
const struct skep_type *skep_type_lhist(struct skep_types *types, int64_t min, int64_t max,
					int64_t step);
/** A type of the kernel's BTF in our terms; pointers and records in @space. Never NULL (void:
 *  SKEP_T_NONE). char arrays become strings. */
const struct skep_type *skep_type_from_btf(struct skep_types *types, uint32_t btf_id,
					   enum skep_space space);
/** @type, a pointer or an array, and all it leads to, in another space. */
const struct skep_type *skep_type_in_space(struct skep_types *types, const struct skep_type *type,
					   enum skep_space space);
/** A type by its name in C or in the language: "struct foo", "task_struct", "uint64", "u32",
 *  "unsigned long", "pid_t", "string[16]"…; NULL: no such type. */
const struct skep_type *skep_type_by_name(struct skep_types *types, const char *name,
					  enum skep_space space);
/** A member of @record (also inside anonymous members), pointers in @space.
 *  Return 0 | -ENOENT */
int skep_record_find(struct skep_types *types, const struct skep_record *record, const char *name,
		     enum skep_space space, struct skep_field *ret);

/** May a value of @b be stored where @a is expected, byte for byte? */
bool skep_type_same(const struct skep_type *a, const struct skep_type *b);
/** Which element of @tuple one called @name is, NULL or of no such name: the @i-th. */
uint32_t skep_tuple_place(const struct skep_type *tuple, const char *name, uint32_t i);
/** Are integers in them, which skep_type_same() takes for the same, printed by the same names? */
bool skep_type_same_names(const struct skep_type *a, const struct skep_type *b);
static inline bool skep_type_is_enum(const struct skep_type *type)
{
	return type->kind == SKEP_T_INT && (type->enum_btf || type->enum_script);
}
static inline bool skep_type_is_agg(const struct skep_type *type)
{
	return type->kind >= SKEP_T_COUNT && type->kind <= SKEP_T_LHIST;
}
/** Held in a register (INT and PTR, and the u64 kinds printed specially), not in memory. */
static inline bool skep_type_is_scalar(const struct skep_type *type)
{
	return type->kind == SKEP_T_INT || type->kind == SKEP_T_PTR || type->kind == SKEP_T_KSYM ||
	       type->kind == SKEP_T_USERNAME || type->kind == SKEP_T_STRERROR ||
	       type->kind == SKEP_T_SIGNAL || type->kind == SKEP_T_PROBE;
}
static inline bool skep_type_is_stack(const struct skep_type *type)
{
	return type->kind == SKEP_T_KSTACK || type->kind == SKEP_T_USTACK;
}
/** As bpftrace writes it in messages and -lv: "uint64", "string[16]", "(int64,string[4])". */
void skep_type_print(const struct skep_type *type, struct skep_buf *out);

#endif
