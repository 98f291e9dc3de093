/* Offsets within the kernel's structures, see mm.h. */
#include "unwind/mm.h"

#include <stddef.h>
#include <string.h>

#include <skep/btf.h>

struct wanted {
	const char *record, *member;
	uint32_t *ret; /* NULL: it is to be at @at */
	uint32_t at;
};

/* -1: the kernel has no such thing, or bits of it. */
static int64_t offset_of(struct skep_btf *btf, const char *record, const char *member)
{
	struct skep_btf_member found;
	uint32_t id = skep_btf_find(btf, record, strlen(record), SKEP_BTF_MASK(SKEP_BTF_STRUCT));

	if (!id || skep_btf_find_member(btf, id, member, strlen(member), &found) ||
	    found.bit_off % 8)
		return -1;
	return found.bit_off / 8;
}

static bool find_all(struct skep_btf *btf, const struct wanted *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t off = offset_of(btf, wanted[i].record, wanted[i].member);
		if (off < 0 || (!wanted[i].ret && off != wanted[i].at))
			return false;
		if (wanted[i].ret)
			*wanted[i].ret = (uint32_t)off;
	}
	return true;
}

/* A mapping is read as words, in one go. */
static bool fits(struct skep_unwind_mm *mm)
{
	const uint32_t words[] = {mm->vm_start, mm->vm_end,   mm->vm_mm,  mm->vm_flags,
				  mm->vm_ops,   mm->vm_pgoff, mm->vm_file};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i] % 8 || words[i] + 8 > SKEP_UNWIND_NODE_BYTES)
			return false;
		if (mm->vma_bytes < words[i] + 8)
			mm->vma_bytes = words[i] + 8;
	}
	return true;
}

/* Linux 6.8 and later. */
static void find_overlays(struct skep_btf *btf, struct skep_unwind_mm *mm)
{
	uint32_t path, dentry;
	const struct wanted wanted[] = {
		{"backing_file", "user_path", &path, 0},
		{"path", "dentry", &dentry, 0},
		{"dentry", "d_inode", &mm->dentry_inode, 0},
	};

	mm->has_overlays = find_all(btf, wanted, sizeof(wanted) / sizeof(wanted[0]));
	if (mm->has_overlays)
		mm->file_user_dentry = path + dentry;
}

/* A bit field: bits are counted from the lowest one of a byte, as the machine is little-endian. */
static void find_exec(struct skep_btf *btf, struct skep_unwind_mm *mm)
{
	static const char record[] = "task_struct", member[] = "in_execve";
	struct skep_btf_member found;
	uint32_t id = skep_btf_find(btf, record, strlen(record), SKEP_BTF_MASK(SKEP_BTF_STRUCT));

	if (!id || skep_btf_find_member(btf, id, member, strlen(member), &found) ||
	    found.bit_size != 1)
		return;
	mm->task_in_exec = found.bit_off / 8;
	mm->in_exec_mask = (uint8_t)(1u << found.bit_off % 8);
}

struct skep_unwind_mm skep_unwind_mm_of(struct skep_btf *btf)
{
	struct skep_unwind_mm mm = {0};
	uint32_t tree, root;
	const struct wanted wanted[] = {
		{"task_struct", "mm", &mm.task_mm, 0},
		{"task_struct", "flags", &mm.task_flags, 0},
		{"mm_struct", "mm_mt", &tree, 0},
		{"maple_tree", "ma_root", &root, 0},
		{"maple_range_64", "pivot", NULL, 8},
		{"maple_range_64", "slot", NULL, 128},
		{"maple_arange_64", "pivot", NULL, 8},
		{"maple_arange_64", "slot", NULL, 80},
		{"vm_area_struct", "vm_start", &mm.vm_start, 0},
		{"vm_area_struct", "vm_end", &mm.vm_end, 0},
		{"vm_area_struct", "vm_mm", &mm.vm_mm, 0},
		{"vm_area_struct", "vm_flags", &mm.vm_flags, 0},
		{"vm_area_struct", "vm_ops", &mm.vm_ops, 0},
		{"vm_area_struct", "vm_pgoff", &mm.vm_pgoff, 0},
		{"vm_area_struct", "vm_file", &mm.vm_file, 0},
		{"file", "f_inode", &mm.file_inode, 0},
		{"inode", "i_ino", &mm.inode_ino, 0},
		{"inode", "i_size", &mm.inode_size, 0},
		{"inode", "i_generation", &mm.inode_generation, 0},
		{"inode", "i_sb", &mm.inode_sb, 0},
		{"super_block", "s_dev", &mm.sb_dev, 0},
	};

	if (!btf || !find_all(btf, wanted, sizeof(wanted) / sizeof(wanted[0])) || !fits(&mm))
		return (struct skep_unwind_mm){0};
	mm.mm_root = tree + root;
	mm.is_known = true;
	find_overlays(btf, &mm);
	find_exec(btf, &mm);
	return mm;
}
