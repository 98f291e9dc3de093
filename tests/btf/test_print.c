/* Types as C: every shape of declarator, by hand; then the kernel's types against bpftool. */
#include "raw.h"

#include <ctype.h>
#include <stdio.h>

#include "base/strmap.h"

static void expect_decl(const struct skep_btf *btf, uint32_t id, const char *var, const char *text)
{
	struct skep_buf out = {0};

	skep_btf_print_decl(btf, id, var, &out);
	assert_string_equal(out.data, text);
	skep_buf_done(&out);
}

static void expect_def(const struct skep_btf *btf, uint32_t id, bool offsets, const char *text)
{
	struct skep_buf out = {0};

	skep_btf_print_def(btf, id, offsets, &out);
	assert_string_equal(out.data, text);
	skep_buf_done(&out);
}

static void declarators(void **state)
{
	struct raw raw = {0};
	struct skep_btf *btf;

	raw_int(&raw, "int", 4, 32);                   /* 1 */
	raw_type(&raw, SKEP_BTF_PTR, "", 0, 1);        /* 2: int * */
	raw_array(&raw, 2, 4);                         /* 3: int *[4] */
	raw_type(&raw, SKEP_BTF_PTR, "", 0, 3);        /* 4: int *(*)[4] */
	raw_array(&raw, 1, 3);                         /* 5: int[3] */
	raw_array(&raw, 5, 2);                         /* 6: int[2][3] */
	raw_type(&raw, SKEP_BTF_FUNC_PROTO, "", 2, 2); /* 7: int *(int n, ...) */
	raw_pair(&raw, "n", 1);
	raw_pair(&raw, "", 0);
	raw_type(&raw, SKEP_BTF_PTR, "", 0, 7);        /* 8: int *(*)(int n, ...) */
	raw_array(&raw, 8, 2);                         /* 9 */
	raw_type(&raw, SKEP_BTF_CONST, "", 0, 1);      /* 10: const int */
	raw_type(&raw, SKEP_BTF_PTR, "", 0, 10);       /* 11: const int * */
	raw_type(&raw, SKEP_BTF_CONST, "", 0, 11);     /* 12: const int *const */
	raw_type(&raw, SKEP_BTF_VOLATILE, "", 0, 12);  /* 13 */
	raw_type(&raw, SKEP_BTF_CONST, "", 0, 0);      /* 14: const void */
	raw_type(&raw, SKEP_BTF_FUNC_PROTO, "", 1, 0); /* 15: void (int (*)(…)) */
	raw_pair(&raw, "", 8);
	raw_type(&raw, SKEP_BTF_FUNC, "call", 0, 15); /* 16 */
	raw_type(&raw, SKEP_BTF_VAR, "fops", 0, 9);   /* 17 */
	raw_word(&raw, 0);
	raw_type(&raw, SKEP_BTF_FWD, "f", 0, 0);         /* 18 */
	raw_type(&raw, SKEP_BTF_FWD, "g", KFLAG, 0);     /* 19 */
	raw_type(&raw, SKEP_BTF_TYPE_TAG, "user", 0, 1); /* 20 */
	raw_type(&raw, SKEP_BTF_PTR, "", 0, 20);         /* 21: int __user * */
	raw_type(&raw, SKEP_BTF_FUNC_PROTO, "", 0, 1);   /* 22: int (void) */
	raw_type(&raw, SKEP_BTF_STRUCT, "", 0, 0);       /* 23 */
	raw_type(&raw, SKEP_BTF_ENUM, "e\x1b[m", 0, 4);  /* 24 */
	raw_array(&raw, 13, 2);                          /* 25 */
	btf = raw_parse(&raw, NULL);
	expect_decl(btf, 0, NULL, "void");
	expect_decl(btf, 1, NULL, "int");
	expect_decl(btf, 2, "p", "int *p");
	expect_decl(btf, 3, "p", "int *p[4]");
	expect_decl(btf, 4, "p", "int *(*p)[4]");
	expect_decl(btf, 4, NULL, "int *(*)[4]");
	expect_decl(btf, 6, "m", "int m[2][3]");
	expect_decl(btf, 7, "f", "int *f(int n, ...)");
	expect_decl(btf, 9, "f", "int *(*f[2])(int n, ...)");
	expect_decl(btf, 11, "p", "const int *p");
	expect_decl(btf, 12, "p", "const int *const p");
	expect_decl(btf, 13, "p", "const int *volatile const p");
	expect_decl(btf, 25, "p", "const int *volatile const p[2]");
	expect_decl(btf, 14, NULL, "const void");
	expect_decl(btf, 16, NULL, "void call(int *(*)(int n, ...))");
	expect_decl(btf, 17, NULL, "int *(*fops[2])(int n, ...)");
	expect_decl(btf, 18, "x", "struct f x");
	expect_decl(btf, 19, NULL, "union g");
	expect_decl(btf, 21, "p", "int __user *p");
	expect_decl(btf, 22, "f", "int f(void)");
	expect_decl(btf, 23, "s", "struct { ... } s");
	expect_decl(btf, 24, NULL, "enum e?[m");
	skep_btf_free(btf);
}

static void definitions(void **state)
{
	struct raw raw = {0};
	struct skep_btf *btf;

	raw_int(&raw, "int", 4, 32);              /* 1 */
	raw_type(&raw, SKEP_BTF_UNION, "", 2, 4); /* 2 */
	raw_element(&raw, "a", 1, 0);
	raw_element(&raw, "b", 1, 0);
	raw_type(&raw, SKEP_BTF_STRUCT, "s", KFLAG | 4, 16); /* 3 */
	raw_element(&raw, "x", 1, 0);
	raw_element(&raw, "", 2, 32);
	raw_element(&raw, "f", 1, 3u << 24 | 66);
	raw_element(&raw, "u", 2, 96);
	raw_type(&raw, SKEP_BTF_TYPEDEF, "u_t", 0, 2);    /* 4 */
	raw_type(&raw, SKEP_BTF_ENUM, "e", KFLAG | 2, 4); /* 5 */
	raw_pair(&raw, "ZERO", 0);
	raw_pair(&raw, "MINUS", (uint32_t)-1);
	raw_type(&raw, SKEP_BTF_ENUM64, "", 1, 8); /* 6 */
	raw_element(&raw, "HUGE", 0, 0x80000000);
	raw_type(&raw, SKEP_BTF_STRUCT, "empty", 0, 0); /* 7 */
	raw_type(&raw, SKEP_BTF_TYPEDEF, "s_t", 0, 3);  /* 8 */
	btf = raw_parse(&raw, NULL);
	expect_def(btf, 3, false,
		   "struct s {\n\tint x;\n\tunion {\n\t\tint a;\n\t\tint b;\n\t};\n"
		   "\tint f: 3;\n\tunion {\n\t\tint a;\n\t\tint b;\n\t} u;\n};");
	expect_def(btf, 4, false, "typedef union {\n\tint a;\n\tint b;\n} u_t;");
	expect_def(btf, 5, false, "enum e {\n\tZERO = 0,\n\tMINUS = -1,\n};");
	expect_def(btf, 6, false, "enum {\n\tHUGE = 9223372036854775808ULL,\n};");
	expect_def(btf, 7, false, "struct empty {};");
	expect_def(btf, 8, false, "typedef struct s s_t;");
	expect_def(btf, 2, true,
		   "union {\n\tint a;                                          /* 0 */\n"
		   "\tint b;                                          /* 0 */\n}; /* 4 bytes */");
	skep_btf_free(btf);
}

static void offsets_count_from_the_outermost(void **state)
{
	struct raw raw = {0};
	struct skep_buf out = {0};
	struct skep_btf *btf;

	raw_int(&raw, "int", 4, 32);
	raw_type(&raw, SKEP_BTF_STRUCT, "", 2, 8);
	raw_element(&raw, "a", 1, 0);
	raw_element(&raw, "b", 1, 32);
	raw_type(&raw, SKEP_BTF_PTR, "", 0, 2);
	raw_type(&raw, SKEP_BTF_STRUCT, "s", 2, 24);
	raw_element(&raw, "", 2, 64);
	raw_element(&raw, "p", 3, 128);
	btf = raw_parse(&raw, NULL);
	skep_btf_print_def(btf, 4, true, &out);
	assert_non_null(strstr(out.data, "\t\tint b;                                  /* 12 */\n"));
	assert_non_null(strstr(out.data, "\t\tint b;                                  /* 4 */\n"));
	assert_non_null(
		strstr(out.data, "\t} *p;                                           /* 16 */"));
	skep_buf_done(&out);
	skep_btf_free(btf);
}

/* --- Against bpftool ----------------------------------------------------------------- */

/* The length of an unnamed bit field, which bpftool writes where there is padding: "long:40;". */
static size_t padding(const char *text)
{
	static const char *const types[] = {"long:", "int:", "short:", "char:"};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		size_t len = strlen(types[i]), digits;
		if (strncmp(text, types[i], len))
			continue;
		digits = strspn(text + len, "0123456789");
		return text[len + digits] == ';' ? len + digits + 1 : 0;
	}
	return 0;
}

/* The length of "__attribute__((…))" or of what makes a name unique, "___2". */
static size_t decoration(const char *text, const char *before)
{
	size_t len = 0;
	int open = 0;

	if (!strncmp(text, "___", 3) && isdigit(text[3])) {
		len = 3 + strspn(text + 3, "0123456789");
		return isalnum(text[len]) || text[len] == '_' ? 0 : len;
	}
	if (!strncmp(text, "ULL", 3) && isdigit(*before))
		return 3;
	if (strncmp(text, "__attribute__((", 15))
		return 0;
	for (len = 13; open || len == 13; len++)
		open += text[len] == '(' ? 1 : text[len] == ')' ? -1 : 0;
	return len;
}

/* @text without what the two printers may differ in: blanks, attributes, suffixes, padding. */
static char *squeeze(const char *text, size_t len)
{
	char *out = calloc(1, len + 1), *copy = strndup(text, len), *final = calloc(1, len + 1);
	size_t n = 0;

	for (const char *at = copy; *at;) {
		size_t skipped = decoration(at, at > copy ? at - 1 : " ");
		if (!skipped && !isspace((unsigned char)*at))
			out[n++] = *at;
		at += skipped ? skipped : 1;
	}
	n = 0;
	for (const char *at = out; *at;) {
		size_t skipped = n && strchr("{;}", final[n - 1]) ? padding(at) : 0;
		if (!skipped)
			final[n++] = *at++;
		at += skipped;
	}
	free(copy);
	free(out);
	return final;
}

struct dump {
	struct skep_buf text;
	struct skep_strmap known; /* squeezed definitions; the keys are owned */
};

static int setup(void **state)
{
	struct dump *dump = calloc(1, sizeof(*dump));
	FILE *pipe =
		popen("bpftool btf dump file /sys/kernel/btf/vmlinux format c 2>/dev/null", "r");
	char chunk[65536];
	size_t n;

	*state = dump;
	while (pipe && (n = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		skep_buf_add(&dump->text, chunk, n);
	if (pipe)
		pclose(pipe);
	for (char *at = dump->text.data; at && *at;) {
		char *end = strstr(at, "\n\n");
		size_t len = end ? end - at : strlen(at);
		char *key = squeeze(at, len);
		void **place = skep_strmap_put(&dump->known, key, strlen(key));
		if (*place)
			free(key);
		else
			*place = key;
		at += len + (end ? 2 : 0);
	}
	return 0;
}

static int teardown(void **state)
{
	struct dump *dump = *state;

	for (size_t i = 0; i < dump->known.cap; i++)
		free(dump->known.entries[i].value);
	skep_strmap_done(&dump->known);
	skep_buf_done(&dump->text);
	free(dump);
	return 0;
}

static bool known_to_bpftool(const struct dump *dump, const struct skep_btf *btf, uint32_t id)
{
	struct skep_buf out = {0};
	char *key;
	bool known;

	skep_btf_print_def(btf, id, false, &out);
	key = squeeze(out.data, out.len);
	known = skep_strmap_get(&dump->known, key, strlen(key));
	free(key);
	skep_buf_done(&out);
	return known;
}

static struct skep_btf *kernel_or_skip(const struct dump *dump)
{
	struct skep_btf *btf = NULL;

	if (!dump->text.len || skep_btf_open_kernel(&btf, NULL)) {
		print_message("needs bpftool and a kernel with BTF\n");
		skip();
	}
	return btf;
}

static void well_known_structs(void **state)
{
	static const char *const names[] = {
		"task_struct", "sk_buff",     "file",         "path",        "qstr",
		"sock_common", "list_head",   "hrtimer",      "pt_regs",     "bpf_map_type",
		"sock",        "inode",       "dentry",       "super_block", "net_device",
		"mm_struct",   "cred",        "nsproxy",      "bpf_prog",    "file_operations",
		"tcp_sock",    "request",     "bio",          "page",        "vm_area_struct",
		"tcp_states",  "bpf_func_id", "linux_binprm", "mount",       "pid_namespace",
		"size_t",      "loff_t",      "atomic_t",     "work_func_t", "spinlock_t",
	};
	struct skep_btf *btf = kernel_or_skip(*state);
	uint32_t defined = ~(SKEP_BTF_MASK(SKEP_BTF_FUNC) | SKEP_BTF_MASK(SKEP_BTF_FWD) |
			     SKEP_BTF_MASK(SKEP_BTF_VAR) | SKEP_BTF_MASK(SKEP_BTF_DECL_TAG));
	int compared = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		uint32_t id = skep_btf_find(btf, names[i], strlen(names[i]), defined);
		if (!id)
			continue; /* a kernel configured without it */
		if (!known_to_bpftool(*state, btf, id))
			fail_msg("%s differs from what bpftool prints", names[i]);
		compared++;
	}
	assert_true(compared > 25);
	skep_btf_free(btf);
}

/* Every definition of the kernel; a handful are allowed for what bpftool leaves out. */
static void every_definition(void **state)
{
	struct skep_btf *btf = kernel_or_skip(*state);
	uint32_t wanted = SKEP_BTF_MASK(SKEP_BTF_STRUCT) | SKEP_BTF_MASK(SKEP_BTF_UNION) |
			  SKEP_BTF_MASK(SKEP_BTF_ENUM) | SKEP_BTF_MASK(SKEP_BTF_ENUM64) |
			  SKEP_BTF_MASK(SKEP_BTF_TYPEDEF);
	uint32_t n = skep_btf_n_types(btf), compared = 0, differ = 0;

	for (uint32_t id = 1; id <= n; id++) {
		if (!(SKEP_BTF_MASK(skep_btf_kind(btf, id)) & wanted) || !*skep_btf_name(btf, id))
			continue;
		compared++;
		if (known_to_bpftool(*state, btf, id))
			continue;
		differ++;
		print_message("differs: %u %s\n", id, skep_btf_name(btf, id));
	}
	print_message("%u definitions compared with bpftool's, %u differ\n", compared, differ);
	assert_true(compared > 1000 && differ <= compared / 1000);
	skep_btf_free(btf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(declarators),
		cmocka_unit_test(definitions),
		cmocka_unit_test(offsets_count_from_the_outermost),
		cmocka_unit_test(well_known_structs),
		cmocka_unit_test(every_definition),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
