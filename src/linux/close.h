/*
 * Closing many perf events and links without waiting for each.
 *
 * The kernel waits for an RCU grace period, some tens of milliseconds, when a
 * program comes off an event, and for another, under one global lock, when
 * the event itself goes: 360 tracepoints closed in turn take half a minute.
 */
#ifndef SKEP_LINUX_CLOSE_H
#define SKEP_LINUX_CLOSE_H

#include <stddef.h>

/** Close all @fds, waiting for the kernel in parallel. They are closed on return. */
void skep_close_parallel(const int *fds, size_t n);
/**
 * Close all @fds and, if they are more than a few, leave what that takes to the kernel, in the
 * background, where it can.
 *
 * For files that no longer do anything, such as events without a program. The descriptors are
 * gone on return; what they stood for goes a little later, also when this process ends before.
 */
void skep_close_background(const int *fds, size_t n);

#endif
