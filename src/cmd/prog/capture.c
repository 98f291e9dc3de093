/*
 * skep prog run --pcap: every frame of a capture through a program, counted by result; those that
 * came through go to another capture.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "capture/capture.h"
#include "cmd/prog/prog.h"
#include "engine/test.h"
#include "sink/columns.h"
#include "sink/jsonw.h"

#define MOST_RESULTS 64
#define TELL_FRAMES  20000

struct tally {
	uint32_t retval;
	uint64_t frames, bytes;
	struct skep_verdict_name verdict;
};

struct pass {
	struct prog_job *job;
	struct skep_prog *prog;
	const struct skep_testable *kind;
	const char *in_path, *out_path;
	FILE *out;     /* NULL: not wanted, or closed */
	bool out_lost; /* not all of it could be written */
	struct tally tallies[MOST_RESULTS];
	size_t n_tallies;
	uint64_t frames, cut, refused, written, other, run_ns;
	uint32_t refused_len;
	int refused_err; /* of the first that was */
};

/* --- One frame ------------------------------------------------------------------------------- */

static void count(struct pass *pass, const struct skep_verdict_name *verdict, uint32_t retval,
		  uint32_t len)
{
	size_t i = 0;

	/* "keep N" is one result whatever N is. */
	while (i < pass->n_tallies &&
	       (verdict->name[0] ? strcmp(pass->tallies[i].verdict.name, verdict->name) != 0
				 : pass->tallies[i].retval != retval))
		i++;
	if (i == MOST_RESULTS) {
		pass->other++;
		return;
	}
	if (i == pass->n_tallies)
		pass->tallies[pass->n_tallies++] =
			(struct tally){.retval = retval, .verdict = *verdict};
	pass->tallies[i].frames++;
	pass->tallies[i].bytes += len;
}

static int write_out(struct pass *pass, const struct skep_frame *frame,
		     const struct skep_test *test)
{
	struct skep_frame out = *frame;
	int err;

	if (pass->kind->out == SKEP_OUT_PACKET || pass->kind->out == SKEP_OUT_PAYLOAD) {
		out.data = (const uint8_t *)test->data_out.data;
		out.len = (uint32_t)test->data_out.len;
		out.wire_len = out.len;
	}
	if (pass->kind->type == BPF_PROG_TYPE_SOCKET_FILTER && test->retval < out.len)
		out.len = test->retval; /* it says how much is kept */
	err = skep_capture_write(pass->out, &out);
	pass->written += !err;
	pass->out_lost = err;
	return err ? skep_diag_fail(&pass->job->diag, err, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE,
				    pass->out_path, strerror(errno))
		   : 0;
}

static int check_link(struct pass *pass, const struct skep_frame *frame)
{
	const char *name = skep_link_name(frame->link);

	if (frame->link == SKEP_LINK_ETHERNET)
		return 0;
	return skep_diag_fail(&pass->job->diag, -EINVAL, SKEP_DIAG_CAPTURE_LINK, SKEP_NOWHERE,
			      pass->in_path, frame->link, name ? name : "not known here");
}

static void note_refused(struct pass *pass, const struct skep_frame *frame, int err)
{
	if (!pass->refused++) {
		pass->refused_err = err;
		pass->refused_len = frame->len;
	}
}

static int run_frame(struct pass *pass, const struct skep_frame *frame, struct skep_test *test)
{
	struct skep_verdict_name verdict;
	int err = check_link(pass, frame);

	if (err)
		return err;
	test->data = frame->data;
	test->data_len = frame->len;
	err = skep_test_run(pass->kind, test);
	if (err == -EINTR)
		return 0;
	pass->job->ran = true;
	pass->frames++;
	pass->cut += frame->wire_len > frame->len;
	if (err) {
		note_refused(pass, frame, err);
		return 0;
	}
	if (prog_tell_fault(pass->job, pass->prog)) {
		skep_diag_why(&pass->job->diag, "frame %llu of %s, %u bytes",
			      (unsigned long long)pass->frames, pass->in_path, frame->len);
		return -EFAULT;
	}
	pass->run_ns += test->duration_ns;
	verdict = skep_test_verdict(pass->kind->type, test->retval);
	count(pass, &verdict, test->retval, frame->len);
	return pass->out && verdict.passes ? write_out(pass, frame, test) : 0;
}

/* --- All of them ----------------------------------------------------------------------------- */

static void tell_progress(const struct pass *pass, time_t *last)
{
	time_t now = pass->frames % TELL_FRAMES ? *last : time(NULL);

	if (now == *last)
		return;
	*last = now;
	fprintf(stderr, "\r%llu frames", (unsigned long long)pass->frames);
}

static int run_frames(struct pass *pass, struct skep_capture *capture)
{
	struct skep_test test = {.prog_fd = pass->prog->fd};
	bool shown = isatty(STDERR_FILENO) && !pass->job->json;
	time_t start = time(NULL), last = start;
	struct skep_frame frame;
	int err = 0, got = 1;

	while (!err && !prog_interrupted &&
	       (got = skep_capture_next(capture, &frame, &pass->job->diag)) > 0) {
		err = run_frame(pass, &frame, &test);
		if (shown)
			tell_progress(pass, &last);
	}
	if (shown && last != start)
		fprintf(stderr, "\r%*s\r", 30, "");
	skep_test_done(&test);
	return err ? err : got;
}

/* --- What came of it ------------------------------------------------------------------------- */

static void text_tallies(const struct pass *pass, struct skep_buf *out)
{
	struct skep_columns table;
	char number[16];

	skep_columns_init(&table, 3, "lrr");
	skep_columns_add(&table, "RESULT", -1);
	skep_columns_add(&table, "FRAMES", -1);
	skep_columns_add(&table, "BYTES", -1);
	for (size_t i = 0; i < pass->n_tallies; i++) {
		const struct tally *tally = &pass->tallies[i];

		snprintf(number, sizeof(number), "%d", (int)tally->retval);
		skep_columns_add(&table, tally->verdict.name[0] ? tally->verdict.name : number, -1);
		skep_columns_u64(&table, tally->frames);
		skep_columns_u64(&table, tally->bytes);
	}
	skep_columns_render(&table, out);
	skep_columns_done(&table);
}

static void text_result(const struct pass *pass)
{
	struct skep_buf *out = &pass->job->out;
	uint64_t ran = pass->frames - pass->refused;

	skep_buf_printf(out, "%s (%s) on the %s engine: %llu frames\n", pass->prog->info.name,
			skep_prog_type_name(pass->kind->type), skep_engine_name(&pass->job->engine),
			(unsigned long long)pass->frames);
	text_tallies(pass, out);
	if (pass->other)
		skep_buf_printf(out, "%llu frames had still other results\n",
				(unsigned long long)pass->other);
	if (pass->cut)
		skep_buf_printf(out,
				"%llu frames were cut by the capture: programs saw the part "
				"that was kept\n",
				(unsigned long long)pass->cut);
	if (pass->out_path && !pass->out_lost)
		skep_buf_printf(out, "%llu frames written to %s\n",
				(unsigned long long)pass->written, pass->out_path);
	if (ran)
		skep_buf_printf(out, "time: %llu ns a frame\n",
				(unsigned long long)(pass->run_ns / ran));
}

static void json_number(struct skep_jsonw *w, const char *key, uint64_t value)
{
	skep_jsonw_key(w, key);
	skep_jsonw_u64(w, value);
}

static void json_result(const struct pass *pass)
{
	struct skep_jsonw w = {.buf = &pass->job->out};
	uint64_t ran = pass->frames - pass->refused;

	for (size_t i = 0; i < pass->n_tallies; i++) {
		const struct tally *tally = &pass->tallies[i];

		skep_jsonw_open(&w, '{');
		skep_jsonw_key(&w, "type"), skep_jsonw_string(&w, "result");
		json_number(&w, "return", tally->retval);
		if (tally->verdict.name[0])
			skep_jsonw_key(&w, "verdict"), skep_jsonw_string(&w, tally->verdict.name);
		json_number(&w, "frames", tally->frames);
		json_number(&w, "bytes", tally->bytes);
		skep_jsonw_close(&w);
		skep_buf_addc(w.buf, '\n');
	}
	skep_jsonw_open(&w, '{');
	skep_jsonw_key(&w, "type"), skep_jsonw_string(&w, "capture");
	skep_jsonw_key(&w, "program"), skep_jsonw_string(&w, pass->prog->info.name);
	skep_jsonw_key(&w, "engine"), skep_jsonw_string(&w, skep_engine_name(&pass->job->engine));
	json_number(&w, "frames", pass->frames);
	json_number(&w, "refused", pass->refused);
	json_number(&w, "other", pass->other);
	json_number(&w, "cut", pass->cut);
	if (!pass->out_lost)
		json_number(&w, "written", pass->written);
	json_number(&w, "ns_per_run", ran ? pass->run_ns / ran : 0);
	skep_jsonw_close(&w);
	skep_buf_addc(w.buf, '\n');
}

static void tell_refused(const struct pass *pass)
{
	if (!pass->refused)
		return;
	skep_diag_add(&pass->job->diag, SKEP_DIAG_CAPTURE_REFUSED, SKEP_NOWHERE,
		      (unsigned long long)pass->refused, skep_engine_name(&pass->job->engine),
		      strerror(-pass->refused_err));
	skep_diag_why(&pass->job->diag, "the first of them has %u bytes", pass->refused_len);
}

/* --- The files ------------------------------------------------------------------------------- */

static int open_out(struct pass *pass)
{
	if (!pass->out_path)
		return 0;
	pass->out = fopen(pass->out_path, "we");
	if (pass->out && !skep_capture_write_start(pass->out, SKEP_LINK_ETHERNET))
		return 0;
	return skep_diag_fail(&pass->job->diag, -EIO, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE,
			      pass->out_path, strerror(errno));
}

static int close_out(struct pass *pass)
{
	FILE *out = TAKE_PTR(pass->out);

	if (!out || !fclose(out) || pass->out_lost)
		return 0;
	pass->out_lost = true;
	return skep_diag_fail(&pass->job->diag, -EIO, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE,
			      pass->out_path, strerror(errno));
}

static int run_file(struct pass *pass, FILE *file)
{
	_cleanup_capture_ struct skep_capture *capture = NULL;
	int err = skep_capture_open(file, pass->in_path, &capture, &pass->job->diag), closed;

	if (!err)
		err = open_out(pass);
	if (err)
		return err;
	err = run_frames(pass, capture);
	/* Before the result says what was written: a full disk may show as late as here. */
	closed = close_out(pass);
	if (pass->job->json)
		json_result(pass);
	else
		text_result(pass);
	tell_refused(pass);
	return err ? err : closed;
}

int prog_run_capture(struct prog_job *job, struct skep_prog *prog)
{
	const char *path = prog_given(job, PROG_OPT_PCAP);
	struct pass pass = {
		.job = job,
		.prog = prog,
		.kind = skep_testable(prog->info.type),
		.in_path = path,
		.out_path = prog_given(job, PROG_OPT_OUT_PCAP),
	};
	FILE *file;
	int err;

	if (!pass.kind->data) {
		skep_diag_add(&job->diag, SKEP_DIAG_PROG_NO_PACKET, SKEP_NOWHERE,
			      skep_prog_type_name(prog->info.type));
		return 2;
	}
	file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	if (!file)
		return skep_diag_fail(&job->diag, -errno, SKEP_DIAG_FILE_READ, SKEP_NOWHERE, path,
				      strerror(errno));
	err = run_file(&pass, file);
	if (file != stdin)
		fclose(file);
	return err;
}
