/* What svg.c puts into each flame graph: flame.js, flame.css, and colours by kind. Private to
 * src/profile. */
#ifndef SKEP_PROFILE_FLAME_H
#define SKEP_PROFILE_FLAME_H

#include "profile/profile.h"

extern const char skep_flame_js[], skep_flame_css[];

/** Hues from @hue on, and lightness from @light on: the name decides within them. */
struct skep_flame_color {
	const char *word; /* of the kind, for people */
	unsigned hue, hues, saturation, light;
};
extern const struct skep_flame_color skep_flame_colors[SKEP_FRAME_KIND_CNT];

#endif
