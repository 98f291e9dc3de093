/*
 * Loads, stores and atomics as instructions: which registers are read and written, and what is
 * accessed with them (access.c).
 *
 * An instruction must mean the same kind of pointer on every path, where the kernel rewrites it by
 * that kind: a load from a context, a socket or a kernel structure becomes another instruction.
 * Which of them it was first is kept in the instruction's facts.
 *
 * An atomic reads and writes. Its first look at the memory loads nothing, so that a pointer that
 * was spilled is not taken for a number; the second is the fetch.
 *
 * Source  behaviour of Linux 6.18, check_load_mem(), check_store_reg(), check_atomic()
 */
#include "verify/memory.h"

static uint32_t bytes_of(const struct skep_insn *insn)
{
	static const uint32_t bytes[] = {4, 2, 1, 8};

	return bytes[insn->code >> 3 & 3];
}

/* --- The same kind on every path ------------------------------------------------------------- */

/* Kinds whose accesses are all alike to the machine. */
static bool may_differ(uint8_t kind)
{
	switch (kind) {
	case REG_CTX:
	case REG_SOCKET:
	case REG_SOCK_COMMON:
	case REG_TCP_SOCK:
	case REG_XDP_SOCK:
	case REG_BTF_PTR:
	case REG_ARENA: return false;
	default: return true;
	}
}

static bool faults_are_caught(uint8_t kind)
{
	return kind == REG_MEM || kind == REG_BTF_PTR;
}

struct pointer_kind {
	uint8_t kind;
	uint16_t flags;
};

static struct pointer_kind kind_of(const struct reg *reg)
{
	return (struct pointer_kind){reg->kind, reg->flags};
}

/* Where only the kernel knows what is there, and how much of it: its structures, buffers whose size
 * is looked at where a program attaches, and what may be no memory at all. */
static bool is_of_kernel(struct pointer_kind kind)
{
	switch (kind.kind) {
	case REG_BTF_PTR: return !(kind.flags & MEM_ALLOC) || kind.flags & PTR_UNTRUSTED;
	case REG_MEM: return kind.flags & PTR_UNTRUSTED;
	case REG_MAP_PTR:
	case REG_SOCKET:
	case REG_SOCK_COMMON:
	case REG_TCP_SOCK:
	case REG_XDP_SOCK:
	case REG_TP_BUFFER:
	case REG_BUF: return true;
	default: return false;
	}
}

/* A load can be made one that catches faults, for what is trusted and what is not alike. */
static int same_pointer(struct verifier *v, struct pointer_kind now, bool loads)
{
	v->kernel_pointers |= is_of_kernel(now);

	struct insn_facts *facts = &v->facts[v->at];
	bool same = facts->access_kind == now.kind && facts->access_flags == now.flags;

	if (facts->access_kind == REG_UNSET) {
		facts->access_kind = now.kind;
		facts->access_flags = now.flags;
		return 0;
	}
	if (same || (may_differ(now.kind) && may_differ(facts->access_kind)))
		return 0;
	if (!loads || !faults_are_caught(now.kind) || !faults_are_caught(facts->access_kind))
		return verify_refuse(v, DIFFERENT_POINTERS);
	if (now.kind == REG_MEM)
		facts->access_kind = REG_MEM;
	facts->access_flags = (facts->access_flags | now.flags) & (PTR_UNTRUSTED | MEM_RDONLY);
	return 0;
}

/* --- Loads and stores ------------------------------------------------------------------------ */

static int load(struct verifier *v, const struct skep_insn *insn, bool atomic)
{
	struct mem_access access = {.regno = insn->src,
				    .off = insn->off,
				    .bytes = bytes_of(insn),
				    .kind = ACCESS_READ,
				    .value = insn->dst,
				    .strict_alignment = atomic,
				    .sign_extends = (insn->code & 0xe0) == SKEP_MEMSX};
	struct pointer_kind kind;
	int err = verify_read_reg(v, insn->src);

	if (!err)
		err = verify_write_reg(v, insn->dst);
	if (err)
		return err;
	kind = kind_of(verify_reg(v, insn->src));
	err = verify_mem_access(v, &access);
	return err ? err : same_pointer(v, kind, !atomic);
}

int verify_load(struct verifier *v, const struct skep_insn *insn)
{
	return load(v, insn, false);
}

static int store(struct verifier *v, const struct skep_insn *insn, bool atomic)
{
	bool from_register = (insn->code & 7) == SKEP_STX;
	struct mem_access access = {.regno = insn->dst,
				    .off = insn->off,
				    .bytes = bytes_of(insn),
				    .kind = ACCESS_WRITE,
				    .value = from_register ? insn->src : -1,
				    .strict_alignment = atomic};
	struct pointer_kind kind;
	int err = from_register ? verify_read_reg(v, insn->src) : 0;

	if (!err)
		err = verify_read_reg(v, insn->dst);
	if (err)
		return err;
	kind = kind_of(verify_reg(v, insn->dst));
	err = verify_mem_access(v, &access);
	return err ? err : same_pointer(v, kind, false);
}

int verify_store(struct verifier *v, const struct skep_insn *insn)
{
	return store(v, insn, false);
}

/* --- Atomics --------------------------------------------------------------------------------- */

/* What is read and written in one go must be plain memory. In arenas the JIT makes no loop of it,
 * and those that fetch by and, or, xor need one. */
static bool is_plain(const struct reg *reg, const struct skep_insn *insn)
{
	switch (reg->kind) {
	case REG_CTX:
	case REG_PACKET:
	case REG_PACKET_META:
	case REG_FLOW_KEYS:
	case REG_SOCKET:
	case REG_SOCK_COMMON:
	case REG_TCP_SOCK:
	case REG_XDP_SOCK: return false;
	case REG_ARENA:
		return insn->imm != (SKEP_AND | SKEP_FETCH) &&
		       insn->imm != (SKEP_OR | SKEP_FETCH) && insn->imm != (SKEP_XOR | SKEP_FETCH);
	default: return true;
	}
}

static int atomic_load(struct verifier *v, const struct skep_insn *insn)
{
	int err = load(v, insn, true);

	if (!err && !is_plain(verify_reg(v, insn->src), insn))
		return verify_refuse(v, ATOMIC_LOAD_KIND, insn->src,
				     KIND_TEXT(verify_reg(v, insn->src)));
	return err;
}

static int atomic_store(struct verifier *v, const struct skep_insn *insn)
{
	int err = store(v, insn, true);

	if (!err && !is_plain(verify_reg(v, insn->dst), insn))
		return verify_refuse(v, ATOMIC_STORE_KIND, insn->dst,
				     KIND_TEXT(verify_reg(v, insn->dst)));
	return err;
}

static int read_operand(struct verifier *v, unsigned regno)
{
	int err = verify_read_reg(v, regno);

	if (!err && verify_leaks_pointer(v, regno))
		return verify_refuse(v, LEAKS_INTO, (int)regno, "mem");
	return err;
}

static int read_operands(struct verifier *v, const struct skep_insn *insn)
{
	bool compares = insn->imm == SKEP_CMPXCHG;
	int err = verify_read_reg(v, insn->src);

	if (!err)
		err = verify_read_reg(v, insn->dst);
	if (!err && compares)
		err = read_operand(v, SKEP_R0);
	if (!err)
		err = read_operand(v, insn->src);
	if (!err && !is_plain(verify_reg(v, insn->dst), insn))
		return verify_refuse(v, ATOMIC_STORE_KIND, insn->dst,
				     KIND_TEXT(verify_reg(v, insn->dst)));
	return err;
}

/* The old value goes to a register: one that a pointer may have been in, even the address. */
static int fetch_register(struct verifier *v, const struct skep_insn *insn, int *ret)
{
	int err;

	*ret = -1;
	if (!(insn->imm & SKEP_FETCH))
		return 0;
	*ret = insn->imm == SKEP_CMPXCHG ? SKEP_R0 : insn->src;
	err = verify_write_reg(v, (unsigned)*ret);
	if (!err)
		verify_reg_unknown(v, verify_reg(v, (unsigned)*ret));
	return err;
}

static int read_modify_write(struct verifier *v, const struct skep_insn *insn)
{
	struct mem_access access = {.regno = insn->dst,
				    .off = insn->off,
				    .bytes = bytes_of(insn),
				    .kind = ACCESS_READ,
				    .value = -1,
				    .strict_alignment = true};
	int fetched, err;

	if (access.bytes < 4)
		return verify_refuse(v, ATOMIC_SIZE);
	err = read_operands(v, insn);
	if (!err)
		err = fetch_register(v, insn, &fetched);
	if (!err)
		err = verify_mem_access(v, &access);
	if (!err && fetched >= 0) {
		access.value = fetched;
		err = verify_mem_access(v, &access);
		access.value = -1;
	}
	if (!err)
		err = same_pointer(v, kind_of(verify_reg(v, insn->dst)), false);
	access.kind = ACCESS_WRITE;
	return err ? err : verify_mem_access(v, &access);
}

int verify_atomic(struct verifier *v, const struct skep_insn *insn)
{
	switch (insn->imm) {
	case SKEP_ADD:
	case SKEP_ADD | SKEP_FETCH:
	case SKEP_AND:
	case SKEP_AND | SKEP_FETCH:
	case SKEP_OR:
	case SKEP_OR | SKEP_FETCH:
	case SKEP_XOR:
	case SKEP_XOR | SKEP_FETCH:
	case SKEP_XCHG:
	case SKEP_CMPXCHG: return read_modify_write(v, insn);
	case SKEP_LOAD_ACQ: return atomic_load(v, insn);
	case SKEP_STORE_REL: return atomic_store(v, insn);
	default: return verify_refuse(v, ATOMIC_OPCODE, (unsigned)insn->imm);
	}
}
