/*
 * The packets of a capture through an eBPF filter: those that it passes are written to another
 * capture, and all are counted by verdict.
 *
 *	cc filter.c $(pkg-config --cflags --libs libskep) -o filter
 *	./filter udp.asm in.pcap out.pcap
 *
 * The filter is an XDP program, written in assembly. The machine is told not to verify it: it runs
 * in the checked interpreter, so one that reads past the end of a packet is stopped there, and we
 * say where and why. (A machine that verifies would refuse it before it saw a packet.)
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/buf.h>
#include <skep/diag.h>
#include <skep/isa.h>
#include <skep/machine.h>

#define MOST_BYTES   65535
#define MOST_TEXT    (1 << 20)
#define PCAP_MICRO   0xa1b2c3d4
#define PCAP_NANO    0xa1b23c4d
#define N_VERDICTS   5
#define HEADER_BYTES 14 /* Ethernet's: bpf(2) takes no shorter packet */

struct pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, most_bytes, link_type;
};

struct pcap_record {
	uint32_t seconds, fraction, kept_bytes, sent_bytes;
};

static struct skep_machine *machine;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static FILE *open_file(const char *path, const char *mode)
{
	FILE *file = fopen(path, mode);

	if (!file)
		die(path);
	return file;
}

/* --- The filter ----------------------------------------------------------------------------- */

/* The instructions of the file, on the heap; mistakes are shown where they are. */
static struct skep_insn *assemble(const char *path, size_t *ret_n)
{
	static char text[MOST_TEXT];
	FILE *file = open_file(path, "r");
	size_t len = fread(text, 1, sizeof(text), file);
	struct skep_source source = {path, text, len};
	struct skep_diag diag = {.source = &source};
	struct skep_insn *insns = NULL;
	struct skep_buf words = {0};

	fclose(file);
	if (skep_asm(text, len, &insns, ret_n, &diag)) {
		skep_diag_render(&diag, false, &words);
		fputs(words.data, stderr);
		exit(1);
	}
	skep_diag_done(&diag);
	return insns;
}

static int load(const char *path)
{
	static char log[4096];
	size_t n;
	struct skep_insn *insns = assemble(path, &n);
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_XDP,
			       .insns = (uintptr_t)insns,
			       .insn_cnt = (uint32_t)n,
			       .license = (uintptr_t) "GPL",
			       .log_buf = (uintptr_t)log,
			       .log_size = sizeof(log),
			       .log_level = 1};
	int fd = skep_machine_bpf(machine, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (fd < 0) {
		fputs(log, stderr);
		die(path);
	}
	free(insns);
	return fd;
}

/* A program that did what it may not is stopped; its verdict is then worth nothing. */
static void stop_at_fault(int prog)
{
	const struct skep_program *program = skep_machine_program(machine, prog);
	struct skep_fault fault;

	if (skep_machine_fault(machine, program, &fault)) {
		fprintf(stderr, "instruction %u: %s\n", fault.insn, fault.why);
		exit(1);
	}
	skep_machine_program_put(machine, program);
}

static uint32_t verdict_on(int prog, const uint8_t *packet, uint32_t bytes)
{
	union bpf_attr attr = {.test = {.prog_fd = (uint32_t)prog,
					.data_in = (uintptr_t)packet,
					.data_size_in = bytes}};

	if (skep_machine_bpf(machine, BPF_PROG_TEST_RUN, &attr, sizeof(attr)))
		die("run");
	stop_at_fault(prog);
	return attr.test.retval < N_VERDICTS ? attr.test.retval : XDP_ABORTED;
}

/* --- The captures --------------------------------------------------------------------------- */

static bool read_header(FILE *in, struct pcap_header *ret)
{
	return fread(ret, sizeof(*ret), 1, in) == 1 &&
	       (ret->magic == PCAP_MICRO || ret->magic == PCAP_NANO);
}

static bool read_packet(FILE *in, struct pcap_record *ret, uint8_t *packet)
{
	return fread(ret, sizeof(*ret), 1, in) == 1 && ret->kept_bytes <= MOST_BYTES &&
	       fread(packet, 1, ret->kept_bytes, in) == ret->kept_bytes;
}

static void filter(int prog, FILE *in, FILE *out, uint64_t counts[N_VERDICTS])
{
	static uint8_t packet[MOST_BYTES];
	struct pcap_record record;

	while (read_packet(in, &record, packet)) {
		uint32_t verdict = record.kept_bytes < HEADER_BYTES
					   ? XDP_DROP
					   : verdict_on(prog, packet, record.kept_bytes);

		counts[verdict]++;
		if (verdict == XDP_PASS) {
			fwrite(&record, sizeof(record), 1, out);
			fwrite(packet, 1, record.kept_bytes, out);
		}
	}
}

int main(int argc, char **argv)
{
	static const char *const verdicts[N_VERDICTS] = {"aborted", "dropped", "passed",
							 "sent back", "redirected"};
	const struct skep_machine_opts opts = {.unverified = true};
	uint64_t counts[N_VERDICTS] = {0};
	struct pcap_header header;

	if (argc != 4) {
		fprintf(stderr, "usage: filter FILTER.asm IN.pcap OUT.pcap\n");
		return 2;
	}
	if (skep_machine_new(&opts, &machine))
		return 1;
	int prog = load(argv[1]);
	FILE *in = open_file(argv[2], "rb");
	if (!read_header(in, &header)) {
		fprintf(stderr, "%s: no capture in the pcap format\n", argv[2]);
		return 1;
	}
	FILE *out = open_file(argv[3], "wb");
	fwrite(&header, sizeof(header), 1, out);
	filter(prog, in, out, counts);
	for (int i = 0; i < N_VERDICTS; i++)
		if (counts[i])
			printf("%s: %llu\n", verdicts[i], (unsigned long long)counts[i]);
	fclose(in);
	skep_machine_free(machine);
	return fclose(out) ? 1 : 0;
}
