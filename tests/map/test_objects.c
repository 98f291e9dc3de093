/*
 * Maps whose elements are objects (programs, maps, sockets, devices, owners):
 * random commands with real descriptors, good and bad, on the kernel's map and
 * on ours, must have the same results and show the same keys and values. In
 * the end every reference that the environment gave has come back.
 */
#include "fds_env.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>

enum { LOOKUPS, UPDATES, DELETES, N_COUNTS };

static unsigned done[N_COUNTS]; /* what went well: a test where all fails shows little */

struct subject {
	uint32_t type, key_size, value_size, max_entries, flags;
	bool unordered;    /* the order of keys is the kernel's secret */
	bool keys_are_fds; /* storages */
	bool blind;        /* user space cannot read it */
	bool slow;         /* the kernel waits in every command */
	int inner_fd;
	struct skep_map *inner;
	/* Write the value of random choice @pick. */
	void (*value)(const struct subject *subject, uint8_t *value, uint32_t pick);
};

/* --- Both sides ------------------------------------------------------------------------------ */

static void btf_put(uint8_t *btf, uint32_t *at, const uint32_t *words, uint32_t n)
{
	memcpy(btf + *at, words, n * 4);
	*at += n * 4;
}

/* int (1), char (2), char[@size] (3): what the kernel wants to know of storages. */
static int btf_of_values(uint32_t size)
{
	const uint32_t types[] = {1, 1u << 24, 4, 1u << 24 | 32, /* int */
				  5, 1u << 24, 1, 8,             /* char */
				  0, 3u << 24, 0, 2,
				  1, size};
	const char strings[] = "\0int\0char";
	uint32_t header[] = {0x0001eb9f, 24, 0, sizeof(types), sizeof(types), sizeof(strings)};
	uint8_t btf[256];
	uint32_t at = 0;
	union bpf_attr attr = {.btf = (uintptr_t)btf};

	btf_put(btf, &at, header, 6);
	btf_put(btf, &at, types, sizeof(types) / 4);
	memcpy(btf + at, strings, sizeof(strings));
	attr.btf_size = at + sizeof(strings);
	return kernel_bpf(BPF_BTF_LOAD, &attr);
}

static int create_in_kernel(const struct subject *subject)
{
	union bpf_attr attr = {.map_type = subject->type,
			       .key_size = subject->key_size,
			       .value_size = subject->value_size,
			       .max_entries = subject->max_entries,
			       .map_flags = subject->flags,
			       .inner_map_fd = (uint32_t)subject->inner_fd};
	int fd, btf = -1;

	if (subject->keys_are_fds) {
		btf = btf_of_values(subject->value_size);
		assert_true(btf >= 0);
		attr.btf_fd = (uint32_t)btf;
		attr.btf_key_type_id = 1;
		attr.btf_value_type_id = 3;
	}
	fd = kernel_bpf(BPF_MAP_CREATE, &attr);
	if (btf >= 0)
		close(btf);
	return fd;
}

static struct skep_map *create_here(const struct subject *subject)
{
	struct skep_map_attr attr = {.type = subject->type,
				     .key_size = subject->key_size,
				     .value_size = subject->value_size,
				     .max_entries = subject->max_entries,
				     .flags = subject->flags,
				     .inner = subject->inner,
				     .env = &fds_env};
	struct skep_map *map = NULL;

	assert_int_equal(skep_map_create(&attr, &map), 0);
	return map;
}

struct step {
	unsigned op;
	uint8_t key[64], value[64];
	uint64_t flags;
};

static void choose_key(const struct subject *subject, uint8_t *key)
{
	uint32_t number = (uint32_t)random() % (subject->max_entries + 3);

	memset(key, 0, 64);
	if (subject->keys_are_fds) {
		number = (uint32_t)fds[(unsigned)random() % n_fds].fd;
	} else if (random() % 50 == 0) {
		number = UINT32_MAX;
	}
	memcpy(key, &number, subject->key_size < 4 ? subject->key_size : 4);
}

static void choose(const struct subject *subject, struct step *step)
{
	step->op = (unsigned)random() % 8;
	choose_key(subject, step->key);
	memset(step->value, 0, sizeof(step->value));
	subject->value(subject, step->value, (uint32_t)random());
	step->flags = random() % 4 ? 0 : (uint64_t)random() % 5;
}

static void do_lookup(int fd, struct skep_map *map, const struct step *step)
{
	uint8_t kernel[64], ours[64];
	uint64_t flags = step->flags == 3 ? 1 : 0; /* lookups have few flags; sometimes a bad one */
	int err;

	memset(kernel, 0x11, sizeof(kernel));
	memset(ours, 0x11, sizeof(ours));
	err = kernel_elem(BPF_MAP_LOOKUP_ELEM, fd, step->key, kernel, flags);
	assert_int_equal(err, skep_map_sys_lookup(map, step->key, ours, flags));
	if (!err)
		assert_memory_equal(kernel, ours, sizeof(kernel));
	done[LOOKUPS] += !err;
}

static void do_next_key(const struct subject *subject, int fd, struct skep_map *map,
			const struct step *step)
{
	const void *key = random() % 4 ? step->key : NULL;
	uint8_t kernel[64] = {0}, ours[64] = {0};
	int err = kernel_elem(BPF_MAP_GET_NEXT_KEY, fd, key, kernel, 0);
	int err_ours = skep_map_sys_next_key(map, key, ours);

	if (subject->unordered && key)
		return;
	assert_int_equal(err, err_ours);
	if (!err && !subject->unordered)
		assert_memory_equal(kernel, ours, sizeof(kernel));
}

static void do_step(const struct subject *subject, int fd, struct skep_map *map, struct step *step)
{
	uint8_t scratch[64];
	int err, err_ours;

	switch (step->op) {
	case 0:
	case 1:
	case 2:
		err = kernel_elem(BPF_MAP_UPDATE_ELEM, fd, step->key, step->value, step->flags);
		err_ours = skep_map_sys_update(map, step->key, step->value, step->flags);
		done[UPDATES] += !err;
		break;
	case 3:
		err = kernel_elem(BPF_MAP_DELETE_ELEM, fd, step->key, NULL, 0);
		err_ours = skep_map_sys_delete(map, step->key);
		done[DELETES] += !err;
		break;
	case 4: do_next_key(subject, fd, map, step); return;
	case 5:
		if (random() % 10)
			return;
		err = kernel_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd, step->key, scratch, 0);
		err_ours = skep_map_sys_lookup_and_delete(map, step->key, scratch, 0);
		break;
	default: do_lookup(fd, map, step); return;
	}
	if (err != err_ours)
		print_message(
			"type %u, step %u, key %u, value %u %u, flags %u: kernel %d, ours %d\n",
			subject->type, step->op, *(uint32_t *)step->key,
			((uint32_t *)step->value)[0], ((uint32_t *)step->value)[1],
			(unsigned)step->flags, err, err_ours);
	assert_int_equal(err, err_ours);
}

static void compare(const struct subject *subject)
{
	int fd = create_in_kernel(subject);
	struct skep_map *map;
	struct step step;

	if (fd == -EINVAL) {
		print_message("type %u: not in this kernel\n", subject->type);
		fds_close();
		skip();
	}
	assert_true(fd >= 0);
	map = create_here(subject);
	srandom(subject->type);
	memset(done, 0, sizeof(done));
	for (unsigned i = 0; i < (subject->slow ? 1000 : 20000); i++) {
		choose(subject, &step);
		do_step(subject, fd, map, &step);
	}
	assert_true(done[UPDATES] > 5 && done[DELETES] > 1);
	assert_true(done[LOOKUPS] || !subject->value_size || subject->blind);
	skep_map_unref(map);
	close(fd);
	fds_close();
}

/* --- Objects --------------------------------------------------------------------------------- */

static void fd_value(const struct subject *subject, uint8_t *value, uint32_t pick)
{
	int fd = fds[pick % n_fds].fd;

	memcpy(value, &fd, sizeof(fd));
	/* Values of 8 bytes: the upper half is part of the number. */
	if (subject->value_size == 8 && pick % 61 == 0)
		value[6] = 1;
}

static void any_value(const struct subject *subject, uint8_t *value, uint32_t pick)
{
	memcpy(value, &pick, subject->value_size < 4 ? subject->value_size : 4);
}

static void add_bad(void)
{
	int file = open("/dev/null", O_RDONLY);

	assert_true(file >= 0);
	fds_add(file, FD_FILE);
	fds_add(987654, FD_CLOSED);
	fds_add(-1, FD_CLOSED);
}

static int program(uint32_t type, uint32_t attach)
{
	struct kernel_text text = {.n = 0};

	kernel_add_mov(&text, SKEP_R0, 0);
	kernel_add(&text, skep_exit());
	return kernel_prog(type, attach, text.insns, text.n);
}

static void add_program(uint32_t type, uint32_t attach)
{
	int fd = program(type, attach);
	struct fd_object *object;

	assert_true(fd >= 0);
	object = fds_add(fd, FD_PROG);
	object->type = type;
	object->attach = attach;
}

static void prog_array(void **state)
{
	const struct subject subject = {BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 5, .value = fd_value};

	add_bad();
	for (unsigned i = 0; i < 3; i++)
		add_program(BPF_PROG_TYPE_SOCKET_FILTER, 0);
	compare(&subject);
}

static void perf_event_array(void **state)
{
	const struct subject subject = {
		BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 5, .blind = true, .value = fd_value};
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_BPF_OUTPUT};

	add_bad();
	for (unsigned i = 0; i < 3; i++) {
		int fd = (int)syscall(__NR_perf_event_open, &attr, -1, 0, -1, 0);

		assert_true(fd >= 0);
		fds_add(fd, FD_PERF);
	}
	compare(&subject);
}

/* Cgroups of version 2, in a mount of our own: the machine may have none of them to see. */
static bool mount_cgroups(char *dir)
{
	return mkdtemp(dir) && !unshare(CLONE_NEWNS) &&
	       !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("none", dir, "cgroup2", 0, NULL);
}

static bool add_cgroups(void)
{
	static char dir[] = "/tmp/skep-cgroup-XXXXXX";
	static int root = -1;
	int fd;

	if (root < 0 && mount_cgroups(dir)) {
		root = open(dir, O_RDONLY | O_DIRECTORY);
		umount2(dir, MNT_DETACH);
		rmdir(dir);
	}
	fd = dup(root);
	if (fd >= 0)
		fds_add(fd, FD_CGROUP);
	return fd >= 0;
}

static void cgroup_array(void **state)
{
	const struct subject subject = {BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4, 5, .blind = true,
					.value = fd_value};

	add_bad();
	if (!add_cgroups()) {
		fds_close();
		skip();
	}
	compare(&subject);
}

static void add_map(uint32_t type, uint32_t key, uint32_t value, uint32_t max, uint32_t flags)
{
	struct skep_map_attr attr = {.type = type,
				     .key_size = key,
				     .value_size = value,
				     .max_entries = max,
				     .flags = flags};
	int fd = kernel_map(type, key, value, max, flags);
	struct fd_object *object;

	assert_true(fd >= 0);
	object = fds_add(fd, FD_MAP);
	assert_int_equal(skep_map_create(&attr, &object->map), 0);
}

/* Inner maps alike and not alike the first. */
static void add_maps(uint32_t type, uint32_t flags)
{
	add_map(type, 4, 8, 4, flags);
	add_map(type, 4, 8, 4, flags);
	add_map(type, 4, 8, 8, flags);
	add_map(type, 4, 16, 4, flags);
	add_map(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 4, 0);
	add_map(BPF_MAP_TYPE_HASH, 4, 8, 4, BPF_F_NO_PREALLOC);
}

static void compare_of_maps(struct subject subject, uint32_t inner_type, uint32_t inner_flags)
{
	add_maps(inner_type, inner_flags);
	subject.inner_fd = fds[0].fd;
	subject.inner = fds[0].map;
	add_bad();
	compare(&subject);
}

static void array_of_maps(void **state)
{
	const struct subject subject = {BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 5, .slow = true,
					.value = fd_value};

	compare_of_maps(subject, BPF_MAP_TYPE_ARRAY, 0);
	compare_of_maps(subject, BPF_MAP_TYPE_ARRAY, BPF_F_INNER_MAP);
	compare_of_maps(subject, BPF_MAP_TYPE_HASH, 0);
}

static void hash_of_maps(void **state)
{
	struct subject subject = {
		BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, 5, .unordered = true, .slow = true,
		.value = fd_value};

	compare_of_maps(subject, BPF_MAP_TYPE_ARRAY, 0);
	subject.flags = BPF_F_NO_PREALLOC;
	compare_of_maps(subject, BPF_MAP_TYPE_HASH, 0);
}

/* --- Where packets go ------------------------------------------------------------------------ */

static void hop_value(const struct subject *subject, uint8_t *value, uint32_t pick)
{
	static const uint32_t numbers[] = {0, 1, 1, 1, 999999, 192, 16384, 16385};
	uint32_t number = numbers[pick % 8];
	int prog = (pick >> 3) % 3 ? fds[(pick >> 5) % n_fds].fd : 0;

	memcpy(value, &number, 4);
	if (subject->value_size == 8)
		memcpy(value + 4, &prog, 4);
}

static void add_hop_programs(void)
{
	add_program(BPF_PROG_TYPE_XDP, BPF_XDP_DEVMAP);
	add_program(BPF_PROG_TYPE_XDP, BPF_XDP_CPUMAP);
	add_program(BPF_PROG_TYPE_XDP, 0);
	add_bad();
}

static void hops(void **state)
{
	const struct subject subjects[] = {
		{BPF_MAP_TYPE_DEVMAP, 4, 4, 5, .value = hop_value},
		{BPF_MAP_TYPE_DEVMAP, 4, 8, 5, .value = hop_value},
		{BPF_MAP_TYPE_DEVMAP_HASH, 4, 4, 5, .value = hop_value},
		{BPF_MAP_TYPE_DEVMAP_HASH, 4, 8, 3, .value = hop_value},
	};

	for (unsigned i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		add_hop_programs();
		compare(&subjects[i]);
	}
}

static void cpumap(void **state)
{
	const struct subject subjects[] = {
		{BPF_MAP_TYPE_CPUMAP, 4, 4, 5, .slow = true, .value = hop_value},
		{BPF_MAP_TYPE_CPUMAP, 4, 8, 1, .slow = true, .value = hop_value},
	};

	for (unsigned i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		add_hop_programs();
		compare(&subjects[i]);
	}
}

/* --- Sockets --------------------------------------------------------------------------------- */

static int udp_socket(bool reuse)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;

	assert_true(fd >= 0);
	if (reuse)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void add_sockets(bool reuse)
{
	for (unsigned i = 0; i < 4; i++)
		fds_add(udp_socket(reuse), FD_SOCKET);
	add_bad();
}

static void socket_maps(void **state)
{
	const struct subject subjects[] = {
		{BPF_MAP_TYPE_SOCKMAP, 4, 4, 5, .blind = true, .value = fd_value},
		{BPF_MAP_TYPE_SOCKMAP, 4, 8, 5, .value = fd_value},
		{BPF_MAP_TYPE_SOCKHASH, 4, 4, 5, .blind = true, .value = fd_value},
		{BPF_MAP_TYPE_SOCKHASH, 12, 8, 5, .value = fd_value},
		{BPF_MAP_TYPE_SOCKHASH, 29, 8, 40, .value = fd_value},
	};

	for (unsigned i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		add_sockets(false);
		fds_add(socket(AF_INET, SOCK_STREAM, 0), FD_SOCKET)->suits = false;
		compare(&subjects[i]);
	}
}

static void reuseport(void **state)
{
	const struct subject subjects[] = {
		{BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 4, 4, 5, .blind = true, .value = fd_value},
		{BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 4, 8, 5, .value = fd_value},
	};

	for (unsigned i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		add_sockets(true);
		compare(&subjects[i]);
	}
}

static void xskmap(void **state)
{
	const struct subject subject = {BPF_MAP_TYPE_XSKMAP, 4, 4, 5, .blind = true,
					.value = fd_value};

	add_sockets(false);
	for (unsigned i = 0; i < 3; i++) {
		int fd = socket(AF_XDP, SOCK_RAW, 0);

		if (fd >= 0)
			fds_add(fd, FD_XSK);
	}
	compare(&subject);
}

/* --- Owners ---------------------------------------------------------------------------------- */

static void compare_storage(uint32_t type)
{
	for (uint32_t size = 4; size <= 32; size += 14) {
		struct subject subject = {type,
					  4,
					  size,
					  0,
					  BPF_F_NO_PREALLOC,
					  .keys_are_fds = true,
					  .value = any_value};

		add_sockets(false);
		fds_add((int)syscall(SYS_pidfd_open, getpid(), 0), FD_PID);
		add_cgroups();
		compare(&subject);
	}
}

static void sk_storage(void **state)
{
	compare_storage(BPF_MAP_TYPE_SK_STORAGE);
}

static void task_storage(void **state)
{
	compare_storage(BPF_MAP_TYPE_TASK_STORAGE);
}

/* Any descriptor has an inode: one file here, the closed ones as bad. */
static void inode_storage(void **state)
{
	struct subject subject = {
		BPF_MAP_TYPE_INODE_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC, .keys_are_fds = true,
		.value = any_value};

	fds_add(open("/", O_RDONLY), FD_FILE);
	fds_add(open("/dev/null", O_RDONLY), FD_FILE);
	fds_add(987654, FD_CLOSED);
	compare(&subject);
}

static void cgrp_storage(void **state)
{
	compare_storage(SKEP_MAP_CGRP_STORAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prog_array),   cmocka_unit_test(perf_event_array),
		cmocka_unit_test(cgroup_array), cmocka_unit_test(array_of_maps),
		cmocka_unit_test(hash_of_maps), cmocka_unit_test(hops),
		cmocka_unit_test(cpumap),       cmocka_unit_test(socket_maps),
		cmocka_unit_test(reuseport),    cmocka_unit_test(xskmap),
		cmocka_unit_test(sk_storage),   cmocka_unit_test(task_storage),
		cmocka_unit_test(cgrp_storage), cmocka_unit_test(inode_storage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
