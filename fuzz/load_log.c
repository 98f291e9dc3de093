/* Any bytes as a verifier log: a verdict is found or not, and told. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "load/explain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_object_line lines[] = {{0, {0, 1}}, {5, {3, 4}}};
	const struct skep_object_prog prog = {.name = "p", .lines = lines, .n_lines = 2};
	struct skep_diag diag = {0};
	char *log = malloc(size + 1);

	memcpy(log, data, size);
	log[size] = '\0';
	load_explain(&prog, log, -22, &diag);
	skep_diag_done(&diag);
	free(log);
	return 0;
}
