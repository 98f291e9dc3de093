/*
 * libbpf's unmodified loader on the machine: objects built by clang open, relocate (CO-RE against
 * the host's BTF), load and run; their maps are read. Then all objects inside the binaries of
 * libbpf-tools, if they are installed, must load.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>

#include <skep/machine.h>

#include "base/fd.h"

#define DIRECTORY "/usr/sbin"

static struct skep_machine *machine;
static char last_words[1 << 17]; /* of libbpf, the errors */

static int keep_words(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	size_t len = strlen(last_words);

	if (level == LIBBPF_WARN && len < sizeof(last_words) - 1)
		vsnprintf(last_words + len, sizeof(last_words) - len, fmt, ap);
	return 0;
}

static int setup(void **state)
{
	libbpf_set_print(keep_words);
	if (skep_machine_new(NULL, &machine))
		return -1;
	skep_machine_route(machine);
	return 0;
}

static int teardown(void **state)
{
	skep_machine_route(NULL);
	skep_machine_free(machine);
	return 0;
}

/* --- our own objects ------------------------------------------------------------------------- */

static struct bpf_object *load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);

	last_words[0] = 0;
	assert_non_null(object);
	if (bpf_object__load(object))
		fail_msg("%s: %s", path, last_words);
	return object;
}

static uint32_t run(struct bpf_object *object, const char *name, struct bpf_test_run_opts *opts)
{
	struct bpf_program *prog = bpf_object__find_program_by_name(object, name);

	assert_non_null(prog);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), opts), 0);
	return opts->retval;
}

static void test_packets(void **state)
{
	struct bpf_object *object = load(getenv("SKEP_TEST_BPF_OBJECT"));
	struct bpf_map *counts = bpf_object__find_map_by_name(object, "counts");
	uint8_t packet[64] = {[12] = 0x08, [13] = 0x00, [23] = 17};
	uint32_t key = 17;
	uint64_t count = 0;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 5);

	assert_int_equal(run(object, "count_protocols", &opts), 2);
	assert_int_equal(bpf_map__lookup_elem(counts, &key, 4, &count, 8, 0), 0);
	assert_int_equal(count, 5);
	packet[23] = 6;
	opts.repeat = 1;
	assert_int_equal(run(object, "count_protocols", &opts), 1);
	bpf_object__close(object);
}

struct event {
	uint32_t number;
	char text[12];
};

static int on_event(void *ctx, void *data, size_t size)
{
	const struct event *event = data;

	assert_int_equal(size, sizeof(*event));
	assert_string_equal(event->text, "hello");
	*(uint32_t *)ctx += event->number;
	return 0;
}

static void test_ring_buffer(void **state)
{
	struct bpf_object *object = load(getenv("SKEP_TEST_BPF_OBJECT"));
	struct bpf_map *events = bpf_object__find_map_by_name(object, "events");
	uint32_t sum = 0;
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(events), on_event, &sum, NULL);
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	assert_non_null(ring);
	assert_int_equal(ring_buffer__poll(ring, 0), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(run(object, "emit", &opts), 0);
	assert_int_equal(ring_buffer__poll(ring, 1000), 100);
	assert_int_equal(sum, 100 * 101 / 2);
	assert_int_equal(ring_buffer__poll(ring, 0), 0);
	ring_buffer__free(ring);
	bpf_object__close(object);
}

/* --- libbpf-tools ---------------------------------------------------------------------------- */

static unsigned n_objects, n_loaded, n_outdated, n_programs;

static struct btf *kernel; /* its types */

/* What the tools themselves do before they load: leave out programs for functions that this kernel
 * does not have, and give maps their sizes. */
static void configure(struct bpf_object *object)
{
	struct bpf_program *prog;
	struct bpf_map *map;

	bpf_object__for_each_program(prog, object)
	{
		const char *section = bpf_program__section_name(prog);
		const char *slash = strchr(section, '/');

		if (!strncmp(section, "fentry/", 7) || !strncmp(section, "fexit/", 6) ||
		    !strncmp(section, "fmod_ret/", 9))
			bpf_program__set_autoload(
				prog, btf__find_by_name_kind(kernel, slash + 1, BTF_KIND_FUNC) > 0);
		if (!strncmp(section, "tp_btf/", 7)) {
			char name[128];

			snprintf(name, sizeof(name), "btf_trace_%s", slash + 1);
			bpf_program__set_autoload(
				prog, btf__find_by_name_kind(kernel, name, BTF_KIND_TYPEDEF) > 0);
		}
	}
	bpf_object__for_each_map(map, object)
	{
		enum bpf_map_type type = bpf_map__type(map);

		if (type == BPF_MAP_TYPE_STACK_TRACE && !bpf_map__value_size(map))
			bpf_map__set_value_size(map, 127 * sizeof(uint64_t));
		if (!bpf_map__max_entries(map) && type != BPF_MAP_TYPE_PERF_EVENT_ARRAY &&
		    type != BPF_MAP_TYPE_TASK_STORAGE && type != BPF_MAP_TYPE_SK_STORAGE)
			bpf_map__set_max_entries(map, 10240);
	}
}

static void load_one(const char *name, const void *elf, size_t size)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name);
	struct bpf_object *object;
	int err;

	last_words[0] = 0;
	n_objects++;
	object = bpf_object__open_mem(elf, size, &opts);
	if (!object) {
		print_message("%s: not opened: %s\n", name, last_words);
		return;
	}
	configure(object);
	err = bpf_object__load(object);
	if (!err) {
		struct bpf_program *prog;

		n_loaded++;
		bpf_object__for_each_program(prog, object) n_programs += bpf_program__fd(prog) >= 0;
	} else if (strstr(last_words, "failed to resolve CO-RE relocation")) {
		n_outdated++; /* it reads a field that this kernel does not have any more */
	} else {
		print_message("%s: %s: %.700s\n", name, strerror(-err), last_words);
	}
	bpf_object__close(object);
}

/* Bytes of the object that begins at @elf. */
static size_t object_size(const char *elf, size_t size)
{
	Elf64_Ehdr header;

	memcpy(&header, elf, sizeof(header));
	if (header.e_machine != EM_BPF || header.e_shentsize != sizeof(Elf64_Shdr) ||
	    header.e_shoff > size || header.e_shnum * sizeof(Elf64_Shdr) > size - header.e_shoff)
		return 0;
	return header.e_shoff + header.e_shnum * sizeof(Elf64_Shdr);
}

static void load_from(const char *path, const char *name)
{
	_cleanup_buf_ struct skep_buf file = {0};
	const char *at, *end;

	if (skep_file_read(path, 16u << 20, &file) || file.len < sizeof(Elf64_Ehdr))
		return;
	end = file.data + file.len - sizeof(Elf64_Ehdr);
	for (at = file.data; (at = memmem(at, (size_t)(end - at), ELFMAG, SELFMAG)); at++) {
		size_t size = object_size(at, (size_t)(file.data + file.len - at));

		if (size)
			load_one(name, at, size);
	}
}

static void test_libbpf_tools(void **state)
{
	DIR *dir = opendir(DIRECTORY);
	struct dirent *entry;

	kernel = btf__load_vmlinux_btf();
	if (!kernel)
		skip();
	while (dir && (entry = readdir(dir))) {
		char path[512];

		snprintf(path, sizeof(path), DIRECTORY "/%s", entry->d_name);
		load_from(path, entry->d_name);
	}
	if (dir)
		closedir(dir);
	btf__free(kernel);
	print_message("%u objects, %u loaded, %u for other kernels, %u programs\n", n_objects,
		      n_loaded, n_outdated, n_programs);
	if (!n_objects)
		skip();
	assert_int_equal(n_loaded + n_outdated, n_objects);
	assert_true(n_outdated * 10 <= n_objects);
}

static void test_nothing_left(void **state)
{
	struct skep_machine_counts counts;

	skep_machine_count(machine, &counts);
	assert_int_equal(counts.maps, 0);
	assert_int_equal(counts.programs, 0);
	assert_int_equal(counts.btfs, 0);
	assert_int_equal(counts.links, 0);
	assert_int_equal(counts.memory_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_ring_buffer),
		cmocka_unit_test(test_libbpf_tools),
		cmocka_unit_test(test_nothing_left),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
