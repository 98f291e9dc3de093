/*
 * What TCP connections carried, from the counters that the kernel keeps for each: as tasks.c does
 * it with threads. An iterator sees the connections of one network namespace, so it goes through
 * all that processes are in, up to SPACES_MOST.
 *
 * A socket has no time of birth; that it is another one at the same address is seen by its ports
 * and by counters that went back. What was there at the first pass has its counters noted only.
 */
#include "watch/watcher_impl.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "watch/histogram.h"

#define SPACES_MOST 64
/** Passes after which a socket, or a port, that was not seen any more is forgotten. */
#define PASSES 5
#define INET   2
#define INET6  10

struct socket {
	struct skep_socket_record last;
	uint64_t pass;
};

void skep_sockets_init(struct skep_sockets *sockets)
{
	*sockets = (struct skep_sockets){
		.own_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC),
	};
	skep_rows_init(&sockets->known, 8, sizeof(struct socket));
	skep_rows_init(&sockets->listening, 8, 8);
}

void skep_sockets_done(struct skep_sockets *sockets)
{
	skep_rows_done(&sockets->known);
	skep_rows_done(&sockets->listening);
	skep_close(&sockets->own_fd);
}

/* --- Peers ----------------------------------------------------------------------------------- */

/* IPv4 in IPv6's clothes is IPv4. */
static void put_address(const struct skep_socket_record *record, struct skep_key_peer *key)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint32_t v4 = (uint32_t)record->v4;

	key->family = record->family;
	if (record->family == INET) {
		memcpy(key->address, &v4, 4);
	} else if (!memcmp(record->v6, mapped, sizeof(mapped))) {
		key->family = INET;
		memcpy(key->address, record->v6 + 12, 4);
	} else {
		memcpy(key->address, record->v6, 16);
	}
}

/* A connection to a port that somebody listens on here has its service here; where nobody is known
 * to listen on either, the service is taken to be on the lower port. */
static struct skep_key_peer peer_of(const struct skep_sockets *sockets,
				    const struct skep_socket_record *record)
{
	bool is_ours = skep_rows_find(&sockets->listening, &record->port);
	bool is_theirs = skep_rows_find(&sockets->listening, &record->peer_port);
	struct skep_key_peer key = {.is_inbound = is_ours ||
						  (!is_theirs && record->port < record->peer_port)};

	key.port = key.is_inbound ? record->port : record->peer_port;
	put_address(record, &key);
	return key;
}

static void count_round_trip(const struct skep_socket_record *record, uint64_t *peer,
			     struct skep_rows *trips)
{
	uint64_t *buckets = skep_rows_at(trips, "");

	if (!record->rtt_us || !buckets)
		return;
	peer[SKEP_PEER_RTT_US] += record->rtt_us;
	peer[SKEP_PEER_RTTS]++;
	buckets[skep_histogram_bucket(record->rtt_us, SKEP_HIST_FINE_BITS)]++;
}

static void count(const struct skep_sockets *sockets, const struct skep_socket_record *record,
		  const struct skep_socket_record *since, struct skep_snapshot *into)
{
	struct skep_key_peer key = peer_of(sockets, record);
	uint64_t sent = record->sent - (since ? since->sent : 0);
	uint64_t received = record->received - (since ? since->received : 0);
	uint64_t again = record->again - (since ? since->again : 0);
	uint64_t *peer;

	if (!(sent | received | again) ||
	    !(peer = skep_rows_at(&into->rows[SKEP_TALLY_PEERS], &key)))
		return;
	peer[SKEP_PEER_SENT] += sent;
	peer[SKEP_PEER_RECEIVED] += received;
	peer[SKEP_PEER_AGAIN] += again;
	count_round_trip(record, peer, &into->rows[SKEP_TALLY_ROUND_TRIPS]);
}

static bool is_same(const struct socket *socket, const struct skep_socket_record *record)
{
	return socket && socket->pass && socket->last.port == record->port &&
	       socket->last.peer_port == record->peer_port && socket->last.sent <= record->sent &&
	       socket->last.received <= record->received;
}

/* --- Reading --------------------------------------------------------------------------------- */

static void on_open(struct skep_sockets *sockets, uint64_t address,
		    const struct skep_socket_record *record, struct skep_snapshot *into)
{
	struct socket *socket = skep_rows_at(&sockets->known, &address);

	if (into)
		count(sockets, record, is_same(socket, record) ? &socket->last : NULL, into);
	if (socket)
		*socket = (struct socket){.last = *record, .pass = sockets->pass};
}

static void on_closed(struct skep_sockets *sockets, uint64_t address,
		      const struct skep_socket_record *record, struct skep_snapshot *into)
{
	struct socket *socket = skep_rows_find(&sockets->known, &address);

	if (into)
		count(sockets, record, is_same(socket, record) ? &socket->last : NULL, into);
	if (socket)
		socket->pass = 0;
}

static bool is_kept(void *ctx, const void *key, void *value)
{
	const struct skep_sockets *sockets = ctx;
	const struct socket *socket = value;

	return socket->pass && socket->pass + PASSES > sockets->pass;
}

static bool still_listens(void *ctx, const void *key, void *value)
{
	const struct skep_sockets *sockets = ctx;

	return *(const uint64_t *)value + PASSES > sockets->pass;
}

static struct skep_map_entries take(const struct skep_live *live, const char *name)
{
	const struct skep_trace_map *map = skep_live_map(live, name);
	struct skep_map_entries entries = {0};

	if (map)
		skep_map_take(skep_live_maps(live), map, false, &entries);
	return entries;
}

static void note_listening(struct skep_sockets *sockets, const struct skep_live *live)
{
	struct skep_map_entries entries = take(live, "@listening");

	for (size_t i = 0; i < entries.n; i++) {
		uint64_t *pass = skep_rows_at(&sockets->listening, entries.entries[i].key);
		if (pass)
			*pass = sockets->pass;
	}
	skep_map_entries_done(&entries);
	skep_rows_keep(&sockets->listening, still_listens, sockets);
}

static void for_each(struct skep_sockets *sockets, struct skep_map_entries *entries,
		     void (*on_record)(struct skep_sockets *, uint64_t address,
				       const struct skep_socket_record *, struct skep_snapshot *),
		     struct skep_snapshot *into)
{
	for (size_t i = 0; i < entries->n; i++)
		on_record(sockets, *(const uint64_t *)entries->entries[i].key,
			  entries->entries[i].value, into);
	skep_map_entries_done(entries);
}

static bool enter(uint64_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%llu/ns/net", (unsigned long long)pid);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && !setns(fd, CLONE_NEWNET);
}

/* The descriptor of an iterator is opened in the namespace that it then goes over. */
static void iterate(struct skep_sockets *sockets, const struct skep_live *live,
		    const struct skep_rows *spaces)
{
	bool is_away = false;

	if (spaces->n < 2 || sockets->own_fd < 0) {
		skep_live_iterate(live);
		return;
	}
	for (uint32_t i = 0; i < spaces->n && i < SPACES_MOST; i++) {
		if (!enter(*(const uint64_t *)skep_rows_value(spaces, i)))
			continue;
		is_away = true;
		skep_live_iterate(live);
	}
	if (is_away)
		setns(sockets->own_fd, CLONE_NEWNET);
}

/*
 * What is closed is taken before the pass, so that none is in both, and counted after it, when it
 * is known who listens; but before those that are open: an address may be in use again by now.
 */
void skep_sockets_read(struct skep_sockets *sockets, const struct skep_live *live,
		       const struct skep_rows *spaces, bool whole, struct skep_snapshot *into)
{
	uint64_t began_ns = skep_watcher_now();
	bool is_due = whole || skep_pace_is_due(&sockets->pace, began_ns);
	struct skep_map_entries closed = take(live, "@closed");

	if (is_due) {
		sockets->pass++;
		iterate(sockets, live, spaces);
		note_listening(sockets, live);
	}
	for_each(sockets, &closed, on_closed, into);
	if (!is_due)
		return;
	struct skep_map_entries open = take(live, "@sockets");
	for_each(sockets, &open, on_open, into);
	skep_rows_keep(&sockets->known, is_kept, sockets);
	skep_pace_passed(&sockets->pace, began_ns);
}
