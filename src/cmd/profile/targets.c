/* The processes that a profile is of: when they have all ended there is nothing more to see. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/profile/profile.h"

/* One that is not there any more has ended; of any other it has to be known when it does. */
int skep_profile_targets_open(struct skep_profile_targets *targets,
			      const struct skep_profiler_wish *wish, struct skep_diag *diag)
{
	for (; targets->n < wish->n_pids; targets->n++) {
		int pid = (int)wish->pids[targets->n];
		int fd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (fd < 0 && errno != ESRCH)
			return skep_diag_fail(diag, -errno, SKEP_DIAG_PROCESS_WAIT, SKEP_NOWHERE,
					      pid, strerror(errno));
		targets->fds[targets->n] = fd;
	}
	return 0;
}

uint32_t skep_profile_targets_fds(const struct skep_profile_targets *targets, struct pollfd *ret)
{
	for (uint32_t i = 0; i < targets->n; i++)
		ret[i] = (struct pollfd){.fd = targets->fds[i], .events = POLLIN};
	return targets->n;
}

bool skep_profile_targets_ended(struct skep_profile_targets *targets, const struct pollfd *fds)
{
	uint32_t ended = 0;

	for (uint32_t i = 0; i < targets->n; i++) {
		if (fds[i].fd >= 0 && fds[i].revents)
			skep_close(&targets->fds[i]);
		ended += targets->fds[i] < 0;
	}
	return targets->n && ended == targets->n;
}

void skep_profile_targets_done(struct skep_profile_targets *targets)
{
	while (targets->n)
		skep_close(&targets->fds[--targets->n]);
}
