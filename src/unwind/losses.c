/* Words for what is lost, see losses.h. */
#include "unwind/losses.h"

const char *skep_unwind_loss_words(enum skep_unwind_loss loss)
{
	static const char *const words[] = {
#define UNWIND_LOSS(name, text) [SKEP_UNWIND_LOST_##name] = text,
#include "unwind/losses.def"
#undef UNWIND_LOSS
	};

	return loss < SKEP_UNWIND_LOSS_CNT ? words[loss] : "";
}
