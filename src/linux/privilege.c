/* Capabilities, sysctls, lockdown: what is missing, in words. See privilege.h. */
#include "linux/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "linux/procfs.h"

#define BIT(n)         (UINT64_C(1) << (n))
#define LOCKDOWN_NEVER (SKEP_LOCKDOWN_CONFIDENTIALITY + 1)

static const struct need {
	uint64_t caps;
	const char *sysctl;
	int lockdown; /* forbidden from this level on */
} needs[SKEP_PRIVILEGE_CNT] = {
#define PRIVILEGE(name, ...) [SKEP_PRIVILEGE_##name] = {__VA_ARGS__},
#include "linux/privilege.def"
#undef PRIVILEGE
};

static const struct {
	int cap;
	const char *name;
} cap_names[] = {
	{CAP_BPF, "CAP_BPF"},
	{CAP_PERFMON, "CAP_PERFMON"},
	{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
	{CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE"},
	{CAP_NET_ADMIN, "CAP_NET_ADMIN"},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
	{CAP_SYSLOG, "CAP_SYSLOG"},
};

uint64_t skep_caps_effective(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

static uint64_t with_sys_admin(uint64_t caps)
{
	if (caps & BIT(CAP_SYS_ADMIN))
		caps |= BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_NET_ADMIN);
	return caps;
}

bool skep_has_cap(int cap)
{
	return with_sys_admin(skep_caps_effective()) & BIT(cap);
}

const char *skep_cap_name(int cap)
{
	for (size_t i = 0; i < sizeof(cap_names) / sizeof(cap_names[0]); i++) {
		if (cap_names[i].cap == cap)
			return cap_names[i].name;
	}
	return "CAP_?";
}

enum skep_lockdown skep_lockdown_parse(const char *text)
{
	if (strstr(text, "[integrity]"))
		return SKEP_LOCKDOWN_INTEGRITY;
	if (strstr(text, "[confidentiality]"))
		return SKEP_LOCKDOWN_CONFIDENTIALITY;
	return SKEP_LOCKDOWN_NONE;
}

enum skep_lockdown skep_lockdown(void)
{
	_cleanup_buf_ struct skep_buf buf = {0};
	int err = skep_file_read("/sys/kernel/security/lockdown", 4096, &buf);

	return err || !buf.data ? SKEP_LOCKDOWN_NONE : skep_lockdown_parse(buf.data);
}

/* "kernel.perf_event_paranoid" is the file /proc/sys/kernel/perf_event_paranoid. */
static void why_sysctl(struct skep_diag *diag, const char *name)
{
	char path[128];
	int64_t value;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	for (char *at = path + strlen("/proc/sys/"); *at; at++)
		*at = *at == '.' ? '/' : *at;
	if (skep_file_number(path, &value) == 0)
		skep_diag_why(diag, "%s is %lld, so this needs privileges", name, (long long)value);
}

static void list_caps(uint64_t caps, const char *sep, struct skep_buf *out)
{
	for (int cap = 0; cap < 64; cap++) {
		if (caps & BIT(cap))
			skep_buf_printf(out, "%s%s", out->len ? sep : "", skep_cap_name(cap));
	}
}

static void explain_missing(struct skep_diag *diag, const struct need *need, uint64_t missing)
{
	_cleanup_buf_ struct skep_buf caps = {0};

	list_caps(missing, " and ", &caps);
	skep_diag_why(diag,
		      "this process (user %u) lacks %s; its effective capabilities are 0x%llx",
		      geteuid(), caps.data, (unsigned long long)skep_caps_effective());
	why_sysctl(diag, need->sysctl);
	skep_diag_try(diag, "run it as root (sudo), or with %s", caps.data);
}

/* Everything asked for is there, and still the kernel refused. */
static void explain_other(struct skep_diag *diag, const struct need *need)
{
	if (skep_lockdown() >= need->lockdown) {
		skep_diag_why(diag, "the kernel is locked down (confidentiality), which forbids it "
				    "to everyone");
		skep_diag_try(diag,
			      "boot without lockdown=confidentiality, or turn off Secure Boot");
		return;
	}
	skep_diag_why(diag,
		      "the capabilities are there (0x%llx): a security module, seccomp or a "
		      "container's user namespace refuses it",
		      (unsigned long long)skep_caps_effective());
	why_sysctl(diag, need->sysctl);
	skep_diag_try(diag, "run it on the host, outside the container; skep doctor shows more");
}

int skep_privilege_fail(struct skep_diag *diag, int err, enum skep_privilege needed,
			struct skep_span span, const char *action)
{
	const struct need *need = &needs[needed];
	uint64_t missing = need->caps & ~with_sys_admin(skep_caps_effective());

	skep_diag_add(diag, SKEP_DIAG_NOT_PERMITTED, span, action);
	if (missing)
		explain_missing(diag, need, missing);
	else
		explain_other(diag, need);
	return err;
}
