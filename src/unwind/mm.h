/*
 * Where the kernel's structures have what says which file is mapped at an address
 * of the current process: by its BTF. Since Linux 6.1 a process's mappings are in a
 * maple tree, whose nodes are of 256 bytes.
 */
#ifndef SKEP_UNWIND_MM_H
#define SKEP_UNWIND_MM_H

#include <stdbool.h>
#include <stdint.h>

struct skep_btf;

/** Offsets in bytes. */
struct skep_unwind_mm {
	bool is_known; /* all of them, and the tree is of the form that we know */
	uint32_t task_mm, task_flags, mm_root;
	uint32_t task_in_exec; /* of the byte whose bit says it; */
	uint8_t in_exec_mask;  /* 0: nothing does */
	uint32_t vm_start, vm_end, vm_mm, vm_flags, vm_ops, vm_pgoff, vm_file; /* words */
	uint32_t vma_bytes; /* up to the last of these, at most SKEP_UNWIND_NODE_BYTES */
	bool has_overlays;  /* the next two: what an overlay's mapping is called */
	uint32_t file_user_dentry, dentry_inode;
	uint32_t file_inode, inode_ino, inode_size, inode_generation, inode_sb, sb_dev;
};
#define SKEP_UNWIND_NODE_BYTES 256

/** @btf  the kernel's; NULL: nothing is known then. Cost: some searches for names */
struct skep_unwind_mm skep_unwind_mm_of(struct skep_btf *btf);

#endif
