/*
 * Loads from sockets, of each kind at each offset in each width, as the running kernel's verifier
 * and as ours see them.
 *
 * Needs CAP_BPF; skips with a message where bpf(2) is refused.
 */
#include "sides.h"

#define FIRST_OFF (-4)
#define N_OFFS    120

/* From the packet's socket to one of the kind in r0. */
static const struct {
	const char *name, *get;
} kinds[] = {
	{"sock_common", "r0 = r1\n"},
	{"sock", "call bpf_sk_fullsock\n"},
	{"tcp_sock", "call bpf_tcp_sock\n"},
};

static char *text_of(const struct program *program)
{
	static const char *const widths[] = {"u8", "u16", "u32", "u64"};
	unsigned off = program->type >> 8, width = program->type & 3, kind = program->type >> 4 & 3;
	char *text = malloc(256);

	snprintf(text, 256,
		 "r1 = *(u64 *)(r1 +168)\n"
		 "r0 = 1\n"
		 "if r1 != 0 goto +1\n"
		 "exit\n"
		 "%s"
		 "if r0 != 0 goto +2\n"
		 "r0 = 1\n"
		 "exit\n"
		 "r1 = *(%s *)(r0 %+d)\n"
		 "r0 = 1\n"
		 "exit\n",
		 kinds[kind].get, widths[width], FIRST_OFF + (int)off);
	return text;
}

static void of_cgroups(int side, const struct program *program, const struct skep_insn *insns,
		       size_t n, union bpf_attr *attr)
{
	attr->prog_type = BPF_PROG_TYPE_CGROUP_SKB;
}

/* The upper half of one of the two wide fields of a TCP socket, alone: Linux 6.18 lets it pass and
 * then finds that it cannot do it ("verifier bug"). It is not asked; ours refuses. */
static bool is_upper_half(unsigned kind, int off, unsigned width)
{
	return kind == 2 && width == 2 && (off == 84 || off == 92);
}

static void test_loads(void **state)
{
	struct program *programs = calloc(3 * N_OFFS * 4, sizeof(*programs));
	size_t n = 0;

	for (unsigned kind = 0; kind < 3; kind++)
		for (unsigned off = 0; off < N_OFFS; off++)
			for (unsigned width = 0; width < 4; width++)
				if (!is_upper_half(kind, FIRST_OFF + (int)off, width))
					programs[n++] = (struct program){
						kinds[kind].name, off << 8 | kind << 4 | width, ""};
	sides_compare(&(struct sides){
		.programs = programs, .n_programs = n, .text = text_of, .add = of_cgroups});
	free(programs);
}

static int begin(void **state)
{
	return sides_begin(&(struct sides){0});
}

static int end(void **state)
{
	sides_end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_loads)};

	return cmocka_run_group_tests(tests, begin, end);
}
