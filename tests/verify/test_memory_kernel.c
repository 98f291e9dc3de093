/*
 * Memory: programs that load, store and move pointers, as the running kernel's verifier and as ours
 * see them. The verdict, the errno and the words that say why must be the same.
 *
 * Maps are named by their place in `maps`: "r1 = map[id:0]" is a map, "r1 = map[id:0][0]+4" an
 * address in its first value.
 * Needs CAP_BPF; skips with a message where bpf(2) is refused.
 */
#include "sides.h"

static const struct map_spec maps[] = {
	{BPF_MAP_TYPE_ARRAY, 4, 16, 1, 0, false},
	{BPF_MAP_TYPE_ARRAY, 4, 16, 1, BPF_F_RDONLY_PROG, true},
	{BPF_MAP_TYPE_ARRAY, 4, 16, 1, BPF_F_WRONLY_PROG, false},
	{BPF_MAP_TYPE_HASH, 8, 32, 4, 0, false},
	{BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0, false},
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

static const struct sides sides = {
	.programs = programs,
	.n_programs = sizeof(programs) / sizeof(*programs),
	.maps = maps,
	.n_maps = sizeof(maps) / sizeof(*maps),
};

static void test_memory(void **state)
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
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory)};

	return cmocka_run_group_tests(tests, begin, end);
}
