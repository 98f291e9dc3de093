/* Any bytes as a capture. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_capture *capture = NULL;
	struct skep_diag diag = {0};
	struct skep_frame frame;
	FILE *file = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
	unsigned sum = 0;

	if (!file)
		return 0;
	if (!skep_capture_open(file, "fuzz", &capture, &diag)) {
		while (skep_capture_next(capture, &frame, &diag) > 0) {
			if (frame.len > SKEP_CAPTURE_MOST_BYTES || frame.wire_len < frame.len)
				abort();
			for (uint32_t i = 0; i < frame.len; i++)
				sum += frame.data[i];
		}
	}
	skep_capture_free(capture);
	skep_diag_done(&diag);
	fclose(file);
	return sum == UINT32_MAX; /* so that the bytes are read */
}
