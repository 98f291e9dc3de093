/* What the files of skep prog share: the job at hand, and opening what its words name. */
#ifndef SKEP_CMD_PROG_PROG_H
#define SKEP_CMD_PROG_PROG_H

#include <signal.h>
#include <stdbool.h>

#include "cmd/options.h"
#include "engine/elffile.h"
#include "engine/engine.h"
#include "engine/prog.h"

enum {
#define OPTION(id, ...) PROG_OPT_##id,
#include "cmd/prog/options.def"
#undef OPTION
};

struct prog_job {
	struct skep_parsed options;
	char **words; /* behind the verb; borrowed */
	int n_words;
	bool json;
	bool refused; /* the machine's verifier said no */
	bool ran;     /* the program, once at least: its maps are worth a look */
	struct skep_diag diag;
	struct skep_engine engine;
	struct skep_elffile elf;
	struct bpf_program *program; /* of elf; NULL: what was loaded is not from an object */
	struct skep_buf out;         /* what goes to standard output */
	struct skep_buf printed;     /* by the program, bpf_printk() */
};

/** A verb's work. Return 0 | -errno, with words in job->diag | the exit status, above 0 */
typedef int prog_verb(struct prog_job *job);

#define VERB(name, ...) prog_verb prog_verb_##name;
#include "cmd/prog/verbs.def"
#undef VERB

/** An option's value; NULL: not given. */
const char *prog_given(const struct prog_job *job, int option);
/** Open the engine that the options name, else @kind; on the user engine, what they name runs
 *  programs, else @code. Return 0 | -errno */
int prog_open_engine(struct prog_job *job, enum skep_engine_kind kind, enum skep_engine_code code);
/** A file's or ("-") standard input's bytes. Return 0 | -errno */
int prog_read_file(struct prog_job *job, const char *path, size_t most, struct skep_buf *ret);
/** Wrong usage: what skep prog needs. Return 2 */
int prog_needs(struct prog_job *job, const char *what);
/** Write job->out and empty it. */
void prog_flush(struct prog_job *job);

/* load.c */
/**
 * Load what job->words name, FILE [PROG], on the engine that is open: an object, or instructions
 * of one program, as text or raw, of the type that --type says.
 * @ret    the caller's; ended with skep_prog_done()
 */
int prog_load(struct prog_job *job, struct skep_prog *ret);
/** Load bare instructions. */
int prog_load_bytes(struct prog_job *job, const char *path, const struct skep_buf *bytes,
		    struct skep_prog *ret);
/** Is the word a live program's id: a number that is no file? */
bool prog_is_id(const char *word, uint32_t *ret);
/** A live program, on the engine of the kernel. */
int prog_open_id(struct prog_job *job, uint32_t id, struct skep_prog *ret);
/** Instructions that are no object: text, or raw bytes. @ret heap array of the caller. */
int prog_read_insns(struct prog_job *job, const char *path, const struct skep_buf *bytes,
		    struct skep_insn **ret, size_t *ret_n);

/* capture.c */
/** Every frame of --pcap through the program. */
int prog_run_capture(struct prog_job *job, struct skep_prog *prog);

/* maps.c */
/** What is in the program's maps now. */
void prog_show_maps(struct prog_job *job, const struct skep_prog *prog);

/* fault.c */
/** Did the checked interpreter stop the last run? Then tell, into job->diag. */
bool prog_tell_fault(struct prog_job *job, struct skep_prog *prog);
/** bpf(2) would not run it. Return @err */
int prog_tell_refused_run(struct prog_job *job, const struct skep_prog *prog, uint32_t data_len,
			  int err);

/** Set by the first Ctrl-C; the second one kills. */
extern volatile sig_atomic_t prog_interrupted;
void prog_catch_interrupts(void);

#endif
