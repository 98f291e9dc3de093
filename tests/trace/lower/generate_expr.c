/* Expressions: one function for each way to make a value of a kind. See generate.h. */
#include <string.h>

#include "generate.h"

typedef void maker(struct gen *g, int depth);

static const char *pick_of(struct gen *g, const char *const *list)
{
	uint32_t n = 0;

	while (list[n])
		n++;
	return n ? list[gen_below(g, n)] : NULL;
}

static const struct gen_var *var_of(struct gen *g, const struct gen_type *type)
{
	uint32_t start = g->n_vars ? gen_below(g, g->n_vars) : 0;

	for (uint32_t i = 0; i < g->n_vars; i++) {
		const struct gen_var *var = &g->vars[(start + i) % g->n_vars];
		if (var->type == type || (var->type->kind == type->kind && type->kind == GEN_INT) ||
		    (var->type->kind == type->kind && type->kind == GEN_STR))
			return var;
	}
	return NULL;
}

static const struct gen_map *map_of(struct gen *g, enum gen_kind kind, bool or_agg)
{
	uint32_t start = g->n_maps ? gen_below(g, g->n_maps) : 0;

	for (uint32_t i = 0; i < g->n_maps; i++) {
		const struct gen_map *map = &g->maps[(start + i) % g->n_maps];
		if (map->use == GEN_AGG ? or_agg && map->is_readable : map->value->kind == kind)
			return map;
	}
	return NULL;
}

/* --- Integers ----------------------------------------------------------------------------- */

static void literal(struct gen *g, int depth)
{
	static const char *const literals[] = {"0",
					       "1",
					       "2",
					       "3",
					       "7",
					       "10",
					       "63",
					       "64",
					       "100",
					       "127",
					       "128",
					       "255",
					       "256",
					       "4096",
					       "-1",
					       "(-5)",
					       "0x7fffffff",
					       "0xffffffff",
					       "1e6",
					       "10ms",
					       "'a'",
					       "1_000_000",
					       "65535",
					       "0x8000000000000000",
					       "2147483648",
					       "9223372036854775807",
					       "(-9223372036854775807)",
					       "true",
					       "42u"};

	gen_put(g, "%s", GEN_PICK(g, literals));
}

static void builtin(struct gen *g, int depth)
{
	static const char *const builtins[] = {"pid",    "tid",     "uid",     "gid",  "cpu",
					       "ncpus",  "nsecs",   "elapsed", "rand", "cgroup",
					       "numaid", "jiffies", "ppid",    "cpid"};

	if (g->place->is_perf && gen_one_in(g, 4))
		gen_put(g, "usermode");
	else
		gen_put(g, "%s", GEN_PICK(g, builtins));
}

static void task_member(struct gen *g, int depth)
{
	static const char *const members[] = {"curtask->pid",
					      "curtask->tgid",
					      "curtask->flags",
					      "curtask->prio",
					      "curtask->real_parent->tgid",
					      "curtask->se.vruntime",
					      "curtask->in_execve",
					      "curtask->mm->total_vm",
					      "curtask->signal->oom_score_adj",
					      "curtask.exit_code",
					      "curtask->in_iowait",
					      "curtask->group_leader->real_parent->pid",
					      "curtask->sched_class",
					      "*(&curtask->pid)",
					      "(uint64)curtask",
					      "curtask->comm[1]"};

	if (depth > 0 && gen_one_in(g, 6)) {
		gen_put(g, "curtask->comm[");
		gen_int(g, depth - 1);
		gen_put(g, " & 15]");
		return;
	}
	const char *member = GEN_PICK(g, members);
	gen_put(g, strcmp(member, "curtask->sched_class") ? "%s" : "(uint64)%s", member);
}

static void place_int(struct gen *g, int depth)
{
	const char *text = pick_of(g, g->place->ints);

	if (text)
		gen_put(g, "%s", text);
	else
		builtin(g, depth);
}

static void place_array(struct gen *g, int depth)
{
	const char *text = pick_of(g, g->place->arrays);

	if (!text) {
		place_int(g, depth);
		return;
	}
	gen_put(g, "(uint64)%s[", text);
	if (gen_one_in(g, 2))
		gen_put(g, "%u]", gen_below(g, 4));
	else {
		gen_put(g, "(");
		gen_int(g, depth - 1);
		gen_put(g, ") & 3]");
	}
}

static void int_var(struct gen *g, int depth)
{
	const struct gen_var *var = var_of(g, gen_scalar_type(GEN_INT));

	if (!var)
		builtin(g, depth);
	else if (gen_one_in(g, 8) && !g->in_predicate)
		gen_put(g, gen_one_in(g, 2) ? "$v%u++" : "--$v%u", var->number);
	else
		gen_put(g, "$v%u", var->number);
}

static void int_map(struct gen *g, int depth)
{
	const struct gen_map *map = map_of(g, GEN_INT, true);

	if (!map) {
		literal(g, depth);
		return;
	}
	bool step = map->use != GEN_AGG && gen_one_in(g, 8);
	gen_put(g, step ? "++" : map->use == GEN_AGG ? "(int64)" : "");
	gen_map_ref(g, map, depth - 1);
}

static void binary(struct gen *g, int depth)
{
	static const char *const operators[] = {"+",  "-",  "*",  "/", "%", "&",  "|",  "^",  "<<",
						">>", "==", "!=", "<", ">", "<=", ">=", "&&", "||"};
	const char *op = GEN_PICK(g, operators);
	bool divides = !strcmp(op, "/") || !strcmp(op, "%");

	gen_put(g, "(");
	gen_int(g, depth - 1);
	gen_put(g, " %s ", op);
	if (divides)
		gen_put(g, "(1 + ");
	gen_int(g, depth - 1);
	gen_put(g, divides ? " * pid))" : ")");
}

static void unary(struct gen *g, int depth)
{
	static const char *const operators[] = {"!", "~", "-", "+"};

	gen_put(g, "%s(", GEN_PICK(g, operators));
	gen_int(g, depth - 1);
	gen_put(g, ")");
}

static void ternary(struct gen *g, int depth)
{
	gen_put(g, "(");
	gen_int(g, depth - 1);
	gen_put(g, " ? ");
	gen_int(g, depth - 1);
	gen_put(g, " : ");
	gen_int(g, depth - 1);
	gen_put(g, ")");
}

static void cast(struct gen *g, int depth)
{
	static const char *const types[] = {"int8",  "int16",  "int32",        "int64",
					    "uint8", "uint16", "uint32",       "uint64",
					    "bool",  "pid_t",  "unsigned long"};

	gen_put(g, "(%s)(", GEN_PICK(g, types));
	gen_int(g, depth - 1);
	gen_put(g, ")");
}

static void of_strings(struct gen *g, int depth)
{
	uint32_t which = gen_below(g, 4);

	gen_put(g, which == 0   ? "strlen("
		   : which == 1 ? "strncmp("
		   : which == 2 ? "strcontains("
				: "(");
	gen_str(g, depth - 1);
	if (which == 3)
		gen_put(g, gen_one_in(g, 2) ? " == " : " != ");
	else if (which)
		gen_put(g, ", ");
	if (which)
		gen_str(g, depth - 1);
	if (which == 1)
		gen_put(g, ", %u", gen_below(g, 70));
	gen_put(g, ")");
}

static void of_map(struct gen *g, int depth)
{
	if (!g->n_maps) {
		literal(g, depth);
		return;
	}
	uint32_t i = gen_below(g, g->n_maps);
	const struct gen_map *map = &g->maps[i];
	if (!map->key) {
		literal(g, depth);
		return;
	}
	if (gen_one_in(g, 3)) {
		gen_put(g, "len(@m%u)", i);
		return;
	}
	gen_put(g, "has_key(@m%u, ", i);
	if (map->use == GEN_HERE)
		gen_put(g, "%s", map->here);
	else
		gen_value(g, map->key, depth - 1);
	gen_put(g, ")");
}

static void element(struct gen *g, int depth)
{
	if (gen_one_in(g, 2)) {
		gen_put(g, "(");
		gen_int(g, depth - 1);
		gen_put(g, ", ");
		gen_str(g, depth - 1);
		gen_put(g, ").0");
		return;
	}
	gen_put(g, "((uint8[8])(uint64)(");
	gen_int(g, depth - 1);
	gen_put(g, "))[");
	gen_int(g, depth - 1);
	gen_put(g, " & 7]");
}

static void pointer(struct gen *g, int depth)
{
	const char *text = pick_of(g, g->place->ptrs);

	if (text && !gen_one_in(g, 4))
		gen_put(g, "%s", text);
	else if (g->place->is_uprobe || gen_one_in(g, 2))
		gen_put(g, "uptr(%s)", gen_one_in(g, 2) ? "0x401000" : "nsecs");
	else
		gen_put(g, "kptr(%s)",
			gen_one_in(g, 2) ? "(uint64)curtask" : "kaddr(\"schedule\")");
}

static void dereference(struct gen *g, int depth)
{
	static const char *const types[] = {"int8", "uint16", "int32", "uint64"};
	bool steps = gen_one_in(g, 3);

	gen_put(g, "*(%s(%s *)", steps ? "(" : "", GEN_PICK(g, types));
	pointer(g, depth);
	if (steps) {
		gen_put(g, ") + ");
		gen_int(g, depth - 1);
	}
	gen_put(g, ")");
}

static void other_call(struct gen *g, int depth)
{
	static const char *const calls[] = {"nsecs(monotonic)",
					    "nsecs(boot)",
					    "nsecs(tai)",
					    "nsecs(sw_tai)",
					    "kaddr(\"schedule\")",
					    "sizeof(struct task_struct)",
					    "sizeof(uint64)",
					    "offsetof(struct task_struct, comm)",
					    "AF_INET",
					    "O_CREAT",
					    "len(kstack(4))",
					    "len(ustack(20))"};

	if (g->place->has_regs && gen_one_in(g, 3)) {
		gen_put(g, "reg(\"%s\")", gen_one_in(g, 2) ? "ip" : "sp");
	} else if (gen_one_in(g, 4)) {
		gen_put(g, "bswap(");
		cast(g, depth);
		gen_put(g, ")");
	} else {
		gen_put(g, "%s", GEN_PICK(g, calls));
	}
}

static void if_value(struct gen *g, int depth)
{
	if (g->in_predicate) {
		ternary(g, depth);
		return;
	}
	gen_put(g, "if (");
	gen_int(g, depth - 1);
	gen_put(g, ") { $w%u = ", g->next_var);
	gen_int(g, depth - 1);
	gen_put(g, "; $w%u + 1 } else { ", g->next_var++);
	gen_int(g, depth - 1);
	gen_put(g, " }");
}

void gen_int(struct gen *g, int depth)
{
	static maker *const leaves[] = {literal, builtin, task_member, place_int, int_var, int_var};
	static maker *const trees[] = {literal,     builtin,    task_member, place_int, place_array,
				       int_var,     int_var,    int_map,     int_map,   binary,
				       binary,      binary,     binary,      unary,     ternary,
				       cast,        of_strings, of_strings,  of_map,    element,
				       dereference, other_call};

	if (depth <= 0)
		GEN_PICK(g, leaves)(g, depth);
	else if (depth > 2 && gen_one_in(g, 40))
		if_value(g, depth);
	else
		GEN_PICK(g, trees)(g, depth);
}

/* --- Strings -------------------------------------------------------------------------------- */

static void text(struct gen *g, int depth)
{
	static const uint32_t lengths[] = {0, 1, 3, 4, 7, 8, 9, 15, 16, 20, 31, 63, 64, 65, 100};
	uint32_t len = GEN_PICK(g, lengths);

	gen_put(g, "\"");
	for (uint32_t i = 0; i < len; i++)
		gen_put(g, "%c", 'a' + (char)gen_below(g, 26));
	gen_put(g, "\"");
}

static void own_text(struct gen *g, int depth)
{
	static const char *const texts[] = {"comm",
					    "pcomm",
					    "curtask->comm",
					    "str(curtask->comm, 5)",
					    "curtask->group_leader->comm",
					    "str(curtask->nsproxy->uts_ns->name.nodename)",
					    "(string[32])comm",
					    "(string[80])pcomm"};

	gen_put(g, "%s", GEN_PICK(g, texts));
}

static void place_text(struct gen *g, int depth)
{
	const char *at = pick_of(g, g->place->strs);

	if (at)
		gen_put(g, "%s", at);
	else
		own_text(g, depth);
}

static void pointed_text(struct gen *g, int depth)
{
	gen_put(g, "str(");
	pointer(g, depth);
	if (gen_one_in(g, 3)) {
		gen_put(g, ", %u", 1 + gen_below(g, 200));
	} else if (depth > 0 && gen_one_in(g, 3)) {
		gen_put(g, ", pid + ");
		gen_int(g, depth - 1);
	}
	gen_put(g, ")");
}

static void str_var(struct gen *g, int depth)
{
	const struct gen_var *var = var_of(g, gen_scalar_type(GEN_STR));

	if (var)
		gen_put(g, "$v%u", var->number);
	else
		own_text(g, depth);
}

static void str_map(struct gen *g, int depth)
{
	const struct gen_map *map = map_of(g, GEN_STR, false);

	if (map)
		gen_map_ref(g, map, depth - 1);
	else
		text(g, depth);
}

static void str_ternary(struct gen *g, int depth)
{
	gen_put(g, "(");
	gen_int(g, depth - 1);
	gen_put(g, " ? ");
	gen_str(g, depth - 1);
	gen_put(g, " : ");
	gen_str(g, depth - 1);
	gen_put(g, ")");
}

static void str_element(struct gen *g, int depth)
{
	gen_put(g, "(");
	gen_int(g, depth - 1);
	gen_put(g, ", ");
	gen_str(g, depth - 1);
	gen_put(g, ").1");
}

void gen_str(struct gen *g, int depth)
{
	static maker *const leaves[] = {text, own_text, place_text, str_var};
	static maker *const trees[] = {text,         own_text, own_text, place_text,  place_text,
				       pointed_text, str_var,  str_map,  str_ternary, str_element};

	if (depth <= 0)
		GEN_PICK(g, leaves)(g, depth);
	else
		GEN_PICK(g, trees)(g, depth);
}

/* --- The rest --------------------------------------------------------------------------------- */

static void tuple(struct gen *g, const struct gen_type *type, int depth)
{
	gen_put(g, "(");
	for (uint32_t i = 0; i < type->n; i++) {
		gen_put(g, i ? ", " : "");
		gen_value(g, type->elems[i], depth - 1);
	}
	gen_put(g, ")");
}

static void call_of_int(struct gen *g, const char *name, int depth)
{
	gen_put(g, "%s(", name);
	gen_int(g, depth - 1);
	gen_put(g, ")");
}

static void buffer(struct gen *g, const struct gen_type *type, int depth)
{
	const char *array = pick_of(g, g->place->arrays);

	if (array && gen_one_in(g, 3)) {
		gen_put(g, "buf(%s)", array);
		return;
	}
	gen_put(g, "buf(");
	pointer(g, depth);
	if (gen_one_in(g, 2)) {
		gen_put(g, ", %u)", type->n);
	} else {
		gen_put(g, ", tid ^ ");
		gen_int(g, depth - 1);
		gen_put(g, ")");
	}
}

static void array(struct gen *g, const struct gen_type *type, int depth)
{
	if (type->n == 4 && gen_one_in(g, 3)) {
		gen_put(g, "pton(\"10.1.2.%u\")", gen_below(g, 256));
		return;
	}
	gen_put(g, type->n == 4 ? "(uint8[4])(uint32)(" : "(uint8[8])(uint64)(");
	gen_int(g, depth - 1);
	gen_put(g, ")");
}

static void inet(struct gen *g, int depth)
{
	if (gen_one_in(g, 3))
		gen_put(g, "ntop(pton(\"::1\"))");
	else if (gen_one_in(g, 2))
		gen_put(g, "ntop(AF_INET, pton(\"127.0.0.1\"))");
	else
		call_of_int(g, "ntop", depth);
}

static void truth(struct gen *g, int depth)
{
	gen_put(g, "(");
	gen_int(g, depth - 1);
	gen_put(g, gen_one_in(g, 2) ? " > " : " == ");
	gen_int(g, depth - 1);
	gen_put(g, ")");
}

static void rare_value(struct gen *g, const struct gen_type *type, int depth)
{
	switch (type->kind) {
	case GEN_INET: inet(g, depth); break;
	case GEN_MAC: gen_put(g, "macaddr((uint8[8])(uint64)pid)"); break;
	case GEN_BUF: buffer(g, type, depth); break;
	case GEN_USER: gen_put(g, "username"); break;
	case GEN_ERROR: call_of_int(g, "strerror", depth); break;
	case GEN_SIGNAL: call_of_int(g, "signal_name", depth); break;
	case GEN_TIME:
		gen_put(g, "strftime(\"%%H:%%M:%%S\", %s)",
			gen_one_in(g, 2) ? "nsecs" : "nsecs(tai)");
		break;
	case GEN_CGROUP: gen_put(g, "cgroup_path(cgroup)"); break;
	case GEN_PROBE: gen_put(g, "probe"); break;
	default: array(g, type, depth); break;
	}
}

void gen_value(struct gen *g, const struct gen_type *type, int depth)
{
	const struct gen_var *var = gen_one_in(g, 4) ? var_of(g, type) : NULL;

	if (var) {
		gen_put(g, "$v%u", var->number);
		return;
	}
	switch (type->kind) {
	case GEN_INT: gen_int(g, depth); break;
	case GEN_BOOL: truth(g, depth); break;
	case GEN_STR: gen_str(g, depth); break;
	case GEN_TUPLE: tuple(g, type, depth); break;
	case GEN_USYM: call_of_int(g, "usym", depth); break;
	case GEN_KSYM: call_of_int(g, "ksym", depth); break;
	case GEN_KSTACK: gen_put(g, type->n ? "kstack(%u)" : "kstack", type->n); break;
	case GEN_USTACK: gen_put(g, type->n ? "ustack(perf, %u)" : "ustack", type->n); break;
	default: rare_value(g, type, depth); break;
	}
}

static void known_key(struct gen *g, const struct gen_type *type, int depth)
{
	static const char *const texts[] = {"\"a\"", "\"a longer one\"", "\"syscall\""};

	if (depth > 0 && gen_one_in(g, 2)) {
		gen_put(g, "(");
		gen_int(g, depth - 1);
		gen_put(g, " > 3 ? ");
		known_key(g, type, depth - 1);
		gen_put(g, " : ");
		known_key(g, type, depth - 1);
		gen_put(g, ")");
	} else if (type->kind == GEN_INT) {
		gen_put(g, "%u", gen_below(g, 4));
	} else if (gen_one_in(g, 4)) {
		gen_put(g, "syscall_name(");
		gen_int(g, depth - 1);
		gen_put(g, ")");
	} else {
		gen_put(g, "%s", GEN_PICK(g, texts));
	}
}

void gen_map_ref(struct gen *g, const struct gen_map *map, int depth)
{
	gen_put(g, "@m%u", (unsigned)(map - g->maps));
	if (!map->key)
		return;
	gen_put(g, "[");
	if (map->use == GEN_HERE) {
		gen_put(g, "%s", map->here);
	} else if (map->is_known) {
		known_key(g, map->key, depth);
	} else if (map->key->kind == GEN_TUPLE && gen_one_in(g, 2)) {
		for (uint32_t i = 0; i < map->key->n; i++) {
			gen_put(g, i ? ", " : "");
			gen_value(g, map->key->elems[i], depth - 1);
		}
	} else {
		gen_value(g, map->key, depth);
	}
	gen_put(g, "]");
}
