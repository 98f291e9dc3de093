/*
 * Any bytes as a configuration of skep export. What is refused has a reason, and its
 * place is in the text; what is taken is complete.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "export/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_script(const struct skep_export_script *script)
{
	if (!script->tool == !script->file || !script->identity.name || !script->identity.prefix)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct skep_source source = {"dir/fuzz.yml", (const char *)data, size};
	struct skep_diag diag = {.source = &source};
	_cleanup_buf_ struct skep_buf out = {0};
	struct skep_export_config config;
	int err = skep_export_config_parse(&source, &config, &diag);

	if (err && !diag.n_errors)
		abort(); /* refused without a word */
	for (size_t i = 0; !err && i < config.scripts.len; i++)
		check_script(&config.scripts.data[i]);
	for (size_t i = 0; i < diag.n_items; i++) {
		if (diag.items[i].span.off > size ||
		    diag.items[i].span.len > size - diag.items[i].span.off)
			abort();
	}
	skep_diag_render(&diag, false, &out);
	skep_export_config_done(&config);
	skep_diag_done(&diag);
	return 0;
}
