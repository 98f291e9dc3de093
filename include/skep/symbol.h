/*
 * Addresses to names, for the kernel and for processes, lazily and cached.
 */
#ifndef SKEP_SYMBOL_H
#define SKEP_SYMBOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** What is known of an address. Strings are owned by the symbolizer and good until it is freed. */
struct skep_symbol {
	const char *name;   /* NULL: unknown */
	const char *module; /* kernel module, or the file it lies in; NULL: unknown */
	uint64_t offset;    /* from the symbol's start; from the module's start if name is NULL */
	bool file_missing;  /* processes: the file was deleted before it was read; module says so */
};

struct skep_buf;
struct skep_diag;
struct skep_ksyms;
/** Reads nothing yet. */
struct skep_ksyms *skep_ksyms_new(void);
void skep_ksyms_free(struct skep_ksyms *syms);
/**
 * Name a code address. The first use reads /proc/kallsyms (tens of ms, most of
 * them the kernel's); later ones cost a binary search. What the kernel loads
 * after that (modules, BPF programs) is not seen.
 * Return 0 | -ENOENT not known, or data | -EPERM addresses are hidden from us
 * (kernel.kptr_restrict; see skep_ksyms_explain()) | -errno
 */
int skep_ksyms_lookup(struct skep_ksyms *syms, uint64_t addr, struct skep_symbol *ret);
/** Forget what was read, names that were handed out included, if the kernel has loaded modules or
 *  programs since. */
void skep_ksyms_refresh(struct skep_ksyms *syms);
/** Address of a kernel symbol of any kind; reads on until it is found, keeps nothing.
 *  Return 0 | -ENOENT | -EPERM | -errno */
int skep_ksyms_find(struct skep_ksyms *syms, const char *name, uint64_t *ret_addr);
/** Say in @diag why one of the two returned @err (not -ENOENT); returns @err. */
int skep_ksyms_explain(int err, struct skep_diag *diag);
/** Bytes held. */
size_t skep_ksyms_memory(const struct skep_ksyms *syms);

struct skep_usyms;
/**
 * Names addresses of processes. Not for several threads at a time.
 *
 * Bounded: 4096 processes, 512 files and 256 MiB of symbol tables, each with
 * the least recently used one leaving first; a process's last 4 sets of
 * mappings; 64 MiB of names handed out (then names are NULL, modules stay).
 */
struct skep_usyms *skep_usyms_new(bool demangle);
void skep_usyms_free(struct skep_usyms *syms);
/** Keep no symbol tables, for whoever names for days: but what was found, of each function once.
 *  Each that was not found before is looked for in its file: see skep_usyms_expect(). To be said
 *  before any other use. */
void skep_usyms_be_lean(struct skep_usyms *syms);
/** @addr of @pid will be asked for; it is remembered until skep_usyms_settle(), as long as there is
 *  room (65,536). */
void skep_usyms_expect(struct skep_usyms *syms, pid_t pid, uint64_t addr);
/** Look for all that is expected, in one pass over each file. Cost O(symbols) of these files */
void skep_usyms_settle(struct skep_usyms *syms);
/** Bytes of names that were handed out: they never leave. */
size_t skep_usyms_names_bytes(const struct skep_usyms *syms);
/**
 * Name @addr of process @pid: through its mappings, the mapped files' symbol
 * tables (.symtab, .dynsym, separate debug files by build-id or debug link),
 * the vdso, and /tmp/perf-PID.map for code made at run time. Files are looked
 * up in the process's own root folder. C++ and Rust names are demangled if so
 * asked; control characters in names become '?'. A process that has ended since
 * it was first seen keeps its names; one that loads libraries or executes
 * another program is read again.
 *
 * Return 0 (name may still be NULL, with module and offset known) | -ENOENT
 */
int skep_usyms_lookup(struct skep_usyms *syms, pid_t pid, uint64_t addr, struct skep_symbol *ret);
/** Read @pid's mappings now, so that its addresses can be named after it ended. Cheap when known.
 */
void skep_usyms_note_process(struct skep_usyms *syms, pid_t pid);
/** Forget processes that have ended and that nobody asked for, nor anything was told of, since the
 *  last call but one. For whoever names again and again what was a moment ago. */
void skep_usyms_forget_ended(struct skep_usyms *syms);
/** Processes and mappings that were not remembered for lack of room while they were watched. */
uint64_t skep_usyms_dropped(const struct skep_usyms *syms);

/** Where in the source code is: a function, and the line of it that runs. */
struct skep_source_frame {
	const char *name; /* of the function, demangled if the symbolizer does; NULL: not known */
	const char *file; /* path, as the compiler had it; NULL: not known */
	uint32_t line;    /* 0: not known */
};
/** Have skep_usyms_lines() answer, from the DWARF that files have. To be said before any other use.
 */
void skep_usyms_want_lines(struct skep_usyms *syms);
/**
 * Where @addr of process @pid is in the source: its function last, before that what is inlined into
 * it there, each but the first at the line where the one before is called. Of files with debug
 * information, their own or apart (found as symbol tables are), and that of dwz; not of the kernel.
 *
 * A file is read in a process of its own, of which 8 are kept; a broken file costs its answers. An
 * answer takes 10 seconds at most, those of all files 30, and beside that a tenth of the time since
 * lines were wanted. While SIGINT, SIGTERM or SIGHUP is held and waits to be read, none is waited
 * for.
 *
 * @ret    borrowed, until the next call; its strings until the symbolizer is freed
 * Return  how many frames, 0: nothing is known
 * Cost    0.1 ms, nothing for an address again; reading the part of the file at first
 */
uint32_t skep_usyms_lines(struct skep_usyms *syms, pid_t pid, uint64_t addr,
			  const struct skep_source_frame **ret);
struct skep_debuginfod;
/**
 * Who fetches debug files of stripped files by their build-ids, from the servers whose addresses
 * DEBUGINFOD_URLS has: by HTTP, into the folder that other such clients have them in, once each.
 * DEBUGINFOD_TIMEOUT seconds (90) at most for one, and twice that for all.
 *
 * Return  skep_debuginfod_free() | NULL no address is set
 */
struct skep_debuginfod *skep_debuginfod_new(void);
/** NULL is fine. */
void skep_debuginfod_free(struct skep_debuginfod *debuginfod);
/** Why files were not to be had: @i from 0 on; words, borrowed, that end a sentence "lost: 3 ",
 *  and of how many so far. False: there are no more, as of NULL. */
bool skep_debuginfod_trouble(const struct skep_debuginfod *debuginfod, size_t i,
			     const char **ret_words, uint32_t *ret_n);
/** Have it fetch what this needs: symbols, and lines if they are wanted. Borrowed, until @syms is
 *  freed; NULL: nothing is fetched. */
void skep_usyms_want_debuginfod(struct skep_usyms *syms, struct skep_debuginfod *debuginfod);
/** Why a file's debug information could not be read, or not all of it. One of the two is not 0. */
struct skep_lines_trouble {
	const char *path, *why;
	uint64_t n;         /* addresses asked for of which nothing is known for that */
	uint64_t n_partial; /* of which not all may be known that there is */
};
/** Trouble number @i, in order of appearance. False: there are no more. */
bool skep_usyms_lines_trouble(const struct skep_usyms *syms, size_t i,
			      struct skep_lines_trouble *ret);
/** What is lost, in words to come behind trouble->n (@is_partial: n_partial), appended. */
void skep_lines_trouble_words(const struct skep_lines_trouble *trouble, bool is_partial,
			      struct skep_buf *ret);

/** What tells the builds of files apart, as digits in base 16, appended: of the file that @addr of
 *  @pid lies in. Return 0 | -ENOENT it has none, or is not known */
int skep_usyms_build_id(struct skep_usyms *syms, pid_t pid, uint64_t addr, struct skep_buf *ret);
/** The same of the kernel (@module is NULL), or of a module by its name. Return 0 | -errno */
int skep_ksyms_build_id(const char *module, struct skep_buf *ret);

#define SKEP_SPOT_BYTES 64
/** An address of a process, and what is there. */
struct skep_spot {
	pid_t pid; /* asked, as is addr */
	uint64_t addr;
	bool is_named; /* name is a function's; else that of the file, without its folder, or "" */
	char name[SKEP_SPOT_BYTES]; /* cut where it is longer; control characters are '?' */
};

struct skep_spots;
/**
 * Names addresses as skep_usyms_lookup() does, for whoever asks for some of them now and then, for
 * as long as the machine runs: in memory that does not grow. 0.6 MB hold what was answered (4096
 * pieces of files, 8 mappings of 64 processes), the least recently used leaves first; no file is
 * held open. Of processes that have ended what was answered of them before has names.
 * Not for several threads at a time.
 */
struct skep_spots *skep_spots_new(bool demangle);
void skep_spots_free(struct skep_spots *spots);
/**
 * Name @n of them at once.
 *
 * Cost  some us each; what was not answered before one pass over the symbols of its file. A file is
 *       read for a hundredth of the time at most, all of them for a twentieth: see
 *       skep_spots_unread()
 */
void skep_spots_name(struct skep_spots *spots, struct skep_spot *asked, size_t n);
/** How many were given the name of their file only, as it had been read too short a while ago. */
uint64_t skep_spots_unread(const struct skep_spots *spots);
/** How many answers, and processes, had to leave for others. */
uint64_t skep_spots_evicted(const struct skep_spots *spots);

struct skep_watch;
/**
 * Have the kernel report what processes map from now on, so that addresses of
 * those that ended before they are asked for have names. Of a file that was
 * deleted too, only if a descriptor of it was free (128) while it was there.
 *
 * @syms     borrowed; until skep_watch_free() used by the watch only and by lookups
 * @only     the one process to watch; 0: all
 * Return    0 | -EPERM, -EACCES not allowed | -errno
 * Cost      0.1 ms a CPU, 68 KiB of the kernel's memory each
 */
int skep_watch_open(struct skep_usyms *syms, pid_t only, struct skep_watch **ret);
struct skep_perf_record; /* linux/perfring.h */
/** The same for whoever reads such reports already, and gives them to skep_watch_take(). */
void skep_watch_open_fed(struct skep_usyms *syms, pid_t only, struct skep_watch **ret);
/** A report, in order of time; with PERF_RECORD_LOST it counts those that were lost. */
void skep_watch_take(struct skep_watch *watch, const struct skep_perf_record *record);
void skep_watch_free(struct skep_watch *watch);
/** To be polled: readable when there is something for skep_watch_step(). -1: NULL, or it is
 *  fed. */
int skep_watch_fd(const struct skep_watch *watch);
/** Take in what was reported until a moment ago, and a few of the processes that were there before
 *  the watch. Returns whether there are more of those. NULL is fine. */
bool skep_watch_step(struct skep_watch *watch);
/** Take in everything that was reported until now. Waits a millisecond. NULL is fine. */
void skep_watch_finish(struct skep_watch *watch);
/** Reports that were lost or not remembered for lack of room. */
uint64_t skep_watch_lost(const struct skep_watch *watch);

/** Address of @name (function or variable) as @path's symbol table has it, before the file is
 *  moved to where it runs. Return 0 | -ENOENT | -errno */
int skep_usyms_find(struct skep_usyms *syms, const char *path, const char *name,
		    uint64_t *ret_addr);

/** Demangled copy (heap) of a C++ or Rust name, with parameters, without Rust's hash. NULL if it
 *  is not a mangled name, or one that is too long or grows beyond reason (64 KiB). */
char *skep_demangle(const char *name);

#endif
