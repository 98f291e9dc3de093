/* The loop, the server and the channel from their other ends, and what a configuration becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "export/channel.h"
#include "export/config.h"
#include "export/exporter.h"

#define ROUNDS 200 /* of at most 10 ms, until what is waited for has come */

/* --- The loop ------------------------------------------------------------------------------- */

static void test_loop_polls(void **state)
{
	struct skep_loop loop;
	int a[2], b[2];

	assert_int_equal(skep_loop_init(&loop), 0);
	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	struct pollfd fds[] = {{.fd = a[0]}, {.fd = -1}, {.fd = b[0]}};
	skep_loop_poll(&loop, fds, 3, 0);
	assert_int_equal(fds[0].revents | fds[2].revents, 0);
	assert_int_equal(write(b[1], "x", 1), 1);
	skep_loop_poll(&loop, fds, 3, 1000);
	assert_int_equal(fds[0].revents, 0);
	assert_int_equal(fds[2].revents, POLLIN);
	/* it is still there, until it is read or not asked for any more */
	skep_loop_poll(&loop, fds, 3, 1000);
	assert_int_equal(fds[2].revents, POLLIN);
	fds[2].fd = -1;
	skep_loop_poll(&loop, fds, 3, 10);
	assert_int_equal(fds[2].revents, 0);
	fds[1].fd = b[0];
	skep_loop_poll(&loop, fds, 3, 1000);
	assert_int_equal(fds[1].revents, POLLIN);
	skep_loop_done(&loop);
	for (int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

/* --- The exporter by HTTP ------------------------------------------------------------------- */

static const struct skep_family family = {"x", "h", SKEP_METRIC_GAUGE, NULL};

static void collect(void *ctx, struct skep_exposition *exposition)
{
	const struct skep_labels none = {.n = 0};

	++*(int *)ctx;
	skep_exposition_family(exposition, &family);
	skep_exposition_value(exposition, &none, *(int *)ctx);
}

static int connect_to(const char *url)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* What comes at @fd until it is closed. */
static void read_while_polling(struct skep_exporter *exporter, int fd, struct skep_buf *ret)
{
	char room[4096];

	for (int i = 0; i < ROUNDS; i++) {
		ssize_t n = recv(fd, room, sizeof(room), MSG_DONTWAIT);
		if (!n)
			return;
		if (n > 0)
			skep_buf_add(ret, room, (size_t)n);
		skep_exporter_poll(exporter, NULL, 0, 10);
	}
	fail_msg("not closed; so far: %s", ret->data ? ret->data : "");
}

static void test_exporter_answers_while_polled(void **state)
{
	static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
	struct skep_exporter *exporter;
	struct skep_diag diag = {0};
	int n = 0;

	assert_int_equal(skep_exporter_open(":0", collect, &n, &exporter, &diag), 0);
	assert_null(skep_exporter_identity(exporter));
	assert_int_equal(strncmp(skep_exporter_url(exporter), "http://127.0.0.1:", 17), 0);
	for (int i = 1; i <= 3; i++) {
		_cleanup_buf_ struct skep_buf reply = {0};
		_cleanup_close_ int fd = connect_to(skep_exporter_url(exporter));
		char want[64];
		assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
		read_while_polling(exporter, fd, &reply);
		snprintf(want, sizeof(want), "\r\n\r\n# HELP x h\n# TYPE x gauge\nx %d\n", i);
		assert_non_null(strstr(reply.data, want));
		assert_false(skep_exporter_is_orphan(exporter));
	}
	skep_exporter_free(exporter);
	assert_int_equal(diag.n_items, 0);
}

/* --- The channel ---------------------------------------------------------------------------- */

static void send_identity(int fd, const void *data, uint32_t size)
{
	assert_int_equal(send(fd, &size, sizeof(size), 0), sizeof(size));
	assert_int_equal(send(fd, data, size, 0), size);
}

static void receive(struct skep_exporter *exporter, int fd, void *data, size_t size)
{
	size_t done = 0;

	for (int i = 0; i < ROUNDS && done < size; i++) {
		ssize_t n = recv(fd, (char *)data + done, size - done, MSG_DONTWAIT);
		done += n > 0 ? (size_t)n : 0;
		skep_exporter_poll(exporter, NULL, 0, done < size ? 10 : 0);
	}
	assert_int_equal(done, size);
}

static void test_channel_round_trip(void **state)
{
	static const char identity[] = "mine\0opens\0rack\0r1";
	struct skep_channel_ask ask = {.number = 7, .format = SKEP_METRICS_OPENMETRICS};
	struct skep_channel_reply reply;
	struct skep_exporter *exporter;
	struct skep_diag diag = {0};
	char address[16], packed[256];
	int ends[2], n = 41;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	send_identity(ends[0], identity, sizeof(identity));
	snprintf(address, sizeof(address), "fd:%d", ends[1]);
	assert_int_equal(skep_exporter_open(address, collect, &n, &exporter, &diag), 0);
	assert_null(skep_exporter_url(exporter));
	assert_string_equal(skep_exporter_identity(exporter)->prefix, "mine");
	assert_string_equal(skep_exporter_identity(exporter)->name, "opens");
	assert_int_equal(skep_exporter_identity(exporter)->labels.len, 1);

	assert_int_equal(send(ends[0], &ask, sizeof(ask), 0), sizeof(ask));
	receive(exporter, ends[0], &reply, sizeof(reply));
	assert_int_equal(reply.number, 7);
	assert_true(reply.bytes < sizeof(packed));
	receive(exporter, ends[0], packed, reply.bytes);
	struct skep_exposition joined = {.format = SKEP_METRICS_OPENMETRICS};
	_cleanup_buf_ struct skep_buf text = {0};
	uint32_t refused;
	assert_int_equal(skep_exposition_join(&joined, packed, reply.bytes, &refused), 0);
	skep_exposition_render(&joined, &text);
	assert_string_equal(text.data, "# HELP x h\n# TYPE x gauge\nx 42\n# EOF\n");
	skep_exposition_done(&joined);

	/* a format that there is not is not answered; a closed end is noticed */
	ask.format = 77;
	assert_int_equal(send(ends[0], &ask, sizeof(ask), 0), sizeof(ask));
	close(ends[0]);
	for (int i = 0; i < ROUNDS && !skep_exporter_is_orphan(exporter); i++)
		skep_exporter_poll(exporter, NULL, 0, 10);
	assert_true(skep_exporter_is_orphan(exporter));
	assert_int_equal(n, 42);
	skep_exporter_free(exporter);
}

static void check_refused(const void *data, size_t size)
{
	struct skep_exporter *exporter = NULL;
	struct skep_diag diag = {0};
	char address[16];
	int ends[2], n = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(send(ends[0], data, size, 0), size);
	close(ends[0]);
	snprintf(address, sizeof(address), "fd:%d", ends[1]);
	assert_int_equal(skep_exporter_open(address, collect, &n, &exporter, &diag), -EBADMSG);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_METRICS_LISTEN);
	assert_null(exporter);
	skep_diag_done(&diag);
}

static void test_channel_refuses_nonsense(void **state)
{
	check_refused("", 0);
	check_refused("\4\0", 2);
	check_refused("\xff\xff\xff\xff", 4);   /* a length over any limit */
	check_refused("\4\0\0\0ab", 6);         /* shorter than it says */
	check_refused("\4\0\0\0abcd", 8);       /* no NUL */
	check_refused("\6\0\0\0a\0b\0c\0", 10); /* a label without a value */
}

/* --- The configuration ---------------------------------------------------------------------- */

static void test_config(void **state)
{
	static const char text[] = "listen: ':1'\n"
				   "prefix: all\n"
				   "labels: {rack: r1, team: a}\n"
				   "scripts:\n"
				   "  - {tool: opensnoop, args: [-x, 7], labels: {team: b}}\n"
				   "  - {file: my-opens.bt, prefix: one}\n"
				   "  - {file: /abs.bt, name: other}\n";
	const struct skep_source source = {"etc/skep/c.yml", text, strlen(text)};
	struct skep_export_config config;
	struct skep_diag diag = {0};

	assert_int_equal(skep_export_config_parse(&source, &config, &diag), 0);
	assert_string_equal(config.listen, ":1");
	assert_int_equal(config.scripts.len, 3);
	const struct skep_export_script *script = config.scripts.data;
	assert_string_equal(script[0].tool, "opensnoop");
	assert_string_equal(script[0].identity.name, "opensnoop");
	assert_string_equal(script[0].identity.prefix, "all");
	assert_int_equal(script[0].args.len, 2);
	assert_string_equal(script[0].args.data[1], "7");
	assert_int_equal(script[0].identity.labels.len, 2);
	assert_string_equal(script[0].identity.labels.data[0].value, "r1");
	assert_string_equal(script[0].identity.labels.data[1].value, "b");
	assert_string_equal(script[1].file, "etc/skep/my-opens.bt");
	assert_string_equal(script[1].identity.name, "my_opens");
	assert_string_equal(script[1].identity.prefix, "one");
	assert_string_equal(script[2].file, "/abs.bt");
	assert_string_equal(script[2].identity.name, "other");
	skep_export_config_done(&config);
}

/* A sequence that is an item of itself is no script. */
static void test_config_in_itself(void **state)
{
	static const char text[] = "scripts: &a [*a]\n";
	const struct skep_source source = {"c.yml", text, strlen(text)};
	struct skep_export_config config;
	struct skep_diag diag = {.source = &source};

	assert_int_equal(skep_export_config_parse(&source, &config, &diag), -EINVAL);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_EXPORT_VALUE);
	skep_export_config_done(&config);
	skep_diag_done(&diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loop_polls),
		cmocka_unit_test(test_exporter_answers_while_polled),
		cmocka_unit_test(test_channel_round_trip),
		cmocka_unit_test(test_channel_refuses_nonsense),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_config_in_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
