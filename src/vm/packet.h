/*
 * What both interpreters need besides arithmetic: the packet loads of classic
 * BPF, and casts between the address spaces of an arena.
 */
#ifndef SKEP_VM_PACKET_H
#define SKEP_VM_PACKET_H

#include <skep/image.h>

/**
 * @size (1, 2 or 4) bytes of the run's packet at @off, big endian, to host order. Offsets from
 * -0x100000 on count from the network header, from -0x200000 on from the start of the frame.
 * Return false: past its end, or no packet; @ret untouched.
 */
bool skep_vm_load_packet(const struct skep_run *run, int32_t off, unsigned size, uint64_t *ret);

/** addr_space_cast: @spaces is the instruction's imm, destination in the upper half. */
uint64_t skep_vm_cast(const struct skep_map *arena, uint64_t address, uint32_t spaces);

#endif
