/* Probes of the machine around BPF: files, sysctls, capabilities, lockdown. */
#include "linux/feature_try.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "linux/privilege.h"
#include "linux/procfs.h"

int probe_bpf(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_map(BPF_MAP_TYPE_ARRAY, 0, -1, -1);
}

int probe_jit(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	int64_t value;
	int err = skep_file_number("/proc/sys/net/core/bpf_jit_enable", &value);

	if (err)
		return err;
	if (value > 0)
		return 0;
	snprintf(ret->why, sizeof(ret->why),
		 "net.core.bpf_jit_enable is 0: programs are interpreted");
	snprintf(ret->hint, sizeof(ret->hint), "sysctl -w net.core.bpf_jit_enable=1");
	return -ENOTSUP;
}

int probe_file(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	static const char *const paths[] = {[FILE_BTF] = "/sys/kernel/btf/vmlinux"};

	return access(paths[feature->arg], R_OK) < 0 ? -errno : 0;
}

int probe_tracefs(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	const char *root = skep_tracefs();
	char path[4200];

	if (!root)
		return -errno;
	snprintf(path, sizeof(path), "%s/events", root);
	if (access(path, R_OK | X_OK) == 0)
		return 0;
	snprintf(ret->why, sizeof(ret->why), "%.160s is mounted, but not readable for user %u",
		 root, geteuid());
	snprintf(ret->hint, sizeof(ret->hint), "run it as root (sudo)");
	return -errno;
}

/* Who may not see addresses is shown zeros. */
int probe_kallsyms(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	char line[64];
	FILE *file = fopen("/proc/kallsyms", "re");
	size_t n;

	if (!file)
		return -errno;
	n = fread(line, 1, 8, file);
	/* the first symbol of x86-64 is at 0 (per-CPU data) on some kernels: look further */
	for (int i = 0; n && strspn(line, "0") >= 8 && i < 4000 && fgets(line, sizeof(line), file);
	     i++)
		;
	fclose(file);
	line[8] = '\0';
	if (n && strspn(line, "0") < 8)
		return 0;
	snprintf(ret->why, sizeof(ret->why), "/proc/kallsyms shows zeros to user %u", geteuid());
	snprintf(ret->hint, sizeof(ret->hint),
		 "CAP_SYSLOG (root), or sysctl -w kernel.kptr_restrict=0");
	return -EPERM;
}

int probe_lockdown(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	static const char *const names[] = {"none", "integrity", "confidentiality"};
	enum skep_lockdown level = skep_lockdown();

	if (level != SKEP_LOCKDOWN_NONE)
		snprintf(ret->why, sizeof(ret->why), "lockdown is %s", names[level]);
	if (level != SKEP_LOCKDOWN_CONFIDENTIALITY)
		return 0;
	snprintf(ret->hint, sizeof(ret->hint), "boot without lockdown=confidentiality");
	return -EPERM;
}

int probe_io_uring(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	struct io_uring_params params;
	int fd;

	memset(&params, 0, sizeof(params));
	fd = (int)syscall(SYS_io_uring_setup, 1, &params);
	if (fd >= 0)
		return fd;
	snprintf(ret->why, sizeof(ret->why), "io_uring is switched off (%s)", strerror(errno));
	snprintf(ret->hint, sizeof(ret->hint), "sysctl -w kernel.io_uring_disabled=0");
	return -errno;
}

int probe_cap(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	if (skep_has_cap((int)feature->arg))
		return 0;
	snprintf(ret->why, sizeof(ret->why), "user %u has the capabilities 0x%llx, without it",
		 geteuid(), (unsigned long long)skep_caps_effective());
	snprintf(ret->hint, sizeof(ret->hint),
		 geteuid() ? "run it as root (sudo), or with %s"
			   : "start the container, service or machine this root lives in with %s",
		 feature->name);
	return -EPERM;
}

int probe_sysctl(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	char path[128];
	int64_t value;
	int err;

	snprintf(path, sizeof(path), "/proc/sys/%s", feature->name);
	for (char *at = path + strlen("/proc/sys/"); *at; at++)
		*at = *at == '.' ? '/' : *at;
	err = skep_file_number(path, &value);
	if (err)
		return err;
	snprintf(ret->why, sizeof(ret->why), "it is %lld", (long long)value);
	if (feature->arg2 ? value >= feature->arg : value <= feature->arg)
		return 0;
	/* opening BPF to everybody is no advice to give */
	if (feature->arg)
		snprintf(ret->hint, sizeof(ret->hint), "sysctl -w %s=%ld", feature->name,
			 feature->arg);
	return -EPERM;
}
