/*
 * One little program for both: helper calls with fixed arguments, run by the kernel
 * (BPF_PROG_TEST_RUN) and, call by call, by the helpers here.
 *
 * Every call's result goes into a sum that the program returns, and so does a buffer of
 * 64 bytes on its stack that calls read and write.
 */
#ifndef SKEP_TESTS_KERNEL_RUN_H
#define SKEP_TESTS_KERNEL_RUN_H

#include "helper_test.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skep/isa.h>

enum { BUFFER_BYTES = 64, MOST_STEPS = 6, MOST_PACKET = 20000 };

enum operand { NOTHING, NUMBER, CONTEXT, BUFFER };
struct argument {
	enum operand kind;
	uint64_t value; /* a number, or an offset in the buffer */
};
#define N(x)                                                                                       \
	{                                                                                          \
		NUMBER, (uint64_t)(x)                                                              \
	}
#define CTX                                                                                        \
	{                                                                                          \
		CONTEXT, 0                                                                         \
	}
#define BUF                                                                                        \
	{                                                                                          \
		BUFFER, 0                                                                          \
	}
#define AT(o)                                                                                      \
	{                                                                                          \
		BUFFER, (o)                                                                        \
	}

struct step {
	int32_t helper; /* 0: no more */
	struct argument args[5];
};

struct result {
	uint32_t retval;
	uint32_t bytes;
	uint8_t packet[MOST_PACKET];
	uint32_t seen[6]; /* of the context, after the calls */
};

static inline int sys_bpf(int cmd, union bpf_attr *attr)
{
	int ret = (int)syscall(__NR_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

static inline uint8_t buffer_byte(unsigned i)
{
	return (uint8_t)(i * 17 + 3);
}

struct program {
	struct skep_insn insns[512];
	uint32_t n;
};

static inline void emit(struct program *p, struct skep_insn insn)
{
	p->insns[p->n++] = insn;
}

static inline void emit_number(struct program *p, int reg, uint64_t value)
{
	skep_ld_imm64(&p->insns[p->n], reg, 0, value);
	p->n += 2;
}

/* r7 = r7 * 31 + r0, in 32 bits */
static inline void emit_sum(struct program *p, int reg)
{
	emit(p, skep_alu32_imm(SKEP_MUL, SKEP_R7, 31));
	emit(p, skep_alu32_reg(SKEP_ADD, SKEP_R7, reg));
}

static inline void emit_step(struct program *p, const struct step *step)
{
	for (int i = 0; i < 5; i++) {
		int reg = SKEP_R1 + i;

		switch (step->args[i].kind) {
		case NOTHING: break;
		case NUMBER: emit_number(p, reg, step->args[i].value); break;
		case CONTEXT: emit(p, skep_alu64_reg(SKEP_MOV, reg, SKEP_R6)); break;
		case BUFFER:
			emit(p, skep_alu64_reg(SKEP_MOV, reg, SKEP_R10));
			emit(p, skep_alu64_imm(SKEP_ADD, reg,
					       (int32_t)step->args[i].value - BUFFER_BYTES));
			break;
		}
	}
	emit(p, skep_call(step->helper));
	emit_sum(p, SKEP_R0);
}

/* __sk_buff's members that calls change, into cb[], which the kernel gives back */
static const int16_t seen_off[5] = {
	offsetof(struct __sk_buff, len), offsetof(struct __sk_buff, protocol),
	offsetof(struct __sk_buff, vlan_tci), offsetof(struct __sk_buff, vlan_proto),
	offsetof(struct __sk_buff, pkt_type)};

static inline void emit_program(struct program *p, const struct step *steps, bool is_skb)
{
	uint64_t word;

	emit(p, skep_alu64_reg(SKEP_MOV, SKEP_R6, SKEP_R1));
	emit(p, skep_alu64_imm(SKEP_MOV, SKEP_R7, 0));
	for (int i = 0; i < BUFFER_BYTES; i += 8) {
		uint8_t bytes[8];
		for (unsigned k = 0; k < 8; k++)
			bytes[k] = buffer_byte((unsigned)i + k);
		memcpy(&word, bytes, 8);
		emit_number(p, SKEP_R1, word);
		emit(p, skep_stx_mem(SKEP_DW, SKEP_R10, SKEP_R1, i - BUFFER_BYTES));
	}
	for (; steps->helper; steps++)
		emit_step(p, steps);
	for (int i = 0; i < BUFFER_BYTES; i += 4) {
		emit(p, skep_ldx_mem(SKEP_W, SKEP_R1, SKEP_R10, i - BUFFER_BYTES));
		emit_sum(p, SKEP_R1);
	}
	for (int i = 0; is_skb && i < 5; i++) {
		emit(p, skep_ldx_mem(SKEP_W, SKEP_R1, SKEP_R6, seen_off[i]));
		emit(p, skep_stx_mem(SKEP_W, SKEP_R6, SKEP_R1,
				     (int)offsetof(struct __sk_buff, cb) + 4 * i));
	}
	emit(p, skep_alu64_reg(SKEP_MOV, SKEP_R0, SKEP_R7));
	emit(p, skep_exit());
}

static inline int load_program(const struct program *p, uint32_t type, uint32_t flags)
{
	static char log[65536];
	union bpf_attr attr = {
		.prog_type = type,
		.insns = (uintptr_t)p->insns,
		.insn_cnt = p->n,
		.license = (uintptr_t) "GPL",
		.prog_flags = flags,
		.log_buf = (uintptr_t)log,
		.log_size = sizeof(log),
		.log_level = 1,
	};
	int fd = sys_bpf(BPF_PROG_LOAD, &attr);

	if (fd < 0 && fd != -EPERM)
		print_error("%s", log);
	return fd;
}

/* 0 | -errno of loading or running */
static inline int kernel_run(const struct step *steps, uint32_t type, const void *data,
			     uint32_t len, struct result *ret)
{
	bool is_skb = type == BPF_PROG_TYPE_SCHED_CLS;
	struct program p = {.n = 0};
	struct __sk_buff ctx_out = {0};

	emit_program(&p, steps, is_skb);
	int fd = load_program(&p, type, !is_skb && len > 3500 ? BPF_F_XDP_HAS_FRAGS : 0);
	if (fd < 0)
		return fd;
	union bpf_attr attr = {
		.test.prog_fd = (uint32_t)fd,
		.test.data_in = (uintptr_t)data,
		.test.data_size_in = len,
		.test.data_out = (uintptr_t)ret->packet,
		.test.data_size_out = sizeof(ret->packet),
		.test.ctx_out = is_skb ? (uintptr_t)&ctx_out : 0,
		.test.ctx_size_out = is_skb ? sizeof(ctx_out) : 0,
		.test.repeat = 1,
	};
	int err = sys_bpf(BPF_PROG_TEST_RUN, &attr);
	close(fd);
	ret->retval = attr.test.retval;
	ret->bytes = attr.test.data_size_out;
	memcpy(ret->seen, ctx_out.cb, 5 * 4);
	return err;
}

static inline struct skep_packet *packet_for(uint32_t type, const void *data, uint32_t len)
{
	bool is_xdp = type == BPF_PROG_TYPE_XDP;
	uint32_t linear = is_xdp && len > 3520 ? 3520 : len;
	struct skep_packet *packet =
		skep_packet_new(data, linear, is_xdp ? 256 : 64, is_xdp ? 3520 - linear : 320);

	assert_non_null(packet);
	packet->is_xdp = is_xdp;
	packet->frags_bytes = len - linear;
	if (len > linear) {
		packet->frags = malloc(len - linear);
		assert_non_null(packet->frags);
		memcpy(packet->frags, (const uint8_t *)data + linear, len - linear);
	}
	return packet;
}

static inline uint64_t argument_value(const struct argument *arg, void *ctx, uint8_t *buffer)
{
	return arg->kind == CONTEXT  ? (uintptr_t)ctx
	       : arg->kind == BUFFER ? (uintptr_t)(buffer + arg->value)
				     : arg->value;
}

static inline void user_run(const struct step *steps, uint32_t type, const void *data, uint32_t len,
			    struct result *ret)
{
	_Alignas(8) uint8_t buffer[BUFFER_BYTES];
	struct skep_packet *packet = packet_for(type, data, len);
	struct skep_world world = {.packet = packet};
	struct skep_run run = {.world = &world, .budget = UINT64_MAX};
	struct __sk_buff *skb = skep_low_alloc(sizeof(*skb));
	uint32_t word;

	packet->ctx = skb;
	skb->len = len;
	skb->pkt_type = 3; /* to another host, as the address is not lo's */
	skb->protocol = packet->protocol;
	for (unsigned i = 0; i < BUFFER_BYTES; i++)
		buffer[i] = buffer_byte(i);
	ret->retval = 0;
	for (; steps->helper; steps++) {
		uint64_t r[5];
		for (int i = 0; i < 5; i++)
			r[i] = argument_value(&steps->args[i], skb, buffer);
		const struct skep_callable *row = skep_helper(steps->helper);
		uint64_t r0 = row->call(r[0], r[1], r[2], r[3], r[4], &run);
		ret->retval = ret->retval * 31 + (uint32_t)r0;
	}
	for (int i = 0; i < BUFFER_BYTES; i += 4) {
		memcpy(&word, buffer + i, 4);
		ret->retval = ret->retval * 31 + word;
	}
	uint32_t linear = (uint32_t)(packet->end - packet->meta);
	ret->bytes = linear + packet->frags_bytes;
	memcpy(ret->packet, packet->meta, linear);
	if (packet->frags_bytes)
		memcpy(ret->packet + linear, packet->frags, packet->frags_bytes);
	for (int i = 0; type == BPF_PROG_TYPE_SCHED_CLS && i < 5; i++)
		memcpy(&ret->seen[i], (char *)skb + seen_off[i], 4);
	skep_low_free(skb, sizeof(*skb));
	skep_packet_free(packet);
}

#endif
