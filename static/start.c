/*
 * For the static program only: what comes before main().
 *
 * The C library begins a program by asking the CPU what it can, and how large its caches are, for its
 * functions of which it has one for each kind of CPU; string.c has one for all. That is some sixty
 * CPUIDs, each of which a hypervisor answers: in a virtual machine they take longer than all else
 * that the kernel and the C library do to start a process.
 *
 * This is the rest of it, in the C library's order, of Debian's 2.36; see unused.c. layout.py sees
 * to it that nothing is left whose kind would have to be chosen.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

typedef int main_function(int argc, char **argv, char **environment);
typedef void init_function(int argc, char **argv, char **environment);
typedef void fini_function(void);

extern void *__libc_stack_end;
extern const uintptr_t *_dl_random; /* two numbers from the kernel */
extern int __libc_enable_secure;
extern init_function *const __preinit_array_start[], *const __preinit_array_end[];
extern init_function *const __init_array_start[], *const __init_array_end[];
extern fini_function *const __fini_array_start[], *const __fini_array_end[];

void _dl_aux_init(const void *auxv);
void __tunables_init(char **environment);
void __libc_setup_tls(void);
void __libc_early_init(_Bool is_initial);
void __libc_init_first(int argc, char **argv, char **environment);
void __libc_check_standard_fds(void);
void *_dl_debug_initialize(uintptr_t load_address);
int __cxa_atexit(void (*function)(void *), void *argument, void *object);
void _init(void);
void _fini(void);

/* What a thread's memory begins with. */
#define OF_THREAD(offset) (*(uintptr_t __seg_fs *)(offset))
#define STACK_GUARD       OF_THREAD(0x28)
#define POINTER_GUARD     OF_THREAD(0x30)

static void run_fini(void *nothing)
{
	for (fini_function *const *at = __fini_array_end; at > __fini_array_start;)
		(*--at)();
	_fini();
}

static void run_init(int argc, char **argv)
{
	for (init_function *const *at = __preinit_array_start; at < __preinit_array_end; at++)
		(*at)(argc, argv, environ);
	_init();
	for (init_function *const *at = __init_array_start; at < __init_array_end; at++)
		(*at)(argc, argv, environ);
}

static void read_auxv(void)
{
	char **end = environ;

	while (*end)
		end++;
	_dl_aux_init(end + 1);
}

_Noreturn int __libc_start_main(main_function *function, int argc, char **argv,
				init_function *unused_init, fini_function *unused_fini,
				fini_function *unused_rtld_fini, void *stack_end);

_Noreturn __attribute__((no_stack_protector)) int
__libc_start_main(main_function *function, int argc, char **argv, init_function *unused_init,
		  fini_function *unused_fini, fini_function *unused_rtld_fini, void *stack_end)
{
	__libc_stack_end = stack_end;
	environ = argv + argc + 1;
	read_auxv();
	__tunables_init(environ);
	__libc_setup_tls();
	STACK_GUARD = _dl_random[0] & ~(uintptr_t)0xff; /* a text that runs over ends there */
	POINTER_GUARD = _dl_random[1];
	__libc_early_init(1);
	__libc_init_first(argc, argv, environ);
	__cxa_atexit(run_fini, NULL, NULL);
	if (__libc_enable_secure)
		__libc_check_standard_fds();
	run_init(argc, argv);
	_dl_debug_initialize(0);
	exit(function(argc, argv, environ));
}
