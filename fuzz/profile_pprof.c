/* Any bytes as a profile, deflated or not; what was read is written as pprof and read again. */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "profile/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_profile_ struct skep_profile profile = {0}, again = {0};
	_cleanup_buf_ struct skep_buf buf = {0};

	if (skep_profile_read(data, size, "fuzz", &profile, NULL))
		return 0;
	if (skep_profile_write(&profile, SKEP_PROFILE_PPROF, NULL, &buf, NULL) ||
	    skep_profile_read(buf.data, buf.len, "fuzz", &again, NULL))
		abort();
	if (again.n_types != profile.n_types)
		abort();
	if (again.n_types == 1 && skep_profile_total(&again, 0) != skep_profile_total(&profile, 0))
		abort();
	return 0;
}
