/*
 * struct_ops: a congestion control that a connection uses, schedulers, and a
 * program on the reports of an input device. Layouts are the running kernel's,
 * out of its BTF. A network namespace of the test's own holds the connection.
 */
#include "fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/uhid.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include <skep/btf.h>

#include "linux/newer.h"

enum { MAX_OPS = 8, SENT_BYTES = 1 << 20, CHUNK_BYTES = 1 << 14 };

static struct skep_btf *btf;

static void not_here(const char *name, const char *reason)
{
	print_message("not here: struct_ops.%s: %s\n", name, reason);
	skip();
}

/* --- A table, by the kernel's BTF ------------------------------------------------------------- */

/** struct NAME within struct bpf_struct_ops_NAME. */
struct table {
	const char *name;   /* "tcp_congestion_ops" */
	uint32_t id, value; /* of the two types */
	uint32_t data_off, bytes;
	uint8_t *init; /* the value; owned */
	struct skep_object object;
	struct skep_object_op ops[MAX_OPS];
	uint32_t n_ops;
};

static uint32_t find_struct(const char *name)
{
	return skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_STRUCT));
}

static uint32_t data_off(uint32_t value)
{
	struct skep_btf_member data;

	assert_int_equal(skep_btf_find_member(btf, value, "data", 4, &data), 0);
	return data.bit_off / 8;
}

static bool table_init(struct table *table, const char *name)
{
	char value[96];

	*table = (struct table){.name = name};
	snprintf(value, sizeof(value), "bpf_struct_ops_%s", name);
	table->id = find_struct(name);
	table->value = find_struct(value);
	if (!table->id || !table->value)
		return false;
	table->data_off = data_off(table->value);
	table->bytes = (uint32_t)skep_btf_size(btf, table->value);
	table->init = calloc(1, table->bytes);
	object_with_counters(&table->object);
	return true;
}

static void table_done(struct table *table)
{
	skep_object_done(&table->object);
	free(table->init);
}

static void *field(struct table *table, const char *name)
{
	struct skep_btf_member member;

	assert_int_equal(skep_btf_find_member(btf, table->id, name, strlen(name), &member), 0);
	return table->init + table->data_off + member.bit_off / 8;
}

static uint32_t member_index(const struct table *table, const char *name,
			     struct skep_btf_member *ret)
{
	for (uint32_t i = 0; i < skep_btf_n_members(btf, table->id); i++) {
		assert_int_equal(skep_btf_member(btf, table->id, i, ret), 0);
		if (!strcmp(ret->name, name))
			return i;
	}
	fail_msg("%s has no %s", table->name, name);
	return 0;
}

/* The code becomes the table's function @name. */
static void set_function(struct table *table, const char *name, struct code *code)
{
	struct skep_btf_member member;
	uint32_t index = member_index(table, name, &member);
	uint32_t i = add_prog(&table->object, BPF_PROG_TYPE_STRUCT_OPS, code);

	table->object.progs[i].expected_attach_type = index;
	table->object.progs[i].attach_btf_id = table->id;
	table->ops[table->n_ops++] =
		(struct skep_object_op){table->data_off + member.bit_off / 8, i};
}

/* count in @slot; return @value */
static void set_counting(struct table *table, const char *name, uint32_t slot, int32_t value)
{
	struct code code = {0};

	emit_count(&code, 0, slot);
	emit_return(&code, value);
	set_function(table, name, &code);
}

static uint32_t add_table(struct table *table, uint32_t flags)
{
	const struct skep_object_map map = {.name = "table",
					    .type = BPF_MAP_TYPE_STRUCT_OPS,
					    .key_size = 4,
					    .value_size = table->bytes,
					    .max_entries = 1,
					    .flags = flags,
					    .btf_vmlinux_value = table->value,
					    .init = table->init,
					    .ops = table->ops,
					    .n_ops = table->n_ops};

	return skep_object_add_map(&table->object, &map);
}

/* Open and attach; false: the kernel does not have it, said with its reason. */
static bool register_table(struct table *table, uint32_t flags, struct skep_session **ret,
			   struct skep_buf *why)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	const struct skep_attach at = {.type = SKEP_ATTACH_STRUCT_OPS,
				       .target = table->name,
				       .struct_ops.map = add_table(table, flags)};

	if (!skep_session_open(&table->object, NULL, ret, &diag) &&
	    !skep_session_attach(*ret, &at, &diag))
		return true;
	skep_diag_render(&diag, false, why);
	for (size_t i = 0; i < why->len; i++)
		why->data[i] = why->data[i] == '\n' ? ' ' : why->data[i];
	skep_session_close(*ret);
	*ret = NULL;
	return false;
}

static void check_link(const struct skep_session *session, uint32_t map)
{
	struct bpf_link_info info = {0};
	struct bpf_map_info map_info = {0};

	assert_int_equal(skep_session_n_links(session), 1);
	assert_int_equal(skep_bpf_info(skep_session_link_fd(session, 0), &info, sizeof(info)), 0);
	assert_int_equal(info.type, LINK_TYPE_STRUCT_OPS);
	assert_int_equal(
		skep_bpf_info(skep_session_map_fd(session, map), &map_info, sizeof(map_info)), 0);
	assert_int_equal(info.netns.netns_ino, map_info.id); /* the first word is the map's id */
}

/* --- A congestion control --------------------------------------------------------------------- */

static void make_congestion_control(struct table *table, const char *name)
{
	strcpy(field(table, "name"), name);
	set_counting(table, "ssthresh", 1, 2);
	set_counting(table, "undo_cwnd", 2, 10);
	set_counting(table, "cong_avoid", 0, 0);
}

static int use_congestion_control(int fd, const char *name)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) ? -errno
											  : 0;
}

static bool is_known(const char *name)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = use_congestion_control(fd, name);

	close(fd);
	return !err;
}

/* A server and a client on loopback, the latter with the congestion control. */
static void connect_pair(const char *name, int fds[2])
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(use_congestion_control(fds[0], name), 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(connect(fds[0], (struct sockaddr *)&addr, len), 0);
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fds[1] >= 0);
	close(listener);
}

static void transfer(const char *name)
{
	char chunk[CHUNK_BYTES] = {0};
	int fds[2];

	connect_pair(name, fds);
	for (size_t sent = 0; sent < SENT_BYTES; sent += sizeof(chunk)) {
		assert_int_equal(send(fds[0], chunk, sizeof(chunk), 0), sizeof(chunk));
		assert_int_equal(recv(fds[1], chunk, sizeof(chunk), MSG_WAITALL), sizeof(chunk));
	}
	close(fds[0]);
	close(fds[1]);
}

static void congestion_control(const char *name, uint32_t flags)
{
	_cleanup_buf_ struct skep_buf why = {0};
	struct skep_session *session = NULL;
	struct table table;

	if (!table_init(&table, "tcp_congestion_ops"))
		not_here(name, "the kernel's BTF has no bpf_struct_ops_tcp_congestion_ops");
	make_congestion_control(&table, name);
	assert_false(is_known(name));
	bool is_here = register_table(&table, flags, &session, &why);
	if (is_here) {
		transfer(name);
		assert_true(counter(session, 0) > 0);
		if (flags & MAP_LINK)
			check_link(session, 1);
		skep_session_detach_all(session);
		assert_false(is_known(name));
	}
	skep_session_close(session);
	table_done(&table);
	if (!is_here)
		not_here(name, why.data);
}

static void tcp_congestion(void **state)
{
	congestion_control("tcp_congestion", 0);
}

static void tcp_congestion_link(void **state)
{
	congestion_control("tcp_cc_link", MAP_LINK);
}

/* A name is taken once; the first goes on. */
static void a_name_is_taken_once(void **state)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	_cleanup_buf_ struct skep_buf why = {0};
	struct skep_session *session = NULL;
	struct table table;

	if (!table_init(&table, "tcp_congestion_ops"))
		not_here("tcp_congestion", "no such table");
	make_congestion_control(&table, "skep_twice");
	bool is_here = register_table(&table, 0, &session, &why);
	if (is_here) {
		const struct skep_attach again = {.type = SKEP_ATTACH_STRUCT_OPS,
						  .target = "skep_twice",
						  .struct_ops.map = 1};
		assert_int_equal(skep_session_attach(session, &again, &diag), -EBUSY);
		assert_int_equal(diag.items[0].id, SKEP_DIAG_ATTACH_FAILED);
		transfer("skep_twice");
	}
	skep_session_close(session);
	table_done(&table);
	if (!is_here)
		not_here("tcp_congestion", why.data);
	assert_false(is_known("skep_twice"));
}

/* --- Schedulers ------------------------------------------------------------------------------- */

static void make_some_switches(void)
{
	for (int i = 0; i < 100; i++)
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void assert_scheduler(const char *state)
{
	_cleanup_buf_ struct skep_buf text = {0};

	for (int tries = 0; tries < 100; tries++) {
		skep_buf_clear(&text);
		assert_int_equal(skep_file_read("/sys/kernel/sched_ext/state", 256, &text), 0);
		if (!strncmp(text.data, state, strlen(state)))
			return;
		make_some_switches();
	}
	assert_string_equal(text.data, state);
}

/* prev_cpu, the second argument */
static void set_select_cpu(struct table *table)
{
	struct code code = {0};

	emit(&code, skep_ldx_mem(SKEP_DW, SKEP_R6, SKEP_R1, 8));
	emit_count(&code, 0, 0);
	emit(&code, skep_alu64_reg(SKEP_MOV, SKEP_R0, SKEP_R6));
	emit(&code, skep_exit());
	set_function(table, "select_cpu", &code);
}

static void scheduler(const char *name, bool counts)
{
	_cleanup_buf_ struct skep_buf why = {0};
	struct skep_session *session = NULL;
	struct table table;

	if (!table_init(&table, "sched_ext_ops"))
		not_here(name, "the kernel's BTF has no bpf_struct_ops_sched_ext_ops");
	strcpy(field(&table, "name"), "skep_test");
	if (counts)
		set_select_cpu(&table);
	bool is_here = register_table(&table, MAP_LINK, &session, &why);
	if (is_here) {
		assert_scheduler("enabled");
		make_some_switches();
		assert_true(!counts || counter(session, 0) > 0);
		check_link(session, 1);
		skep_session_detach_all(session);
		assert_scheduler("disabled");
	}
	skep_session_close(session);
	table_done(&table);
	if (!is_here)
		not_here(name, why.data);
}

static void sched_ext(void **state)
{
	scheduler("sched_ext", false);
}

static void sched_ext_counts(void **state)
{
	scheduler("sched_ext.select_cpu", true);
}

/* --- An input device's reports ---------------------------------------------------------------- */

/* One byte of the vendor's own in, nothing out. */
static const uint8_t report_descriptor[] = {
	0x06, 0x00, 0xff, /* usage page: vendor */
	0x09, 0x01,       /* usage */
	0xa1, 0x01,       /* collection: application */
	0x09, 0x01,       /*   usage */
	0x15, 0x00,       /*   logical minimum 0 */
	0x26, 0xff, 0x00, /*   logical maximum 255 */
	0x75, 0x08,       /*   report size 8 */
	0x95, 0x01,       /*   report count 1 */
	0x81, 0x02,       /*   input */
	0xc0,             /* end */
};

static void put_event(int fd, const struct uhid_event *event)
{
	assert_int_equal(write(fd, event, sizeof(*event)), sizeof(*event));
}

static void wait_event(int fd, uint32_t type)
{
	struct uhid_event event;
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	do {
		assert_int_equal(poll(&poll_fd, 1, 2000), 1);
		assert_true(read(fd, &event, sizeof(event)) > 0);
	} while (event.type != type);
}

/* Its number in the kernel is the last part of its name: 0003:1234:5678.000A */
static int device_number(void)
{
	DIR *dir = opendir("/sys/bus/hid/devices");
	unsigned number = 0;
	int found = -1;

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (sscanf(entry->d_name, "%*x:5EEB:1234.%x", &number) == 1)
			found = (int)number;
	}
	closedir(dir);
	return found;
}

static int create_device(int *ret_number)
{
	int fd = open("/dev/uhid", O_RDWR | O_CLOEXEC);
	struct uhid_event event = {.type = UHID_CREATE2};

	if (fd < 0)
		return -errno;
	strcpy((char *)event.u.create2.name, "skep test device");
	event.u.create2.bus = 3;
	event.u.create2.vendor = 0x5eeb;
	event.u.create2.product = 0x1234;
	event.u.create2.rd_size = sizeof(report_descriptor);
	memcpy(event.u.create2.rd_data, report_descriptor, sizeof(report_descriptor));
	put_event(fd, &event);
	wait_event(fd, UHID_START);
	*ret_number = device_number();
	assert_true(*ret_number >= 0);
	return fd;
}

static void send_reports(int fd, int n)
{
	struct uhid_event event = {.type = UHID_INPUT2, .u.input2 = {.size = 1}};

	for (int i = 0; i < n; i++) {
		event.u.input2.data[0] = (uint8_t)i;
		put_event(fd, &event);
	}
}

/* The device says that it starts before its driver does: until then the kernel drops reports. */
static void wait_for_driver(int device, const struct skep_session *session)
{
	const struct timespec nap = {.tv_nsec = 10000000};

	for (int i = 0; i < 200 && !counter(session, 0); i++) {
		send_reports(device, 1);
		nanosleep(&nap, NULL);
	}
}

/* All reports of a device are seen, and none once it is let go. */
static void live_on_device(int device, struct skep_session *session)
{
	wait_for_driver(device, session);
	uint64_t before = counter(session, 0);

	send_reports(device, 10);
	assert_int_equal(counter(session, 0), before + 10);
	check_link(session, 1);
	skep_session_detach_all(session);
	send_reports(device, 10);
	assert_int_equal(counter(session, 0), before + 10);
}

static void hid_bpf(void **state)
{
	_cleanup_buf_ struct skep_buf why = {0};
	struct skep_session *session = NULL;
	int number = 0;
	struct table table;

	if (!table_init(&table, "hid_bpf_ops"))
		not_here("hid_bpf", "the kernel's BTF has no bpf_struct_ops_hid_bpf_ops");
	int device = create_device(&number);
	memcpy(field(&table, "hid_id"), &number, sizeof(number));
	set_counting(&table, "hid_device_event", 0, 0);
	bool is_here = device >= 0 && register_table(&table, MAP_LINK, &session, &why);
	if (is_here)
		live_on_device(device, session);
	skep_session_close(session);
	table_done(&table);
	if (device >= 0)
		close(device);
	if (!is_here)
		not_here("hid_bpf", device < 0 ? "there is no /dev/uhid" : why.data);
}

/* --- What is wrong with a table --------------------------------------------------------------- */

static void programs_lie_within_the_value(void **state)
{
	_cleanup_buf_ struct skep_buf why = {0};
	struct skep_session *session = NULL;
	struct table table;

	if (!table_init(&table, "tcp_congestion_ops"))
		not_here("tcp_congestion", "no such table");
	make_congestion_control(&table, "skep_beyond");
	table.ops[0].off = table.bytes - 4;
	assert_false(register_table(&table, 0, &session, &why));
	table_done(&table);
}

/* A network of the test's own, with loopback up. */
static int set_up(void **state)
{
	struct ifreq request = {.ifr_name = "lo"};

	need_root(state);
	if (skep_btf_open_kernel(&btf, NULL)) {
		print_message("skipped: the kernel has no BTF\n");
		exit(77);
	}
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	request.ifr_flags = IFF_UP;
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
	return 0;
}

static int tear_down(void **state)
{
	skep_btf_free(btf);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_congestion),
		cmocka_unit_test(tcp_congestion_link),
		cmocka_unit_test(a_name_is_taken_once),
		cmocka_unit_test(sched_ext),
		cmocka_unit_test(sched_ext_counts),
		cmocka_unit_test(hid_bpf),
		cmocka_unit_test(programs_lie_within_the_value),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
