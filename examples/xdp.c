/*
 * An XDP program built by clang, run without root: libbpf opens it, relocates it and loads it as it
 * always does, and its system calls are answered by the machine.
 *
 *	clang -target bpf -O2 -g -c xdp_count.bpf.c -o xdp_count.bpf.o
 *	cc xdp.c $(pkg-config --cflags --libs libskep-libbpf) -o xdp
 *	./xdp xdp_count.bpf.o
 *
 * Nothing below main() knows of the machine: it is what one would write for the kernel.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <string.h>

#include <skep/machine.h>

#define PACKET_BYTES 64

/* Ethernet, IPv4, and nothing in it. */
static void make_packet(uint8_t packet[PACKET_BYTES], uint8_t protocol)
{
	struct ethhdr eth = {.h_proto = htons(ETH_P_IP)};
	struct iphdr ip = {.version = 4,
			   .ihl = 5,
			   .ttl = 64,
			   .protocol = protocol,
			   .tot_len = htons(PACKET_BYTES - sizeof(eth))};

	memset(packet, 0, PACKET_BYTES);
	memcpy(packet, &eth, sizeof(eth));
	memcpy(packet + sizeof(eth), &ip, sizeof(ip));
}

static int run(int prog, const char *name, uint8_t protocol)
{
	static const char *const verdicts[] = {"aborted", "dropped", "passed"};
	uint8_t packet[PACKET_BYTES];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 1000);

	make_packet(packet, protocol);
	if (bpf_prog_test_run_opts(prog, &opts))
		return -1;
	printf("%-4s  %s, %u ns\n", name, opts.retval < 3 ? verdicts[opts.retval] : "?",
	       opts.duration);
	return 0;
}

static void show(int map)
{
	uint32_t key, *last = NULL;
	uint64_t count;

	while (!bpf_map_get_next_key(map, last, &key)) {
		if (!bpf_map_lookup_elem(map, &key, &count))
			printf("protocol %u: %llu\n", key, (unsigned long long)count);
		last = &key;
	}
}

static int run_object(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	int err = 1;

	if (object && !bpf_object__load(object)) {
		int prog = bpf_program__fd(bpf_object__next_program(object, NULL));

		err = run(prog, "udp", IPPROTO_UDP) || run(prog, "tcp", IPPROTO_TCP) ||
		      run(prog, "icmp", IPPROTO_ICMP);
		show(bpf_map__fd(bpf_object__next_map(object, NULL)));
	}
	bpf_object__close(object);
	return err;
}

int main(int argc, char **argv)
{
	struct skep_machine_opts opts = {.exec = &skep_exec_jit};
	struct skep_machine *machine;
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: xdp OBJECT.bpf.o\n");
		return 2;
	}
	if (skep_machine_new(&opts, &machine))
		return 1;
	skep_machine_route(machine);
	err = run_object(argv[1]);
	skep_machine_route(NULL);
	skep_machine_free(machine);
	return err;
}
