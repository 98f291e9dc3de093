/*
 * skep prog run: a program on one packet or context. What came of it is printed: the result by its
 * name, the packet if it was changed, what the program printed, and its maps.
 *
 * Many runs are done in pieces of some 50 ms, so that Ctrl-C is answered.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/json.h"
#include "cmd/prog/prog.h"
#include "engine/test.h"
#include "engine/value.h"
#include "sink/jsonw.h"

#define MOST_DATA  (1u << 20)
#define PIECE_NS   50000000u
#define MOST_PIECE 1000000u
#define DUMP_ROW   16
#define DUMP_MOST  512

struct input {
	struct skep_buf data, ctx;
	uint64_t repeat;
};

struct timing {
	uint64_t runs, total_ns; /* of all but the first, unless there is only that */
};

static void input_done(struct input *input)
{
	skep_buf_done(&input->data);
	skep_buf_done(&input->ctx);
}

/* --- Input ----------------------------------------------------------------------------------- */

/* Bytes of a file or in hexadecimal; neither given: none. */
static int read_bytes(struct prog_job *job, int file_option, int hex_option, struct skep_buf *ret)
{
	const char *path = prog_given(job, file_option), *hex = prog_given(job, hex_option);

	if (path)
		return prog_read_file(job, path, MOST_DATA, ret);
	if (hex && skep_hex_parse(hex, MOST_DATA, ret)) {
		skep_diag_add(&job->diag, SKEP_DIAG_HEX_DIGITS, SKEP_NOWHERE, hex);
		return 2;
	}
	return 0;
}

static int read_repeat(struct prog_job *job, uint64_t *ret)
{
	const char *text = prog_given(job, PROG_OPT_REPEAT);
	char *end;

	*ret = 1;
	if (!text)
		return 0;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (!errno && *ret && !*end && text[0] != '-')
		return 0;
	return skep_option_wrong("--repeat", "a number above 0", text);
}

static int check_input(struct prog_job *job, const struct skep_testable *kind,
		       const struct input *input)
{
	bool given = prog_given(job, PROG_OPT_DATA) || prog_given(job, PROG_OPT_HEX);

	if (kind->data && !given)
		return prog_needs(job, "a packet for this program: --data FILE, --hex BYTES or "
				       "--pcap FILE");
	if (!kind->data && given) {
		skep_diag_add(&job->diag, SKEP_DIAG_PROG_NO_PACKET, SKEP_NOWHERE,
			      skep_prog_type_name(kind->type));
		return 2;
	}
	return 0;
}

static int read_input(struct prog_job *job, const struct skep_testable *kind, struct input *ret)
{
	int err = read_repeat(job, &ret->repeat);

	if (!err)
		err = read_bytes(job, PROG_OPT_DATA, PROG_OPT_HEX, &ret->data);
	if (!err)
		err = read_bytes(job, PROG_OPT_CTX, PROG_OPT_CTX_HEX, &ret->ctx);
	return err ? err : check_input(job, kind, ret);
}

/* --- Running --------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* One call; where the engine does not measure, the whole call is the time. */
static int run_piece(const struct skep_testable *kind, struct skep_test *test, uint32_t n,
		     uint64_t *ret_ns)
{
	uint64_t start = now_ns();
	int err;

	test->repeat = kind->repeats ? n : 1;
	err = skep_test_run(kind, test);
	*ret_ns = kind->repeats ? (uint64_t)test->duration_ns * n : now_ns() - start;
	return err;
}

static uint32_t next_piece(const struct skep_testable *kind, const struct timing *timing,
			   uint64_t last_ns, uint64_t left)
{
	uint64_t each = timing->runs ? timing->total_ns / timing->runs : last_ns;
	uint64_t n = PIECE_NS / (each ? each : 1);

	n = n < 1 ? 1 : n > MOST_PIECE ? MOST_PIECE : n;
	n = n > left ? left : n;
	return kind->repeats ? (uint32_t)n : 1;
}

/* The rest of the runs, for their time and what they leave in maps. The first one's time stands
 * where an interruption left no others. */
static int run_rest(struct prog_job *job, struct skep_prog *prog, const struct skep_testable *kind,
		    const struct skep_test *first, uint64_t left, struct timing *timing)
{
	struct skep_test test = *first;
	struct timing rest = {0};
	uint64_t ns = timing->total_ns;
	int err = 0;

	test.data_out = test.ctx_out = (struct skep_buf){0};
	while (!err && left && !prog_interrupted) {
		uint32_t n = next_piece(kind, &rest, ns, left);

		err = run_piece(kind, &test, n, &ns);
		if (err == -EINTR) {
			err = 0;
			break;
		}
		rest.runs += n;
		rest.total_ns += ns;
		left -= n;
		if (!err && prog_tell_fault(job, prog))
			err = -EFAULT;
	}
	if (rest.runs)
		*timing = rest;
	skep_test_done(&test);
	return err;
}

static int run_all(struct prog_job *job, struct skep_prog *prog, const struct skep_testable *kind,
		   uint64_t repeat, struct skep_test *test, struct timing *timing)
{
	int err = run_piece(kind, test, 1, &timing->total_ns);

	timing->runs = 1;
	job->ran = !err;
	if (err)
		return prog_tell_refused_run(job, prog, test->data_len, err);
	if (prog_tell_fault(job, prog))
		return -EFAULT;
	return repeat > 1 ? run_rest(job, prog, kind, test, repeat - 1, timing) : 0;
}

/* --- What came of it ------------------------------------------------------------------------- */

static void dump(struct skep_buf *out, const uint8_t *data, size_t len)
{
	for (size_t off = 0; off < len && off < DUMP_MOST; off += DUMP_ROW) {
		skep_buf_printf(out, "  %04zx  ", off);
		skep_hex_print(data + off, len - off < DUMP_ROW ? len - off : DUMP_ROW, " ", out);
		skep_buf_addc(out, '\n');
	}
	if (len > DUMP_MOST)
		skep_buf_printf(out, "  … %zu bytes more; --out-data FILE has all\n",
				len - DUMP_MOST);
}

static bool is_same(const struct skep_buf *out, const void *in, size_t len)
{
	return out->len == len && (!len || !memcmp(out->data, in, len));
}

static void text_data(struct prog_job *job, const struct skep_testable *kind,
		      const struct skep_test *test)
{
	const struct skep_buf *data = &test->data_out;

	if (kind->out == SKEP_OUT_NOTHING)
		return;
	if (kind->out != SKEP_OUT_KEYS && is_same(data, test->data, test->data_len)) {
		skep_buf_printf(&job->out, "packet: %u bytes, unchanged\n", test->data_len);
		return;
	}
	if (kind->out == SKEP_OUT_KEYS)
		skep_buf_printf(&job->out, "flow keys: %zu bytes\n", data->len);
	else
		skep_buf_printf(&job->out, "packet: %u bytes became %zu\n", test->data_len,
				data->len);
	dump(&job->out, (const uint8_t *)data->data, data->len);
}

static void text_ctx(struct prog_job *job, const struct skep_test *test)
{
	if (!test->ctx_out.len || is_same(&test->ctx_out, test->ctx, test->ctx_len))
		return;
	skep_buf_puts(&job->out, "context:\n");
	dump(&job->out, (const uint8_t *)test->ctx_out.data, test->ctx_out.len);
}

static void text_printed(struct prog_job *job)
{
	const char *at = job->printed.data ? job->printed.data : "";

	if (*at)
		skep_buf_puts(&job->out, "printed:\n");
	while (*at) {
		size_t len = strcspn(at, "\n");
		skep_buf_printf(&job->out, "  %.*s\n", (int)len, at);
		at += len + (at[len] == '\n');
	}
}

static void text_result(struct prog_job *job, const struct skep_prog *prog,
			const struct skep_testable *kind, const struct skep_test *test,
			const struct timing *timing)
{
	struct skep_verdict_name verdict = skep_test_verdict(kind->type, test->retval);

	skep_buf_printf(&job->out, "%s (%s) on the %s engine%s%s\n", prog->info.name,
			skep_prog_type_name(kind->type), skep_engine_name(&job->engine),
			job->engine.machine ? ", " : "",
			job->engine.machine ? skep_engine_code_name(&job->engine) : "");
	skep_buf_printf(&job->out, "returned %d%s%s\n", (int)test->retval,
			verdict.name[0] ? " " : "", verdict.name);
	text_data(job, kind, test);
	text_ctx(job, test);
	skep_buf_printf(&job->out, "time: %llu ns%s",
			(unsigned long long)(timing->total_ns / timing->runs),
			timing->runs > 1 ? " a run" : "\n");
	if (timing->runs > 1)
		skep_buf_printf(&job->out, ", the mean of %llu\n",
				(unsigned long long)timing->runs);
	text_printed(job);
}

static void json_bytes(struct skep_jsonw *w, const char *key, const struct skep_buf *bytes)
{
	_cleanup_buf_ struct skep_buf hex = {0};

	if (!bytes->len)
		return;
	skep_hex_print(bytes->data, bytes->len, "", &hex);
	skep_jsonw_key(w, key);
	skep_jsonw_string(w, hex.data);
}

static void json_result(struct prog_job *job, const struct skep_prog *prog,
			const struct skep_testable *kind, const struct skep_test *test,
			const struct timing *timing)
{
	struct skep_verdict_name verdict = skep_test_verdict(kind->type, test->retval);
	struct skep_jsonw w = {.buf = &job->out};

	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, "type"), skep_jsonw_string(&w, "run");
	skep_jsonw_key(&w, "program"), skep_jsonw_string(&w, prog->info.name);
	skep_jsonw_key(&w, "program_type"), skep_jsonw_string(&w, skep_prog_type_name(kind->type));
	skep_jsonw_key(&w, "engine"), skep_jsonw_string(&w, skep_engine_name(&job->engine));
	skep_jsonw_key(&w, "code"), skep_jsonw_string(&w, skep_engine_code_name(&job->engine));
	skep_jsonw_key(&w, "return"), skep_jsonw_u64(&w, test->retval);
	if (verdict.name[0])
		skep_jsonw_key(&w, "verdict"), skep_jsonw_string(&w, verdict.name);
	skep_jsonw_key(&w, "runs"), skep_jsonw_u64(&w, timing->runs);
	skep_jsonw_key(&w, "ns_per_run"), skep_jsonw_u64(&w, timing->total_ns / timing->runs);
	json_bytes(&w, "data", &test->data_out);
	json_bytes(&w, "context", &test->ctx_out);
	if (job->printed.len)
		skep_jsonw_key(&w, "printed"), skep_jsonw_string(&w, job->printed.data);
	skep_jsonw_close(&w);
	skep_buf_addc(&job->out, '\n');
}

static int write_data(struct prog_job *job, const struct skep_test *test)
{
	const char *path = prog_given(job, PROG_OPT_OUT_DATA);
	FILE *file = path ? fopen(path, "we") : NULL;
	bool ok = file &&
		  fwrite(test->data_out.data, 1, test->data_out.len, file) == test->data_out.len;

	if (!path)
		return 0;
	if (file && fclose(file))
		ok = false;
	return ok ? 0
		  : skep_diag_fail(&job->diag, -EIO, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE, path,
				   strerror(errno));
}

/* --- The verb -------------------------------------------------------------------------------- */

static int run_one(struct prog_job *job, struct skep_prog *prog, const struct skep_testable *kind)
{
	__attribute__((cleanup(input_done))) struct input input = {0};
	struct timing timing = {0};
	int err = read_input(job, kind, &input);
	struct skep_test test = {.prog_fd = prog->fd};

	if (err)
		return err;
	test.data = input.data.data;
	test.data_len = (uint32_t)input.data.len;
	test.ctx = input.ctx.data;
	test.ctx_len = (uint32_t)input.ctx.len;
	err = run_all(job, prog, kind, input.repeat, &test, &timing);
	if (!err && job->json)
		json_result(job, prog, kind, &test, &timing);
	else if (!err)
		text_result(job, prog, kind, &test, &timing);
	else
		text_printed(job);
	if (!err)
		err = write_data(job, &test);
	skep_test_done(&test);
	return err;
}

static int no_such_run(struct prog_job *job, const struct skep_prog *prog)
{
	skep_diag_add(&job->diag, SKEP_DIAG_PROG_NO_RUN, SKEP_NOWHERE, prog->info.name,
		      skep_prog_type_name(prog->info.type));
	return -ENOTSUP;
}

/* The verifier said no, and the checked interpreter asks nobody. */
static void suggest_checked(struct prog_job *job)
{
	static const char words[] =
		"--checked runs it unverified, and stops it where it goes wrong";
	struct skep_diag *diag = &job->diag;
	_cleanup_free_ char *hint = NULL;

	if (!job->refused || !diag->n_items)
		return;
	if (diag->items[diag->n_items - 1].hint)
		hint = strdup(diag->items[diag->n_items - 1].hint);
	if (hint && *hint)
		skep_diag_try(diag, "%s; %s", hint, words);
	else
		skep_diag_try(diag, "%s", words);
}

int prog_verb_run(struct prog_job *job)
{
	_cleanup_prog_ struct skep_prog prog = {.fd = -1};
	const struct skep_testable *kind;
	int err;

	if (!job->n_words)
		return prog_needs(job, "a FILE to run: skep prog run FILE [PROG]");
	prog_catch_interrupts();
	err = prog_open_engine(job, SKEP_ENGINE_AUTO, SKEP_CODE_JIT);
	if (!err)
		err = prog_load(job, &prog);
	if (err) {
		suggest_checked(job);
		return err;
	}
	kind = skep_testable(prog.info.type);
	if (!kind)
		return no_such_run(job, &prog);
	skep_diag_show(&job->diag); /* notes come before the output */
	err = prog_given(job, PROG_OPT_PCAP) ? prog_run_capture(job, &prog)
					     : run_one(job, &prog, kind);
	if (err <= 0 && job->ran && !prog_given(job, PROG_OPT_NO_MAPS))
		prog_show_maps(job, &prog);
	return err;
}
