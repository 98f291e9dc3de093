/*
 * Any bytes as what the processes of skep export send one another, and as a client's
 * Accept. What is taken can be rendered, and packed again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "export/identity.h"
#include "sink/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_exposition(const uint8_t *data, size_t size)
{
	struct skep_exposition exposition = {.format = SKEP_METRICS_PROTOBUF}, again = {0};
	_cleanup_buf_ struct skep_buf out = {0}, packed = {0};
	uint32_t refused;

	exposition.format = (enum skep_metrics_format)(data[0] % SKEP_METRICS_FORMAT_CNT);
	again.format = exposition.format;
	if (!skep_exposition_join(&exposition, data, size, &refused)) {
		skep_exposition_render(&exposition, &out);
		skep_exposition_pack(&exposition, &packed);
		if (skep_exposition_join(&again, packed.data, packed.len, &refused))
			abort();
	}
	skep_exposition_done(&exposition);
	skep_exposition_done(&again);
}

static void as_identity(const uint8_t *data, size_t size)
{
	struct skep_export_identity identity;
	_cleanup_buf_ struct skep_buf packed = {0};

	if (skep_export_identity_unpack((const char *)data, size, &identity))
		return;
	skep_export_identity_pack(&identity, &packed);
	skep_export_identity_done(&identity);
	if (skep_export_identity_unpack(packed.data, packed.len, &identity))
		abort();
	skep_export_identity_done(&identity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = calloc(size + 1, 1);

	if (!size)
		return 0;
	memcpy(text, data, size);
	if (skep_metrics_accept(text) >= SKEP_METRICS_FORMAT_CNT)
		abort();
	as_exposition(data, size);
	as_identity(data, size);
	return 0;
}
