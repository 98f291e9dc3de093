/*
 * What the kernel's half and user space share about interpreters.
 *
 *	runtimes  array, an element a mapped file (of unwind/layout.h): how the interpreter in it
 *	          keeps its frames; written by user space, as describe.h found it in the file
 *	stacks    hash: the stack's number -> struct skep_interp_stack; written by programs
 *	fresh     ring buffer of struct skep_interp_fresh: each stack that is new in `stacks`
 *
 * A frame is told by where its code's object lies and how far into it the interpreter is. What the
 * function is called, and in which line that is, is read from the process's memory afterwards
 * (names.h): so a frame has a few bits of the object with it, by which one that is no longer the
 * same is known.
 *
 * Whatever is read of a process may be garbage: offsets are masked, chains are bounded.
 */
#ifndef SKEP_INTERP_LAYOUT_H
#define SKEP_INTERP_LAYOUT_H

#include <stdint.h>

#define SKEP_INTERP_FRAMES_MOST 240 /* an entry of `stacks` is within a page then */
#define SKEP_INTERP_RAW_BYTES   128 /* of a frame that are read */
#define SKEP_INTERP_CHECK_WORDS 4   /* of a code object that are its check */
#define SKEP_INTERP_NO_OFF      UINT16_MAX

/** Versions of interpreters that are known: rows of pythons.def, phps.def, rubies.def and
 *  perls.def. */
enum skep_interp_version {
	SKEP_INTERP_NONE,
#define PYTHON(major, minor, ...) SKEP_INTERP_PYTHON_##major##_##minor,
#include "interp/pythons.def"
#undef PYTHON
#define PHP(major, minor, ...) SKEP_INTERP_PHP_##major##_##minor,
#include "interp/phps.def"
#undef PHP
#define RUBY(major, minor, ...) SKEP_INTERP_RUBY_##major##_##minor,
#include "interp/rubies.def"
#undef RUBY
#define PERL(revision, version, ...) SKEP_INTERP_PERL_##revision##_##version,
#include "interp/perls.def"
#undef PERL
	SKEP_INTERP_HOTSPOT,         /* of any version: hotspot_layout.h */
	SKEP_INTERP_HOTSPOT_MACHINE, /* no frames, but where that keeps what: reading.h */
	SKEP_INTERP_VERSION_CNT
};

/** How a thread's state is found. */
enum skep_interp_way {
	SKEP_INTERP_BY_KEY, /* that of the lock, if it is this thread's; else thread-specific data */
	SKEP_INTERP_ALONE,  /* there is one thread, and `current` is its innermost frame */
	SKEP_INTERP_BY_TLS, /* at `key` in the thread's variables of the file, whose module's number
			     * is at `addr` */
	SKEP_INTERP_PERLS,  /* thread-specific data, whose number is at `addr` */
};

/** What Perl has where: its frames are contexts of subroutines, evals and formats, in stacks of
 *  contexts. A statement is a COP. */
struct skep_perl_runtime {
	uint16_t cop, phase; /* in a thread's state: the statement; which part of a program runs */
	uint16_t contexts;   /* in a stack: where they lie, */
	uint16_t previous;   /* the stack outside of it, */
	uint16_t last, last_sub;  /* the indices of the innermost one, and of one that is a frame */
	uint16_t old_cop;         /* in a context: the statement that called, */
	uint16_t return_op;       /* where that goes on; 0: in C code, */
	uint16_t old_sub;         /* the index of the frame outside of it */
	uint16_t line, cop_check; /* in a statement; the latter as `check` */
	uint16_t flags;           /* of a subroutine, where `check` is, too */
};

/** Offsets are in bytes. */
struct skep_interp_runtime {
	uint64_t addr; /* of its state, as the file is linked */
	union {
		struct {
			/* all ones: `instr` is a pointer into the code object; 0: a number */
			uint64_t code_mask;
			/* in the state: of which thread the lock is; 0: nowhere; */
			uint32_t current;
			uint32_t key; /* of thread-specific data: is it there, and its number */
			uint16_t thread_id; /* in a thread's state: its pthread_t; */
			/* in what `frame` leads to, if that is no frame yet; else NO_OFF; */
			uint16_t inner;
			/* where its stack of frames begins, and behind that how many words it
			 * has; NO_OFF: frames are linked */
			uint16_t stack;
			uint16_t start; /* in a frame: where the `bytes` are that are read of it */
		};
		struct skep_perl_runtime perl; /* besides version, frame, code, bytes, way, check */
	};
	uint16_t version; /* enum skep_interp_version; NONE: no interpreter */
	uint16_t frame;   /* in a thread's state: where its innermost frame is */
	uint16_t code;    /* in what is read of a frame: the code object, */
	uint16_t
		previous; /* the frame that called this one; 0: none did; NO_OFF: it is behind it, */
	uint16_t instr;   /* the instruction, */
	uint16_t flags;   /* a pointer to a word that is put at the end of what was read; NO_OFF, */
	uint16_t entry;   /* a byte: is it C code that called this frame? If */
	uint8_t bytes;    /* RAW_BYTES at most */
	uint8_t way;      /* enum skep_interp_way */
	uint8_t entry_xor; /*   (byte ^ entry_xor) & entry_mask is 0 */
	uint8_t entry_mask;
	uint8_t has_shims; /* such a frame is none of the program: it stands for the call from C */
	uint8_t c_mask;    /* bits of that byte that say that the frame is C code's own */
	uint16_t instructions; /* in a code object; not of numbers */
	uint16_t check;        /* in a code object: CHECK_WORDS that tell it from others */
};
#define SKEP_INTERP_FLAGS_AT (SKEP_INTERP_RAW_BYTES - 8)
_Static_assert(sizeof(struct skep_interp_runtime) % 8 == 0, "whole words");

#define SKEP_INTERP_ENTRY (1u << 31)
struct skep_interp_frame {
	uint64_t code; /* the object, of Perl with its kind; 0: no frame, but a call from C */
	uint32_t
		at; /* the instruction, signed, in 31 bits; the highest: C code called this frame */
	uint32_t check; /* of the object */
};

/**
 * What a frame of Perl is: the lowest bits of its code, which is a subroutine's, or a statement. Of
 * these, `at` is the line.
 *
 * A closure is made anew each time, and gone when nobody refers to it: so it is told by the
 * statement that it is at, which stays, and by its package, whose address takes the place of a
 * check.
 */
enum skep_perl_kind {
	SKEP_PERL_SUB = 0,   /* or a format */
	SKEP_PERL_EVAL = 1,  /* eval, require, do FILE */
	SKEP_PERL_MAIN = 2,  /* the program's own file */
	SKEP_PERL_SCOPE = 3, /* an eval that C code has made around its call of a subroutine */
	SKEP_PERL_CLOSURE = 4,
};
#define SKEP_PERL_KIND_MASK     7
#define SKEP_PERL_ADDRESS_BITS  48 /* of the code; above are bits of the package's, */
#define SKEP_PERL_PACKAGE_SHIFT 3  /* of which the lowest are none, */
#define SKEP_PERL_PACKAGE_BITS  35 /* and these are the check's */

/** Why a chain of frames ended. */
enum skep_interp_end {
	SKEP_INTERP_WHOLE,
	SKEP_INTERP_FULL,       /* deeper than there is room for */
	SKEP_INTERP_UNREADABLE, /* memory that could not be read, or is not what it should be */
	SKEP_INTERP_END_CNT
};

/** The value of the hash map `stacks`. */
struct skep_interp_stack {
	uint16_t n;
	uint8_t end;     /* enum skep_interp_end */
	uint8_t version; /* enum skep_interp_version */
	uint32_t check;  /* more of the hash, as of struct skep_unwind_stack */
	struct skep_interp_frame frames[SKEP_INTERP_FRAMES_MOST]; /* innermost first */
};

struct skep_interp_fresh {
	uint32_t tgid, number;
};

/** A code object's check: both halves make it in the same way. */
static inline uint32_t skep_interp_check(const uint64_t words[SKEP_INTERP_CHECK_WORDS])
{
	uint64_t mixed = 0;

	for (int i = 0; i < SKEP_INTERP_CHECK_WORDS; i++)
		mixed = (mixed ^ words[i]) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(mixed >> 32);
}

#endif
