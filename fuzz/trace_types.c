/*
 * Any text as a script: parsed and checked, with providers of our own. What is
 * found to be right must have a type wherever lowering will look for one.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "../tests/trace/types/script.h"

static void look_at(const struct skep_stmt *list)
{
	for (; list; list = list->next) {
		bool has_value = list->kind == SKEP_S_ASSIGN || list->kind == SKEP_S_EXPR;

		if (has_value && !list->value->type)
			abort();
		if (list->target && !list->target->type && list->kind != SKEP_S_LET)
			abort();
		if (list->cond && !list->cond->type)
			abort();
		look_at(list->body);
		look_at(list->else_body);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const params[] = {"42", "abc"};
	char *text = strndup((const char *)data, size);
	struct script s;

	if (!script_check(&s, text, params, 2, true)) {
		for (uint32_t i = 0; i < s.n_places; i++) {
			if (skep_check_probe(&s.check, s.places[i]))
				abort();
			look_at(s.places[i]->def->body);
		}
	}
	script_done(&s);
	free(text);
	return 0;
}
