/*
 * Accesses to the context: what r1 points to when a program begins.
 *
 * A context is no memory: its fields stand for the kernel's own, and each program type may load and
 * store some of them, in some widths. So an access is looked up in the table of fields
 * (contexts.def): the field that its first byte is in, whether programs of this kind may load or
 * store it (a letter, one bit, for each kind that differs), and whether it may be done so (a shape:
 * as a whole, a part …). What the field brings is a number or a pointer.
 *
 * A socket that a pointer leads to is looked at in the same way, and by the same table.
 *
 * Contexts of tracing programs are arguments of a kernel function: context_btf.c.
 *
 * Source  behaviour of Linux 6.18, check_ctx_access(), check_sock_access()
 */
#include "verify/program.h"

#include <string.h>

#include <skep/btf.h>

#ifdef __aarch64__
#define PT_REGS_BYTES 336
#else
#define PT_REGS_BYTES 168
#endif

/* Who may: a bit for each kind of program that differs from others of its context. */
enum who {
	FILTER = 1 << 0, /* struct __sk_buff */
	CGROUP = 1 << 1,
	TUNNEL = 1 << 2,
	TC = 1 << 3,
	SK_SKB = 1 << 4,
	DISSECTOR = 1 << 5,
	DEVMAP = 1 << 0, /* struct xdp_md */
	MAKING = 1 << 0, /* struct bpf_sock */
	BIND4 = 1 << 1,
	BIND6 = 1 << 2,
	SOCKET = 1 << 3,
	COMMON = 1 << 4,
	INET4 = 1 << 0, /* struct bpf_sock_addr */
	INET6 = 1 << 1,
	SENDS4 = 1 << 2,
	SENDS6 = 1 << 3,
	GETS = 1 << 0, /* struct bpf_sockopt */
	SETS = 1 << 1,
	WRITABLE = 1 << 0, /* raw tracepoints */
	ANYONE = 1 << 15,
	ALL = 0xffff,
};

enum shape { NO, W4, W8, S1, N2, N2_4, N4, N8, F4, X4, X4W, H4, ANY, ANY_START };

/* Of a field, beside what narrows the pointer: */
#define NO_SIGN   (1u << 15) /* its sign is not extended */
#define NEEDS_CAP (1u << 14)
#define OWN_FLAGS (NO_SIGN | NEEDS_CAP)

enum context {
	CTX_NONE,
	CTX_BTF,
#define CONTEXT(NAME, first, last) CTX_##NAME,
#include "verify/context_kinds.def"
#undef CONTEXT
};

static const struct field {
	uint32_t off, bytes;
	uint8_t load, store; /* enum shape */
	uint8_t kind;        /* enum reg_kind */
	uint16_t loaders, storers, flags;
} fields[] = {
#define FIELD(context, name, off, bytes, load, store, loaders, storers, KIND, flags)               \
	{off, bytes, load, store, REG_##KIND, (uint16_t)(loaders), (uint16_t)(storers), flags},
#include "verify/contexts.def"
#undef FIELD
};

enum field_row {
#define FIELD(context, name, ...) ROW_##context##_##name,
#include "verify/contexts.def"
#undef FIELD
};

static const struct {
	uint16_t first, last;
} rows[] = {
	[CTX_NONE] = {1, 0},
	[CTX_BTF] = {1, 0},
#define CONTEXT(NAME, first, last) [CTX_##NAME] = {ROW_##NAME##_##first, ROW_##NAME##_##last},
#include "verify/context_kinds.def"
#undef CONTEXT
};

static enum context context_of(enum program_type type)
{
	static const uint8_t contexts[] = {
#define PROGRAM(number, NAME, context, helpers, packet) CTX_##context,
#include "verify/program_types.def"
#undef PROGRAM
	};

	return (enum context)contexts[type];
}

/* --- Who the program is ----------------------------------------------------------------------- */

static unsigned who_of_socket(uint32_t attach)
{
	switch (attach) {
	case AT_CGROUP_INET4_POST_BIND: return BIND4;
	case AT_CGROUP_INET6_POST_BIND: return BIND6;
	default: return MAKING;
	}
}

static unsigned who_of_address(uint32_t attach)
{
	switch (attach) {
	case AT_CGROUP_UDP4_SENDMSG: return INET4 | SENDS4;
	case AT_CGROUP_UDP6_SENDMSG: return INET6 | SENDS6;
	case AT_CGROUP_INET4_BIND:
	case AT_CGROUP_INET4_CONNECT:
	case AT_CGROUP_INET4_GETPEERNAME:
	case AT_CGROUP_INET4_GETSOCKNAME:
	case AT_CGROUP_UDP4_RECVMSG: return INET4;
	case AT_CGROUP_INET6_BIND:
	case AT_CGROUP_INET6_CONNECT:
	case AT_CGROUP_INET6_GETPEERNAME:
	case AT_CGROUP_INET6_GETSOCKNAME:
	case AT_CGROUP_UDP6_RECVMSG: return INET6;
	default: return ANYONE; /* of Unix sockets */
	}
}

static unsigned who_of_packet(enum program_type type)
{
	switch (type) {
	case PROGRAM_SOCKET_FILTER: return FILTER;
	case PROGRAM_CGROUP_SKB: return CGROUP;
	case PROGRAM_SCHED_CLS:
	case PROGRAM_SCHED_ACT: return TC;
	case PROGRAM_SK_SKB: return SK_SKB;
	case PROGRAM_FLOW_DISSECTOR: return DISSECTOR;
	default: return TUNNEL;
	}
}

static unsigned who_is(const struct verifier *v, enum context context)
{
	uint32_t attach = v->program->attach_type;
	enum program_type type = program_type_of(v);

	switch (context) {
	case CTX_SKB: return who_of_packet(type);
	case CTX_XDP: return attach == AT_XDP_DEVMAP ? DEVMAP : ANYONE;
	case CTX_SOCK: return who_of_socket(attach);
	case CTX_SOCK_ADDR: return who_of_address(attach);
	case CTX_SOCKOPT: return attach == AT_CGROUP_GETSOCKOPT ? GETS : SETS;
	case CTX_RAW_TRACEPOINT: return type == PROGRAM_RAW_TRACEPOINT_WRITABLE ? WRITABLE : ANYONE;
	default: return ANYONE;
	}
}

/* --- Fields ----------------------------------------------------------------------------------- */

/* How the field at @from bytes into it may be accessed by @bytes. Return: may it? */
static bool fits(enum shape shape, const struct field *field, uint32_t from, uint32_t bytes)
{
	switch (shape) {
	case NO: return false;
	case W4: return bytes == 4;
	case W8: return bytes == 8;
	case S1: return bytes == 1;
	case N2: return bytes <= 2;
	case N2_4: return bytes <= 2 || (bytes == 4 && !from);
	case N4: return bytes <= 4;
	case N8: return bytes <= 8;
	case F4: return from % 4 ? bytes == 4 : bytes <= 4;
	case X4: return bytes <= 4 || from + bytes <= field->bytes;
	case X4W: return bytes == 4 || (bytes == 8 && from + bytes <= field->bytes);
	case H4: return bytes == 2 || bytes == 4;
	case ANY: return from + bytes <= field->bytes;
	case ANY_START: return true;
	}
	return false;
}

static bool may_access(const struct field *field, unsigned who, uint32_t off, uint32_t bytes,
		       enum access kind)
{
	bool reads = kind == ACCESS_READ;

	if (!((reads ? field->loaders : field->storers) & who))
		return false;
	return fits(reads ? field->load : field->store, field, off - field->off, bytes);
}

static const struct field *find(enum context context, unsigned who, int32_t off, uint32_t bytes,
				enum access kind)
{
	if (off < 0 || (uint32_t)off % bytes)
		return NULL;
	for (uint32_t i = rows[context].first; i <= rows[context].last; i++) {
		const struct field *field = &fields[i];

		if ((uint32_t)off - field->off < field->bytes &&
		    may_access(field, who, (uint32_t)off, bytes, kind))
			return field;
	}
	return NULL;
}

/* What struct bpf_nf_ctx points to, by the kernel's BTF. */
static int find_type(struct verifier *v, const char *name, struct ctx_field *ret)
{
	struct skep_btf *btf = (struct skep_btf *)(uintptr_t)v->program->kernel_btf;

	if (btf)
		ret->btf_id =
			skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_STRUCT));
	ret->btf = btf;
	return btf && ret->btf_id ? 0 : -EACCES;
}

/* For the report: what the program accesses, of what older kernels may not have. */
static void note_field(struct verifier *v, const struct field *field)
{
	uint32_t row = (uint32_t)(field - fields);

	v->context_fields[row / 64] |= 1ull << (row % 64);
}

_Static_assert(sizeof(fields) / sizeof(*fields) <= 64 * SKEP_VERIFY_FIELD_WORDS,
	       "a bit for each row");

int verify_ctx_access(struct verifier *v, int32_t off, uint32_t bytes, enum access kind,
		      struct ctx_field *ret)
{
	enum context context = context_of(program_type_of(v));
	const struct field *field;

	if (context == CTX_BTF)
		return verify_btf_ctx_access(v, off, bytes, kind, ret);
	field = find(context, who_is(v, context), off, bytes, kind);
	if (!field || (field->flags & NO_SIGN && ret->sign_extends) ||
	    (field->flags & NEEDS_CAP && !v->privileged))
		return -EACCES;
	note_field(v, field);
	*ret = (struct ctx_field){
		.kind = (enum reg_kind)field->kind,
		.flags = field->flags & (uint16_t)~OWN_FLAGS,
		.field_bytes = field->bytes,
		.sign_extends = ret->sign_extends,
	};
	if (field->kind == REG_BTF_PTR)
		return find_type(v, off ? "sk_buff" : "nf_hook_state", ret);
	return 0;
}

/* --- Sockets ---------------------------------------------------------------------------------- */

bool verify_socket_access(enum reg_kind kind, int32_t off, uint32_t bytes)
{
	switch (kind) {
	case REG_SOCKET: return find(CTX_SOCK, SOCKET, off, bytes, ACCESS_READ);
	case REG_SOCK_COMMON: return find(CTX_SOCK, COMMON, off, bytes, ACCESS_READ);
	case REG_TCP_SOCK: return find(CTX_TCP_SOCK, ANYONE, off, bytes, ACCESS_READ);
	case REG_XDP_SOCK: return find(CTX_XDP_SOCK, ANYONE, off, bytes, ACCESS_READ);
	default: return false;
	}
}
