/*
 * Memory: programs that load, store and move pointers, as the running kernel's verifier and as ours
 * see them. The verdict, the errno and the words that say why must be the same.
 *
 * Maps are named by their place in `maps`: "r1 = map[id:0]" is a map, "r1 = map[id:0][0]+4" an
 * address in its first value.
 * Needs CAP_BPF; skips with a message where bpf(2) is refused.
 */
#include "../machine/both.h"

#include <linux/bpf.h>

#define LOG_BYTES (1u << 20)

struct skep_machine *machine;
bool has_kernel;
unsigned n_differences;

static const struct {
	uint32_t type, key, value, entries, flags;
	bool frozen;
} maps[] = {
	{BPF_MAP_TYPE_ARRAY, 4, 16, 1, 0, false},
	{BPF_MAP_TYPE_ARRAY, 4, 16, 1, BPF_F_RDONLY_PROG, true},
	{BPF_MAP_TYPE_ARRAY, 4, 16, 1, BPF_F_WRONLY_PROG, false},
	{BPF_MAP_TYPE_HASH, 8, 32, 4, 0, false},
	{BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0, false},
};
#define N_MAPS (sizeof(maps) / sizeof(*maps))

static int fds[2][N_MAPS];

struct program {
	const char *name;
	uint32_t type;
	const char *text;
};

#define FILTER BPF_PROG_TYPE_SOCKET_FILTER
#define TC     BPF_PROG_TYPE_SCHED_CLS
#define XDP    BPF_PROG_TYPE_XDP
#define KPROBE BPF_PROG_TYPE_KPROBE

#define ANY    "call bpf_get_prandom_u32\n"
#define VALUE  "r6 = map[id:0][0]+0\n"
#define PACKET "r7 = *(u32 *)(r1 +76)\nr8 = *(u32 *)(r1 +80)\n"
#define END    "r0 = 0\nexit\n"

static const struct program programs[] = {
	/* stack: known offsets */
	{"stack", FILTER, "r1 = 7\n*(u64 *)(r10 -8) = r1\nr0 = *(u64 *)(r10 -8)\nexit\n"},
	{"stack above", FILTER, "r1 = 7\n*(u64 *)(r10 +0) = r1\n" END},
	{"stack below", FILTER, "r1 = 7\n*(u64 *)(r10 -520) = r1\n" END},
	{"stack lowest", FILTER, "r1 = 7\n*(u64 *)(r10 -512) = r1\n" END},
	{"stack across its end", FILTER, "r2 = r10\nr2 += -4\nr1 = 7\n*(u64 *)(r2 +0) = r1\n" END},
	{"stack not aligned", FILTER, "r1 = 7\n*(u32 *)(r10 -6) = r1\n" END},
	{"stack never written", FILTER, "r0 = *(u64 *)(r10 -8)\n" END},
	{"a pointer kept in part", FILTER, "*(u32 *)(r10 -8) = r10\n" END},
	{"a pointer read in part", FILTER, "*(u64 *)(r10 -8) = r10\nr0 = *(u32 *)(r10 -8)\n" END},
	{"a pointer overwritten in part", FILTER,
	 "*(u64 *)(r10 -8) = r10\nr1 = 0\n*(u32 *)(r10 -8) = r1\nr1 = *(u64 *)(r10 -8)\n"
	 "r0 = *(u64 *)(r1 +0)\n" END},
	{"a pointer brought back", FILTER,
	 "*(u64 *)(r10 -8) = r10\nr1 = *(u64 *)(r10 -8)\n*(u64 *)(r1 -16) = r1\n" END},
	{"a number brought back", FILTER,
	 "r1 = 8\n*(u64 *)(r10 -8) = r1\nr2 = *(u64 *)(r10 -8)\n" VALUE
	 "r6 += r2\nr0 = *(u64 *)(r6 +0)\nr0 = *(u64 *)(r6 +8)\n" END},
	{"half a number brought back", FILTER,
	 ANY "r0 &= 8\n*(u32 *)(r10 -8) = r0\nr2 = *(u32 *)(r10 -8)\n" VALUE
	     "r6 += r2\nr0 = *(u64 *)(r6 +0)\n" END},
	{"half a number from a whole", FILTER,
	 ANY "r0 &= 8\n*(u64 *)(r10 -8) = r0\nr2 = *(u32 *)(r10 -8)\n" VALUE
	     "r6 += r2\nr0 = *(u64 *)(r6 +0)\n" END},
	{"the other half", FILTER,
	 ANY "r0 &= 8\n*(u64 *)(r10 -8) = r0\nr2 = *(u32 *)(r10 -4)\n" VALUE
	     "r6 += r2\nr0 = *(u64 *)(r6 +0)\n" END},
	{"a zero in parts", FILTER,
	 "*(u64 *)(r10 -8) = 0\nr2 = *(u16 *)(r10 -4)\n" VALUE "r6 += r2\n"
	 "r0 = *(u64 *)(r6 +8)\n" END},
	{"a zero not at the start", FILTER,
	 "r1 = 0\n*(u8 *)(r10 -7) = r1\nr2 = *(u8 *)(r10 -7)\n" VALUE "r6 += r2\n"
	 "r0 = *(u64 *)(r6 +8)\n" END},
	{"an immediate kept", FILTER,
	 "*(u32 *)(r10 -8) = 8\nr2 = *(u32 *)(r10 -8)\n" VALUE "r6 += r2\n"
	 "r0 = *(u64 *)(r6 +8)\n" END},
	{"an immediate overwritten", FILTER,
	 "*(u32 *)(r10 -8) = 8\n*(u8 *)(r10 -7) = 1\nr2 = *(u32 *)(r10 -8)\n" VALUE
	 "r6 += r2\nr0 = *(u64 *)(r6 +8)\n" END},
	{"a signed byte", FILTER,
	 "*(u8 *)(r10 -8) = 255\nr2 = *(s8 *)(r10 -8)\n" VALUE "r6 += r2\n"
	 "r0 = *(u64 *)(r6 +1)\n" END},
	/* stack: unknown offsets */
	{"stack somewhere", FILTER,
	 ANY "r0 &= 8\nr2 = r10\nr2 += -16\nr2 += r0\n*(u64 *)(r2 +0) = 1\n" END},
	{"stack somewhere above", FILTER,
	 ANY "r0 &= 16\nr2 = r10\nr2 += -16\nr2 += r0\n*(u64 *)(r2 +0) = 1\n" END},
	{"stack anywhere", FILTER, ANY "r2 = r10\nr2 += r0\n*(u8 *)(r2 +0) = 1\n" END},
	{"stack not aligned somewhere", FILTER,
	 ANY "r0 &= 4\nr2 = r10\nr2 += -16\nr2 += r0\n*(u64 *)(r2 +0) = 1\n" END},
	{"a pointer where it may be overwritten", FILTER,
	 ANY "*(u64 *)(r10 -8) = r10\n*(u64 *)(r10 -16) = r10\nr0 &= 8\nr2 = r10\nr2 += -16\n"
	     "r2 += r0\n*(u64 *)(r2 +0) = 1\nr1 = *(u64 *)(r10 -8)\nr0 = *(u64 *)(r1 -8)\n" END},
	{"zeros somewhere", FILTER,
	 ANY "*(u64 *)(r10 -8) = 0\n*(u64 *)(r10 -16) = 0\nr0 &= 8\nr2 = r10\nr2 += -16\n"
	     "r2 += r0\n*(u64 *)(r2 +0) = 0\nr3 = *(u64 *)(r10 -8)\n" VALUE
	     "r6 += r3\nr0 = *(u64 *)(r6 +8)\n" END},
	{"a number somewhere", FILTER,
	 ANY "*(u64 *)(r10 -8) = 8\n*(u64 *)(r10 -16) = 8\nr0 &= 8\nr2 = r10\nr2 += -16\n"
	     "r2 += r0\nr3 = *(u64 *)(r2 +0)\n" VALUE "r6 += r3\nr0 = *(u64 *)(r6 +0)\n" END},
	{"a pointer somewhere", FILTER,
	 ANY "*(u64 *)(r10 -8) = r10\n*(u64 *)(r10 -16) = r10\nr0 &= 8\nr2 = r10\nr2 += -16\n"
	     "r2 += r0\nr3 = *(u64 *)(r2 +0)\nr0 = *(u64 *)(r3 -8)\n" END},
	/* map values */
	{"a value", FILTER, VALUE "r0 = *(u64 *)(r6 +8)\n" END},
	{"behind a value", FILTER, VALUE "r0 = *(u64 *)(r6 +16)\n" END},
	{"across a value's end", FILTER, VALUE "r0 = *(u64 *)(r6 +9)\n" END},
	{"before a value", FILTER, VALUE "r0 = *(u64 *)(r6 -1)\n" END},
	{"somewhere in a value", FILTER,
	 ANY "r0 &= 15\n" VALUE "r6 += r0\nr0 = *(u8 *)(r6 +0)\n" END},
	{"maybe behind a value", FILTER,
	 ANY "r0 &= 15\n" VALUE "r6 += r0\nr0 = *(u8 *)(r6 +1)\n" END},
	{"anywhere by a value", FILTER, ANY VALUE "r6 += r0\nr0 = *(u8 *)(r6 +0)\n" END},
	{"back in a value", FILTER,
	 ANY "r0 &= 7\n" VALUE "r6 += 8\nr6 -= r0\nr0 = *(u8 *)(r6 +0)\n" END},
	{"back before a value", FILTER,
	 ANY "r0 &= 15\n" VALUE "r6 += 8\nr6 -= r0\nr0 = *(u8 *)(r6 +0)\n" END},
	{"a constant", FILTER,
	 "r6 = map[id:1][0]+0\nr1 = *(u32 *)(r6 +4)\n" VALUE
	 "r6 += r1\nr0 = *(u64 *)(r6 +8)\n" END},
	{"a constant's sign", FILTER,
	 "r6 = map[id:1][0]+0\nr1 = *(s16 *)(r6 +8)\n" VALUE
	 "r6 += r1\nr0 = *(u64 *)(r6 +1)\n" END},
	{"a constant behind its value", FILTER, "r6 = map[id:1][0]+0\nr1 = *(u32 *)(r6 +14)\n" END},
	{"a constant written", FILTER, "r6 = map[id:1][0]+0\n*(u32 *)(r6 +4) = 1\n" END},
	{"write-only read", FILTER, "r6 = map[id:2][0]+0\nr0 = *(u32 *)(r6 +4)\n" END},
	{"write-only written", FILTER, "r6 = map[id:2][0]+0\n*(u32 *)(r6 +4) = 1\n" END},
	{"a map's structure", KPROBE, "r6 = map[id:0]\nr0 = *(u32 *)(r6 +24)\n" END},
	{"a map's structure written", KPROBE, "r6 = map[id:0]\n*(u32 *)(r6 +24) = 1\n" END},
	{"a map's structure in part", KPROBE, "r6 = map[id:0]\nr0 = *(u32 *)(r6 +0)\n" END},
	{"before a map's structure", KPROBE, "r6 = map[id:0]\nr0 = *(u32 *)(r6 -4)\n" END},
	{"behind a map's structure", KPROBE, "r6 = map[id:0]\nr0 = *(u64 *)(r6 +32000)\n" END},
	{"a value not tested", FILTER,
	 "*(u64 *)(r10 -8) = 0\nr2 = r10\nr2 += -8\nr1 = map[id:3]\ncall bpf_map_lookup_elem\n"
	 "r0 = *(u8 *)(r0 +0)\n" END},
	{"a value not tested moved", FILTER,
	 "*(u64 *)(r10 -8) = 0\nr2 = r10\nr2 += -8\nr1 = map[id:3]\ncall bpf_map_lookup_elem\n"
	 "r0 += 8\n" END},
	{"a value tested", FILTER,
	 "*(u64 *)(r10 -8) = 0\nr2 = r10\nr2 += -8\nr1 = map[id:3]\ncall bpf_map_lookup_elem\n"
	 "if r0 == 0 goto out\nr0 = *(u64 *)(r0 +24)\nout:\n" END},
	{"ring buffer memory", FILTER,
	 "r1 = map[id:4]\nr2 = 8\nr3 = 0\ncall bpf_ringbuf_reserve\nif r0 == 0 goto out\n"
	 "*(u32 *)(r0 +8) = 1\nr1 = r0\nr2 = 0\ncall bpf_ringbuf_submit\nout:\n" END},
	/* arithmetic */
	{"a pointer in 32 bits", FILTER, "r2 = r10\nw2 += 1\n" END},
	{"a pointer in 32 bits less", FILTER, "r2 = r10\nw2 -= 1\n" END},
	{"the stack less", FILTER, "r2 = r10\nr2 -= 8\n" END},
	{"a pointer multiplied", FILTER, VALUE "r6 *= 2\n" END},
	{"a pointer masked", FILTER, VALUE "r6 &= -8\n" END},
	{"a number less a pointer", FILTER, VALUE "r1 = 5\nr1 -= r6\n" END},
	{"a pointer far away", FILTER, VALUE "r6 += 536870912\n" END},
	{"a pointer less far away", FILTER, VALUE "r6 += 536870911\nr6 += 536870911\n" END},
	{"anything added", FILTER, "r2 = *(u64 *)(r10 -8)\n" VALUE "r6 += r2\n" END},
	{"two pointers", FILTER, VALUE "r6 += r10\n" END},
	{"two pointers' distance", FILTER, VALUE "r6 -= r10\nr0 = *(u8 *)(r6 +0)\n" END},
	{"a map moved", FILTER, "r1 = map[id:0]\nr1 += 8\n" END},
	{"a map moved by nothing", FILTER, "r1 = map[id:0]\nr1 += 0\n" END},
	{"a number read", FILTER, "r1 = 8\nr0 = *(u64 *)(r1 +0)\n" END},
	{"a map written", FILTER, "r1 = map[id:0]\n*(u64 *)(r1 +0) = 1\n" END},
	/* contexts */
	{"a context's field", TC, "r0 = *(u32 *)(r1 +0)\n" END},
	{"a context moved", TC, "r1 += 4\nr0 = *(u32 *)(r1 +0)\n" END},
	{"a context somewhere", TC,
	 "r6 = r1\n" ANY "r0 &= 4\nr6 += r0\nr0 = *(u32 *)(r6 +0)\n" END},
	{"a context behind its end", TC, "r0 = *(u32 *)(r1 +1000)\n" END},
	{"a context that is something else", TC,
	 "r2 = *(u32 *)(r1 +0)\nif r2 == 0 goto other\ngoto same\nother:\nr1 = r10\nr1 += -8\n"
	 "same:\nr0 = *(u32 *)(r1 +0)\n" END},
	/* packets */
	{"a packet not looked at", TC, PACKET "r0 = *(u8 *)(r7 +0)\n" END},
	{"a packet", TC,
	 PACKET "r2 = r7\nr2 += 4\nif r2 > r8 goto out\nr0 = *(u32 *)(r7 +0)\nout:\n" END},
	{"a packet's next byte", TC,
	 PACKET "r2 = r7\nr2 += 4\nif r2 > r8 goto out\nr0 = *(u8 *)(r7 +4)\nout:\n" END},
	{"a packet's byte before", TC,
	 PACKET "r2 = r7\nr2 += 4\nif r2 > r8 goto out\nr0 = *(u8 *)(r7 -1)\nout:\n" END},
	{"a packet's end", TC, PACKET "r0 = *(u8 *)(r8 +0)\n" END},
	{"a packet's end moved", TC, PACKET "r8 += 1\n" END},
	{"somewhere in a packet", TC,
	 "r6 = r1\n" ANY "r1 = r6\n" PACKET
	 "r0 &= 255\nr7 += r0\nr2 = r7\nr2 += 4\nif r2 > r8 goto out\n"
	 "r0 = *(u32 *)(r7 +0)\nout:\n" END},
	{"anywhere in a packet", TC,
	 "r6 = r1\n" ANY "r1 = r6\n" PACKET "r7 += r0\nr2 = r7\nr2 += 4\nif r2 > r8 goto out\n"
	 "r0 = *(u32 *)(r7 +0)\nout:\n" END},
	{"moved after the look", TC,
	 "r6 = r1\n" ANY "r1 = r6\n" PACKET
	 "r0 &= 255\nr2 = r7\nr2 += 4\nif r2 > r8 goto out\nr7 += r0\n"
	 "r0 = *(u32 *)(r7 +0)\nout:\n" END},
	{"a packet written", TC,
	 PACKET "r2 = r7\nr2 += 4\nif r2 > r8 goto out\n*(u32 *)(r7 +0) = 1\nout:\n" END},
	{"a packet's atomic", TC,
	 PACKET "r2 = r7\nr2 += 8\nif r2 > r8 goto out\nr2 = 1\nlock *(u64 *)(r7 +0) += r2\n"
		"out:\n" END},
	/* atomics */
	{"atomic", FILTER, VALUE "r2 = 1\nlock *(u64 *)(r6 +0) += r2\n" END},
	{"atomic of a pointer", FILTER, VALUE "lock *(u64 *)(r6 +0) += r10\n" END},
	{"atomic not aligned", FILTER, VALUE "r2 = 1\nlock *(u64 *)(r6 +4) += r2\n" END},
	{"atomic on the stack", FILTER,
	 "*(u64 *)(r10 -8) = 1\nr2 = 1\nlock *(u64 *)(r10 -8) += r2\nr2 = *(u64 *)(r10 -8)\n" VALUE
	 "r6 += r2\nr0 = *(u8 *)(r6 +0)\n" END},
	{"atomic on a context", TC, "r2 = 1\nlock *(u32 *)(r1 +8) += r2\n" END},
	{"atomic on a constant", FILTER,
	 "r6 = map[id:1][0]+0\nr2 = 1\nlock *(u64 *)(r6 +0) += r2\n" END},
	{"atomic behind a value", FILTER, VALUE "r2 = 1\nlock *(u64 *)(r6 +16) += r2\n" END},
	/* classic loads */
	{"a classic load", FILTER, "r6 = r1\nr0 = *(u8 *)skb[0]\n" END},
	{"a classic load without context", FILTER, "r6 = 0\nr0 = *(u8 *)skb[0]\n" END},
	{"a classic load's registers", FILTER, "r6 = r1\nr0 = *(u8 *)skb[0]\nr0 = r1\nexit\n"},
	{"a classic load elsewhere", XDP, "r6 = r1\nr0 = *(u8 *)skb[0]\n" END},
	{"a classic load by register", FILTER, "r6 = r1\nr7 = 2\nr0 = *(u8 *)skb[r7 + 0]\n" END},
};

/* --- Both ------------------------------------------------------------------------------------ */

static int create_map(int side, size_t i)
{
	static const uint32_t constants[4] = {1, 8, 0xffff, 3};
	const uint32_t key = 0;
	union attr attr = {0};
	int fd;

	attr.map_create.type = maps[i].type;
	attr.map_create.key_size = maps[i].key;
	attr.map_create.value_size = maps[i].value;
	attr.map_create.max_entries = maps[i].entries;
	attr.map_create.flags = maps[i].flags;
	fd = (int)call_side(side, CMD_MAP_CREATE, &attr, sizeof(attr.map_create));
	if (fd >= 0 && maps[i].frozen) {
		union bpf_attr update = {
			.map_fd = (uint32_t)fd, .key = ptr(&key), .value = ptr(constants)};
		union bpf_attr freeze = {.map_fd = (uint32_t)fd};

		call_side(side, CMD_MAP_UPDATE_ELEM, &update, sizeof(update));
		call_side(side, CMD_MAP_FREEZE, &freeze, sizeof(freeze));
	}
	return fd;
}

static bool names_map(const struct skep_insn *insn)
{
	return insn->code == (SKEP_LD | SKEP_IMM | SKEP_DW) &&
	       (insn->src == SKEP_PSEUDO_MAP_FD || insn->src == SKEP_PSEUDO_MAP_VALUE);
}

static long load(int side, const struct program *program, const struct skep_insn *insns, size_t n,
		 char *log)
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
	attr.log_level = 1;
	*log = 0;
	errno = 0;
	fd = call_side(side, CMD_PROG_LOAD, &attr, sizeof(attr));
	err = fd < 0 ? -errno : 0;
	free(mine);
	if (fd >= 0)
		close((int)fd);
	return err;
}

/* The line that says why: the last before the counts. */
static char *reason(char *log)
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

static void compare(const struct program *program, char *logs[2])
{
	struct skep_insn *insns = NULL;
	size_t n = 0;
	long err[2];

	if (skep_asm(program->text, strlen(program->text), &insns, &n, NULL)) {
		differ("%s: not assembled\n", program->name);
		return;
	}
	for (int side = 0; side < 2; side++)
		err[side] = load(side, program, insns, n, logs[side]);
	free(insns);
	if (err[0] != err[1] || (err[0] && strcmp(reason(logs[0]), reason(logs[1]))))
		differ("%s: kernel %ld \"%s\", machine %ld \"%s\"\n", program->name, err[0],
		       reason(logs[0]), err[1], reason(logs[1]));
}

static void test_memory(void **state)
{
	char *logs[2] = {malloc(LOG_BYTES), malloc(LOG_BYTES)};

	if (!has_kernel) {
		print_message("bpf(2) is refused here\n");
		skip();
	}
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
		compare(&programs[i], logs);
	free(logs[0]);
	free(logs[1]);
	assert_int_equal(n_differences, 0);
}

static int begin(void **state)
{
	const struct skep_machine_opts opts = {.verify = true};

	if (skep_machine_new(&opts, &machine))
		return -1;
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < N_MAPS; i++)
			fds[side][i] = create_map(side, i);
	has_kernel = fds[0][0] >= 0;
	return 0;
}

static int end(void **state)
{
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < N_MAPS; i++)
			if (fds[side][i] >= 0)
				close(fds[side][i]);
	skep_machine_free(machine);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory)};

	return cmocka_run_group_tests(tests, begin, end);
}
