/* A program without an overlay; static/overlay.c has the other one. */
#include "base/overlay.h"

int skep_overlay_load(void)
{
	return 0;
}
