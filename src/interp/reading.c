/*
 * See reading.h.
 *
 *	question  struct question
 *	answer    for each function struct head, its name, its file, its table of lines
 *
 * What comes back is believed no more than the memory that was read.
 */
#include "interp/reading.h"

#include <errno.h>
#include <string.h>

#include "interp/hotspot.h"
#include "interp/memory.h"

#define ANSWER_MS 1000
#define TEXT_MOST (4u * SKEP_INTERP_FILE_MOST) /* bytes of its characters */

struct question {
	uint32_t tgid, n;
	struct skep_interp_seen of[SKEP_INTERP_READ_MOST];
};

struct head {
	uint32_t version; /* NONE: it was not read, and nothing follows */
	uint32_t first_line, base;
	uint32_t function, file, lines; /* bytes */
};

/* --- Who reads ------------------------------------------------------------------------------- */

static bool give(const struct skep_interp_code *code)
{
	const struct head head = {
		.version = code->version,
		.first_line = code->first_line,
		.base = code->base,
		.function = (uint32_t)code->function.len,
		.file = (uint32_t)code->file.len,
		.lines = (uint32_t)code->lines.len,
	};

	return skep_work_give(&head, sizeof(head)) &&
	       skep_work_give(code->function.data, head.function) &&
	       skep_work_give(code->file.data, head.file) &&
	       skep_work_give(code->lines.data, head.lines);
}

static int read_seen(const struct skep_interp_memory *memory, const struct skep_interp_seen *seen,
		     struct skep_interp_code *code)
{
	if (seen->version != SKEP_INTERP_HOTSPOT)
		return skep_interp_code_read(memory, seen->version, seen->addr, seen->check, code);
	code->version = seen->version;
	int err = skep_hotspot_read_method(memory, &seen->names, seen->addr, seen->check, code);
	if (err)
		skep_interp_code_done(code);
	return err;
}

static bool answer(const struct question *question, uint32_t i)
{
	pid_t pid = (pid_t)question->tgid;
	const struct skep_interp_memory memory = skep_interp_memory_of(&pid);
	const struct skep_interp_seen *seen = &question->of[i];
	struct skep_interp_code code = {0};

	if (read_seen(&memory, seen, &code))
		code = (struct skep_interp_code){.version = SKEP_INTERP_NONE};
	bool is_wanted = give(&code);
	skep_interp_code_done(&code);
	return is_wanted;
}

static void be_reader(void *ctx)
{
	struct question question;

	(void)ctx;
	while (skep_work_take(&question, sizeof(question))) {
		for (uint32_t i = 0; i < question.n; i++) {
			if (!answer(&question, i))
				return;
		}
	}
}

void skep_interp_reading_init(struct skep_keeper *ret)
{
	const struct skep_worker_job job = {
		.run = be_reader,
		.ending_fd = -1,
		.answer_ms = ANSWER_MS,
		.busy_ms = 4 * ANSWER_MS,
	};

	skep_keeper_init(ret, &job);
}

/* --- Who asks -------------------------------------------------------------------------------- */

static int receive(struct skep_keeper *keeper, uint32_t len, struct skep_buf *ret)
{
	char *to = skep_buf_reserve(ret, len + 1);
	int err = len ? skep_keeper_receive(keeper, to, len) : 0;

	if (err)
		return err;
	to[len] = '\0';
	ret->len = len;
	return 0;
}

/* Once more what may be shown on a terminal only. */
static int receive_text(struct skep_keeper *keeper, uint32_t len, struct skep_buf *ret)
{
	_cleanup_buf_ struct skep_buf raw = {0};
	int err = receive(keeper, len, &raw);

	if (!err && len)
		skep_buf_add_printable(ret, raw.data, len);
	return err;
}

/* The table of lines may be anything: who looks into it takes it for that. */
static int take_code(struct skep_keeper *keeper, uint32_t version, struct skep_interp_code *ret)
{
	struct head head;
	int err = skep_keeper_receive(keeper, &head, sizeof(head));

	if (err || head.version == SKEP_INTERP_NONE)
		return err;
	if (head.version != version || version >= SKEP_INTERP_VERSION_CNT ||
	    head.function > TEXT_MOST || head.file > TEXT_MOST ||
	    head.lines > SKEP_INTERP_TABLE_MOST)
		return -EBADMSG;
	ret->version = version;
	ret->first_line = head.first_line;
	ret->base = head.base;
	err = receive_text(keeper, head.function, &ret->function);
	if (!err)
		err = receive_text(keeper, head.file, &ret->file);
	return err ? err : receive(keeper, head.lines, &ret->lines);
}

int skep_interp_read(struct skep_keeper *keeper, uint32_t tgid, const struct skep_interp_seen *seen,
		     uint32_t n, struct skep_interp_code *ret)
{
	struct skep_interp_code codes[SKEP_INTERP_READ_MOST] = {0};
	struct question question = {.tgid = tgid, .n = n};

	memcpy(question.of, seen, n * sizeof(*seen));
	int err = skep_keeper_ask(keeper, tgid, &question, sizeof(question));
	for (uint32_t i = 0; i < n && !err; i++)
		err = take_code(keeper, seen[i].version, &codes[i]);
	if (skep_keeper_end(keeper, err)) {
		for (uint32_t i = 0; i < n; i++)
			skep_interp_code_done(&codes[i]);
		return err;
	}
	memcpy(ret, codes, n * sizeof(*codes));
	return 0;
}
