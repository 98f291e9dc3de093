/* The script around the statements: maps, probes, predicates. See generate.h. */
#include "generate.h"

#include <stdarg.h>
#include <string.h>

/* splitmix64: small, and good enough for drawing. */
static uint64_t draw(struct gen *g)
{
	uint64_t z = g->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

uint32_t gen_below(struct gen *g, uint32_t n)
{
	return (uint32_t)(draw(g) % n);
}

bool gen_one_in(struct gen *g, uint32_t n)
{
	return gen_below(g, n) == 0;
}

void gen_put(struct gen *g, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	skep_buf_vprintf(g->out, fmt, ap);
	va_end(ap);
}

/* --- Types ------------------------------------------------------------------------------ */

const struct gen_type *gen_scalar_type(enum gen_kind kind)
{
	static const struct gen_type types[GEN_N_KINDS] = {
		[GEN_INT] = {GEN_INT},        [GEN_BOOL] = {GEN_BOOL},  [GEN_STR] = {GEN_STR},
		[GEN_USYM] = {GEN_USYM},      [GEN_KSYM] = {GEN_KSYM},  [GEN_KSTACK] = {GEN_KSTACK},
		[GEN_USTACK] = {GEN_USTACK},  [GEN_INET] = {GEN_INET},  [GEN_MAC] = {GEN_MAC},
		[GEN_BUF] = {GEN_BUF, 64},    [GEN_USER] = {GEN_USER},  [GEN_ERROR] = {GEN_ERROR},
		[GEN_SIGNAL] = {GEN_SIGNAL},  [GEN_TIME] = {GEN_TIME},  [GEN_CGROUP] = {GEN_CGROUP},
		[GEN_ARRAY] = {GEN_ARRAY, 8}, [GEN_PROBE] = {GEN_PROBE}};

	return &types[kind];
}

static const struct gen_type *draw_rare(struct gen *g)
{
	static const enum gen_kind kinds[] = {GEN_USYM,  GEN_KSYM,  GEN_KSTACK, GEN_USTACK,
					      GEN_INET,  GEN_MAC,   GEN_BUF,    GEN_USER,
					      GEN_ERROR, GEN_TIME,  GEN_CGROUP, GEN_ARRAY,
					      GEN_BOOL,  GEN_PROBE, GEN_SIGNAL};
	enum gen_kind kind = GEN_PICK(g, kinds);
	bool is_stack = kind == GEN_KSTACK || kind == GEN_USTACK;

	if (!is_stack && kind != GEN_ARRAY && kind != GEN_BUF)
		return gen_scalar_type(kind);
	struct gen_type *type = &g->pool[g->n_types++];
	*type = (struct gen_type){.kind = kind};
	if (is_stack)
		type->n = gen_one_in(g, 2) ? 0 : 1 + gen_below(g, 30);
	else
		type->n = kind == GEN_ARRAY ? 4 + 4 * gen_below(g, 2) : 1 + gen_below(g, 200);
	return type;
}

const struct gen_type *gen_draw_type(struct gen *g, int depth)
{
	bool is_full = g->n_types + GEN_ELEMS + 2 > sizeof(g->pool) / sizeof(g->pool[0]);
	uint32_t which = gen_below(g, 16);

	if (is_full || which < 7)
		return gen_scalar_type(GEN_INT);
	if (which < 11)
		return gen_scalar_type(GEN_STR);
	if (which < 13 || depth <= 0)
		return draw_rare(g);
	struct gen_type *type = &g->pool[g->n_types++];
	*type = (struct gen_type){.kind = GEN_TUPLE, .n = 2 + gen_below(g, GEN_ELEMS - 1)};
	for (uint32_t i = 0; i < type->n; i++)
		type->elems[i] = gen_draw_type(g, depth - 1);
	return type;
}

/* --- Maps ------------------------------------------------------------------------------- */

static void draw_aggregate(struct gen *g, struct gen_map *map)
{
	static const struct {
		const char *call; /* # is the number */
		bool is_readable;
	} calls[] = {{"count()", true},
		     {"sum(#)", true},
		     {"avg(#)", true},
		     {"min(#)", true},
		     {"max(#)", true},
		     {"stats(#)", false},
		     {"hist(#)", false},
		     {"hist(#, 1)", false},
		     {"hist(#, 2)", false},
		     {"hist(#, 3)", false},
		     {"hist(#, 4)", false},
		     {"hist(#, 5)", false},
		     {"lhist(#, 0, 100, 10)", false},
		     {"lhist(#, -10, 10, 1)", false},
		     {"lhist(#, 0, 1000000, 1000)", false}};
	uint32_t i = gen_below(g, sizeof(calls) / sizeof(calls[0]));

	map->use = GEN_AGG;
	map->agg = calls[i].call;
	map->is_readable = calls[i].is_readable;
}

static void draw_map(struct gen *g)
{
	struct gen_map *map = &g->maps[g->n_maps++];

	*map = (struct gen_map){0};
	if (gen_one_in(g, 10)) {
		map->use = GEN_HERE;
		map->here = gen_one_in(g, 2) ? "tid" : "cpu";
		map->key = gen_scalar_type(GEN_INT);
		map->value = gen_draw_type(g, 1);
		return;
	}
	if (!gen_one_in(g, 4))
		map->key = gen_draw_type(g, 2);
	if (gen_one_in(g, 5)) {
		map->key = gen_scalar_type(gen_one_in(g, 2) ? GEN_INT : GEN_STR);
		map->is_known = true;
	}
	if (map->is_known || gen_one_in(g, 2))
		draw_aggregate(g, map);
	else
		map->value = gen_draw_type(g, 2);
}

static void declare_maps(struct gen *g)
{
	for (uint32_t i = 0; i < g->n_maps; i++) {
		const struct gen_map *map = &g->maps[i];
		bool lru = gen_one_in(g, 2);
		if (!map->key || map->use == GEN_HERE || !gen_one_in(g, 6))
			continue;
		gen_put(g, "let @m%u = %s%s(%u);\n", i, map->use == GEN_AGG ? "percpu" : "",
			lru ? "lruhash" : "hash", 1 + gen_below(g, 5000));
	}
}

static void configure(struct gen *g)
{
	static const char *const items[] = {
		"max_strlen=64",      "max_strlen=200",   "max_strlen=4096",    "max_map_strlen=32",
		"max_map_strlen=512", "max_map_keys=100", "max_stack_depth=20", "perf_rb_pages=64"};

	if (gen_one_in(g, 4))
		gen_put(g, "config = { %s }\n", GEN_PICK(g, items));
}

/* --- Probes ----------------------------------------------------------------------------- */

static const struct gen_place places[] = {
	{.spec = "BEGIN"},
	{.spec = "END"},
	{.spec = "interval:s:1", .is_perf = true, .has_regs = true},
	{.spec = "profile:hz:99", .is_perf = true, .has_regs = true},
	{.spec = "software:page-faults:100", .is_perf = true, .has_regs = true},
	{.spec = "software:context-switches:10,software:cpu-clock:1000000",
	 .is_perf = true,
	 .has_regs = true},
	{.spec = "tracepoint:raw_syscalls:sys_enter",
	 .ints = {"args.id", "args->id", "args.args[0]", "args.args[5]"},
	 .ptrs = {"(void *)args.args[1]", "uptr(args.args[1])"},
	 .arrays = {"args.args"}},
	{.spec = "tracepoint:raw_syscalls:sys_exit", .ints = {"args.id", "args.ret"}},
	{.spec = "tracepoint:sched:sched_switch",
	 .ints = {"args.prev_pid", "args.next_prio", "args.prev_state", "args->next_pid",
		  "args.prev_comm[2]"},
	 .strs = {"args.prev_comm", "args.next_comm", "str(args.next_comm, 4)"}},
	{.spec = "tracepoint:sched:sched_process_exec",
	 .ints = {"args.pid", "args.old_pid"},
	 .strs = {"str(args.filename)", "str(args.filename, 20)"},
	 .ptrs = {"args.filename"}},
	{.spec = "tracepoint:sched:sched_process_fork",
	 .ints = {"args.parent_pid", "args.child_pid"},
	 .strs = {"str(args.parent_comm)"}},
	{.spec = "tracepoint:syscalls:sys_enter_openat",
	 .ints = {"args.dfd", "args.flags", "args.mode"},
	 .strs = {"str(args.filename)", "str(args.filename, 12)"},
	 .ptrs = {"args.filename", "args.filename + 1"}},
	{.spec = "tracepoint:syscalls:sys_enter_execve",
	 .strs = {"str(args.filename)", "str(*args.argv)", "str(args.argv[1])"},
	 .ptrs = {"args.filename", "args.argv", "args.envp", "args.argv[0]"}},
	{.spec = "tracepoint:syscalls:sys_enter_futex",
	 .ints = {"args.op", "args.val", "*args.uaddr", "args.utime->tv_sec", "args.uaddr[2]"},
	 .ptrs = {"args.uaddr", "args.utime"}},
	{.spec = "tracepoint:syscalls:sys_enter_write,tracepoint:syscalls:sys_enter_read",
	 .ints = {"args.fd", "args.count"},
	 .strs = {"str(args.buf, args.count)"},
	 .ptrs = {"args.buf"}},
	{.spec = "tracepoint:syscalls:sys_exit_*at", .ints = {"args.ret"}},
	{.spec = "tracepoint:sock:inet_sock_set_state",
	 .ints = {"args.oldstate", "args.sport", "args.family", "args.saddr[3]"},
	 .ptrs = {"args.skaddr"},
	 .arrays = {"args.saddr", "args.daddr_v6"}},
	{.spec = "tracepoint:block:block_rq_issue",
	 .ints = {"args.dev", "args.sector", "args.bytes", "args.nr_sector"},
	 .strs = {"args.rwbs", "args.comm", "str(args.cmd)"}},
	{.spec = "tracepoint:net:net_dev_queue",
	 .ints = {"args.len", "((struct sk_buff *)args.skbaddr)->len",
		  "((struct sk_buff *)args.skbaddr)->pkt_type"},
	 .strs = {"str(args.name)"},
	 .ptrs = {"args.skbaddr"}},
	{.spec = "tracepoint:kmem:kmalloc",
	 .ints = {"args.bytes_req", "args.gfp_flags", "args.node"},
	 .ptrs = {"args.ptr"}},
	{.spec = "rawtracepoint:sched_switch",
	 .ints = {"args.preempt", "args.prev->pid", "args.next.tgid", "args.prev_state", "arg0",
		  "args.prev->mm->total_vm"},
	 .strs = {"args.prev->comm", "args.next.comm", "str(args.next->comm)"},
	 .ptrs = {"args.prev", "arg1"}},
	{.spec = "rawtracepoint:sys_enter",
	 .ints = {"args.id", "args.regs->di", "arg1"},
	 .ptrs = {"args.regs", "uptr(args.regs->si)"}},
	{.spec = "rawtracepoint:sched_process_exec",
	 .ints = {"args.old_pid", "args.p->pid"},
	 .strs = {"str(args.bprm->filename)"},
	 .ptrs = {"args.bprm->filename"}},
	{.spec = "uprobe:libc:malloc,uprobe:libc:free",
	 .ints = {"arg0", "arg1", "(int32)arg2", "arg7"},
	 .ptrs = {"arg0", "(char *)arg1"},
	 .has_regs = true,
	 .is_uprobe = true},
	{.spec = "uprobe:libc:fopen*",
	 .ints = {"arg1"},
	 .strs = {"str(arg0)", "str(arg1, 4)"},
	 .ptrs = {"arg0", "arg1"},
	 .has_regs = true,
	 .is_uprobe = true},
	{.spec = "uretprobe:libc:malloc",
	 .ints = {"retval", "(int32)retval"},
	 .ptrs = {"retval"},
	 .has_regs = true,
	 .is_uprobe = true},
};

const struct gen_place *gen_draw_place(struct gen *g)
{
	return &GEN_PICK(g, places);
}

static void probe(struct gen *g)
{
	g->place = gen_draw_place(g);
	g->n_vars = g->loops = g->map_loops = 0;
	gen_put(g, "%s", g->place->spec);
	if (gen_one_in(g, 3)) {
		g->in_predicate = true;
		gen_put(g, " / ");
		gen_int(g, 3);
		gen_put(g, " /");
		g->in_predicate = false;
	}
	gen_put(g, " {\n");
	g->indent = 1;
	g->budget = gen_one_in(g, 10) ? 60 : 14;
	gen_body(g, gen_one_in(g, 10) ? 40 : 9);
	gen_put(g, "}\n");
}

/* Every map gets what settles its types before anything else is done with it. */
static void settle_maps(struct gen *g)
{
	static const struct gen_place nowhere = {.spec = "BEGIN"};

	g->place = &nowhere;
	gen_put(g, "BEGIN {\n");
	for (uint32_t i = 0; i < g->n_maps; i++) {
		const struct gen_map *map = &g->maps[i];
		uint32_t n_maps = g->n_maps;
		g->n_maps = 0; /* nothing that is not settled yet is read */
		gen_put(g, "\t");
		gen_map_ref(g, map, 1);
		gen_put(g, " = ");
		if (map->use == GEN_AGG) {
			const char *number = strchr(map->agg, '#');
			int before = (int)(number ? number - map->agg : (long)strlen(map->agg));
			gen_put(g, "%.*s%s%s", before, map->agg, number ? "1" : "",
				number ? number + 1 : "");
		} else {
			gen_value(g, map->value, 1);
		}
		g->n_maps = n_maps;
		gen_put(g, ";\n");
	}
	gen_put(g, "}\n");
}

void gen_script(uint64_t seed, struct skep_buf *out)
{
	struct gen g = {.out = out, .state = seed * 0x2545f4914f6cdd1du + 1};
	uint32_t n_maps = 1 + gen_below(&g, GEN_MAX_MAPS);

	configure(&g);
	while (g.n_maps < n_maps)
		draw_map(&g);
	declare_maps(&g);
	settle_maps(&g);
	for (uint32_t n = 1 + gen_below(&g, 3); n; n--)
		probe(&g);
}
