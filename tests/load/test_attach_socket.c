/* Programs of sockets, and of the maps that sockets are put in, through their whole lives. */
#include "netns.h"

#include <netinet/tcp.h>

#include "linux/bpf.h"
#include "linux/feature.h"

static int bound_datagram(bool shares_port)
{
	const int on = shares_port;
	int fd = netns_socket(AF_INET, SOCK_DGRAM, 0);
	const struct sockaddr_in addr = netns_addr("127.0.0.1");

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* --- one socket ---------------------------------------------------------------------------- */

/* @data: the socket */
static void send_to_it(struct trial *trial)
{
	const int to = *(const int *)trial->data;
	_cleanup_close_ int from = netns_socket(AF_INET, SOCK_DGRAM, 0);
	const struct sockaddr_in addr = netns_addr("127.0.0.1");
	char text[8];

	for (int i = 0; i < N_PACKETS; i++) {
		assert_int_equal(
			sendto(from, "packet", 6, 0, (const struct sockaddr *)&addr, sizeof(addr)),
			6);
		assert_int_equal(recv(to, text, sizeof(text), 0), 6);
	}
}

static void run_socket(struct trial *trial)
{
	netns_enter();
	int fd = bound_datagram(trial->at.type == SKEP_ATTACH_REUSEPORT);
	trial->at.socket.fd = fd;
	trial->fire = send_to_it;
	trial->data = &fd;
	trial->fires = N_PACKETS;
	trial->link_type = -1;
	const bool is_here = trial_is_here(trial);
	close(fd);
	if (!is_here)
		trial_skip(trial);
}

/* Of each packet, as much as the program says stays. */
static void socket_filter(void **state)
{
	struct trial trial = {.name = "socket_filter",
			      .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
			      .returns = -1,
			      .at = {.type = SKEP_ATTACH_SOCKET_FILTER}};

	run_socket(&trial);
}

static void reuseport(void **state)
{
	struct trial trial = {.name = "sk_reuseport",
			      .prog_type = BPF_PROG_TYPE_SK_REUSEPORT,
			      .expected_attach_type = BPF_SK_REUSEPORT_SELECT,
			      .returns = SK_PASS,
			      .at = {.type = SKEP_ATTACH_REUSEPORT}};

	run_socket(&trial);
}

static void reuseport_migrate(void **state)
{
	struct trial trial = {.name = "sk_reuseport.migrate",
			      .prog_type = BPF_PROG_TYPE_SK_REUSEPORT,
			      .expected_attach_type = BPF_SK_REUSEPORT_SELECT_OR_MIGRATE,
			      .returns = SK_PASS,
			      .at = {.type = SKEP_ATTACH_REUSEPORT}};

	run_socket(&trial);
}

/* It says which socket by number: the first. */
static void reuseport_filter(void **state)
{
	struct trial trial = {.name = "sk_reuseport.filter",
			      .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
			      .returns = 0,
			      .at = {.type = SKEP_ATTACH_REUSEPORT}};

	run_socket(&trial);
}

/* --- sockets in a map ---------------------------------------------------------------------- */

enum { MESSAGE_BYTES = 8 };

/* A map, and a TCP connection of which one end is put in it. */
struct plumbing {
	int map;
	bool sends; /* the sending end; else the receiving one */
};

static int make_sockmap(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_SOCKMAP;
	attr.key_size = attr.value_size = 4;
	attr.max_entries = 1;
	return skep_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

static void connect_pair(int ret_ends[2])
{
	const int on = 1;
	struct sockaddr_in addr = netns_addr("127.0.0.1");
	_cleanup_close_ int server = netns_socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(server, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(server, 1), 0);
	ret_ends[0] = netns_socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(ret_ends[0], (const struct sockaddr *)&addr, sizeof(addr)), 0);
	ret_ends[1] = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	assert_true(ret_ends[1] >= 0);
	const struct timeval patience = {.tv_sec = 2};
	setsockopt(ret_ends[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static void talk_through_map(struct trial *trial)
{
	const struct plumbing *plumbing = trial->data;
	const uint32_t key = 0;
	int ends[2];
	char text[MESSAGE_BYTES];

	connect_pair(ends);
	assert_int_equal(
		skep_bpf_map_update(plumbing->map, &key, &ends[plumbing->sends ? 0 : 1], 0), 0);
	for (int i = 0; i < N_PACKETS; i++) {
		assert_int_equal(send(ends[0], "message", MESSAGE_BYTES, 0), MESSAGE_BYTES);
		assert_int_equal(recv(ends[1], text, MESSAGE_BYTES, 0), MESSAGE_BYTES);
		assert_string_equal(text, "message");
	}
	close(ends[0]);
	close(ends[1]);
}

/* Older kernels have the program on the map, and nothing to tell of it. */
static void expect_link(struct trial *trial)
{
	const bool has_link = skep_has_feature(SKEP_FEATURE_SOCKMAP_LINK);

	trial->link_type = has_link ? LINK_TYPE_SOCKMAP : -1;
	trial->is_replaced = has_link;
}

static void run_sockmap(struct trial *trial)
{
	netns_enter();
	struct plumbing plumbing = {.map = make_sockmap(),
				    .sends = trial->at.type == SKEP_ATTACH_SK_MSG};
	assert_true(plumbing.map >= 0);
	trial->at.socket.fd = plumbing.map;
	trial->fire = talk_through_map;
	trial->data = &plumbing;
	expect_link(trial);
	const bool is_here = trial_is_here(trial);
	close(plumbing.map);
	if (!is_here)
		trial_skip(trial);
}

static void sk_skb_verdict(void **state)
{
	struct trial trial = {.name = "sk_skb.verdict",
			      .prog_type = BPF_PROG_TYPE_SK_SKB,
			      .expected_attach_type = BPF_SK_SKB_VERDICT,
			      .returns = SK_PASS,
			      .at = {.type = SKEP_ATTACH_SK_SKB}};

	run_sockmap(&trial);
}

static void sk_skb_stream_verdict(void **state)
{
	struct trial trial = {.name = "sk_skb.stream_verdict",
			      .prog_type = BPF_PROG_TYPE_SK_SKB,
			      .expected_attach_type = BPF_SK_SKB_STREAM_VERDICT,
			      .returns = SK_PASS,
			      .at = {.type = SKEP_ATTACH_SK_SKB}};

	run_sockmap(&trial);
}

/* A verdict on the messages that the parser finds: without one, nothing is parsed. */
static struct skep_session *give_verdicts(struct skep_object *object, int map)
{
	struct code code = {0};
	const struct skep_attach at = {
		.type = SKEP_ATTACH_SK_SKB, .target = "the parser's verdict", .socket.fd = map};

	object_with_counters(object);
	emit_return(&code, SK_PASS);
	const uint32_t i = add_prog(object, BPF_PROG_TYPE_SK_SKB, &code);
	object->progs[i].expected_attach_type = BPF_SK_SKB_STREAM_VERDICT;
	struct skep_session *session = open_session(object);
	attach(session, &at);
	return session;
}

/* What the parser says is a message's length. */
static void sk_skb_stream_parser(void **state)
{
	struct plumbing plumbing = {.map = make_sockmap()};
	struct skep_object object;
	struct trial trial = {
		.name = "sk_skb.stream_parser",
		.prog_type = BPF_PROG_TYPE_SK_SKB,
		.expected_attach_type = BPF_SK_SKB_STREAM_PARSER,
		.returns = MESSAGE_BYTES,
		.at = {.type = SKEP_ATTACH_SK_SKB, .socket.fd = plumbing.map},
		.fire = talk_through_map,
		.data = &plumbing,
	};

	netns_enter();
	expect_link(&trial);
	assert_true(plumbing.map >= 0);
	struct skep_session *verdicts = give_verdicts(&object, plumbing.map);
	const bool is_here = trial_is_here(&trial);
	skep_session_close(verdicts);
	skep_object_done(&object);
	close(plumbing.map);
	if (!is_here)
		trial_skip(&trial);
}

static void sk_msg(void **state)
{
	struct trial trial = {.name = "sk_msg",
			      .prog_type = BPF_PROG_TYPE_SK_MSG,
			      .expected_attach_type = BPF_SK_MSG_VERDICT,
			      .returns = SK_PASS,
			      .fires = N_PACKETS,
			      .at = {.type = SKEP_ATTACH_SK_MSG}};

	run_sockmap(&trial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(socket_filter),        cmocka_unit_test(reuseport),
		cmocka_unit_test(reuseport_migrate),    cmocka_unit_test(reuseport_filter),
		cmocka_unit_test(sk_skb_verdict),       cmocka_unit_test(sk_skb_stream_verdict),
		cmocka_unit_test(sk_skb_stream_parser), cmocka_unit_test(sk_msg),
	};

	return cmocka_run_group_tests(tests, need_root, NULL);
}
