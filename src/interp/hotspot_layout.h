/*
 * What the kernel's half and user space share about virtual machines of Java that are HotSpot's.
 *
 *	hotspots  hash: tgid -> struct skep_hotspot; written by user space when a walk in the kernel
 *	          has met code made at run time in a process that is not in it yet. An entry whose
 *	          version is NONE says that there is no such machine in the process
 *
 * A machine says itself where it keeps what (hotspot.h), and each of its processes is asked: one
 * may say what it wants of itself, and of nobody else.
 *
 * Its code lies in heaps, in blocks of whole segments; a byte of the heap's map says for each
 * segment how far back its block begins, or nearer to it:
 *
 *	segments   0    1    2    0    1   ff     ff: nothing is here
 *	           block of three ┘    └ block of two
 *	a block    its header | struct CodeBlob | … code_begin  code  code_end …
 *
 * Frames of Java that a walk meets are kept as a stack of their own (layout.h). Its first entry is
 * no frame, but where the names of the others are: struct skep_hotspot_names. Of a frame, `code` is
 * its Method, `check` is of the method's constant part, and `at` says in which of the native
 * frames' places it stands.
 */
#ifndef SKEP_INTERP_HOTSPOT_LAYOUT_H
#define SKEP_INTERP_HOTSPOT_LAYOUT_H

#include "interp/layout.h"

#define SKEP_HOTSPOT_HEAPS      4
#define SKEP_HOTSPOT_BLOB_BYTES 256 /* of a CodeBlob that are read */

/** `at` of a frame of Java. */
#define SKEP_HOTSPOT_PLACE    0xff
#define SKEP_HOTSPOT_COMPILED 0x100

/** From a Method to its name: offsets in bytes. */
struct skep_hotspot_names {
	uint16_t const_method;  /* in a Method */
	uint16_t constants;     /* in a ConstMethod: CHECK_WORDS from here are its check, */
	uint16_t name_index;    /* and 16 bits: which of the constants is its name */
	uint16_t pool_bytes;    /* of a ConstantPool, before its constants */
	uint16_t pool_holder;   /* in a ConstantPool: its class, */
	uint16_t klass_name;    /* and in that its name */
	uint16_t symbol_length; /* in a Symbol: 16 bits, */
	uint16_t symbol_body;   /* and its characters */
};
_Static_assert(sizeof(struct skep_hotspot_names) == sizeof(struct skep_interp_frame),
	       "it takes the place of one");

struct skep_hotspot_heap {
	uint64_t low, n_bytes; /* 0: there is none */
	uint64_t map;          /* of its segments: where that begins */
	uint64_t shift;        /* of a segment's size */
};

struct skep_hotspot {
	uint32_t version;      /* enum skep_interp_version: HOTSPOT or NONE */
	uint16_t header_bytes; /* of a block */
	uint16_t name;         /* in a CodeBlob, as all that follow: a pointer to text, */
	uint16_t frame_size;   /* 32 bits, signed: words of its frame; 0 and below: not said, */
	uint16_t complete;     /* 32 bits: from its code's begin to where it has that frame, */
	uint16_t code, end;    /* where its code begins and ends, */
	uint16_t method;       /* and of a compiled method the Method */
	uint16_t unused[3];
	struct skep_hotspot_names names;
	struct skep_hotspot_heap heaps[SKEP_HOTSPOT_HEAPS];
};
_Static_assert(sizeof(struct skep_hotspot) % 8 == 0, "whole words");

#endif
