/*
 * Names of the kernel's functions, from ftrace's list ("vfs_read", "tun_net_xmit
 * [tun]") or from /proc/kallsyms ("ffffffff81000000 T vfs_read", a module behind a
 * tab). Both are tens of thousands of lines, read once.
 */
#include "trace/provider/kfuncs.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/vec.h"
#include "linux/bpf.h"

#define MAX_BYTES  (64u << 20)
#define LINE_BYTES 1024

/** What is looked for, and where it goes. */
struct search {
	struct skep_arena *arena;
	const char *module, *func;
	struct skep_names *names;
	bool is_kallsyms;
};

/* "[tun]" becomes "tun"; nothing, or a place of BPF programs, the kernel itself. */
static const char *module_of(char *word)
{
	size_t len = strlen(word);

	if (len < 3 || word[0] != '[' || word[len - 1] != ']')
		return SKEP_BASE_MODULE;
	word[len - 1] = '\0';
	return word + 1;
}

/* Parts the compiler cut off from a function cannot be probed by their names. */
static bool is_probeable(const char *func)
{
	return func[0] && !strstr(func, ".part.") && !strstr(func, ".cold");
}

static void match_line(const struct search *search, char *line)
{
	char *save, *func = strtok_r(line, " \t\n", &save);

	if (search->is_kallsyms) {
		const char *type = strtok_r(NULL, " \t\n", &save);
		if (!type || !strchr("tTwW", *type))
			return;
		func = strtok_r(NULL, " \t\n", &save);
	}
	char *word = strtok_r(NULL, " \t\n", &save);
	const char *module = word ? module_of(word) : SKEP_BASE_MODULE;
	if (!func || !is_probeable(func) || !skep_wildcard_match(search->func, func) ||
	    !skep_wildcard_match(search->module, module))
		return;
	skep_vec_push(search->names, skep_arena_printf(search->arena, "%s:%s", module, func));
}

/* What a file of the kernel's says, read once a compilation: it makes the text line by line, which
 * takes it some 100 ms. */
static int read_once(struct skep_expand *x, const char *path, const char **cache)
{
	_cleanup_buf_ struct skep_buf buf = {0};
	int err = *cache ? 0 : skep_file_read(path, MAX_BYTES, &buf);

	if (!err && !*cache)
		*cache = skep_arena_strdup(x->arena, buf.data ? buf.data : "");
	return err;
}

static void match_text(const struct search *search, const char *text)
{
	char line[LINE_BYTES];

	while (*text) {
		size_t len = strcspn(text, "\n");
		if (len < sizeof(line)) {
			memcpy(line, text, len);
			line[len] = '\0';
			match_line(search, line);
		}
		text += len + (text[len] == '\n');
	}
}

static int match_file(struct skep_expand *x, const struct search *search, const char *path,
		      const char **cache)
{
	int err = read_once(x, path, cache);

	if (!err)
		match_text(search, *cache);
	return err;
}

int skep_kfuncs_match(struct skep_expand *x, const char *module, const char *func,
		      bool traceable_only, struct skep_names *names)
{
	struct search search = {x->arena, module, func, names, false};
	const char *root = skep_tracefs();
	int err = -ENOENT;

	if (root)
		err = match_file(x, &search,
				 skep_arena_printf(x->arena, "%s/available_filter_functions", root),
				 &x->traceable);
	if ((err || !names->len) && !traceable_only) {
		search.is_kallsyms = true;
		err = match_file(x, &search, "/proc/kallsyms", &x->symbols);
	}
	skep_spec_names_sort_unique(names);
	return err;
}
