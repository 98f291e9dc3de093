/* What is lost on the way to complete stacks, by cause: rows of losses.def. */
#ifndef SKEP_UNWIND_LOSSES_H
#define SKEP_UNWIND_LOSSES_H

#include <stdint.h>

enum skep_unwind_loss {
#define UNWIND_LOSS(name, words) SKEP_UNWIND_LOST_##name,
#include "unwind/losses.def"
#undef UNWIND_LOSS
	SKEP_UNWIND_LOSS_CNT
};

struct skep_unwind_losses {
	uint64_t n[SKEP_UNWIND_LOSS_CNT];
};

/** "processes that there was no room for" */
const char *skep_unwind_loss_words(enum skep_unwind_loss loss);

#endif
