/*
 * The overlay: code and tables that the static program keeps compressed until something needs them
 * (static/overlay.c). Other programs have no overlay, and everything in its place.
 *
 * What lies in it, and who may call into it, is in static/layout.py.
 */
#ifndef SKEP_BASE_OVERLAY_H
#define SKEP_BASE_OVERLAY_H

/**
 * Put the overlay to its place, unless it is there. From then on all of it can be called.
 *
 * Return  0 | -errno it cannot be mapped
 * Thread  one at a time.   Cost some milliseconds once
 */
int skep_overlay_load(void);

#endif
