/* Where the running program's own code is in its file: for uprobes on ourselves. */
#ifndef SKEP_LINUX_OWN_CODE_H
#define SKEP_LINUX_OWN_CODE_H

#include <stdint.h>

/** The offset in /proc/self/exe of what is at @address; 0: that is not of the program itself. */
uint64_t skep_own_file_off(uintptr_t address);

#endif
