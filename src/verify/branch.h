/*
 * What conditional jumps tell, by kind of what they compare: branch.c asks, these files answer.
 *
 *	linked.c         numbers that are one, or a constant apart
 *	nullness.c       pointers that may be NULL
 *	packet_range.c   pointers into packets, and to their ends
 */
#ifndef SKEP_VERIFY_BRANCH_H
#define SKEP_VERIFY_BRANCH_H

#include "verify/verifier.h"

/** Add to @linked the registers and slots of @state that are the number @reg, or apart from it by a
 *  constant. For what finds no room that is forgotten. Nothing if @reg is no number, or has no id.
 *  Cost O(frames × slots). Source: collect_linked_regs() */
void verify_linked_collect(const struct verifier *v, struct state *state, const struct reg *reg,
			   struct linked *linked);
/** What is known of @reg, of @state, now, is known of those of @linked that are the same number.
 *  Source: sync_linked_regs() */
void verify_linked_tell(struct state *state, const struct reg *reg, const struct linked *linked);

/** Is it certain that the pointer is not NULL? Source: reg_not_null() */
bool verify_reg_not_null(const struct reg *reg);

/** Is the jump taken that compares a pointer into a packet with the packet's end, by an earlier
 *  one that found it to be behind? Source: is_pkt_ptr_branch_taken() */
enum skep_branch verify_packet_branch(const struct reg *dst, const struct reg *src, uint8_t op);
/** Are those two of a packet that @insn compares? Then what that tells is noted: in @here, where
 *  the jump is not taken, and in @there, where it is. Source: try_match_pkt_pointers() */
bool verify_packet_compared(struct state *here, struct state *there, const struct skep_insn *insn);

#endif
