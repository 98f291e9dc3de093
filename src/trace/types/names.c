/*
 * Types by name, as a cast, sizeof, let or a struct member writes them: C's
 * spellings, the language's own, structs of the script, then the kernel's.
 *
 *	name   = words suffix*          words: "struct foo", "unsigned long", "uint64"
 *	suffix = "*" | "[" number "]" | "const" | "volatile" | "__user"
 *
 * BTF is opened only for names that nothing else explains.
 */
#include "trace/type.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <skep/btf.h>

#include "base/arena.h"

#define MAX_NAME_LEN 255
#define MAX_SUFFIXES 32

struct int_name {
	const char *name;
	uint8_t bytes;
	bool is_signed;
};

/* clang-format off */
static const struct int_name int_names[] = {
	{"int8", 1, true}, {"int16", 2, true}, {"int32", 4, true}, {"int64", 8, true},
	{"uint8", 1, false}, {"uint16", 2, false}, {"uint32", 4, false}, {"uint64", 8, false},
	{"int8_t", 1, true}, {"int16_t", 2, true}, {"int32_t", 4, true}, {"int64_t", 8, true},
	{"uint8_t", 1, false}, {"uint16_t", 2, false}, {"uint32_t", 4, false},
	{"uint64_t", 8, false},
	{"s8", 1, true}, {"s16", 2, true}, {"s32", 4, true}, {"s64", 8, true},
	{"u8", 1, false}, {"u16", 2, false}, {"u32", 4, false}, {"u64", 8, false},
	{"__s8", 1, true}, {"__s16", 2, true}, {"__s32", 4, true}, {"__s64", 8, true},
	{"__u8", 1, false}, {"__u16", 2, false}, {"__u32", 4, false}, {"__u64", 8, false},
	{"__be16", 2, false}, {"__be32", 4, false}, {"__be64", 8, false},
	{"__le16", 2, false}, {"__le32", 4, false}, {"__le64", 8, false},
	{"pid_t", 4, true}, {"uid_t", 4, false}, {"gid_t", 4, false}, {"dev_t", 4, false},
	{"size_t", 8, false}, {"ssize_t", 8, true}, {"loff_t", 8, true}, {"off_t", 8, true},
	{"uintptr_t", 8, false}, {"intptr_t", 8, true}, {"ptrdiff_t", 8, true},
	{"uchar", 1, false}, {"ushort", 2, false}, {"uint", 4, false}, {"ulong", 8, false},
};
/* clang-format on */

/* The words of C's own integer names, in any order: "long unsigned int". */
struct c_words {
	int n_long, n_short, n_char, n_int, n_signed, n_unsigned, n_other;
};

static void count_word(struct c_words *words, const char *word, size_t len)
{
	const struct {
		const char *word;
		int *count;
	} known[] = {
		{"long", &words->n_long},         {"short", &words->n_short},
		{"char", &words->n_char},         {"int", &words->n_int},
		{"signed", &words->n_signed},     {"unsigned", &words->n_unsigned},
		{"__signed__", &words->n_signed},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].word) == len && !memcmp(known[i].word, word, len)) {
			(*known[i].count)++;
			return;
		}
	}
	words->n_other++;
}

static const struct skep_type *c_int(const char *name)
{
	struct c_words words = {0};

	for (const char *p = name; *p;) {
		size_t len = strcspn(p, " ");
		count_word(&words, p, len);
		p += len + strspn(p + len, " ");
	}
	if (words.n_other || words.n_long > 2 || !name[0])
		return NULL;
	uint32_t bytes = words.n_char ? 1 : words.n_short ? 2 : words.n_long ? 8 : 4;
	return skep_type_int(bytes, !words.n_unsigned);
}

static const struct skep_type *named_int(const char *name)
{
	for (size_t i = 0; i < sizeof(int_names) / sizeof(int_names[0]); i++) {
		if (!strcmp(int_names[i].name, name))
			return skep_type_int(int_names[i].bytes, int_names[i].is_signed);
	}
	return NULL;
}

/* "struct foo" with or without its tag: "foo". */
static bool tag_matches(const char *full, const char *name)
{
	const char *space = strchr(full, ' ');

	return !strcmp(full, name) || (space && !strcmp(space + 1, name));
}

static const struct skep_type *script_record(struct skep_types *types, const char *name,
					     enum skep_space space)
{
	for (uint32_t i = 0; i < types->n_records; i++) {
		if (tag_matches(types->records[i]->name, name))
			return skep_type_record(types, types->records[i], space);
	}
	return NULL;
}

static const struct skep_type *script_enum(struct skep_types *types, const char *name)
{
	for (uint32_t i = 0; i < types->n_enums; i++) {
		if (types->enums[i]->name[0] && tag_matches(types->enums[i]->name, name))
			return skep_enum_type(types, types->enums[i]);
	}
	return NULL;
}

static uint32_t kinds_of_tag(const char **name)
{
	static const struct {
		const char *tag;
		uint32_t kinds;
	} tags[] = {
		{"struct ", SKEP_BTF_MASK(SKEP_BTF_STRUCT)},
		{"union ", SKEP_BTF_MASK(SKEP_BTF_UNION)},
		{"enum ", SKEP_BTF_MASK(SKEP_BTF_ENUM) | SKEP_BTF_MASK(SKEP_BTF_ENUM64)},
	};

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		size_t len = strlen(tags[i].tag);
		if (!strncmp(*name, tags[i].tag, len)) {
			*name += len;
			return tags[i].kinds;
		}
	}
	return SKEP_BTF_MASK(SKEP_BTF_STRUCT) | SKEP_BTF_MASK(SKEP_BTF_UNION) |
	       SKEP_BTF_MASK(SKEP_BTF_TYPEDEF) | SKEP_BTF_MASK(SKEP_BTF_ENUM) |
	       SKEP_BTF_MASK(SKEP_BTF_ENUM64) | SKEP_BTF_MASK(SKEP_BTF_INT);
}

static const struct skep_type *kernel_type(struct skep_types *types, const char *name,
					   enum skep_space space)
{
	uint32_t kinds = kinds_of_tag(&name);
	struct skep_btf *btf = skep_types_btf(types);
	uint32_t id = btf ? skep_btf_find(btf, name, strlen(name), kinds) : 0;

	return id ? skep_type_from_btf(types, id, space) : NULL;
}

static const struct skep_type *base_type(struct skep_types *types, const char *name,
					 enum skep_space space)
{
	const struct skep_type *type;

	if (!strcmp(name, "void"))
		return &skep_type_none;
	if (!strcmp(name, "bool") || !strcmp(name, "_Bool"))
		return &skep_type_bool;
	if (!strcmp(name, "string"))
		return skep_type_string(types, 0);
	if (!strcmp(name, "username_t"))
		return &skep_type_username;
	if (!strcmp(name, "buffer"))
		return skep_type_buffer(types, 0);
	if ((type = c_int(name)) || (type = named_int(name)))
		return type;
	if ((type = script_record(types, name, space)) || (type = script_enum(types, name)))
		return type;
	return kernel_type(types, name, space);
}

static size_t take_word(const char **at, char *word)
{
	size_t len = strspn(*at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789_");

	memcpy(word, *at, len);
	word[len] = '\0';
	*at += len;
	return len;
}

static bool is_qualifier(const char *word)
{
	return !strcmp(word, "const") || !strcmp(word, "volatile") || !strcmp(word, "restrict") ||
	       !strcmp(word, "__user") || !strcmp(word, "__rcu") || !strcmp(word, "__percpu");
}

/* The words before the first suffix, one space between, qualifiers left out. */
static const char *take_words(const char *at, char *words)
{
	char word[MAX_NAME_LEN + 1];

	words[0] = '\0';
	for (at += strspn(at, " \t\n"); isalpha((unsigned char)*at) || *at == '_';
	     at += strspn(at, " \t\n")) {
		take_word(&at, word);
		if (is_qualifier(word))
			continue;
		if (words[0])
			strcat(words, " ");
		strcat(words, word);
	}
	return at;
}

struct suffix {
	bool is_ptr;
	uint32_t n;
};

/* Return how many, or -1: something that is no suffix. */
static int take_suffixes(const char *at, struct suffix *suffixes)
{
	char word[MAX_NAME_LEN + 1];
	int n = 0;

	for (;; at += strspn(at, " \t\n")) {
		if (!*at)
			return n;
		if (isalpha((unsigned char)*at) || *at == '_') {
			take_word(&at, word);
			if (!is_qualifier(word))
				return -1;
			continue;
		}
		if (n == MAX_SUFFIXES)
			return -1;
		if (*at == '*') {
			suffixes[n++] = (struct suffix){.is_ptr = true};
			at++;
			continue;
		}
		if (*at != '[')
			return -1;
		char *end;
		unsigned long len = strtoul(at + 1, &end, 0);
		if (*end != ']' || len > INT32_MAX)
			return -1;
		suffixes[n++] = (struct suffix){.n = (uint32_t)len};
		at = end + 1;
	}
}

static const struct skep_type *add_array(struct skep_types *types, const struct skep_type *type,
					 const char *words, uint32_t n)
{
	if (type->kind == SKEP_T_STRING && !type->size)
		return skep_type_string(types, n);
	if (type->kind == SKEP_T_BUFFER)
		return skep_type_buffer(types, n);
	if (n && type == &skep_type_s8 && !strcmp(words, "char"))
		return skep_type_string(types, n);
	return skep_type_array(types, type, n);
}

/*
 * Read from left to right: "int32[4]*" points to an array, "int32*[4]" is an
 * array of pointers. Lengths next to each other are C's: "int[4][2]" has four
 * elements.
 */
static const struct skep_type *add_suffixes(struct skep_types *types, const struct skep_type *type,
					    const char *words, enum skep_space space,
					    const struct suffix *suffixes, int n)
{
	for (int i = 0; i < n;) {
		int end = i;

		if (suffixes[i].is_ptr) {
			type = skep_type_ptr(types, type, space);
			i++;
			continue;
		}
		while (end < n && !suffixes[end].is_ptr)
			end++;
		for (int j = end - 1; j >= i; j--)
			type = add_array(types, type, words, suffixes[j].n);
		i = end;
	}
	return type;
}

const struct skep_type *skep_type_by_name(struct skep_types *types, const char *name,
					  enum skep_space space)
{
	char words[MAX_NAME_LEN + 1];
	struct suffix suffixes[MAX_SUFFIXES];

	if (strlen(name) > MAX_NAME_LEN)
		return NULL;
	const char *at = take_words(name, words);
	int n = take_suffixes(at, suffixes);
	const struct skep_type *type = n < 0 || !words[0] ? NULL : base_type(types, words, space);

	return type ? add_suffixes(types, type, words, space, suffixes, n) : NULL;
}
