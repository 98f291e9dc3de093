/*
 * versions.def, looked up. Rows that have a number are in arrays by it, kernel functions are found
 * by halving. Who asks for what no row tells of gets NULL.
 */
#include "verify/requirements.h"

#include <stdlib.h>
#include <string.h>

#include <skep/map.h>

#include "verify/program.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* A row by its number; slots without a row have no name. */
static const struct version_row *row_at(const struct version_row *rows, size_t n, uint32_t at)
{
	return at < n && rows[at].name ? &rows[at] : NULL;
}

/* --- Helpers and kernel functions ------------------------------------------------------------- */

enum helper_id {
#define HELPER(number, name, ...) HELPER_##name = (number),
#include <skep/helpers.def>
#undef HELPER
};

/* Helpers that a type of programs got later than others. */
static const struct {
	uint32_t id, program;
	struct version_row row;
} by_program[] = {
#define HELPER_OF_SINCE(name, type, major, minor)                                                  \
	{HELPER_##name,                                                                            \
	 PROGRAM_##type,                                                                           \
	 {"helper", "bpf_" #name " (in programs of this type)", SKEP_LINUX(major, minor)}},
#include "verify/versions.def"
};

const struct version_row *version_of_helper(uint32_t id, uint32_t program)
{
	static const struct version_row rows[] = {
#define HELPER_SINCE(name, major, minor)                                                           \
	[HELPER_##name] = {"helper", "bpf_" #name, SKEP_LINUX(major, minor)},
#include "verify/versions.def"
	};

	for (size_t i = 0; i < COUNT(by_program); i++)
		if (by_program[i].id == id && by_program[i].program == program)
			return &by_program[i].row;
	return row_at(rows, COUNT(rows), id);
}

static int compare_name(const void *name, const void *row)
{
	return strcmp(name, ((const struct version_row *)row)->name);
}

const struct version_row *version_of_kfunc(const char *name)
{
	static const struct version_row rows[] = {
#define KFUNC_SINCE(name, major, minor) {"kernel function", #name, SKEP_LINUX(major, minor)},
#include "verify/versions.def"
	};

	return bsearch(name, rows, COUNT(rows), sizeof(rows[0]), compare_name);
}

/* --- Instructions and features ---------------------------------------------------------------- */

const struct version_row *version_of_insn(enum skep_op op)
{
	static const struct {
		enum skep_op first, last;
		struct version_row row;
	} rows[] = {
#define INSN_SINCE(first, last, name, major, minor)                                                \
	{SKEP_OP_##first, SKEP_OP_##last, {"instruction", name, SKEP_LINUX(major, minor)}},
#include "verify/versions.def"
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		if (op >= rows[i].first && op <= rows[i].last)
			return &rows[i].row;
	return NULL;
}

const struct version_row *version_of_feature(enum version_feature feature)
{
	static const struct version_row rows[] = {
#define FEATURE_SINCE(ID, kind, name, major, minor)                                                \
	[FEATURE_##ID] = {kind, name, SKEP_LINUX(major, minor)},
#include "verify/versions.def"
	};

	return &rows[feature];
}

const struct version_row *version_of_tag(const char *tag)
{
	static const struct version_row rows[] = {
#define TAG_SINCE(tag, major, minor) {"function", "argument marked " tag, SKEP_LINUX(major, minor)},
#include "verify/versions.def"
	};
	static const size_t before = sizeof("argument marked ") - 1;

	for (size_t i = 0; i < COUNT(rows); i++)
		if (!strcmp(rows[i].name + before, tag))
			return &rows[i];
	return NULL;
}

/* --- Programs and maps ------------------------------------------------------------------------ */

const struct version_row *version_of_program(uint32_t type)
{
	static const struct version_row rows[] = {
#define PROGRAM_SINCE(TYPE, major, minor)                                                          \
	[PROGRAM_##TYPE] = {"program type", #TYPE, SKEP_LINUX(major, minor)},
#include "verify/versions.def"
	};

	return row_at(rows, COUNT(rows), type);
}

const struct version_row *version_of_program_flag(uint32_t bit)
{
	static const struct version_row rows[] = {
#define PROGRAM_FLAG_SINCE(bit, name, major, minor)                                                \
	[bit] = {"program flag", name, SKEP_LINUX(major, minor)},
#include "verify/versions.def"
	};

	return row_at(rows, COUNT(rows), bit);
}

const struct version_row *version_of_attach(uint32_t type, bool *ret_optional)
{
	enum { NEEDED, OPTIONAL };
	static const struct version_row rows[] = {
#define ATTACH_SINCE(number, NAME, major, minor, counts)                                           \
	[number] = {"attach type", #NAME, SKEP_LINUX(major, minor)},
#include "verify/versions.def"
	};
	static const bool optional[] = {
#define ATTACH_SINCE(number, NAME, major, minor, counts) [number] = (counts) == OPTIONAL,
#include "verify/versions.def"
	};
	const struct version_row *row = row_at(rows, COUNT(rows), type);

	*ret_optional = row && optional[type];
	return row;
}

const struct version_row *version_of_map(uint32_t type)
{
	static const struct version_row rows[] = {
#define MAP_SINCE(TYPE, major, minor)                                                              \
	[SKEP_MAP_##TYPE] = {"map type", #TYPE, SKEP_LINUX(major, minor)},
#include "verify/versions.def"
	};

	return row_at(rows, COUNT(rows), type);
}

const struct version_row *version_of_map_flag(uint32_t bit)
{
	static const struct version_row rows[] = {
#define MAP_FLAG_SINCE(bit, name, major, minor)                                                    \
	[bit] = {"map flag", name, SKEP_LINUX(major, minor)},
#include "verify/versions.def"
	};

	return row_at(rows, COUNT(rows), bit);
}

const struct version_row *version_of_field(uint32_t kind)
{
	static const struct version_row rows[] = {
#define FIELD_SINCE(KIND, name, major, minor)                                                      \
	[SKEP_FIELD_##KIND] = {"map field", name, SKEP_LINUX(major, minor)},
#include "verify/versions.def"
	};

	return row_at(rows, COUNT(rows), kind);
}

const struct version_row *version_of_context_field(uint32_t row)
{
	enum field_row {
#define FIELD(context, name, ...) FIELD_##context##_##name,
#include "verify/contexts.def"
#undef FIELD
	};
	static const struct version_row rows[] = {
#define CONTEXT_SINCE(context, name, major, minor)                                                 \
	[FIELD_##context##_##name] = {"context field", #name, SKEP_LINUX(major, minor)},
#include "verify/versions.def"
	};

	return row_at(rows, COUNT(rows), row);
}

/* --- Limits ----------------------------------------------------------------------------------- */

const struct version_row *version_of_limit(enum version_limit limit, uint64_t used)
{
	static const struct {
		enum version_limit limit;
		uint64_t most;
		struct version_row row;
	} rows[] = {
#define LIMIT_SINCE(ID, most, name, major, minor)                                                  \
	{LIMIT_##ID, most, {"limit", "more than " #most " " name, SKEP_LINUX(major, minor)}},
#include "verify/versions.def"
	};
	const struct version_row *latest = NULL;

	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].limit == limit && used > rows[i].most &&
		    (!latest || rows[i].row.since > latest->since))
			latest = &rows[i].row;
	return latest;
}
