/*
 * Paths: where they part and meet, what is read again, what jumps tell, how deep the stack gets; as
 * the running kernel's verifier and as ours see them. The verdict and the whole log of level 2 must
 * be the same, line by line: live registers, loops, live stack slots, every state on every path.
 *
 * Left out are lines with addresses of maps, and times. "r1 = map[id:0]" is a map of four values.
 * Needs CAP_BPF; skips with a message where bpf(2) is refused.
 */
#include "sides.h"

static const struct map_spec maps[] = {{BPF_MAP_TYPE_HASH, 8, 8, 4, 0, false}};

#define FILTER BPF_PROG_TYPE_SOCKET_FILTER
#define TC     BPF_PROG_TYPE_SCHED_CLS
#define KPROBE BPF_PROG_TYPE_KPROBE

#define ANY    "call bpf_get_prandom_u32\n"
#define LOOKUP                                                                                     \
	"*(u64 *)(r10 -8) = 0\nr2 = r10\nr2 += -8\nr1 = map[id:0]\ncall bpf_map_lookup_elem\n"
#define PACKET "r7 = *(u32 *)(r1 +76)\nr8 = *(u32 *)(r1 +80)\nr6 = *(u32 *)(r1 +140)\n"
/* Each way of comparing a register with itself. Of halves, the kernel finds its bounds wrong. */
#define WITH_ITSELF(r, op) "if " r " " op " " r " goto pc+1\nr7 = r6\n"
#define ITSELF(r)                                                                                  \
	WITH_ITSELF(r, "==")                                                                       \
	WITH_ITSELF(r, "!=")                                                                       \
	WITH_ITSELF(r, ">")                                                                        \
	WITH_ITSELF(r, ">=")                                                                       \
	WITH_ITSELF(r, "<")                                                                        \
	WITH_ITSELF(r, "<=")                                                                       \
	WITH_ITSELF(r, "s>")                                                                       \
	WITH_ITSELF(r, "s>=") WITH_ITSELF(r, "s<") WITH_ITSELF(r, "s<=") WITH_ITSELF(r, "&")
#define END "r0 = 0\nexit\n"

static const struct program programs[] = {
	/* live registers and loops */
	{"straight", FILTER, "r6 = 1\nr7 = r6\nr8 = r7\nr7 += r6\nw7 = w7\nr8 = bswap16 r8\n" END},
	{"two ways", FILTER, ANY "if r0 > 7 goto out\nr6 = r0\nr6 <<= 2\nout:\n" END},
	{"a loop", FILTER, "r6 = 0\nagain:\nr6 += 1\nif r6 < 5 goto again\n" END},
	{"loops in a loop", FILTER,
	 "r6 = 0\na:\nr7 = 0\nb:\nr7 += 1\nif r7 < 3 goto b\nr6 += 1\nif r6 < 3 goto a\n" END},
	{"a loop of one", FILTER, ANY "if r0 == 0 goto pc-1\n" END},
	{"may_goto", FILTER, "r6 = 0\nagain:\nmay_goto out\nr6 += 1\ngoto again\nout:\n" END},
	{"atomics", FILTER,
	 "r1 = 1\n*(u64 *)(r10 -8) = r1\nr2 = 2\nr0 = 1\n"
	 "r0 = atomic64_cmpxchg((u64 *)(r10 -8), r0, r2)\n"
	 "r2 = atomic64_fetch_add((u64 *)(r10 -8), r2)\nlock *(u64 *)(r10 -8) += r1\n" END},
	{"helpers' arguments", FILTER,
	 "call bpf_ktime_get_ns\nr1 = r10\nr1 += -8\n*(u64 *)(r10 -8) = 0\nr2 = 8\n"
	 "call bpf_trace_printk\n" END},
	{"a function", FILTER, "r1 = 1\nr2 = 2\nr6 = 3\ncall f\n" END "f:\nr0 = r1\nexit\n"},
	{"a long jump", FILTER, ANY "if r0 == 0 goto out\ngotol out\nout:\n" END},
	/* live stack slots */
	{"slots read", FILTER,
	 ANY "*(u64 *)(r10 -8) = r0\n*(u64 *)(r10 -16) = r0\nif r0 > 5 goto out\n"
	     "r1 = *(u64 *)(r10 -8)\nout:\nr2 = *(u64 *)(r10 -16)\n" END},
	{"slots overwritten", FILTER,
	 ANY "*(u64 *)(r10 -8) = r0\nif r0 > 5 goto out\n*(u64 *)(r10 -8) = 1\nout:\n"
	     "if r0 == 9 goto end\n*(u64 *)(r10 -8) = 2\nr1 = *(u64 *)(r10 -8)\nend:\n" END},
	{"slots of a caller", FILTER,
	 ANY "*(u64 *)(r10 -8) = r0\n*(u64 *)(r10 -16) = 3\nr1 = r10\nr1 += -8\ncall f\n"
	     "r1 = r10\nr1 += -16\ncall f\nr0 = *(u64 *)(r10 -8)\n" END
	     "f:\nr0 = *(u64 *)(r1 +0)\nif r0 > 3 goto f1\nr0 = 1\nf1:\n"
	     "*(u64 *)(r1 +0) = 7\nexit\n"},
	{"slots in a loop", FILTER,
	 ANY "r6 = 0\n*(u64 *)(r10 -8) = r0\nagain:\nr1 = *(u64 *)(r10 -8)\nr6 += 1\n"
	     "*(u64 *)(r10 -8) = r6\nif r6 < 4 goto again\n" END},
	/* numbers */
	{"decided", FILTER, "r6 = 3\nif r6 > 5 goto out\nr6 = 4\nout:\n" END},
	{"bounds", FILTER,
	 ANY "if r0 > 20 goto out\nif r0 s< 4 goto out\nif w0 == 7 goto out\nif r0 & 1 goto out\n"
	     "r6 = r0\nout:\n" END},
	{"linked", FILTER,
	 ANY "r6 = r0\nr7 = r0\nr7 += 5\nif r6 > 9 goto out\nr8 = r7\nout:\n" END},
	{"linked and spilled", FILTER,
	 ANY
	 "r6 = r0\n*(u64 *)(r10 -8) = r0\nif r6 > 9 goto out\nr8 = *(u64 *)(r10 -8)\nout:\n" END},
	{"more linked than are kept", FILTER,
	 ANY "r1 = r0\nr2 = r0\nr3 = r0\nr4 = r0\nr5 = r0\nr6 = r0\nr7 = r0\n"
	     "if r0 > 9 goto out\nr8 = r7\nout:\n" END},
	{"two linked sides", FILTER,
	 ANY "r6 = r0\nr7 = r0\n" ANY "r8 = r0\nif r6 > r8 goto out\nr6 = r7\nout:\n" END},
	{"halves", FILTER,
	 ANY "r6 = r0\nif w6 > 9 goto out\nif w6 s> 3 goto out\nr7 = r6\nout:\n" END},
	{"compared with itself", FILTER, ANY "r6 = r0\nr6 &= 3\nr6 += 1\n" ITSELF("r6") END},
	{"any number compared with itself", FILTER, ANY "r6 = r0\n" ITSELF("r6") END},
	/* NULL */
	{"a look-up", KPROBE, LOOKUP "if r0 == 0 goto out\nr1 = *(u64 *)(r0 +0)\nout:\n" END},
	{"copies of a look-up", KPROBE,
	 LOOKUP "r6 = r0\n*(u64 *)(r10 -16) = r0\nif r0 != 0 goto in\ngoto out\nin:\n"
		"r1 = *(u64 *)(r6 +0)\nr2 = *(u64 *)(r10 -16)\nr1 = *(u64 *)(r2 +0)\nout:\n" END},
	{"a look-up not tested", KPROBE, LOOKUP "r1 = *(u64 *)(r0 +0)\n" END},
	{"tested against a register", KPROBE,
	 LOOKUP "r6 = 0\nif r0 == r6 goto out\nr1 = *(u64 *)(r0 +0)\nout:\n" END},
	{"a register tested against it", KPROBE,
	 LOOKUP "r6 = 0\nif r6 == r0 goto out\nr1 = *(u64 *)(r0 +0)\nout:\n" END},
	{"half of it tested", KPROBE,
	 LOOKUP "if w0 == 0 goto out\nr1 = *(u64 *)(r0 +0)\nout:\n" END},
	{"equal to one that is not", KPROBE,
	 LOOKUP "r6 = r0\n" LOOKUP "if r0 == 0 goto out\nif r0 != r6 goto out\n"
		"r1 = *(u64 *)(r6 +0)\nout:\n" END},
	{"tested twice", KPROBE,
	 LOOKUP "if r0 == 0 goto out\nif r0 == 0 goto bad\nr1 = *(u64 *)(r0 +0)\ngoto out\nbad:\n"
		"r1 = *(u64 *)(r9 +0)\nout:\n" END},
	{"the stack is not 0", KPROBE, "if r10 == 0 goto out\nr1 = 1\nout:\n" END},
	{"compared with a number", KPROBE,
	 ANY "if r10 > r0 goto out\nif r0 == r10 goto out\nout:\n" END},
	/* packets */
	{"bytes there", TC,
	 PACKET "r2 = r7\nr2 += 8\nif r2 > r8 goto out\nr0 = *(u64 *)(r7 +0)\nout:\n" END},
	{"one byte too many", TC,
	 PACKET "r2 = r7\nr2 += 8\nif r2 > r8 goto out\nr0 = *(u64 *)(r7 +1)\nout:\n" END},
	{"less", TC,
	 PACKET "r2 = r7\nr2 += 8\nif r2 < r8 goto in\ngoto out\nin:\n"
		"r0 = *(u8 *)(r7 +8)\nout:\n" END},
	{"at least", TC,
	 PACKET "r2 = r7\nr2 += 8\nif r2 >= r8 goto out\nr0 = *(u8 *)(r7 +8)\nout:\n" END},
	{"at most", TC,
	 PACKET
	 "r2 = r7\nr2 += 8\nif r2 <= r8 goto in\ngoto out\nin:\nr0 = *(u64 *)(r7 +0)\nout:\n" END},
	{"the end first", TC,
	 PACKET "r2 = r7\nr2 += 8\nif r8 < r2 goto out\nr0 = *(u64 *)(r7 +0)\nout:\n" END},
	{"the end first, at most", TC,
	 PACKET "r2 = r7\nr2 += 8\nif r8 <= r2 goto out\nr0 = *(u8 *)(r7 +8)\nout:\n" END},
	{"the end first, more", TC,
	 PACKET
	 "r2 = r7\nr2 += 8\nif r8 > r2 goto in\ngoto out\nin:\nr0 = *(u8 *)(r7 +8)\nout:\n" END},
	{"the end first, at least", TC,
	 PACKET
	 "r2 = r7\nr2 += 8\nif r8 >= r2 goto in\ngoto out\nin:\nr0 = *(u64 *)(r7 +0)\nout:\n" END},
	{"behind the end, twice", TC,
	 PACKET "r2 = r7\nr2 += 8\nif r2 > r8 goto a\ngoto out\na:\nif r2 > r8 goto out\n"
		"r0 = *(u64 *)(r9 +0)\nout:\n" END},
	{"at the end, twice", TC,
	 PACKET "r2 = r7\nr2 += 8\nif r2 >= r8 goto a\ngoto out\na:\nif r2 < r8 goto b\ngoto out\n"
		"b:\nr0 = *(u64 *)(r9 +0)\nout:\n" END},
	{"metadata", TC,
	 PACKET "r2 = r6\nr2 += 4\nif r2 > r7 goto out\nr0 = *(u32 *)(r6 +0)\nout:\n" END},
	{"equality tells nothing", TC,
	 PACKET
	 "r2 = r7\nr2 += 8\nif r2 == r8 goto in\ngoto out\nin:\nr0 = *(u64 *)(r7 +0)\nout:\n" END},
	/* depth */
	{"two functions too deep", FILTER,
	 "r1 = 0\n*(u64 *)(r10 -300) = r1\ncall f\n" END
	 "f:\nr1 = 0\n*(u64 *)(r10 -304) = r1\n" END},
	{"two functions deep", FILTER,
	 "r1 = 0\n*(u64 *)(r10 -256) = r1\ncall f\n" END
	 "f:\nr1 = 0\n*(u64 *)(r10 -256) = r1\n" END},
	{"two functions too deep, aligned", FILTER,
	 "r1 = 0\n*(u64 *)(r10 -256) = r1\ncall f\n" END
	 "f:\nr1 = 0\n*(u64 *)(r10 -264) = r1\n" END},
	{"stacks of their own", KPROBE,
	 "r1 = 0\n*(u64 *)(r10 -400) = r1\ncall f\n" END
	 "f:\nr1 = 0\n*(u64 *)(r10 -400) = r1\n" END},
	{"a tail call in a function", FILTER,
	 "call f\n" END "f:\nr2 = map[id:0]\nr3 = 0\ncall bpf_tail_call\n" END},
	{"a packet's load in a function", FILTER,
	 "call f\n" END "f:\nr6 = r1\nr0 = *(u8 *)skb[0]\n" END},
	/* quick calls */
	{"a quick call", FILTER,
	 "r1 = 1\n*(u64 *)(r10 -8) = r1\ncall bpf_get_smp_processor_id\nr1 = *(u64 *)(r10 -8)\n"
	 "r0 = r1\nexit\n"},
	{"a quick call in place", KPROBE,
	 "r1 = 1\n*(u64 *)(r10 -8) = r1\ncall bpf_get_smp_processor_id\nr1 = *(u64 *)(r10 -8)\n"
	 "r0 = r1\nexit\n"},
	{"a quick call in place, its slot read", KPROBE,
	 "r1 = 1\n*(u64 *)(r10 -8) = r1\ncall bpf_get_smp_processor_id\nr1 = *(u64 *)(r10 -8)\n"
	 "r2 = *(u64 *)(r10 -8)\n" END},
	{"a quick call's slot read", FILTER,
	 "r1 = 1\n*(u64 *)(r10 -8) = r1\ncall bpf_get_smp_processor_id\nr1 = *(u64 *)(r10 -8)\n"
	 "r2 = *(u64 *)(r10 -8)\n" END},
	{"a quick call takes no stack", TC,
	 "r1 = 1\n*(u64 *)(r10 -496) = r1\n*(u64 *)(r10 -512) = r1\n"
	 "call bpf_get_smp_processor_id\nr1 = *(u64 *)(r10 -512)\ncall f\n" END "f:\nr1 = 0\n"
	 "*(u64 *)(r10 -8) = r1\n" END},
};

/* The next line of *@log that is compared, ended; NULL: there is none. */
static char *next_line(char **log)
{
	while (**log) {
		char *line = *log, *end = strchr(line, '\n');

		*log = end ? end + 1 : line + strlen(line);
		if (end)
			*end = 0;
		if (strncmp(line, "verification time", 17) && !strstr(line, "(18) r"))
			return line;
	}
	return NULL;
}

static void compare_logs(const struct program *program, char *kernel, char *ours)
{
	char *a, *b;

	do {
		a = next_line(&kernel);
		b = next_line(&ours);
	} while (a && b && !strcmp(a, b));
	if (a || b)
		differ("%s:\n  kernel  %s\n  machine %s\n", program->name, a ? a : "(end)",
		       b ? b : "(end)");
}

static const struct sides sides = {
	.programs = programs,
	.n_programs = sizeof(programs) / sizeof(*programs),
	.maps = maps,
	.n_maps = sizeof(maps) / sizeof(*maps),
	.log_level = 2 | 4,
	.compare = compare_logs,
};

static void test_paths(void **state)
{
	sides_compare(&sides);
}

static int begin(void **state)
{
	return sides_begin(&sides);
}

static int end(void **state)
{
	sides_end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_paths)};

	return cmocka_run_group_tests(tests, begin, end);
}
