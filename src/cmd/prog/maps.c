/* Maps: what an object or a program has, and what is in them after a run. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <skep/map.h>

#include "base/fd.h"
#include "base/vec.h"
#include "cmd/map/show.h"
#include "cmd/prog/prog.h"
#include "engine/map.h"
#include "engine/value.h"
#include "linux/ringbuf.h"
#include "sink/columns.h"
#include "sink/jsonw.h"

#define MOST_SHOWN 100 /* entries of a map */

typedef SKEP_VEC(struct skep_view) views;

/* --- After a run ----------------------------------------------------------------------------- */

/* What a program cannot have changed. */
static bool is_constant(const struct skep_view *view)
{
	return strstr(view->info.name, ".rodata") || strstr(view->info.name, ".kconfig");
}

/* --- Ring buffers: the records that the runs left, which are taken out ----------------------- */

#define MOST_RECORD_BYTES 32

struct records {
	struct prog_job *job;
	uint64_t n;
};

static int show_record(void *ctx, const void *data, size_t size)
{
	struct records *records = ctx;
	struct skep_buf *out = &records->job->out;
	size_t shown = size > MOST_RECORD_BYTES && !records->job->json ? MOST_RECORD_BYTES : size;

	if (records->n++ >= MOST_SHOWN && !records->job->json)
		return 0;
	if (records->job->json)
		skep_buf_printf(out, "{\"type\": \"record\", \"bytes\": \"");
	else
		skep_buf_printf(out, "  %zu bytes: ", size);
	skep_hex_print(data, shown, records->job->json ? "" : " ", out);
	skep_buf_puts(out, records->job->json ? "\"}\n" : shown < size ? " …\n" : "\n");
	return 0;
}

static void show_ring(struct prog_job *job, const struct skep_view *view)
{
	struct records records = {.job = job};
	struct skep_ringbuf *ring = NULL;

	if (skep_ringbuf_open(view->fd, view->info.max_entries, &ring))
		return;
	if (!job->json)
		skep_buf_printf(&job->out, "%s (ringbuf, at most %u)\n", view->info.name,
				view->info.max_entries);
	skep_ringbuf_consume(ring, 0, show_record, &records);
	if (!job->json && records.n > MOST_SHOWN)
		skep_buf_printf(&job->out, "  … and %llu more; --json shows all\n",
				(unsigned long long)(records.n - MOST_SHOWN));
	if (!job->json && !records.n)
		skep_buf_puts(&job->out, "  (empty)\n");
	skep_ringbuf_free(ring);
}

/* --- All ------------------------------------------------------------------------------------- */

static void show_after(struct prog_job *job, int fd)
{
	_cleanup_view_ struct skep_view view = {.fd = -1};
	struct map_show show = {.json = job->json,
				.most = job->json ? 0 : MOST_SHOWN,
				.skip_zeros = true,
				.out = &job->out};

	if (fd < 0 || skep_view_open(fd, &view) || is_constant(&view))
		return;
	if (view.info.type == SKEP_MAP_RINGBUF)
		show_ring(job, &view);
	else if (!skep_view_unreadable(&view))
		map_show(&show, &view);
}

void prog_show_maps(struct prog_job *job, const struct skep_prog *prog)
{
	struct bpf_map *map;

	if (!job->elf.object) {
		for (uint32_t i = 0; i < prog->info.nr_map_ids; i++)
			show_after(job, skep_map_open_id(prog->map_ids[i]));
		return;
	}
	bpf_object__for_each_map(map, job->elf.object)
	{
		if (bpf_map__fd(map) >= 0)
			show_after(job, dup(bpf_map__fd(map)));
	}
}

/* --- The verb -------------------------------------------------------------------------------- */

struct list {
	struct prog_job *job;
	struct skep_columns table;
};

static void list_start(struct list *list)
{
	static const char *const heads[] = {"NAME", "TYPE", "KEY", "VALUE", "ENTRIES", "FLAGS"};

	skep_columns_init(&list->table, 6, "llrrrl");
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		skep_columns_add(&list->table, heads[i], -1);
}

static void list_one(struct list *list, const struct bpf_map_info *info, const char *name)
{
	struct skep_jsonw w = {.buf = &list->job->out};
	char flags[16];

	if (list->job->json) {
		map_info_json(info, name, &w);
		return;
	}
	snprintf(flags, sizeof(flags), "0x%x", info->map_flags);
	skep_columns_add(&list->table, name, -1);
	skep_columns_add(&list->table, skep_map_type_name(info->type), -1);
	skep_columns_u64(&list->table, info->key_size);
	skep_columns_u64(&list->table, info->value_size);
	skep_columns_u64(&list->table, info->max_entries);
	skep_columns_add(&list->table, flags, -1);
}

static void list_end(struct list *list)
{
	if (!list->job->json)
		skep_columns_render(&list->table, &list->job->out);
	skep_columns_done(&list->table);
}

static void list_object(struct prog_job *job)
{
	struct list list = {.job = job};
	struct bpf_map *map;

	list_start(&list);
	bpf_object__for_each_map(map, job->elf.object)
	{
		const struct bpf_map_info info = {
			.type = bpf_map__type(map),
			.key_size = bpf_map__key_size(map),
			.value_size = bpf_map__value_size(map),
			.max_entries = bpf_map__max_entries(map),
			.map_flags = bpf_map__map_flags(map),
		};
		list_one(&list, &info, bpf_map__name(map));
	}
	list_end(&list);
}

static void list_program(struct prog_job *job, const struct skep_prog *prog)
{
	struct list list = {.job = job};

	list_start(&list);
	for (uint32_t i = 0; i < prog->info.nr_map_ids; i++) {
		struct bpf_map_info info;
		_cleanup_close_ int fd = skep_map_open_id(prog->map_ids[i]);

		if (fd >= 0 && !skep_map_info(fd, &info))
			list_one(&list, &info, info.name);
	}
	list_end(&list);
}

int prog_verb_maps(struct prog_job *job)
{
	_cleanup_prog_ struct skep_prog prog = {.fd = -1};
	_cleanup_buf_ struct skep_buf bytes = {0};
	uint32_t id;
	int err;

	if (!job->n_words)
		return prog_needs(job, "a FILE or the ID of a program");
	if (prog_is_id(job->words[0], &id)) {
		err = prog_open_id(job, id, &prog);
		if (!err)
			list_program(job, &prog);
		return err;
	}
	if (job->n_words > 1) {
		err = prog_open_engine(job, SKEP_ENGINE_USER, SKEP_CODE_CHECKED);
		if (!err)
			err = prog_load(job, &prog);
		if (!err)
			list_program(job, &prog);
		return err;
	}
	err = prog_read_file(job, job->words[0], SKEP_ELFFILE_MOST_BYTES, &bytes);
	if (!err)
		err = skep_elffile_open(job->words[0], &bytes, &job->elf, &job->diag);
	if (!err)
		list_object(job);
	return err;
}
