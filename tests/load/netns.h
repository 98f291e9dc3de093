/*
 * A network of the test's own: a namespace that goes with the process, in it a
 * pair of devices, and packets.
 *
 *	skep0  192.0.2.1/24  ◄────────►  skep1, whose other end would be 192.0.2.2
 *
 * Both are in one namespace, so packets from skep1 to skep0 are made by hand; no
 * device but lo has IPv6, which would send some of its own accord.
 */
#ifndef TESTS_LOAD_NETNS_H
#define TESTS_LOAD_NETNS_H

#include "trial.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "linux/netlink.h"
#include "linux/newer.h"

enum { N_PACKETS = 10, NETNS_PORT = 7777 };
/* RFC 2863, as linux/if.h has them, which cannot be had beside net/if.h. */
enum { OPER_UNKNOWN = 0, OPER_UP = 6 };
#define NETNS_ADDR "192.0.2.1"
#define NETNS_PEER "192.0.2.2"

struct netns {
	uint32_t index[2]; /* of skep0, skep1; 0: there are none */
	uint8_t mac[2][ETHER_ADDR_LEN];
	const char *refusal; /* why there are none: static */
};

/* Sockets of a test do not wait for what does not come. */
static inline int netns_socket(int family, int type, int protocol)
{
	const struct timeval patience = {.tv_sec = 2};
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	return fd;
}

static inline int netns_ask(struct skep_netlink_request *request)
{
	_cleanup_close_ int fd = skep_netlink_open();

	assert_true(fd >= 0);
	return skep_netlink_ask(fd, request, NULL, NULL, NULL);
}

static inline void netns_up(uint32_t index)
{
	const struct ifinfomsg head = {
		.ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct skep_netlink_request request;

	skep_netlink_begin(&request, RTM_NEWLINK, 0, &head, sizeof(head));
	assert_int_equal(netns_ask(&request), 0);
}

static inline void netns_write(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Packets that are sent one behind the other on one CPU arrive so. */
static inline void netns_stay_on_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	assert_int_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
}

/* From here on the process is in a new namespace, where nothing is but lo. */
static inline void netns_enter(void)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	netns_stay_on_cpu();
	netns_up(if_nametoindex("lo"));
	netns_write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
}

static inline bool netns_has_ipv6(void)
{
	_cleanup_close_ int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_in6 loopback = {.sin6_family = AF_INET6,
					      .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	return fd >= 0 && bind(fd, (const struct sockaddr *)&loopback, sizeof(loopback)) == 0;
}

/* Both kinds of pairs, veth and netkit, have the peer as attribute 1 of their data. */
static inline int netns_add_pair(const char *kind)
{
	const struct ifinfomsg head = {0};
	struct skep_netlink_request request;

	skep_netlink_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
	skep_netlink_put_text(&request, IFLA_IFNAME, "skep0");
	size_t info = skep_netlink_nest(&request, IFLA_LINKINFO);
	skep_netlink_put_text(&request, IFLA_INFO_KIND, kind);
	size_t data = skep_netlink_nest(&request, IFLA_INFO_DATA);
	size_t peer = skep_netlink_nest(&request, 1);
	skep_netlink_append(&request, &head, sizeof(head));
	skep_netlink_put_text(&request, IFLA_IFNAME, "skep1");
	skep_netlink_end(&request, peer);
	skep_netlink_end(&request, data);
	skep_netlink_end(&request, info);
	return netns_ask(&request);
}

static inline void netns_add_addr(uint32_t index)
{
	const struct ifaddrmsg head = {
		.ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = index};
	const struct in_addr addr = {inet_addr(NETNS_ADDR)};
	struct skep_netlink_request request;

	skep_netlink_begin(&request, RTM_NEWADDR, NLM_F_CREATE, &head, sizeof(head));
	skep_netlink_put(&request, IFA_LOCAL, &addr, sizeof(addr));
	skep_netlink_put(&request, IFA_ADDRESS, &addr, sizeof(addr));
	assert_int_equal(netns_ask(&request), 0);
}

/* Nobody would answer who has the peer's address. */
static inline void netns_add_neighbour(const struct netns *net)
{
	const struct ndmsg head = {.ndm_family = AF_INET,
				   .ndm_ifindex = (int)net->index[0],
				   .ndm_state = NUD_PERMANENT};
	const struct in_addr addr = {inet_addr(NETNS_PEER)};
	struct skep_netlink_request request;

	skep_netlink_begin(&request, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &head,
			   sizeof(head));
	skep_netlink_put(&request, NDA_DST, &addr, sizeof(addr));
	skep_netlink_put(&request, NDA_LLADDR, net->mac[1], ETHER_ADDR_LEN);
	assert_int_equal(netns_ask(&request), 0);
}

static inline void netns_find_mac(const char *name, uint8_t *ret_mac)
{
	_cleanup_close_ int fd = netns_socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, SIOCGIFHWADDR, &request), 0);
	memcpy(ret_mac, request.ifr_hwaddr.sa_data, ETHER_ADDR_LEN);
}

static inline void netns_take_state(const struct nlmsghdr *message, void *arg)
{
	const size_t head = NLMSG_SPACE(sizeof(struct ifinfomsg));
	const struct nlattr *state;

	if (message->nlmsg_type != RTM_NEWLINK || message->nlmsg_len < head)
		return;
	state = skep_netlink_find((const char *)message + head, message->nlmsg_len - head,
				  IFLA_OPERSTATE);
	if (state)
		*(uint8_t *)arg = *((const uint8_t *)state + NLA_HDRLEN);
}

/* A new device, of which nothing is known yet, counts as running: this one is known to be up. */
static inline bool netns_is_up(uint32_t index)
{
	_cleanup_close_ int fd = skep_netlink_open();
	const struct ifinfomsg head = {.ifi_index = (int)index};
	struct skep_netlink_request request;
	uint8_t state = OPER_UNKNOWN;

	skep_netlink_begin(&request, RTM_GETLINK, 0, &head, sizeof(head));
	assert_int_equal(skep_netlink_ask(fd, &request, netns_take_state, &state, NULL), 0);
	return state == OPER_UP;
}

/*
 * A device that was up before its peer sends nothing until the kernel has come
 * round to it, which it does while it holds the lock of all configuration: who
 * asks for that afterwards finds it done.
 */
static inline void netns_wait_for(uint32_t index)
{
	for (int i = 0; i < 2000 && !netns_is_up(index); i++)
		usleep(1000);
	assert_true(netns_is_up(index));
	netns_up(index);
}

/* A pair of that kind in a new namespace; false: this kernel has no such devices. */
static inline bool netns_make(struct netns *ret, const char *kind)
{
	netns_enter();
	*ret = (struct netns){0};
	if (netns_add_pair(kind) != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "skep1" : "skep0";
		ret->index[i] = if_nametoindex(name);
		netns_find_mac(name, ret->mac[i]);
		netns_up(ret->index[i]);
	}
	netns_wait_for(ret->index[0]);
	netns_wait_for(ret->index[1]);
	netns_add_addr(ret->index[0]);
	netns_add_neighbour(ret);
	return true;
}

static inline struct sockaddr_in netns_addr(const char *addr)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(NETNS_PORT),
				    .sin_addr.s_addr = inet_addr(addr)};
}

/* A datagram from the peer, as it is on the wire. */
struct netns_frame {
	struct ether_header ether;
	struct iphdr ip;
	struct udphdr udp;
	char text[8];
} __attribute__((packed));

static inline uint16_t netns_checksum(const void *data, size_t bytes)
{
	const uint8_t *at = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < bytes; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t) ~((sum & 0xffff) + (sum >> 16)));
}

static inline struct netns_frame netns_frame(const struct netns *net, const char *to)
{
	struct netns_frame frame = {
		.ether.ether_type = htons(ETHERTYPE_IP),
		.ip = {.version = 4,
		       .ihl = 5,
		       .ttl = 64,
		       .protocol = IPPROTO_UDP,
		       .tot_len = htons(sizeof(frame) - sizeof(frame.ether)),
		       .saddr = inet_addr(NETNS_PEER),
		       .daddr = inet_addr(to)},
		.udp = {.source = htons(NETNS_PORT),
			.dest = htons(NETNS_PORT),
			.len = htons(sizeof(frame.udp) + sizeof(frame.text))},
		.text = "packet",
	};

	memcpy(frame.ether.ether_dhost, net->mac[0], ETHER_ADDR_LEN);
	memcpy(frame.ether.ether_shost, net->mac[1], ETHER_ADDR_LEN);
	frame.ip.check = netns_checksum(&frame.ip, sizeof(frame.ip));
	return frame;
}

/* One frame out of skep1, by a packet socket. */
static inline void netns_put(const struct netns *net, int wire, const void *frame, size_t bytes)
{
	const struct sockaddr_ll device = {.sll_family = AF_PACKET,
					   .sll_ifindex = (int)net->index[1]};

	assert_int_equal(
		sendto(wire, frame, bytes, 0, (const struct sockaddr *)&device, sizeof(device)),
		bytes);
}

/* N_PACKETS come from skep1 to a socket behind skep0. */
static inline void netns_receive(const struct netns *net)
{
	_cleanup_close_ int wire = netns_socket(AF_PACKET, SOCK_RAW, 0);
	_cleanup_close_ int fd = netns_socket(AF_INET, SOCK_DGRAM, 0);
	const struct netns_frame frame = netns_frame(net, NETNS_ADDR);
	const struct sockaddr_in addr = netns_addr(NETNS_ADDR);
	char text[sizeof(frame.text)];

	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	for (int i = 0; i < N_PACKETS; i++) {
		netns_put(net, wire, &frame, sizeof(frame));
		assert_int_equal(recv(fd, text, sizeof(text), 0), sizeof(text));
		assert_string_equal(text, frame.text);
	}
}

/* N_PACKETS come from skep1 to skep0 for somebody else. */
static inline void netns_forward(const struct netns *net, const char *to)
{
	_cleanup_close_ int wire = netns_socket(AF_PACKET, SOCK_RAW, 0);
	const struct netns_frame frame = netns_frame(net, to);

	for (int i = 0; i < N_PACKETS; i++)
		netns_put(net, wire, &frame, sizeof(frame));
}

/* N_PACKETS go out of skep0, whether there is a route or not. */
static inline void netns_send_to(const char *to)
{
	_cleanup_close_ int fd = netns_socket(AF_INET, SOCK_DGRAM, 0);
	const struct sockaddr_in addr = netns_addr(to);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "skep0", 6), 0);
	for (int i = 0; i < N_PACKETS; i++)
		assert_int_equal(
			sendto(fd, "packet", 6, 0, (const struct sockaddr *)&addr, sizeof(addr)),
			6);
}

#endif
