/* The table of ways, and which of them this kernel allows. See choice.h. */
#include "linux/choice.h"

static const char *const purpose_names[] = {
#define PURPOSE(name, words) [SKEP_FOR_##name] = words,
#include "linux/choices.def"
};

static const struct skep_way ways[] = {
#define WAY(purpose, by, lost, ...) {SKEP_FOR_##purpose, by, lost, {__VA_ARGS__}},
#include "linux/choices.def"
};
enum { N_WAYS = sizeof(ways) / sizeof(ways[0]) };

static bool is_there(const struct skep_way *way)
{
	for (size_t i = 0; i < SKEP_WAY_NEEDS; i++)
		if (!skep_has_feature(way->needs[i]))
			return false;
	return true;
}

const char *skep_purpose_name(enum skep_purpose purpose)
{
	return purpose_names[purpose];
}

const struct skep_way *skep_best_way(enum skep_purpose purpose)
{
	const struct skep_way *way = ways;

	while (way->purpose != purpose)
		way++;
	return way;
}

size_t skep_n_ways(enum skep_purpose purpose)
{
	const struct skep_way *first = skep_best_way(purpose), *way = first;

	while (way < ways + N_WAYS && way->purpose == purpose)
		way++;
	return (size_t)(way - first);
}

const struct skep_way *skep_way(enum skep_purpose purpose)
{
	const struct skep_way *way = skep_best_way(purpose);

	for (size_t n = skep_n_ways(purpose); n--; way++)
		if (is_there(way))
			return way;
	return NULL;
}

bool skep_has_best_way(enum skep_purpose purpose)
{
	return is_there(skep_best_way(purpose));
}
