/* Colours of the flame graph, by kind of frame: warm where the program's own code runs. */
#include "profile/flame.h"

const struct skep_flame_color skep_flame_colors[SKEP_FRAME_KIND_CNT] = {
	[SKEP_FRAME_USER] = {"program", 28, 18, 88, 63},
	[SKEP_FRAME_KERNEL] = {"kernel", 4, 14, 78, 66},
	[SKEP_FRAME_INLINE] = {"inlined", 48, 8, 85, 68},
	[SKEP_FRAME_JIT] = {"compiled at run time", 95, 30, 48, 60},
	[SKEP_FRAME_INTERPRETED] = {"interpreted", 172, 20, 45, 62},
	[SKEP_FRAME_PROCESS] = {"process", 215, 10, 18, 72},
	[SKEP_FRAME_THREAD] = {"thread", 215, 10, 18, 78},
	[SKEP_FRAME_BROKEN] = {"stack ends here", 300, 20, 40, 76},
};
