/*
 * For the static program (./dev dist) only: what libraries refer to and nothing here comes to call.
 * The linker takes these for it, and leaves out what would lie there dead.
 *
 * libbpf can attach to USDT probes; skep has its own way, and attaches no object of libbpf's.
 * libevent can have the C library look up names of hosts and services, which would load what the
 * machine has for it: hosts are looked up by libevent itself (src/http), and nobody asks what those
 * are called who connect.
 * The C library unwinds the stack of a thread that is cancelled: no thread is, and the tables for it
 * are left out too (layout.py).
 *
 * ncurses draws labels of function keys, of which nobody makes any; its function for their colours
 * lies with all those that are macros otherwise.
 *
 * The end of the file is the C library's inside, of Debian's 2.36: a linker that finds there
 * anything twice, or wants more, speaks of another version. Nothing is loaded at run time, so that
 * nothing looks for where to load it from, or for modules that convert character sets: those that
 * are built in, UTF-8 and ASCII, stay. Nothing is translated, because no locale of messages is set.
 * Nothing writes to a stream of wide characters; ncurses has its own way to the terminal. No format
 * asks for a hexadecimal fraction (%a). No name is looked up, so that no thread has a resolver.
 */
#include <errno.h>
#include <libintl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *address)
{
}

const char *gai_strerror(int code)
{
	return "names are not looked up";
}

/* evhttp wants a name and a port of each connection, if only to keep them. */
int getnameinfo(const struct sockaddr *address, socklen_t len, char *host, socklen_t host_len,
		char *service, socklen_t service_len, int flags)
{
	if (host && host_len > 1)
		strcpy(host, "-");
	if (service && service_len > 1)
		strcpy(service, "0");
	return 0;
}

struct servent *getservbyname(const char *name, const char *protocol)
{
	return NULL;
}

struct protoent *getprotobynumber(int number)
{
	return NULL;
}

struct bpf_object;
struct usdt_manager;
struct usdt_manager *usdt_manager_new(struct bpf_object *object);
void usdt_manager_free(struct usdt_manager *manager);
struct bpf_link *usdt_manager_attach_usdt(struct usdt_manager *manager);

struct usdt_manager *usdt_manager_new(struct bpf_object *object)
{
	errno = ENOTSUP;
	return NULL;
}

void usdt_manager_free(struct usdt_manager *manager)
{
}

struct bpf_link *usdt_manager_attach_usdt(struct usdt_manager *manager)
{
	errno = ENOTSUP;
	return NULL;
}

#define NEVER_CALLED(name)                                                                         \
	_Noreturn void name(void);                                                                 \
	_Noreturn void name(void)                                                                  \
	{                                                                                          \
		abort();                                                                           \
	}

NEVER_CALLED(_Unwind_Resume)
NEVER_CALLED(_Unwind_ForcedUnwind)
NEVER_CALLED(_Unwind_GetCFA)
NEVER_CALLED(_Unwind_Backtrace)
NEVER_CALLED(_Unwind_GetIP)
NEVER_CALLED(__gcc_personality_v0)
NEVER_CALLED(wattrset)

/* --- The C library's inside ------------------------------------------------------------------ */

char *dcgettext(const char *domain, const char *text, int category)
{
	return (char *)text;
}

char *__dcgettext(const char *domain, const char *text, int category);
char *__dcgettext(const char *domain, const char *text, int category)
{
	return (char *)text;
}

extern int _nl_msg_cat_cntr;
int _nl_msg_cat_cntr;                   /* changes when translations do */
extern _Thread_local void *__libc_resp; /* a thread's resolver: set, but not used */
_Thread_local void *__libc_resp;

#define NOTHING_TO_DO(name)                                                                        \
	int name(void);                                                                            \
	int name(void)                                                                             \
	{                                                                                          \
		return 0;                                                                          \
	}

NOTHING_TO_DO(_dl_init_paths)            /* where libraries are */
NOTHING_TO_DO(_dl_protect_relro)         /* of a library */
NOTHING_TO_DO(__nptl_change_stack_perm)  /* a library that wants to execute its stack */
NOTHING_TO_DO(_dl_mcount_wrapper_check)  /* a library is profiled */
NOTHING_TO_DO(_nl_finddomain_subfreeres) /* of translations */
NOTHING_TO_DO(__gconv_release_shlib)     /* of a module */
NOTHING_TO_DO(__gconv_find_shlib)        /* NULL: there is no such module */
NEVER_CALLED(__vfwprintf_internal)
NEVER_CALLED(__printf_fphex)
