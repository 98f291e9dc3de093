/*
 * The system calls of code that is not ours, routed to a machine: libbpf's loader, unmodified, on
 * the user engine. A program linked with
 *
 *	-Wl,--wrap=syscall,--wrap=mmap,--wrap=mmap64,--wrap=epoll_ctl
 *
 * and this file has its bpf(2) answered by the machine that was chosen (skep_machine_route()), and
 * by the kernel as long as none was. What the machine calls in turn goes to the system.
 */
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <skep/machine.h>

#define N_ARGS 6

long __real_syscall(long nr, ...);
void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
int __real_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
long __wrap_syscall(long nr, ...);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off);
int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);

static struct skep_machine *of_process;
static _Thread_local struct skep_machine *of_thread;
static _Thread_local bool inside; /* the machine is at work: its own calls are the system's */

void skep_machine_route(struct skep_machine *machine)
{
	__atomic_store_n(&of_process, machine, __ATOMIC_RELEASE);
}

void skep_machine_route_thread(struct skep_machine *machine)
{
	of_thread = machine;
}

static struct skep_machine *chosen(void)
{
	if (inside)
		return NULL;
	return of_thread ? of_thread : __atomic_load_n(&of_process, __ATOMIC_ACQUIRE);
}

/* As the C library's: six are passed on whatever there are, so some are read that nobody gave. */
__attribute__((no_sanitize("address"))) long __wrap_syscall(long nr, ...)
{
	struct skep_machine *machine = nr == __NR_bpf ? chosen() : NULL;
	long args[N_ARGS], result;
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < N_ARGS; i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	if (!machine)
		return __real_syscall(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
	inside = true;
	result = skep_machine_bpf(machine, (int)args[0], (union bpf_attr *)args[1],
				  (unsigned)args[2]);
	inside = false;
	return result;
}

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	struct skep_machine *machine = fd >= 0 && !(flags & MAP_ANONYMOUS) ? chosen() : NULL;
	void *at;

	if (!machine)
		return __real_mmap(addr, len, prot, flags, fd, off);
	inside = true;
	at = skep_machine_mmap(machine, addr, len, prot, flags, fd, off);
	inside = false;
	return at;
}

void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return __wrap_mmap(addr, len, prot, flags, fd, off);
}

int __wrap_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	struct skep_machine *machine = chosen();
	int result;

	if (!machine)
		return __real_epoll_ctl(epfd, op, fd, event);
	inside = true;
	result = skep_machine_epoll_ctl(machine, epfd, op, fd, event);
	inside = false;
	return result;
}
