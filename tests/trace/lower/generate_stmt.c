/* Statements, see generate.h. */
#include <stdio.h>
#include <string.h>

#include "generate.h"

static void line(struct gen *g)
{
	skep_buf_fill(g->out, '\t', g->indent);
}

static void open_block(struct gen *g)
{
	gen_put(g, " {\n");
	g->indent++;
}

static void close_block(struct gen *g)
{
	g->indent--;
	line(g);
	gen_put(g, "}\n");
}

/* What is declared inside is not seen behind it. */
static void block(struct gen *g, uint32_t most)
{
	uint32_t n_vars = g->n_vars;

	open_block(g);
	gen_body(g, most);
	g->n_vars = n_vars;
	close_block(g);
}

static void add_var(struct gen *g, struct gen_var var)
{
	if (g->n_vars < GEN_MAX_VARS)
		g->vars[g->n_vars++] = var;
}

/* --- Variables -------------------------------------------------------------------------- */

static void new_var(struct gen *g)
{
	const struct gen_type *type = gen_draw_type(g, 2);
	uint32_t number = g->next_var++;
	bool declared = gen_one_in(g, 4), narrow = false;

	gen_put(g, "%s$v%u", declared ? "let " : "", number);
	if (declared && type->kind == GEN_INT) {
		narrow = !gen_one_in(g, 2);
		gen_put(g, ": %s", narrow ? "uint8" : "int64");
	} else if (declared && type->kind == GEN_STR)
		gen_put(g, ": string[4200]");
	gen_put(g, " = ");
	if (declared && type->kind == GEN_INT)
		gen_put(g, "1;\n");
	else {
		gen_value(g, type, 2);
		gen_put(g, ";\n");
	}
	add_var(g, (struct gen_var){number, type, .is_narrow = narrow});
}

static struct gen_var *some_var(struct gen *g, bool of_ints)
{
	for (uint32_t tries = 0; tries < 8 && g->n_vars; tries++) {
		struct gen_var *var = &g->vars[gen_below(g, g->n_vars)];
		bool is_bool = var->type->kind == GEN_BOOL;
		if (!var->is_element && !is_bool && (!of_ints || var->type->kind == GEN_INT))
			return var;
	}
	return NULL;
}

static void set_var(struct gen *g)
{
	struct gen_var *var = some_var(g, false);

	if (!var) {
		new_var(g);
		return;
	}
	gen_put(g, "$v%u = %s", var->number, var->is_narrow ? "(uint8)(" : "");
	gen_value(g, var->type, 2);
	gen_put(g, "%s;\n", var->is_narrow ? ")" : "");
}

static void step_var(struct gen *g)
{
	static const char *const operators[] = {"+=", "-=", "*=", "|=", "&=", "^=", "<<=", ">>="};
	const struct gen_var *var = some_var(g, true);

	if (!var) {
		new_var(g);
		return;
	}
	if (gen_one_in(g, 3)) {
		gen_put(g, "$v%u%s;\n", var->number, gen_one_in(g, 2) ? "++" : "--");
		return;
	}
	gen_put(g, "$v%u %s ", var->number, GEN_PICK(g, operators));
	gen_int(g, 2);
	gen_put(g, ";\n");
}

/* --- Maps -------------------------------------------------------------------------------- */

static const struct gen_map *some_map(struct gen *g)
{
	return &g->maps[gen_below(g, g->n_maps)];
}

static void aggregate(struct gen *g, const struct gen_map *map)
{
	const char *number = strchr(map->agg, '#');

	gen_map_ref(g, map, 2);
	if (!number) {
		gen_put(g, " = %s;\n", map->agg);
		return;
	}
	gen_put(g, " = %.*s", (int)(number - map->agg), map->agg);
	gen_int(g, 2);
	gen_put(g, "%s;\n", number + 1);
}

static void set_map(struct gen *g)
{
	static const char *const operators[] = {"+=", "-=", "*=", "|=", "&=", "^=", "<<=", ">>="};
	const struct gen_map *map = some_map(g);

	if (map->use == GEN_AGG) {
		aggregate(g, map);
		return;
	}
	bool is_int = map->value->kind == GEN_INT;
	gen_map_ref(g, map, 2);
	if (is_int && gen_one_in(g, 3)) {
		gen_put(g, gen_one_in(g, 3) ? "--;\n" : "++;\n");
		return;
	}
	gen_put(g, " %s ", is_int && gen_one_in(g, 3) ? GEN_PICK(g, operators) : "=");
	gen_value(g, map->value, 3);
	gen_put(g, ";\n");
}

static void drop_map(struct gen *g)
{
	const struct gen_map *map = some_map(g);
	unsigned number = (unsigned)(map - g->maps);

	if (gen_one_in(g, 3)) {
		gen_put(g, gen_one_in(g, 2) ? "clear(@m%u);\n" : "zero(@m%u);\n", number);
		return;
	}
	if (map->key && map->use != GEN_HERE && gen_one_in(g, 2)) {
		gen_put(g, "delete(@m%u, ", number);
		gen_value(g, map->key, 2);
	} else {
		gen_put(g, "delete(");
		gen_map_ref(g, map, 2);
	}
	gen_put(g, ");\n");
}

static void for_map(struct gen *g)
{
	const struct gen_map *map = some_map(g);
	bool is_single = map->use != GEN_AGG || map->is_readable;

	if (!map->key || !is_single || g->map_loops > 1) {
		set_map(g);
		return;
	}
	uint32_t n_vars = g->n_vars, loops = g->loops, number = g->next_var++;
	gen_put(g, gen_one_in(g, 2) ? "for $v%u : @m%u" : "for ($v%u : @m%u)", number,
		(unsigned)(map - g->maps));
	/* The whole element is used through its parts. */
	struct gen_type *pair = &g->pool[g->n_types++];
	*pair = (struct gen_type){.kind = GEN_TUPLE, .n = 2};
	pair->elems[0] = map->key;
	pair->elems[1] = map->use == GEN_AGG ? gen_scalar_type(GEN_INT) : map->value;
	open_block(g);
	add_var(g, (struct gen_var){number, pair, .is_element = true});
	g->map_loops++;
	g->loops = loops + 1;
	line(g);
	gen_put(g, "print($v%u);\n", number);
	uint32_t part = gen_below(g, 2);
	line(g);
	gen_put(g, "$v%u = $v%u.%u;\n", g->next_var, number, part);
	add_var(g, (struct gen_var){g->next_var++, pair->elems[part], .is_element = true});
	gen_body(g, 4);
	g->loops = loops;
	g->map_loops--;
	g->n_vars = n_vars;
	close_block(g);
}

/* --- Control ------------------------------------------------------------------------------- */

static void condition(struct gen *g)
{
	gen_put(g, "if (");
	gen_int(g, 3);
	gen_put(g, ")");
	block(g, 4);
	if (!gen_one_in(g, 3))
		return;
	g->out->len--; /* the line's end: else stands behind the brace */
	gen_put(g, " else");
	block(g, 3);
}

static void while_loop(struct gen *g)
{
	uint32_t number = g->next_var++, n_vars = g->n_vars;

	gen_put(g, "$v%u = 0;\n", number);
	line(g);
	gen_put(g, "while ($v%u < %u)", number, 1 + gen_below(g, 200));
	open_block(g);
	line(g);
	gen_put(g, "$v%u++;\n", number);
	g->loops++;
	gen_body(g, 4);
	g->loops--;
	g->n_vars = n_vars;
	close_block(g);
}

static void range_loop(struct gen *g)
{
	uint32_t number = g->next_var++, n_vars = g->n_vars;

	gen_put(g, "for $v%u : ", number);
	if (gen_one_in(g, 3))
		gen_int(g, 1);
	else
		gen_put(g, "%u", gen_below(g, 4));
	gen_put(g, "..");
	if (gen_one_in(g, 2))
		gen_int(g, 1);
	else
		gen_put(g, "%u", 1 + gen_below(g, 1000));
	open_block(g);
	add_var(g, (struct gen_var){number, gen_scalar_type(GEN_INT), .is_element = true});
	g->loops++;
	gen_body(g, 4);
	g->loops--;
	g->n_vars = n_vars;
	close_block(g);
}

static void unroll_loop(struct gen *g)
{
	uint32_t loops = g->loops;

	gen_put(g, "unroll (%u)", 1 + gen_below(g, 6));
	g->loops = 0;
	block(g, 3);
	g->loops = loops;
}

static void loop(struct gen *g)
{
	static void (*const kinds[])(struct gen *) = {while_loop, range_loop, unroll_loop, for_map,
						      for_map};

	if (g->indent > 4)
		set_var(g);
	else
		GEN_PICK(g, kinds)(g);
}

static void jump(struct gen *g)
{
	static const char *const jumps[] = {"break", "continue", "return"};
	const char *word = g->loops ? GEN_PICK(g, jumps) : "return";

	gen_put(g, "if (");
	gen_int(g, 2);
	gen_put(g, ") { %s; }\n", word);
}

/* --- Output --------------------------------------------------------------------------------- */

static const char *conversion_of(struct gen *g, enum gen_kind kind)
{
	static const char *const ints[] = {"%d", "%u", "%x",  "%ld",  "%llu", "%5d", "%-8lx",
					   "%c", "%p", "%#x", "%08X", "%hhd", "%s"};
	static const char *const texts[] = {"%s", "%-16s", "%20s", "%.5s"};

	if (kind == GEN_INT)
		return GEN_PICK(g, ints);
	if (kind == GEN_BUF)
		return gen_one_in(g, 2) ? "%r" : "%rx";
	return kind == GEN_STR ? GEN_PICK(g, texts) : "%s";
}

static void formatted(struct gen *g)
{
	static const char *const names[] = {"printf", "printf", "printf", "errorf", "warnf"};
	const struct gen_type *types[12];
	uint32_t n = gen_one_in(g, 6) ? gen_below(g, 12) : gen_below(g, 4);
	bool texts = gen_one_in(g, 6);

	gen_put(g, "%s(\"", GEN_PICK(g, names));
	for (uint32_t i = 0; i < n; i++) {
		types[i] = texts ? gen_scalar_type(GEN_STR) : gen_draw_type(g, 1);
		gen_put(g, "%s ", conversion_of(g, types[i]->kind));
	}
	gen_put(g, "\\n\"");
	for (uint32_t i = 0; i < n; i++) {
		gen_put(g, ", ");
		gen_value(g, types[i], 2);
	}
	gen_put(g, ");\n");
}

static void print_map(struct gen *g)
{
	const struct gen_map *map = some_map(g);
	unsigned number = (unsigned)(map - g->maps);
	bool is_single = map->use != GEN_AGG || map->is_readable;

	if (map->key && is_single && gen_one_in(g, 2)) {
		gen_put(g, "print(");
		gen_map_ref(g, map, 2);
		gen_put(g, ");\n");
	} else {
		static const char *const limits[] = {"", ", 5", ", 3, 1000"};
		gen_put(g, "print(@m%u%s);\n", number, GEN_PICK(g, limits));
	}
}

static void print_value(struct gen *g)
{
	gen_put(g, "print(");
	gen_value(g, gen_draw_type(g, 2), 2);
	gen_put(g, ");\n");
}

static void other_output(struct gen *g)
{
	static const char *const lines[] = {"time(\"%H:%M:%S \");\n",
					    "time();\n",
					    "join(kptr((uint64)curtask));\n",
					    "exit();\n",
					    "exit(3);\n",
					    "cat(\"/proc/loadavg\");\n",
					    "system(\"true %d\", pid);\n",
					    "assert(pid > 0, \"a pid\");\n"};

	gen_put(g, "%s", GEN_PICK(g, lines));
}

static void statement(struct gen *g)
{
	static void (*const kinds[])(struct gen *) = {
		new_var,   new_var,   set_var,   set_var,   step_var,    set_map,     set_map,
		set_map,   set_map,   set_map,   drop_map,  loop,        loop,        condition,
		condition, formatted, formatted, print_map, print_value, other_output};

	line(g);
	if (gen_one_in(g, 12))
		jump(g);
	else
		GEN_PICK(g, kinds)(g);
}

void gen_body(struct gen *g, uint32_t most)
{
	uint32_t n = 1 + gen_below(g, most);

	for (uint32_t i = 0; i < n && g->budget; i++) {
		g->budget--;
		statement(g);
	}
}
