#!/bin/sh
# Rows SYSCALL(name) of syscall.c: the system calls of the machine that is compiled for, as the
# compiler given as arguments finds them in its <sys/syscall.h>.
set -eu
echo '#include <sys/syscall.h>' | "$@" -E -dM - |
	sed -n 's/^#define __NR_\([a-z0-9_]*\) .*/SYSCALL(\1)/p' |
	grep -v -e '(syscalls)' -e '(arch_specific_syscall)' | LC_ALL=C sort
