/* Posting: addresses, and what becomes of a request whose receiver fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "export/post.h"

static const struct skep_post_body body = {
	.path = "/in?a=b", .type = "text/plain", .data = "profile", .bytes = 7};

static void test_addresses(void **state)
{
	static const struct {
		const char *url, *path, *query; /* path NULL: it is none */
	} cases[] = {
		{"http://127.0.0.1", "", ""},
		{"HTTP://localhost:4318/a/b?c=d&e", "/a/b", "c=d&e"},
		{"http://[::1]:4318/x", "/x", ""},
		{"https://127.0.0.1", NULL, NULL},
		{"http://", NULL, NULL},
		{"http://127.0.0.1:65536", NULL, NULL},
		{"127.0.0.1:4318", NULL, NULL},
		{"http://me@127.0.0.1", NULL, NULL},
		{"http://me:secret@127.0.0.1/x", NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct skep_post *post = NULL;
		struct skep_diag diag = {0};
		int err = skep_post_new(cases[i].url, &post, &diag);
		assert_int_equal(err, cases[i].path ? 0 : -EINVAL);
		if (!err) {
			assert_string_equal(skep_post_path(post), cases[i].path);
			assert_string_equal(skep_post_query(post), cases[i].query);
		} else {
			assert_int_equal(diag.items[0].id, SKEP_DIAG_POST_URL);
			assert_null(strstr(diag.items[0].what, "secret"));
		}
		skep_post_free(post);
		skep_diag_done(&diag);
	}
}

struct answers {
	int n, last;
};

static void on_answer(void *ctx, int status)
{
	struct answers *answers = ctx;

	answers->n++;
	answers->last = status;
}

static void send_and_wait(struct skep_post *post, struct skep_loop *loop, struct answers *answers)
{
	const int before = answers->n;

	assert_int_equal(skep_post_send(post, loop, &body, on_answer, answers), 0);
	assert_true(skep_post_is_busy(post));
	assert_int_equal(skep_post_send(post, loop, &body, on_answer, answers), -EBUSY);
	for (int i = 0; i < 10000 && skep_post_is_busy(post); i++)
		skep_loop_poll(loop, NULL, 0, 10);
	assert_int_equal(answers->n, before + 1);
}

struct receiver {
	int fd;
	const char *answer; /* "": it hangs up */
	int n;
	char asked[4096];
	pthread_t thread;
};

static void *receive(void *ctx)
{
	struct receiver *receiver = ctx;

	for (int i = 0; i < receiver->n; i++) {
		int fd = accept(receiver->fd, NULL, NULL);
		size_t len = 0;
		receiver->asked[0] = '\0';
		while (len < sizeof(receiver->asked) - 1 && !strstr(receiver->asked, "profile")) {
			ssize_t n =
				read(fd, receiver->asked + len, sizeof(receiver->asked) - 1 - len);
			if (n <= 0)
				break;
			len += (size_t)n;
			receiver->asked[len] = '\0';
		}
		if (write(fd, receiver->answer, strlen(receiver->answer)) < 0)
			abort();
		close(fd);
	}
	return NULL;
}

/* Return its port | 0 this machine has no such address */
static int receiver_start(struct receiver *receiver, int family)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = family == AF_INET6 ? sizeof(v6) : sizeof(v4);
	void *address = family == AF_INET6 ? (void *)&v6 : (void *)&v4;

	receiver->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (receiver->fd < 0 || bind(receiver->fd, address, len) || listen(receiver->fd, 8)) {
		if (receiver->fd >= 0)
			close(receiver->fd);
		return 0;
	}
	assert_int_equal(getsockname(receiver->fd, address, &len), 0);
	assert_int_equal(pthread_create(&receiver->thread, NULL, receive, receiver), 0);
	return ntohs(family == AF_INET6 ? v6.sin6_port : v4.sin_port);
}

/* Whatever becomes of one, the next can be sent; and nothing of it stays (the sanitizers look). */
static void test_failures(void **state)
{
	static const struct {
		const char *answer;
		int status;
	} cases[] = {
		{"", 0},
		{"no HTTP at all\r\n\r\n", 0},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200},
		{"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 503},
	};
	struct answers answers = {0};
	struct skep_post *post;
	struct skep_loop loop;
	char url[64];

	assert_int_equal(skep_loop_init(&loop), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct receiver receiver = {.answer = cases[i].answer, .n = 5};
		int port = receiver_start(&receiver, AF_INET);
		snprintf(url, sizeof(url), "http://127.0.0.1:%d", port);
		assert_int_equal(skep_post_new(url, &post, NULL), 0);
		for (int k = 0; k < 5; k++) {
			send_and_wait(post, &loop, &answers);
			assert_int_equal(answers.last, cases[i].status);
		}
		pthread_join(receiver.thread, NULL);
		close(receiver.fd);
		/* Now nobody is there. */
		for (int k = 0; k < 5; k++) {
			send_and_wait(post, &loop, &answers);
			assert_int_equal(answers.last, 0);
		}
		skep_post_free(post);
	}
	skep_loop_done(&loop);
}

/* Names are looked up while the loop goes on; one that is none is like one who does not answer. */
static void test_names(void **state)
{
	struct receiver receiver = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
				    .n = 1};
	struct answers answers = {0};
	struct skep_post *post;
	struct skep_loop loop;
	char url[64];
	int port = receiver_start(&receiver, AF_INET);

	assert_int_equal(skep_loop_init(&loop), 0);
	snprintf(url, sizeof(url), "http://localhost:%d", port);
	assert_int_equal(skep_post_new(url, &post, NULL), 0);
	send_and_wait(post, &loop, &answers);
	assert_int_equal(answers.last, 200);
	skep_post_free(post);
	pthread_join(receiver.thread, NULL);
	close(receiver.fd);
	assert_int_equal(skep_post_new("http://nobody..here:80", &post, NULL), 0);
	send_and_wait(post, &loop, &answers);
	assert_int_equal(answers.last, 0);
	skep_post_free(post);
	skep_loop_done(&loop);
}

static void test_v6(void **state)
{
	struct receiver receiver = {.answer = "HTTP/1.1 204 Ok\r\nContent-Length: 0\r\n\r\n",
				    .n = 1};
	struct answers answers = {0};
	struct skep_post *post;
	struct skep_loop loop;
	char url[64], host[64];
	int port = receiver_start(&receiver, AF_INET6);

	if (!port)
		skip(); /* this machine has no IPv6 */
	assert_int_equal(skep_loop_init(&loop), 0);
	snprintf(url, sizeof(url), "http://[::1]:%d", port);
	assert_int_equal(skep_post_new(url, &post, NULL), 0);
	send_and_wait(post, &loop, &answers);
	pthread_join(receiver.thread, NULL);
	assert_int_equal(answers.last, 204);
	snprintf(host, sizeof(host), "Host: [::1]:%d\r\n", port);
	assert_non_null(strstr(receiver.asked, host));
	assert_non_null(strstr(receiver.asked, "POST /in?a=b HTTP/1.1\r\n"));
	close(receiver.fd);
	skep_post_free(post);
	skep_loop_done(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_v6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
