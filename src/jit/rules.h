/*
 * Rows of a processor's table of rules, for the forms that BPF's instructions
 * come in. A processor's emit.c defines RULE(function, fields...), and has the
 * widths W8 to W64 and the fields that stand here in its rules.
 */
#ifndef SKEP_JIT_RULES_H
#define SKEP_JIT_RULES_H

/* 64 and 32 bits, of a constant and of a register */
#define BOTH(NAME, function, number)                                                               \
	[SKEP_OP_##NAME##64_IMM] = RULE(function, .op = (number), .w = W64, .imm = true),          \
	[SKEP_OP_##NAME##64_REG] = RULE(function, .op = (number), .w = W64),                       \
	[SKEP_OP_##NAME##32_IMM] = RULE(function, .op = (number), .w = W32, .imm = true),          \
	[SKEP_OP_##NAME##32_REG] = RULE(function, .op = (number), .w = W32)
#define DIVIDE(NAME, number, sign)                                                                 \
	[SKEP_OP_##NAME##64_IMM] =                                                                 \
		RULE(divide, .op = (number), .w = W64, .imm = true, .is_signed = (sign)),          \
	[SKEP_OP_##NAME##64_REG] = RULE(divide, .op = (number), .w = W64, .is_signed = (sign)),    \
	[SKEP_OP_##NAME##32_IMM] =                                                                 \
		RULE(divide, .op = (number), .w = W32, .imm = true, .is_signed = (sign)),          \
	[SKEP_OP_##NAME##32_REG] = RULE(divide, .op = (number), .w = W32, .is_signed = (sign))
#define SIZES(NAME, ...)                                                                           \
	[SKEP_OP_##NAME##8] = RULE(__VA_ARGS__, .w = W8),                                          \
	[SKEP_OP_##NAME##16] = RULE(__VA_ARGS__, .w = W16),                                        \
	[SKEP_OP_##NAME##32] = RULE(__VA_ARGS__, .w = W32),                                        \
	[SKEP_OP_##NAME##64] = RULE(__VA_ARGS__, .w = W64)
#define WORDS(NAME, ...)                                                                           \
	[SKEP_OP_##NAME##32] = RULE(__VA_ARGS__, .w = W32),                                        \
	[SKEP_OP_##NAME##64] = RULE(__VA_ARGS__, .w = W64)
#define PACKET(NAME, is_imm)                                                                       \
	[SKEP_OP_##NAME##8] = RULE(packet_load, .op = 1, .imm = (is_imm)),                         \
	[SKEP_OP_##NAME##16] = RULE(packet_load, .op = 2, .imm = (is_imm)),                        \
	[SKEP_OP_##NAME##32] = RULE(packet_load, .op = 4, .imm = (is_imm))

#endif
