/*
 * skep prog disasm: instructions as text, with the functions and source lines they are of; with
 * --jit also the machine code that was made of each.
 *
 * An object is taken as it would be loaded: maps by name, CO-RE done. Where it does not load, its
 * instructions are shown as they stand in the file.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include <skep/btf.h>
#include <skep/jit.h>
#include <skep/machine.h>

#include "base/fd.h"
#include "base/vec.h"
#include "cmd/prog/prog.h"
#include "engine/value.h"
#include "sink/jsonw.h"

#define CODE_ROW 16

/* What is shown of one program. */
struct listing {
	struct prog_job *job;
	struct skep_prog *prog;
	const struct skep_code *code; /* of --jit on the user engine; NULL: none */
	struct skep_prog_line last;
};

/* The kernel has put distances in the place of helpers' numbers. */
static bool is_linux_code(const struct listing *listing)
{
	return !listing->job->engine.machine && listing->prog->fd >= 0;
}

/* --- Parts ----------------------------------------------------------------------------------- */

static void insn_bytes(const struct skep_insn *insn, unsigned slots, struct skep_buf *out)
{
	skep_hex_print(insn, sizeof(*insn) * slots, "", out);
}

static void heading(struct listing *listing, uint32_t at)
{
	struct skep_prog *prog = listing->prog;
	struct skep_buf *out = &listing->job->out;

	for (uint32_t i = 0; i < prog->info.nr_func_info; i++) {
		if (prog->funcs[i].insn_off != at || !prog->btf)
			continue;
		if (at)
			skep_buf_addc(out, '\n');
		skep_btf_print_decl(prog->btf, prog->funcs[i].type_id, NULL, out);
		skep_buf_puts(out, ":\n");
	}
}

/* A line of the source, once for the instructions it became. */
static void source_line(struct listing *listing, uint32_t at)
{
	struct skep_prog_line line;

	if (!skep_prog_line(listing->prog, at, &line) ||
	    (line.line == listing->last.line && line.file == listing->last.file))
		return;
	listing->last = line;
	skep_buf_printf(&listing->job->out, "; %s @ %s:%u\n", line.text, line.file, line.line);
}

static void machine_code(const struct listing *listing, uint32_t at, unsigned slots)
{
	struct skep_buf *out = &listing->job->out;
	size_t all, from, to;
	const uint8_t *bytes = skep_jit_code(listing->code, &all);

	from = skep_jit_offset(listing->code, at);
	to = skep_jit_offset(listing->code, at + slots);
	for (size_t row = from; row < to && to <= all; row += CODE_ROW) {
		skep_buf_printf(out, "        %4zx:  ", row);
		skep_hex_print(bytes + row, to - row < CODE_ROW ? to - row : CODE_ROW, " ", out);
		skep_buf_addc(out, '\n');
	}
}

static void text_insn(struct listing *listing, uint32_t at, unsigned slots)
{
	struct skep_prog *prog = listing->prog;
	struct skep_buf *out = &listing->job->out;

	heading(listing, at);
	source_line(listing, at);
	skep_buf_printf(out, "%4u: (%02x) ", at, prog->insns[at].code);
	skep_prog_insn_text(prog, is_linux_code(listing), at, out);
	skep_buf_addc(out, '\n');
	if (listing->code)
		machine_code(listing, at, slots);
}

static void json_code(const struct listing *listing, uint32_t at, unsigned slots,
		      struct skep_jsonw *w)
{
	_cleanup_buf_ struct skep_buf hex = {0};
	size_t all, from = skep_jit_offset(listing->code, at);
	size_t to = skep_jit_offset(listing->code, at + slots);
	const uint8_t *bytes = skep_jit_code(listing->code, &all);

	if (to > all || from > to)
		return;
	skep_hex_print(bytes + from, to - from, "", &hex);
	skep_jsonw_key(w, "code_offset"), skep_jsonw_u64(w, from);
	skep_jsonw_key(w, "code"), skep_jsonw_string(w, hex.data ? hex.data : "");
}

static void json_insn(struct listing *listing, uint32_t at, unsigned slots)
{
	_cleanup_buf_ struct skep_buf text = {0}, bytes = {0};
	struct skep_jsonw w = {.buf = &listing->job->out};
	struct skep_prog_line line;

	skep_prog_insn_text(listing->prog, is_linux_code(listing), at, &text);
	insn_bytes(&listing->prog->insns[at], slots, &bytes);
	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, "type"), skep_jsonw_string(&w, "insn");
	skep_jsonw_key(&w, "program"), skep_jsonw_string(&w, listing->prog->info.name);
	skep_jsonw_key(&w, "insn"), skep_jsonw_u64(&w, at);
	skep_jsonw_key(&w, "bytes"), skep_jsonw_string(&w, bytes.data);
	skep_jsonw_key(&w, "text"), skep_jsonw_string(&w, text.data ? text.data : "");
	if (skep_prog_line(listing->prog, at, &line)) {
		skep_jsonw_key(&w, "file"), skep_jsonw_string(&w, line.file);
		skep_jsonw_key(&w, "line"), skep_jsonw_u64(&w, line.line);
		skep_jsonw_key(&w, "source"), skep_jsonw_string(&w, line.text);
	}
	if (listing->code)
		json_code(listing, at, slots, &w);
	skep_jsonw_close(&w);
	skep_buf_addc(w.buf, '\n');
}

/* --- A program ------------------------------------------------------------------------------- */

/* The kernel's machine code has no place for each instruction that it tells. */
static void kernel_code(struct prog_job *job, const struct skep_prog *prog)
{
	skep_buf_puts(&job->out, "machine code:\n");
	for (uint32_t row = 0; row < prog->info.jited_prog_len; row += CODE_ROW) {
		uint32_t left = prog->info.jited_prog_len - row;

		skep_buf_printf(&job->out, "  %4x:  ", row);
		skep_hex_print(prog->jited + row, left < CODE_ROW ? left : CODE_ROW, " ",
			       &job->out);
		skep_buf_addc(&job->out, '\n');
	}
}

static void list_insns(struct listing *listing)
{
	const struct skep_prog *prog = listing->prog;

	for (uint32_t at = 0; at < prog->n_insns;) {
		bool wide = prog->insns[at].code == (SKEP_LD | SKEP_DW | SKEP_IMM);
		unsigned slots = wide && at + 1 < prog->n_insns ? 2 : 1;

		if (listing->job->json)
			json_insn(listing, at, slots);
		else
			text_insn(listing, at, slots);
		at += slots;
	}
}

static int no_insns(struct prog_job *job, const struct skep_prog *prog)
{
	skep_diag_add(&job->diag, SKEP_DIAG_FILE_READ, SKEP_NOWHERE, prog->info.name,
		      "the kernel does not show its instructions to this process");
	return -EPERM;
}

static int list_program(struct prog_job *job, struct skep_prog *prog)
{
	struct listing listing = {.job = job, .prog = prog};
	const struct skep_program *program = NULL;
	bool jit = prog_given(job, PROG_OPT_JIT);

	if (!prog->n_insns)
		return no_insns(job, prog);
	if (jit && job->engine.machine) {
		program = skep_machine_program(job->engine.machine, prog->fd);
		listing.code = program && program->exec == &skep_exec_jit ? program->code : NULL;
	}
	list_insns(&listing);
	if (jit && !job->engine.machine && !job->json)
		kernel_code(job, prog);
	if (program)
		skep_machine_program_put(job->engine.machine, program);
	return 0;
}

/* --- What the words name --------------------------------------------------------------------- */

/* As it stands in the file. */
static void list_unloaded(struct prog_job *job)
{
	const struct bpf_insn *insns = bpf_program__insns(job->program);
	size_t n = bpf_program__insn_cnt(job->program);

	skep_buf_printf(&job->out, "; as it stands in the file: it does not load\n");
	skep_disasm((const struct skep_insn *)insns, n, NULL, &job->out);
}

/* One program of the object, loaded alone: another that does not load is no obstacle. */
static int list_of_object(struct prog_job *job, const struct skep_buf *bytes, const char *name)
{
	_cleanup_prog_ struct skep_prog prog = {.fd = -1};
	struct skep_buf copy = {0};
	int err;

	skep_elffile_close(&job->elf);
	skep_buf_add(&copy, bytes->data, bytes->len);
	err = skep_elffile_open(job->words[0], &copy, &job->elf, &job->diag);
	if (!err)
		err = skep_elffile_find(&job->elf, name, &job->program, &job->diag);
	if (err)
		return err;
	if (skep_elffile_load(&job->elf, job->program, &job->diag)) {
		list_unloaded(job);
		return 0;
	}
	err = skep_prog_read(dup(bpf_program__fd(job->program)), &prog);
	return err ? err : list_program(job, &prog);
}

static int list_object(struct prog_job *job, struct skep_buf *bytes)
{
	_cleanup_elffile_ struct skep_elffile elf = {0};
	struct skep_buf copy = {0};
	struct bpf_program *prog;
	bool first = true;
	int err = prog_open_engine(job, SKEP_ENGINE_USER, SKEP_CODE_CHECKED);

	if (!err && job->n_words > 1)
		return list_of_object(job, bytes, job->words[1]);
	skep_buf_add(&copy, bytes->data, bytes->len);
	if (!err)
		err = skep_elffile_open(job->words[0], &copy, &elf, &job->diag);
	else
		skep_buf_done(&copy);
	if (err)
		return err;
	bpf_object__for_each_program(prog, elf.object)
	{
		if (!job->json)
			skep_buf_printf(&job->out, "%s%s (%s):\n", first ? "" : "\n",
					bpf_program__name(prog), bpf_program__section_name(prog));
		first = false;
		err = list_of_object(job, bytes, bpf_program__name(prog));
		if (err)
			return err;
		prog_flush(job);
	}
	return first ? skep_elffile_find(&elf, NULL, &prog, &job->diag) : 0;
}

static int list_bare(struct prog_job *job, const char *path, const struct skep_buf *bytes)
{
	_cleanup_free_ struct skep_insn *insns = NULL;
	size_t n;
	int err;

	if (prog_given(job, PROG_OPT_JIT)) {
		_cleanup_prog_ struct skep_prog prog = {.fd = -1};

		err = prog_open_engine(job, SKEP_ENGINE_USER, SKEP_CODE_CHECKED);
		if (!err)
			err = prog_load_bytes(job, path, bytes, &prog);
		return err ? err : list_program(job, &prog);
	}
	err = prog_read_insns(job, path, bytes, &insns, &n);
	if (!err) {
		struct skep_prog prog = {.fd = -1, .insns = insns, .n_insns = (uint32_t)n};
		struct listing listing = {.job = job, .prog = &prog};

		snprintf(prog.info.name, sizeof(prog.info.name), "program");
		list_insns(&listing);
	}
	return err;
}

static int list_hex(struct prog_job *job, const char *hex)
{
	_cleanup_buf_ struct skep_buf bytes = {0};

	if (skep_hex_parse(hex, SKEP_ELFFILE_MOST_BYTES, &bytes)) {
		skep_diag_add(&job->diag, SKEP_DIAG_HEX_DIGITS, SKEP_NOWHERE, hex);
		return 2;
	}
	return list_bare(job, "--hex", &bytes);
}

int prog_verb_disasm(struct prog_job *job)
{
	_cleanup_buf_ struct skep_buf bytes = {0};
	_cleanup_prog_ struct skep_prog prog = {.fd = -1};
	const char *hex = prog_given(job, PROG_OPT_HEX);
	uint32_t id;
	int err;

	if (!job->n_words && !hex)
		return prog_needs(job, "a FILE, the ID of a program, or --hex");
	if (!job->n_words)
		return list_hex(job, hex);
	if (prog_is_id(job->words[0], &id)) {
		err = prog_open_id(job, id, &prog);
		return err ? err : list_program(job, &prog);
	}
	err = prog_read_file(job, job->words[0], SKEP_ELFFILE_MOST_BYTES, &bytes);
	if (err)
		return err;
	return bytes.len && skep_elffile_is(bytes.data, bytes.len)
		       ? list_object(job, &bytes)
		       : list_bare(job, job->words[0], &bytes);
}
