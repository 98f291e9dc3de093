/* skep trace --info: features under the names that scripts written for bpftrace look for. */
#include <stdio.h>
#include <sys/utsname.h>

#include "cmd/trace/info.h"
#include "linux/feature.h"

static const struct {
	const char *name;
	enum skep_feature_id feature;
} rows[] = {
#define INFO(name, feature) {name, SKEP_FEATURE_##feature},
#include "cmd/trace/info.def"
#undef INFO
};

void skep_trace_info(void)
{
	struct utsname host;

	uname(&host);
	printf("System\n  OS: %s %s\n  Arch: %s\n\nBuild\n  version: v" SKEP_VERSION
	       "\n\nKernel features\n",
	       host.sysname, host.release, host.machine);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf("  %s: %s\n", rows[i].name,
		       skep_has_feature(rows[i].feature) ? "yes" : "no");
}
