/* Network: TCP connections, with whom, how much, and how far away they are. */
#include <string.h>

#include "watch/panel.h"

#define US_NS 1000.0

/* States of TCP, as the kernel numbers them. */
enum { ESTABLISHED = 1, SYN_SENT = 2, SYN_RECV = 3, CLOSE = 7 };

static const struct skep_column peer_columns[] = {
	{"PEER", "peer", SKEP_UNIT_TEXT, 15, 0},
	{"PORT", "port", SKEP_UNIT_NUMBER, 5, 1},
	{"OF", "service_of", SKEP_UNIT_TEXT, 5, 4},
	{"SENT/s", "sent_bytes_per_second", SKEP_UNIT_BYTERATE, 8, 0},
	{"RECEIVED/s", "received_bytes_per_second", SKEP_UNIT_BYTERATE, 10, 2},
	{"ROUND TRIP", "round_trip_ns", SKEP_UNIT_NS, 10, 3},
	{"AGAIN/s", "retransmits_per_second", SKEP_UNIT_RATE, 7, 5},
};

static const struct skep_column failed_columns[] = {
	{"PEER", "peer", SKEP_UNIT_TEXT, 15, 0},
	{"PORT", "port", SKEP_UNIT_NUMBER, 5, 0},
	{"FAILED/s", "failed_per_second", SKEP_UNIT_RATE, 8, 0},
	{"WHY", "why", SKEP_UNIT_TEXT, 18, 1},
};

static void add_peer_name(struct skep_panel_walk *walk, uint64_t family, const uint8_t address[16])
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_peer_text(family, address, &text);
	skep_row_text(walk->view, walk->table, text.data ? text.data : "?", text.len + 1);
}

static void add_peer(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_peer *key = row_key;
	const struct skep_snapshot *now = walk->snapshot;
	double trips = (double)words[SKEP_PEER_RTTS];

	add_peer_name(walk, key->family, key->address);
	skep_row_number(walk->table, (double)key->port);
	skep_row_text(walk->view, walk->table, key->is_inbound ? "ours" : "peer", 5);
	skep_row_number(walk->table, skep_snapshot_rate(now, words[SKEP_PEER_SENT]));
	skep_row_number(walk->table, skep_snapshot_rate(now, words[SKEP_PEER_RECEIVED]));
	skep_row_number(walk->table,
			trips > 0 ? (double)words[SKEP_PEER_RTT_US] * US_NS / trips : NAN);
	skep_row_number(walk->table, skep_snapshot_rate(now, words[SKEP_PEER_AGAIN]));
}

void skep_panel_refused_address(const struct skep_key_refused *key, struct skep_buf *buf)
{
	uint8_t address[16] = {0};
	uint32_t v4 = (uint32_t)key->v4;

	if (key->family == 2)
		memcpy(address, &v4, 4);
	else
		memcpy(address, key->v6, 16);
	skep_peer_text(key->family, address, buf);
}

static void add_failed(struct skep_panel_walk *walk, const void *row_key, const uint64_t *words)
{
	const struct skep_key_refused *key = row_key;
	_cleanup_buf_ struct skep_buf text = {0};
	const char *why = key->err ? strerror((int)key->err) : "given up";

	skep_panel_refused_address(key, &text);
	skep_row_text(walk->view, walk->table, text.data ? text.data : "?", text.len + 1);
	skep_row_number(walk->table, (double)key->port);
	skep_row_number(walk->table, skep_snapshot_rate(walk->snapshot, words[0]));
	skep_row_text(walk->view, walk->table, why, 64);
}

static double state_rate(const struct skep_snapshot *snapshot, uint64_t from, uint64_t to)
{
	struct skep_key_states key = {.from = from, .to = to};
	uint64_t n = *skep_panel_words(snapshot, SKEP_TALLY_STATES, &key);

	return skep_panel_known(snapshot, SKEP_TALLY_STATES, skep_snapshot_rate(snapshot, n));
}

static void add_facts(const struct skep_snapshot *snapshot, const struct skep_histogram *trips,
		      struct skep_shown *ret)
{
	uint64_t n = trips->counts ? skep_histogram_total(trips) : 0;
	double p50 = n ? skep_histogram_percentile(trips, 0.5, n) * US_NS : NAN;
	double p99 = n ? skep_histogram_percentile(trips, 0.99, n) * US_NS : NAN;

	skep_shown_add_fact(ret, "opened", "opened_per_second", SKEP_UNIT_RATE,
			    state_rate(snapshot, SYN_SENT, ESTABLISHED));
	skep_shown_add_fact(ret, "accepted", "accepted_per_second", SKEP_UNIT_RATE,
			    state_rate(snapshot, SYN_RECV, ESTABLISHED));
	skep_shown_add_fact(ret, "failed", "failed_per_second", SKEP_UNIT_RATE,
			    state_rate(snapshot, SYN_SENT, CLOSE));
	skep_shown_add_fact(ret, "sent again", "retransmits_per_second", SKEP_UNIT_RATE,
			    skep_panel_rate(snapshot, SKEP_TALLY_RETRANSMITS));
	skep_shown_add_fact(ret, "round trip p50", "round_trip_p50_ns", SKEP_UNIT_NS, p50);
	skep_shown_add_fact(ret, "p99", "round_trip_p99_ns", SKEP_UNIT_NS, p99);
}

void skep_panel_network(const struct skep_snapshot *snapshot, const struct skep_filter *filter,
			struct skep_shown *ret)
{
	struct skep_panel_walk walk = {.snapshot = snapshot, .filter = filter, .view = ret};
	struct skep_histogram trips =
		skep_snapshot_histogram(snapshot, SKEP_TALLY_ROUND_TRIPS, SKEP_HIST_FINE_BITS);

	ret->why_not = snapshot->why_not[SKEP_SOURCE_network];
	add_facts(snapshot, &trips, ret);
	walk.table = skep_shown_add_table(ret, "busiest peers", "peers", peer_columns,
					  N_COLUMNS(peer_columns));
	skep_panel_walk(&walk, &snapshot->rows[SKEP_TALLY_PEERS],
			WORD(SKEP_PEER_SENT) | WORD(SKEP_PEER_RECEIVED) | WORD(SKEP_PEER_AGAIN),
			add_peer);
	walk.table = skep_shown_add_table(ret, "connections that failed", "failed", failed_columns,
					  N_COLUMNS(failed_columns));
	skep_panel_walk(&walk, &snapshot->rows[SKEP_TALLY_REFUSED], WORD(0), add_failed);
	skep_shown_add_histogram(ret, "round trips, us", "round_trip_us", trips);
}
