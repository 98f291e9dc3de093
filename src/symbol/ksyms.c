/*
 * Kernel addresses to names and back.
 *
 * Names by address need an index of all code symbols, built once at the first
 * question: parallel arrays sorted by address and one blob of names, some
 * 28 bytes a symbol. An address by name needs no index: the file is read as a
 * stream and left at the first hit.
 *
 * Invariant of the index: addrs[] ascends; symbols at one address keep the
 * file's order, and the first of them names it (as the kernel's own %pS does).
 * An entry without name marks where code ends: what follows is not named after
 * the function before it.
 */
#include <skep/symbol.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <skep/diag.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/strmap.h"
#include "base/vec.h"
#include "linux/bpf.h"
#include "linux/procfs.h"
#include "symbol/kallsyms.h"

#define NO_NAME UINT32_MAX
/* No function is this large: an address so far behind the last symbol is in none. */
#define OFFSET_MAX (4ULL << 20)
/* A real kernel has a few hundred thousand symbols. */
#define SYMBOLS_MAX   (8U << 20)
#define USUAL_SYMBOLS (256 * 1024)
#define MODULES_MOST  (1u << 20)

struct index {
	SKEP_VEC(uint64_t) addrs;
	SKEP_VEC(uint32_t) names;   /* offsets in text, or NO_NAME */
	SKEP_VEC(uint16_t) modules; /* 1 + index in module_names, 0: the kernel itself */
	SKEP_VEC(uint32_t) module_names;
	struct skep_buf text; /* NUL-terminated strings */
	bool any_addr;        /* an address was not 0 */
	size_t n_sorted;      /* so many from the start ascend; 0: all */
	uint64_t lowest_late; /* of the addresses that came after a higher one */
};

struct skep_ksyms {
	const char *path;
	struct index index;
	bool loaded;
	int err;           /* of loading; it is not tried again */
	uint64_t contents; /* of the kernel then, see contents() */
};

struct skep_ksyms *skep_ksyms_new_from(const char *path)
{
	struct skep_ksyms *syms = skep_xcalloc(1, sizeof(*syms));

	syms->path = path;
	return syms;
}

struct skep_ksyms *skep_ksyms_new(void)
{
	return skep_ksyms_new_from("/proc/kallsyms");
}

static void index_done(struct index *index)
{
	skep_vec_done(&index->addrs);
	skep_vec_done(&index->names);
	skep_vec_done(&index->modules);
	skep_vec_done(&index->module_names);
	skep_buf_done(&index->text);
}

void skep_ksyms_free(struct skep_ksyms *syms)
{
	if (!syms)
		return;
	index_done(&syms->index);
	free(syms);
}

static uint32_t add_text(struct index *index, const char *text, size_t len)
{
	uint32_t at = (uint32_t)index->text.len;
	char *to = skep_buf_reserve(&index->text, len + 1);

	memcpy(to, text, len);
	to[len] = '\0';
	index->text.len += len + 1;
	return at;
}

/* The padding before a function is called __pfx_ and the function's name, and comes before it: half
 * of all names are the end of the one before. */
static uint32_t add_name(struct index *index, const struct skep_kallsyms_line *line)
{
	size_t n = index->names.len, padding = strlen("__pfx_"), len;
	const char *last;

	if (n && index->names.data[n - 1] != NO_NAME) {
		last = index->text.data + index->names.data[n - 1];
		len = strlen(last);
		if (len == line->name_len + padding && !strncmp(last, "__pfx_", padding) &&
		    !memcmp(last + padding, line->name, line->name_len))
			return index->names.data[n - 1] + (uint32_t)padding;
	}
	return add_text(index, line->name, line->name_len);
}

/* Symbols of a module follow each other, so only the last one is compared. */
static uint16_t module_id(struct index *index, const struct skep_kallsyms_line *line)
{
	const char *last;

	if (!line->module_len)
		return 0;
	if (index->module_names.len) {
		last = index->text.data + *skep_vec_last(&index->module_names);
		if (strlen(last) == line->module_len &&
		    memcmp(last, line->module, line->module_len) == 0)
			return (uint16_t)index->module_names.len;
	}
	if (index->module_names.len == UINT16_MAX)
		return 0;
	skep_vec_push(&index->module_names, add_text(index, line->module, line->module_len));
	return (uint16_t)index->module_names.len;
}

static bool name_is(const struct skep_kallsyms_line *line, const char *name)
{
	return line->name_len == strlen(name) && memcmp(line->name, name, line->name_len) == 0;
}

/* Code, and not one of the labels behind the kernel's last function. */
static bool names_code(const struct skep_kallsyms_line *line)
{
	switch (line->type) {
	case 't':
	case 'T':
	case 'w':
	case 'W':
	case 'i': return !name_is(line, "_etext") && !name_is(line, "_einittext");
	default: return false;
	}
}

static void note_disorder(struct index *index, uint64_t addr)
{
	if (!index->n_sorted) {
		index->n_sorted = index->addrs.len;
		index->lowest_late = addr;
	}
	if (addr < index->lowest_late)
		index->lowest_late = addr;
}

static int add_symbol(void *ctx, const struct skep_kallsyms_line *line)
{
	struct index *index = ctx;
	size_t n = index->addrs.len;
	bool code = names_code(line);

	index->any_addr |= line->addr != 0;
	/* One end mark is enough for any stretch of data. */
	if (!code && n && index->names.data[n - 1] == NO_NAME && !line->module_len)
		return 0;
	if (line->addr == 0 || n == SYMBOLS_MAX || index->text.len > NO_NAME / 2)
		return 0;
	if (n && line->addr < index->addrs.data[n - 1])
		note_disorder(index, line->addr);
	skep_vec_push(&index->addrs, line->addr);
	skep_vec_push(&index->modules, module_id(index, line));
	skep_vec_push(&index->names, code ? add_name(index, line) : NO_NAME);
	return 0;
}

struct place {
	uint64_t addr;
	uint32_t at;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

/* How many of the first @n symbols, which ascend, start at or below @addr. */
static size_t count_upto(const struct index *index, size_t n, uint64_t addr)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (index->addrs.data[mid] <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * The kernel itself comes in order; modules and BPF programs may not. So only
 * the part from the lowest address that came late is sorted.
 */
static void sort_index(struct index *index)
{
	size_t first = count_upto(index, index->n_sorted, index->lowest_late);
	size_t n = index->addrs.len - first;
	_cleanup_free_ struct place *places = skep_xcalloc(n, sizeof(*places));
	_cleanup_free_ uint32_t *names = skep_xcalloc(n, sizeof(*names));
	_cleanup_free_ uint16_t *modules = skep_xcalloc(n, sizeof(*modules));

	for (size_t i = 0; i < n; i++)
		places[i] = (struct place){index->addrs.data[first + i], (uint32_t)(first + i)};
	qsort(places, n, sizeof(*places), compare_places);
	for (size_t i = 0; i < n; i++) {
		index->addrs.data[first + i] = places[i].addr;
		names[i] = index->names.data[places[i].at];
		modules[i] = index->modules.data[places[i].at];
	}
	memcpy(index->names.data + first, names, n * sizeof(*names));
	memcpy(index->modules.data + first, modules, n * sizeof(*modules));
}

/* Give back what doubling left over. */
static void trim_index(struct index *index)
{
	size_t n = index->addrs.len;

	if (!n)
		return;
	index->addrs.data = skep_xrealloc(index->addrs.data, n * sizeof(*index->addrs.data));
	index->names.data = skep_xrealloc(index->names.data, n * sizeof(*index->names.data));
	index->modules.data = skep_xrealloc(index->modules.data, n * sizeof(*index->modules.data));
	index->addrs.cap = index->names.cap = index->modules.cap = n;
	if (index->text.len) {
		index->text.data = skep_xrealloc(index->text.data, index->text.len + 1);
		index->text.cap = index->text.len + 1;
	}
}

/* Room for a usual kernel at once; what is not touched costs nothing, and is given back. */
static void reserve_index(struct index *index)
{
	index->addrs.cap = index->names.cap = index->modules.cap = USUAL_SYMBOLS;
	index->addrs.data = skep_xmalloc(USUAL_SYMBOLS * sizeof(*index->addrs.data));
	index->names.data = skep_xmalloc(USUAL_SYMBOLS * sizeof(*index->names.data));
	index->modules.data = skep_xmalloc(USUAL_SYMBOLS * sizeof(*index->modules.data));
	skep_buf_reserve(&index->text, USUAL_SYMBOLS * 32);
}

static int build_index(const char *path, struct index *index)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	reserve_index(index);
	err = skep_kallsyms_read(fd, add_symbol, index);
	if (err)
		return err;
	if (!index->any_addr)
		return -EPERM;
	if (index->n_sorted)
		sort_index(index);
	trim_index(index);
	return 0;
}

/* What it has loaded: its modules, and the last of its programs, whose numbers rise. */
static uint64_t contents(void)
{
	_cleanup_buf_ struct skep_buf modules = {0};
	uint32_t id = 0;

	skep_file_read("/proc/modules", MODULES_MOST, &modules);
	while (!skep_bpf_next_id(BPF_PROG_GET_NEXT_ID, id, &id))
		;
	return skep_hash_bytes(modules.data ? modules.data : "", modules.len) + id;
}

void skep_ksyms_refresh(struct skep_ksyms *syms)
{
	if (!syms->loaded || syms->contents == contents())
		return;
	index_done(&syms->index);
	syms->index = (struct index){0};
	syms->loaded = false;
}

static int load(struct skep_ksyms *syms)
{
	if (!syms->loaded) {
		syms->loaded = true;
		syms->contents = contents();
		syms->err = build_index(syms->path, &syms->index);
		if (syms->err) {
			index_done(&syms->index);
			syms->index = (struct index){0};
		}
	}
	return syms->err;
}

static void fill(const struct index *index, size_t i, uint64_t addr, struct skep_symbol *ret)
{
	uint16_t module = index->modules.data[i];

	ret->name = index->text.data + index->names.data[i];
	ret->module = NULL;
	if (module)
		ret->module = index->text.data + index->module_names.data[module - 1];
	ret->offset = addr - index->addrs.data[i];
}

int skep_ksyms_lookup(struct skep_ksyms *syms, uint64_t addr, struct skep_symbol *ret)
{
	const struct index *index = &syms->index;
	size_t i, best = SIZE_MAX;
	int err = load(syms);

	if (err)
		return err;
	i = count_upto(index, index->addrs.len, addr);
	if (!i || addr - index->addrs.data[i - 1] > OFFSET_MAX)
		return -ENOENT;
	for (uint64_t start = index->addrs.data[i - 1]; i && index->addrs.data[i - 1] == start; i--)
		if (index->names.data[i - 1] != NO_NAME)
			best = i - 1;
	if (best == SIZE_MAX)
		return -ENOENT;
	fill(index, best, addr, ret);
	return 0;
}

size_t skep_ksyms_memory(const struct skep_ksyms *syms)
{
	const struct index *index = &syms->index;

	return sizeof(*syms) + index->addrs.cap * sizeof(uint64_t) +
	       (index->names.cap + index->module_names.cap) * sizeof(uint32_t) +
	       index->modules.cap * sizeof(uint16_t) + index->text.cap;
}

struct search {
	const char *name;
	size_t len;
	bool found, any_addr;
	uint64_t addr;
};

/* An address of 0 is real for per-CPU symbols, but only if addresses are shown at all. */
static int look_for(void *ctx, const struct skep_kallsyms_line *line)
{
	struct search *search = ctx;

	search->any_addr |= line->addr != 0;
	if (!search->found && line->name_len == search->len &&
	    memcmp(line->name, search->name, search->len) == 0) {
		search->found = true;
		search->addr = line->addr;
	}
	return search->found && search->any_addr;
}

int skep_ksyms_find(struct skep_ksyms *syms, const char *name, uint64_t *ret_addr)
{
	_cleanup_close_ int fd = open(syms->path, O_RDONLY | O_CLOEXEC);
	struct search search = {.name = name, .len = strlen(name)};
	int err;

	if (fd < 0)
		return -errno;
	err = skep_kallsyms_read(fd, look_for, &search);
	if (err < 0)
		return err;
	if (!search.any_addr)
		return -EPERM;
	if (!search.found)
		return -ENOENT;
	*ret_addr = search.addr;
	return 0;
}

int skep_ksyms_explain(int err, struct skep_diag *diag)
{
	int64_t restricted = -1;

	if (err != -EPERM)
		return skep_diag_fail(diag, err, SKEP_DIAG_FILE_READ, SKEP_NOWHERE,
				      "/proc/kallsyms", strerror(-err));
	skep_file_number("/proc/sys/kernel/kptr_restrict", &restricted);
	return skep_diag_fail(diag, err, SKEP_DIAG_KSYMS_HIDDEN, SKEP_NOWHERE, (int)restricted);
}
