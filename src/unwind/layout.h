/*
 * What a walk in the kernel reads: plain arrays, each the only value of an array
 * map of its own, so that a program reads them without a call, and user space
 * writes them through mmap().
 *
 *	processes   hash: tgid -> its block of mappings
 *	code        hash: struct skep_unwind_code_key -> struct skep_unwind_code, for what is mapped
 *	            where user space has not heard of it yet
 *	mappings    blocks, each rising by start; a block's last entry ends it (file 0)
 *	files       what is at a mapping: where its tables begin
 *	pages       struct skep_unwind_table's, their rows counted in `rows`
 *	rows        struct skep_unwind_table's
 *	rules       struct skep_unwind_table's
 *	runtimes    at the index in `files`: the interpreter in it (interp/layout.h)
 *	hotspots    hash, of those that were met last: tgid -> its virtual machine of Java
 *	            (interp/hotspot_layout.h)
 *
 * and what it writes:
 *
 *	stacks      hash: the stack's number -> struct skep_unwind_stack
 *	asked       hash: struct skep_unwind_asked -> how many stacks ended for want of it; who
 *	            answers removes the entry, and until then it is not asked for again
 *	asks        ring buffer of struct skep_unwind_asked: each new entry of `asked`
 *
 * Nothing that a program may be reading is written over: who changes a process
 * writes a new block and then its entry in `processes`; what nobody refers to any
 * more is used again only after a while (SKEP_UNWIND_GRACE_NS), which is longer
 * than any walk takes. One thing is changed in place: where a file's table comes
 * or goes, the `file` of its mappings. Its `bias` is written before, so a program
 * reads `file` first. Whatever is read is taken for what it may be, garbage
 * included: indices are masked to the arrays' sizes, which are powers of two.
 */
#ifndef SKEP_UNWIND_LAYOUT_H
#define SKEP_UNWIND_LAYOUT_H

#include <stdint.h>

#include "unwind/table.h"

#define SKEP_UNWIND_GRACE_NS      (100 * 1000 * 1000ull)
#define SKEP_UNWIND_FRAMES_MOST   127
#define SKEP_UNWIND_FRAME_WORDS   2    /* of a bit a frame */
#define SKEP_UNWIND_MAPPINGS_MOST 4096 /* of one process: a search of twelve steps */

/** Entries of struct skep_unwind_mapping's `file` that are no index. */
enum {
	SKEP_UNWIND_FILE_NONE = 0, /* nothing is mapped here, or nothing is known of it */
	SKEP_UNWIND_FILE_ASK = 1,  /* a file whose table is not loaded: user space is to be told */
	SKEP_UNWIND_FILE_FRAMES = 2, /* code made at run time: frame pointers are believed */
	SKEP_UNWIND_FILE_FIRST = 3,
};

struct skep_unwind_process_entry {
	uint32_t first, n; /* of `mappings`, the ending one included */
};

struct skep_unwind_mapping {
	uint64_t start;  /* holds from here to the next one's */
	uint64_t bias;   /* address - bias is what the file's table is looked up by */
	uint32_t file;   /* index in `files`, or one of the above */
	uint32_t number; /* user space's own, given back when it is asked for the file's table */
};

/** Code of a file whose table is loaded: which file, and from where in it something is mapped. */
struct skep_unwind_code_key {
	uint64_t inode;
	uint32_t page; /* of the file, the first that is mapped */
	uint32_t dev;  /* major << 20 | minor */
};

struct skep_unwind_code {
	uint64_t bias;       /* the mapping's is its start, and this */
	uint64_t size;       /* of the file as it was read; 0: not known */
	uint32_t generation; /* of the inode; 0: not known */
	uint32_t file;       /* as in struct skep_unwind_mapping */
};

struct skep_unwind_file {
	uint32_t first_page, n_pages; /* of addresses, as in struct skep_unwind_table */
	uint32_t pages;               /* where its n_pages + 1 are in `pages` */
	uint32_t rules;               /* where its rules are in `rules` */
};

/** How many there is room for: each a power of two. */
struct skep_unwind_sizes {
	uint32_t processes, mappings, files, pages, rows, rules;
};

/** A stack that was walked, by its number (a hash of it, in 1…2^31): the value of the hash map
 *  `stacks`. */
struct skep_unwind_stack {
	uint16_t n;
	uint16_t end;    /* enum skep_unwind_end */
	uint32_t check;  /* more of the hash: tells stacks of one number apart */
	uint32_t interp; /* the number of its interpreter's frames (interp/layout.h); 0: none */
	uint32_t unused;
	/* of each frame a bit: is it in the file whose interpreter's frames these are? */
	uint64_t in_interpreter[SKEP_UNWIND_FRAME_WORDS];
	uint64_t pcs[SKEP_UNWIND_FRAMES_MOST]; /* innermost first */
};

/** What a walk wanted and had not: the key of the hash map `asked`. */
struct skep_unwind_asked {
	uint32_t tgid;
	uint32_t number; /* of the mapping whose file has no table yet */
};
/* As `number`: */
#define SKEP_UNWIND_ASK_PROCESS UINT32_MAX       /* nothing is known of the process */
#define SKEP_UNWIND_ASK_MACHINE (UINT32_MAX - 1) /* is there a HotSpot in it? */

#endif
