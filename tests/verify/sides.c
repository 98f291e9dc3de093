/*
 * Programs on both sides: see sides.h.
 */
#include "sides.h"

#include <skep/btf.h>

#define LOG_BYTES (1u << 20)
#define MOST_MAPS 24

struct skep_machine *machine;
bool has_kernel;
unsigned n_differences;

static int fds[2][MOST_MAPS];

/* --- Maps ------------------------------------------------------------------------------------ */

static void fill_and_freeze(int side, int fd)
{
	static const uint32_t numbers[4] = {1, 8, 0xffff, 3};
	const uint32_t key = 0;
	union bpf_attr update = {.map_fd = (uint32_t)fd, .key = ptr(&key), .value = ptr(numbers)};
	union bpf_attr freeze = {.map_fd = (uint32_t)fd};

	call_side(side, CMD_MAP_UPDATE_ELEM, &update, sizeof(update));
	call_side(side, CMD_MAP_FREEZE, &freeze, sizeof(freeze));
}

static int create_map(int side, const struct map_spec *spec)
{
	union attr attr = {0};
	int fd;

	attr.map_create.type = spec->type;
	attr.map_create.key_size = spec->key;
	attr.map_create.value_size = spec->value;
	attr.map_create.max_entries = spec->entries;
	attr.map_create.flags = spec->flags;
	fd = (int)call_side(side, CMD_MAP_CREATE, &attr, sizeof(attr.map_create));
	if (fd >= 0 && spec->frozen)
		fill_and_freeze(side, fd);
	return fd;
}

static bool names_map(const struct skep_insn *insn)
{
	return insn->code == (SKEP_LD | SKEP_IMM | SKEP_DW) &&
	       (insn->src == SKEP_PSEUDO_MAP_FD || insn->src == SKEP_PSEUDO_MAP_VALUE);
}

/* --- Loading --------------------------------------------------------------------------------- */

static long load(const struct sides *sides, int side, const struct program *program,
		 struct skep_insn *insns, size_t n, char *log)
{
	struct skep_insn *mine = malloc(n * sizeof(*mine));
	union bpf_attr attr = {0};
	long fd, err;

	memcpy(mine, insns, n * sizeof(*mine));
	for (size_t i = 0; i < n; i++)
		if (names_map(&mine[i]))
			mine[i].imm = fds[side][mine[i].imm];
	attr.prog_type = program->type;
	attr.insns = ptr(mine);
	attr.insn_cnt = (uint32_t)n;
	attr.license = ptr("GPL");
	attr.log_buf = ptr(log);
	attr.log_size = LOG_BYTES;
	attr.log_level = sides->log_level ? sides->log_level : 1;
	if (sides->add)
		sides->add(side, program, mine, n, &attr);
	*log = 0;
	errno = 0;
	fd = call_side(side, CMD_PROG_LOAD, &attr, sizeof(attr));
	err = fd < 0 ? -errno : 0;
	free(mine);
	if (attr.prog_btf_fd)
		close((int)attr.prog_btf_fd);
	if (fd >= 0)
		close((int)fd);
	return err;
}

/* --- Comparing ------------------------------------------------------------------------------- */

char *sides_reason(char *log)
{
	char *end = strstr(log, "processed "), *from;

	if (end)
		*end = 0;
	end = log + strlen(log);
	if (end > log && end[-1] == '\n')
		end[-1] = 0;
	from = strrchr(log, '\n');
	return from ? from + 1 : log;
}

static void compare_results(const struct sides *sides, const struct program *program,
			    const long err[2], char *logs[2])
{
	const char *words[2] = {"", ""};

	if (sides->judge) {
		sides->judge(program, err, logs);
		return;
	}
	for (int side = 0; side < 2 && err[0] && !sides->compare; side++)
		words[side] = sides_reason(logs[side]);
	if (err[0] != err[1] || strcmp(words[0], words[1]))
		differ("%s: kernel %ld \"%s\", machine %ld \"%s\"\n", program->name, err[0],
		       words[0], err[1], err[1] && !*words[1] ? sides_reason(logs[1]) : words[1]);
	else if (sides->compare)
		sides->compare(program, logs[0], logs[1]);
}

static void compare(const struct sides *sides, const struct program *program, char *logs[2])
{
	char *text = sides->text ? sides->text(program) : strdup(program->text);
	struct skep_insn *insns = NULL;
	size_t n = 0;
	long err[2];

	if (!text)
		return;
	if (skep_asm(text, strlen(text), &insns, &n, NULL)) {
		differ("%s: not assembled\n", program->name);
		free(text);
		return;
	}
	free(text);
	for (int side = 0; side < 2; side++)
		err[side] = load(sides, side, program, insns, n, logs[side]);
	free(insns);
	compare_results(sides, program, err, logs);
}

void sides_compare(const struct sides *sides)
{
	char *logs[2];

	if (!has_kernel) {
		print_message("bpf(2) is refused here\n");
		skip();
	}
	for (int side = 0; side < 2; side++)
		logs[side] = malloc(LOG_BYTES);
	for (size_t i = 0; i < sides->n_programs; i++)
		compare(sides, &sides->programs[i], logs);
	for (int side = 0; side < 2; side++)
		free(logs[side]);
	assert_int_equal(n_differences, 0);
}

/* --- Begin and end --------------------------------------------------------------------------- */

int sides_load_types(int side, struct skep_btf_writer *writer)
{
	union bpf_attr attr = {0};
	void *data;
	size_t size;
	int fd;

	skep_btf_finish(writer, &data, &size);
	skep_btf_writer_free(writer);
	attr.btf = ptr(data);
	attr.btf_size = (uint32_t)size;
	fd = (int)call_side(side, CMD_BTF_LOAD, &attr, sizeof(attr));
	free(data);
	return fd;
}

int sides_begin(const struct sides *sides)
{
	static const struct map_spec any = {BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0, false};
	const struct skep_machine_opts opts = {0};
	int fd;

	memset(fds, -1, sizeof(fds));
	if (sides->n_maps > MOST_MAPS || skep_machine_new(&opts, &machine))
		return -1;
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < sides->n_maps; i++)
			fds[side][i] = create_map(side, &sides->maps[i]);
	fd = create_map(0, &any);
	has_kernel = fd >= 0;
	if (fd >= 0)
		close(fd);
	return 0;
}

void sides_end(void)
{
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < MOST_MAPS; i++)
			if (fds[side][i] >= 0)
				close(fds[side][i]);
	skep_machine_free(machine);
}
