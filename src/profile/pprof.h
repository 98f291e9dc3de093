/* What profile.proto has no field for, as pprof.c writes it and pprof_read.c reads it back. */
#ifndef SKEP_PROFILE_PPROF_H
#define SKEP_PROFILE_PPROF_H

#include "profile/profile.h"

/** A function's system_name, by its frames' kind; NULL: none. */
extern const char *const skep_pprof_kinds[SKEP_FRAME_KIND_CNT];

/* What comments begin with. */
#define SKEP_PPROF_TITLE "title: "
#define SKEP_PPROF_DIFF  "difference of two profiles" /* the whole comment */
#define SKEP_PPROF_LOST  "lost "                      /* "lost 3: stack maps full" */

#endif
