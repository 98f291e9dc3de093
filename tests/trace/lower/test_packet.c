/*
 * Fields of packets: packets made by hand go through xdp, tc and cgroup programs
 * by test runs, in the running kernel and in a machine of ours, and what the
 * script keeps of each is what was put into it. Also what happens to statements
 * and conditions whose headers a packet has not got, what is counted as
 * malformed, and what programs answer.
 */
#include <ctype.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <skep/machine.h>

#include "compiled.h"
#include "linux/bpf.h"

enum { PACKET_MOST = 4096, ETH_BYTES = 14 };

/* Headers in hexadecimal; spaces are for the eye. */
#define ETH(type)      "02aabbccdd01 02aabbccdd02 " type
#define ETH_IP         ETH("0800 ")
#define ETH_IP6        ETH("86dd ")
#define IP(len, proto) "4500" len "1234 4000 40" proto "0000 c0000201 c6336402 "
#define IP6(len, next)                                                                             \
	"6ab12345" len next "3f 20010db8000000000000000000000001 "                                 \
	"fe800000000000000000000000000002 "
#define TCP_SYN            "1389 0050 01020304 05060708 5002 7210 0000 0000 "
#define UDP(len)           "14e9 0035 " len "abcd "
#define ECHO               "0800 0000 0102 0304 "
#define ECHO6              "8000 0000 0506 0708 "
#define ARP_REQUEST        "0001 0800 06 04 0001 02aabbccdd02 c0000201 000000000000 c0000202 "
#define HOPS(next)         next "00 010400000000 "
#define ROUTES(next)       next "01 0000000000000000000000000000 "
#define FRAGMENT(next, at) next "00" at "00000001 "
#define AUTH(next)         next "04 0000 00000001 00000001 000000000000000000000000 "

/* --- Running one packet through one script -------------------------------------------------- */

static size_t from_hex(const char *hex, uint8_t *packet)
{
	size_t n = 0;
	unsigned byte;

	for (; *hex; hex++) {
		if (isspace((unsigned char)*hex))
			continue;
		assert_int_equal(sscanf(hex, "%2x", &byte), 1);
		packet[n++] = (uint8_t)byte;
		hex++;
	}
	return n;
}

/* What the program of the only probe answers to the packet. */
static uint32_t run_packet(const struct compiled *c, const char *hex)
{
	uint8_t packet[PACKET_MOST], out[PACKET_MOST];
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)skep_session_prog_fd(c->session, 0);
	attr.test.data_in = (uintptr_t)packet;
	attr.test.data_size_in = (uint32_t)from_hex(hex, packet);
	attr.test.data_out = (uintptr_t)out;
	attr.test.data_size_out = sizeof(out);
	assert_int_equal(skep_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr)), 0);
	assert_int_equal(attr.test.data_size_out, attr.test.data_size_in);
	/* A test run of a cgroup's program takes the Ethernet header away. */
	size_t skip = c->program.probes[0]->link == SKEP_LINK_NET ? ETH_BYTES : 0;
	assert_memory_equal(packet + skip, out + skip, attr.test.data_size_in - skip);
	return attr.test.retval;
}

/* Both engines, in turns. */
static struct skep_machine *machine;

static void for_both(void (*run)(const void *arg), const void *arg)
{
	run(arg);
	if (!machine)
		assert_int_equal(skep_machine_new(NULL, &machine), 0);
	skep_machine_route(machine);
	run(arg);
	skep_machine_route(NULL);
}

static const char *where(void)
{
	return machine ? "the machine, or the kernel after it" : "the kernel";
}

/* --- Fields --------------------------------------------------------------------------------- */

/* Test runs of other programs take no packet that is too short for its type. */
enum { XDP_ONLY = 1 };

struct row {
	const char *packet, *body, *want; /* want: the map @ */
	uint32_t malformed;
	int places; /* of those in check_rows() that are asked; 0: two, as what is below IP is used */
};

struct job {
	const struct row *row;
	const char *probe;
};

static void check_row(const void *arg)
{
	const struct job *job = arg;
	struct compiled c;
	char script[2048];

	snprintf(script, sizeof(script), "%s { %s }", job->probe, job->row->body);
	compiled_run(&c, script);
	run_packet(&c, job->row->packet);
	const char *got = compiled_map(&c, "@");
	size_t len = strlen(job->row->want);
	if (strncmp(got, job->row->want, len) != 0 || strcspn(got + len, "@") != strlen(got + len))
		fail_msg("%s in %s: %s instead of %s", script, where(), got, job->row->want);
	if (compiled_loss(&c, SKEP_LOSS_PACKET) != job->row->malformed)
		fail_msg("%s in %s: %llu malformed", script, where(),
			 (unsigned long long)compiled_loss(&c, SKEP_LOSS_PACKET));
	compiled_done(&c);
}

static void check_rows(const struct row *rows, size_t n)
{
	static const char *const probes[] = {"xdp:lo", "tc:lo:ingress", "cgroup:/:egress"};

	for (size_t i = 0; i < n; i++) {
		for (int p = 0; p < (rows[i].places ? rows[i].places : 2); p++) {
			struct job job = {&rows[i], probes[p]};
			for_both(check_row, &job);
		}
	}
}
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void test_ethernet(void **state)
{
	static const struct row rows[] = {
		{ETH_IP IP("0014", "fd"),
		 "@[pkt.eth.src, pkt.eth.dst, pkt.eth.type] = sum(pkt.len);",
		 "@[02:AA:BB:CC:DD:02, 02:AA:BB:CC:DD:01, 2048]: 34\n"},
		{ETH("8100 6064 0800 ") IP("001c", "11") UDP("0008"),
		 "@[pkt.vlan.id, pkt.vlan.pcp, pkt.eth.type, pkt.udp.dport] = count();",
		 "@[100, 3, 2048, 53]: 1\n"},
		{ETH("88a8 0007 8100 2064 86dd ") IP6("0008", "11") UDP("0008"),
		 "@[pkt.vlan.id, pkt.eth.type, pkt.sport] = count();", "@[7, 34525, 5353]: 1\n"},
		{ETH("8100 0001 8100 0002 8100 0003 0800 ") IP("0014", "fd"),
		 "@[pkt.vlan.id, pkt.ip] = count();", "@[1, false]: 1\n", 1},
		{ETH("8100 0001"), "@[pkt.vlan.id] = count();", "", 1},
		{ETH("0806 ") ARP_REQUEST,
		 "@[pkt.arp.op, pkt.arp.sha, pkt.arp.spa, pkt.arp.tha, pkt.arp.tpa] = count();",
		 "@[1, 02:AA:BB:CC:DD:02, 192.0.2.1, 00:00:00:00:00:00, 192.0.2.2]: 1\n"},
		{ETH("0806 ") "0006 0800 08 04 0001 " ARP_REQUEST, "@[pkt.arp] = count();",
		 "@[false]: 1\n"},
		{ETH("0806 ") "0001 0800", "@[pkt.arp] = count();", "@[false]: 1\n", 1},
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void test_ipv4(void **state)
{
	static const struct row rows[] = {
		{ETH_IP IP("0028", "06") TCP_SYN,
		 "@[pkt.ip.src, pkt.ip.dst, pkt.ip.proto, pkt.ip.ttl, pkt.ip.len, pkt.ip.id] = "
		 "count();",
		 "@[192.0.2.1, 198.51.100.2, 6, 64, 40, 4660]: 1\n", 0, 3},
		{ETH_IP "4ebb"
			"0014 1234 7fff 40fd beef c0000201 c0000202",
		 "@[pkt.ip.hlen, pkt.ip.tos, pkt.ip.dscp, pkt.ip.ecn, pkt.ip.df, pkt.ip.mf, "
		 "pkt.ip.frag, pkt.ip.csum] = count();",
		 "@[14, 187, 46, 3, 1, 1, 8191, 48879]: 1\n", 0, 3},
		{ETH_IP IP("0028", "06") TCP_SYN,
		 "@[pkt.tcp.sport, pkt.tcp.dport, pkt.tcp.seq, pkt.tcp.ack_seq, pkt.tcp.window] = "
		 "count();",
		 "@[5001, 80, 16909060, 84281096, 29200]: 1\n", 0, 3},
		{ETH_IP IP("0028", "06") "1389 0050 01020304 05060708 50ab 7210 0000 0000",
		 "@[pkt.tcp.doff, pkt.tcp.flags, pkt.tcp.fin, pkt.tcp.syn, pkt.tcp.rst, "
		 "pkt.tcp.psh, "
		 "pkt.tcp.ack, pkt.tcp.urg, pkt.tcp.ece, pkt.tcp.cwr] = count();",
		 "@[5, 171, 1, 1, 0, 1, 0, 1, 0, 1]: 1\n", 0, 3},
		{ETH_IP IP("001c", "11") UDP("0008"),
		 "@[pkt.udp.sport, pkt.udp.dport, pkt.udp.len, pkt.udp.csum] = count();",
		 "@[5353, 53, 8, 43981]: 1\n", 0, 3},
		{ETH_IP IP("001c", "11") UDP("0008"),
		 "@[pkt.src, pkt.dst, pkt.proto, pkt.sport, pkt.dport] = count();",
		 "@[192.0.2.1, 198.51.100.2, 17, 5353, 53]: 1\n", 0, 3},
		/* Options: the header above is behind them. */
		{ETH_IP "4600 0020 1234 4000 4001 0000 c0000201 c0000202 01010100 " ECHO,
		 "@[pkt.ip.hlen, pkt.icmp.type, pkt.icmp.code, pkt.icmp.id, pkt.icmp.seq] = "
		 "count();",
		 "@[6, 8, 0, 258, 772]: 1\n", 0, 3},
		/* A later fragment has bytes where a header would be. */
		{ETH_IP "4500 0028 1234 2001 4006 0000 c0000201 c0000202 " TCP_SYN,
		 "@[pkt.ip, pkt.ip.frag, pkt.tcp, pkt.proto] = count();",
		 "@[true, 1, false, 6]: 1\n", 0, 3},
		/* The datagram ends where the frame is only filled up. */
		{ETH_IP IP("0014", "06") TCP_SYN, "@[pkt.ip.len, pkt.tcp] = count();",
		 "@[20, false]: 1\n", 1, 3},
		/* Longer than its field can say: as a segment that is still to be cut. */
		{ETH_IP IP("0000", "06") TCP_SYN, "@[pkt.tcp.dport] = count();", "@[80]: 1\n", 0,
		 true},
		{ETH_IP IP("0028", "06") "1389 0050 0102", "@[pkt.ip.proto, pkt.tcp] = count();",
		 "@[6, false]: 1\n", 1, 3},
		{ETH_IP "4400 0028 1234 4000 4006 0000 c0000201 c0000202 " TCP_SYN,
		 "@[pkt.ip] = count();", "@[false]: 1\n", 1, 3},
		{ETH_IP "6500 0028 1234 4000 4006 0000 c0000201 c0000202 " TCP_SYN,
		 "@[pkt.eth.type, pkt.ip] = count();", "@[2048, false]: 1\n", 1},
		{ETH_IP "45000028", "@[pkt.ip] = count();", "@[false]: 1\n", 1, XDP_ONLY},
		/* The protocol's number means ICMP for IPv6 only there. */
		{ETH_IP IP("001c", "3a") ECHO6, "@[pkt.icmp6] = count();", "@[false]: 1\n", 0,
		 true},
	};

	(void)state;
	CHECK_ROWS(rows);
}

static void test_ipv6(void **state)
{
	static const struct row rows[] = {
		{ETH_IP6 IP6("0008", "11") UDP("0008"),
		 "@[pkt.ip6.src, pkt.ip6.dst, pkt.ip6.next, pkt.ip6.hop, pkt.ip6.len, "
		 "pkt.ip6.tclass, pkt.ip6.flow] = count();",
		 "@[2001:db8::1, fe80::2, 17, 63, 8, 171, 74565]: 1\n", 0, 3},
		{ETH_IP6 IP6("0014", "06") TCP_SYN,
		 "@[pkt.src, pkt.dst, pkt.proto, pkt.sport, pkt.dport] = count();",
		 "@[2001:db8::1, fe80::2, 6, 5001, 80]: 1\n", 0, 3},
		{ETH_IP6 IP6("0008", "3a") ECHO6,
		 "@[pkt.icmp6.type, pkt.icmp6.code, pkt.icmp6.id, pkt.icmp6.seq, pkt.icmp] = "
		 "count();",
		 "@[128, 0, 1286, 1800, false]: 1\n", 0, 3},
		{ETH_IP6 IP6("0038", "00") HOPS("2b") ROUTES("3c") HOPS("06") TCP_SYN "00000000",
		 "@[pkt.ip6.next, pkt.proto, pkt.tcp.dport] = count();", "@[0, 6, 80]: 1\n", 0,
		 true},
		{ETH_IP6 IP6("0028", "2c") FRAGMENT("33", "0001") AUTH("11") UDP("0008"),
		 "@[pkt.proto, pkt.udp.dport] = count();", "@[17, 53]: 1\n", 0, 3},
		/* A later fragment: its protocol is known, its header is elsewhere. */
		{ETH_IP6 IP6("0010", "2c") FRAGMENT("11", "0010") UDP("0008"),
		 "@[pkt.proto, pkt.udp] = count();", "@[17, false]: 1\n", 0, 3},
		/* Nothing that is known follows: ESP, and none at all. */
		{ETH_IP6 IP6("0008", "32") UDP("0008"), "@[pkt.proto, pkt.port] = count();",
		 "@[50, false]: 1\n", 0, 3},
		{ETH_IP6 IP6("0000", "3b"), "@[pkt.proto, pkt.port] = count();",
		 "@[59, false]: 1\n", 0, 3},
		/* More than anybody sends, and a chain that leads out of the packet. */
		{ETH_IP6 IP6("0050", "3c") HOPS("3c") HOPS("3c") HOPS("3c") HOPS("3c") HOPS("3c")
			 HOPS("3c") HOPS("3c") HOPS("3c") HOPS("11") UDP("0008"),
		 "@[pkt.ip6, pkt.udp] = count();", "@[true, false]: 1\n", 1, 3},
		{ETH_IP6 IP6("0010", "3c") "11ff 010400000000" UDP("0008"),
		 "@[pkt.ip6, pkt.udp] = count();", "@[true, false]: 1\n", 1, 3},
		{ETH_IP6 IP6("0004", "11") UDP("0008"), "@[pkt.ip6, pkt.udp] = count();",
		 "@[true, false]: 1\n", 1, 3},
		{ETH_IP6 "60000000 0008", "@[pkt.ip6] = count();", "@[false]: 1\n", 1, XDP_ONLY},
	};

	(void)state;
	CHECK_ROWS(rows);
}

/* --- What a packet has not got -------------------------------------------------------------- */

#define UDP_PACKET ETH_IP IP("001c", "11") UDP("0008")

static void test_missing_headers(void **state)
{
	static const struct row rows[] = {
		/* Statements are passed over one by one. */
		{UDP_PACKET,
		 "@[1] = pkt.len; @[2] = pkt.tcp.dport; @[pkt.tcp.dport] = 3; @[4] = "
		 "pkt.udp.dport;",
		 "@[1]: 42\n@[4]: 53\n"},
		{UDP_PACKET, "@[1] = 1 + bswap(pkt.ip6.len); @[2] = 2;", "@[2]: 2\n"},
		{UDP_PACKET,
		 "$x = (int64)5; $x = pkt.tcp.dport; @[$x] = 1; let $y = pkt.tcp.seq; @[$y] = 0;",
		 "@[0]: 0\n@[5]: 1\n"},
		{UDP_PACKET,
		 "for ($i : 0..pkt.tcp.doff) { @[1] = 1; } for ($i : 0..pkt.ip.hlen) { @[$i] = 1; "
		 "}",
		 "@[0]: 1\n@[1]: 1\n@[2]: 1\n@[3]: 1\n@[4]: 1\n"},
		/* Conditions are false, whichever way they are asked; not what is made of them. */
		{UDP_PACKET, "if (pkt.tcp.dport != 80) { @[1] = 1 } else { @[2] = 1 }",
		 "@[2]: 1\n"},
		{UDP_PACKET, "if (!pkt.tcp) { @[1] = 1 } if (!pkt.tcp.syn) { @[2] = 1 }",
		 "@[1]: 1\n@[2]: 1\n"},
		{UDP_PACKET, "if (pkt.tcp.dport == 0 || pkt.udp.dport == 53) { @[1] = 1 }",
		 "@[1]: 1\n"},
		{UDP_PACKET, "if (pkt.udp && pkt.tcp.dport == 0) { @[1] = 1 } else { @[2] = 1 }",
		 "@[2]: 1\n"},
		{UDP_PACKET,
		 "@[1] = pkt.tcp ? pkt.tcp.dport : pkt.udp.dport; @[2] = pkt.tcp.dport == 0;",
		 "@[2]: 0\n@[1]: 53\n"},
		{UDP_PACKET, "while (pkt.tcp.dport == 0) { @[1] = 1; break; } @[2] = 1;",
		 "@[2]: 1\n"},
		{UDP_PACKET, "if (pkt.ip.src == ntop(pton(\"192.0.2.1\"))) { @[1] = 1 }",
		 "@[1]: 1\n"},
	};

	(void)state;
	CHECK_ROWS(rows);
}

/* The values are kept for callbacks too, and for a predicate as for the body. */
static void test_callbacks(void **state)
{
	static const struct row rows[] = {
		{UDP_PACKET,
		 "@k[1] = 1; for ($kv : @k) { @[pkt.ip.src, pkt.udp.dport, pkt.tcp] = pkt.len; "
		 "@[pkt.ip.src, pkt.tcp.dport, pkt.tcp] = 7; }",
		 "@[192.0.2.1, 53, false]: 42\n", 0, 3},
	};

	(void)state;
	check_rows(rows, 0);
	struct job job = {&rows[0], "xdp:lo /pkt.udp.dport == 53/"};
	for_both(check_row, &job);
	job.probe = "tc:lo:egress /pkt.ip/";
	for_both(check_row, &job);
}

/* --- Answers -------------------------------------------------------------------------------- */

struct answer {
	const char *script;
	uint32_t udp, arp; /* to a packet of each */
};

static void check_answer(const void *arg)
{
	const struct answer *answer = arg;
	struct compiled c;

	compiled_run(&c, answer->script);
	assert_int_equal(run_packet(&c, UDP_PACKET), answer->udp);
	assert_int_equal(run_packet(&c, ETH("0806 ") ARP_REQUEST), answer->arp);
	compiled_done(&c);
}

static void test_answers(void **state)
{
	static const struct answer answers[] = {
		{"xdp:lo { @ = count(); }", 2, 2},
		{"xdp:lo /pkt.tcp.syn/ { return; }", 2, 2},
		{"xdp:lo /pkt.udp/ { drop(); @ = count(); }", 1, 2},
		{"xdp:lo { if (pkt.arp) { drop(); return; } @ = 1; }", 2, 1},
		{"xdp:lo { drop(); if (pkt.udp.dport == 53) { pass(); } }", 2, 1},
		{"xdp:lo { @k[1] = 1; for ($kv : @k) { return; } drop(); }", 2, 2},
		{"tc:lo:egress { @ = count(); }", (uint32_t)-1, (uint32_t)-1},
		{"tc:lo:ingress /pkt.ip.src == ntop(pton(\"192.0.2.1\"))/ { drop(); }", 2,
		 (uint32_t)-1},
		{"cgroup:/:ingress /pkt.udp/ { drop(); }", 0, 1},
		/* More memory than the stack has: where it is taken, too, nothing is stopped. */
		{"xdp:lo { $x = buf(ctx, 400); $y = buf(ctx, 300); @[$x, $y] = count(); }", 2, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		for_both(check_answer, &answers[i]);
}

/* --- Programs ------------------------------------------------------------------------------- */

/* Every hook's program with every member it knows is accepted by both verifiers. */
static void test_members_load(void **state)
{
	const struct skep_hook_member *members;
	size_t n = skep_hook_members(&members);

	(void)state;
	for (int id = 0; id < SKEP_AT_CNT; id++) {
		_cleanup_buf_ struct skep_buf text = {0};
		const struct skep_trace_hook *hook = skep_hook(id);
		struct compiled c;

		if (strcmp(hook->provider, "cgroup") != 0)
			continue;
		skep_buf_printf(&text, "cgroup:/:%s { @[0, cpu] = nsecs; ", hook->name);
		if (hook->has_task)
			skep_buf_puts(&text, "@c[comm, pid, tid, uid, ppid, username] = count(); ");
		for (size_t i = 0; i < n; i++) {
			if (members[i].hooks & 1u << id)
				skep_buf_printf(&text, "@m%zu[%s] = count(); ", i, members[i].path);
		}
		skep_buf_puts(&text, "}");
		compiled_run(&c, text.data);
		assert_int_equal(compiled_verify(&c), 0);
		compiled_done(&c);
	}
}

/* All fields at once: the walk at its longest. */
static void check_all_fields(const void *arg)
{
	_cleanup_buf_ struct skep_buf text = {0};
	const struct skep_packet_field *fields;
	size_t n = skep_packet_fields(&fields);
	struct compiled c;

	skep_buf_printf(&text, "%s { ", (const char *)arg);
	for (size_t i = 0; i < n; i++)
		skep_buf_printf(&text, "print(pkt.%s); ", fields[i].path);
	skep_buf_puts(&text, "}");
	compiled_run(&c, text.data);
	run_packet(&c, UDP_PACKET);
	/* Half of what is granted: older kernels walk more of it than newer ones. */
	assert_true(compiled_verified_insns(&c) < 500000);
	compiled_done(&c);
}

static void test_all_fields(void **state)
{
	(void)state;
	for_both(check_all_fields, "xdp:lo");
	for_both(check_all_fields, "tc:lo:ingress");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ethernet),     cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),         cmocka_unit_test(test_missing_headers),
		cmocka_unit_test(test_callbacks),    cmocka_unit_test(test_answers),
		cmocka_unit_test(test_members_load), cmocka_unit_test(test_all_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
