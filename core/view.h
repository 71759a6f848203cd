/* Read-only questions about the state, as JSON, for the API, metrics and tests.
 *
 * Works on a read-only connection of storage/ (struct storage_reader), so any thread may ask with a connection of its own; an
 * answer shows one consistent index. Field names are those of api/openapi.yaml. Secrets (ha1_*, token hashes) are never in
 * a view.
 *
 * Rows:
 *  config kinds (extension, agent, queue, trunk, network, access_number, flow, flow_draft, parameter, secret, lookup, token, time_group, holiday_list, prompt, blacklist, vip): the
 *     object's fields by their names in commands.proto, and "version", "updated_at". flow: "definition" is an object. extension also: "has_password",
 *     "registrations": [{uri, node, flow, user_agent, expires_at}]. vip also: "number", "queue".
 *     agent also: "state", "reason", "since", "login_at", "extension_in_use", "call_id", "answered", "queues": [names].
 *     queue also: "waiting", "available", "logged_in", "talking", "longest_wait_ms", "entries": [{call_id, caller, position, priority, vip, queued_at, state}],
     in the order of service
 *  call: call_id (16 hex digits), owner, epoch, phase, caller, caller_name, called, trunk, extension, agent, queue, flow, flow_node,
 *     language, customer, notes, data, position, arrived_at, answered_at, menu_at, queued_at, offered_at, connected_at, taken_over_at, legs: [{leg_id, role, number, agent,
 *     answered, held, muted, codec, media_address, remote_target}]
 *  callback: callback_id (16 hex digits), queue, number, name, state, priority, vip, asked_at, asked_by, queued_at, due_at, tries, tried_at,
 *     tried_cause, call_id, called, variables, note
 *  cdr: record_id, call_id, direction ("inbound", "internal"), caller, called, trunk, extension, agent, answered_by, queue, flow, owner,
 *     arrived_at, answered_at, menu_at, queued_at, offered_at, connected_at, ended_at, duration_ms, talk_ms, wait_ms,
 *     ended_by, cause, sip_status, offers, taken_over, customer, notes, data, quality: [{leg_id, role, codec, rx_packets, tx_packets, rx_lost, jitter_us, rtt_us, remote_lost,
 *     remote_jitter_us, mos, remote_mos}]
 *  node: name, node_id, site, sip, https, peer, version, up, since, incarnation, draining, calls (that it owns), home_addresses,
 *     held_addresses: [ip]
 *  address: ip, home, holder, target ("" or where it is on its way to), epoch, bound, why, state ("bound", "pending", "moving", "failed")
 *  live_agent: number, name, group, type, state, activity, reason, since, until, login_at, extension (in use), answered, queues, call_id, call: null or
 *     {caller, called, queue, direction, connected_at}
 *  live_waiting: call_id, caller, caller_name, called, trunk, language, queue, position (null while he is offered), type ("caller", "vip", "callback"),
 *     priority, arrived_at, queued_at, state ("waiting", "offered"), agents (who are rung), overflow; queue by queue, in the order of service. A cursor
 *     is a place in that order: who comes or goes meanwhile may be missed or seen twice
 *  live_queue: name, display_name, members, waiting, waiting_since (of the oldest caller, or null), estimated_wait_s, and how many members are
 *     logged_out, not_ready, idle, ringing, talking, wrap_up
 *  message: message_id, call_id (16 hex digits), box, caller, called, queue, flow, started_at, duration_ms, bytes, heard, sha256; those
 *     that are kept, the newest first
 *  recording: recording_id, call_id, direction, caller, called, answered_by, agent, agents: [numbers], queue, rule, customer, marked, started_at,
 *     duration_ms, format ("wav", "mp3"), bytes, sha256, wav and mp3: {sha256, bytes} or null, hold, gaps: [{from_ms, to_ms}], segments: [{role, number, agent, queue, channel, from_ms, to_ms, from, to}]
 *  event: CloudEvents 1.0 envelope: specversion, id ("INDEX.N"), source, type ("everline.call.started", ...), subject, time, data
 *  audit: index, time, actor, origin, node, action, object, before, after, code
 * Times are RFC 3339 UTC with milliseconds, or null. Lists have a stable order and a cursor. */
#ifndef CORE_VIEW_H
#define CORE_VIEW_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"

struct storage_reader;
struct view_scope;

#define VIEW_LIMIT_MAX 1000u

struct view_query {
    const char *kind;   /* as above */
    const char *key;    /* one object: its key (call and cdr: call id in hex); NULL: a list */
    const char *cursor; /* from a previous answer, or NULL */
    uint32_t limit;     /* 1..VIEW_LIMIT_MAX; 0: 100 */
    json_t *
        filter; /* object of equality filters by field name (and "from"/"to" times for cdr, audit, message), or NULL; not taken over */
    const struct view_scope *scope; /* only rows of what a supervisor manages (core/scope.h); NULL: all */
};
/* With a scope, what is not within it is as if it were not there.
 * *out: for one object the object; for a list {"items": [...], "next_cursor": text or null, "index": N}. ERR_NOTFOUND;
 * ERR_INVAL for an unknown kind or filter field, a value that no row can have in a filter, or a bad cursor (info names it). */
ERR_CHECKED int view_read(struct storage_reader *r, const struct view_query *q, json_t **out, struct err_info *info);

/* Events with id after (index, n), oldest first, at most limit. *gone is set when events after that id are no longer kept. */
ERR_CHECKED int view_events(struct storage_reader *r, uint64_t after_index, uint32_t after_n, uint32_t limit,
                            json_t **out, int *gone);

/* The blob of each message that is kept; fn returns non-zero to stop, which is then the result. */
ERR_CHECKED int view_message_blobs(struct storage_reader *r, int (*fn)(void *ctx, const char *sha256), void *ctx);

/* Turns JSON (one object of `kind`, field names of commands.proto) into a ConfigObject of a command and checks each field: unknown
 * fields, types, bounds, formats. info->field is the path inside the object. Free with ev__config_object__free_unpacked.
 * For an extension "password" is accepted and turned into both HA1 values (realm given). */
struct Ev__ConfigObject;
ERR_CHECKED int view_config_from_json(const char *kind, const json_t *object, const char *realm,
                                      struct Ev__ConfigObject **out, struct err_info *info);

#endif
