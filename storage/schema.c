/* Tables of the database, by version. A change of the schema adds a migration, never edits one.
 * Columns that people ask for are columns; what only core reads is packed into `body`. What every transaction changes stands in
 * one row (applied), and indexes are few: each page that a transaction touches is written once more. Records are found by
 * time through their numbers, which grow with it. */
#include "storage/storage_int.h"

const char *const storage_migrations[STORAGE_SCHEMA_VERSION] = {
    /* 0 -> 1 */
    "CREATE TABLE applied(id INTEGER PRIMARY KEY CHECK(id=1), idx INTEGER NOT NULL, term INTEGER NOT NULL,"
    " time_us INTEGER NOT NULL, feature_level INTEGER NOT NULL, front INTEGER NOT NULL, offer INTEGER NOT NULL,"
    " binding INTEGER NOT NULL, cdr INTEGER NOT NULL, idem INTEGER NOT NULL, events INTEGER NOT NULL,"
    " calls INTEGER NOT NULL, sessions BLOB NOT NULL);"
    "CREATE TABLE cluster(id INTEGER PRIMARY KEY CHECK(id=1), cluster_id TEXT NOT NULL, nonce_key BLOB NOT NULL,"
    " identifier_key BLOB NOT NULL);"
    "CREATE TABLE idempotency(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, body_hash INTEGER NOT NULL,"
    " idx INTEGER NOT NULL, code INTEGER NOT NULL, text TEXT NOT NULL, field TEXT NOT NULL, version INTEGER NOT NULL,"
    " json TEXT, time_us INTEGER NOT NULL);"
    "CREATE TABLE config(kind INTEGER NOT NULL, name TEXT NOT NULL, key INTEGER NOT NULL, version INTEGER NOT NULL,"
    " updated_us INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(kind, name)) WITHOUT ROWID;"
    "CREATE TABLE node(name TEXT PRIMARY KEY, up INTEGER NOT NULL, since_us INTEGER NOT NULL, body BLOB NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE registration(extension TEXT NOT NULL, binding TEXT NOT NULL, id INTEGER NOT NULL, uri TEXT NOT NULL,"
    " instance TEXT NOT NULL, reg_id INTEGER NOT NULL, node TEXT NOT NULL, flow TEXT NOT NULL, path TEXT NOT NULL,"
    " user_agent TEXT NOT NULL, call_id TEXT NOT NULL, cseq INTEGER NOT NULL, expires_us INTEGER NOT NULL,"
    " PRIMARY KEY(extension, binding)) WITHOUT ROWID;"
    "CREATE TABLE agent_state(number TEXT PRIMARY KEY, extension TEXT NOT NULL, state INTEGER NOT NULL,"
    " ready INTEGER NOT NULL, logout INTEGER NOT NULL, reason TEXT NOT NULL, since_us INTEGER NOT NULL,"
    " login_us INTEGER NOT NULL, idle_since_us INTEGER NOT NULL, wrap_up_until_us INTEGER NOT NULL,"
    " call_id INTEGER NOT NULL, answered INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE call(call_id INTEGER PRIMARY KEY, owner TEXT NOT NULL, phase INTEGER NOT NULL, queue TEXT NOT NULL,"
    " agent TEXT NOT NULL, priority INTEGER NOT NULL, front INTEGER NOT NULL, queued_us INTEGER NOT NULL,"
    " body BLOB NOT NULL);"
    "CREATE TABLE cdr(seq INTEGER PRIMARY KEY, call_id INTEGER NOT NULL, direction TEXT NOT NULL, caller TEXT NOT NULL,"
    " called TEXT NOT NULL, trunk TEXT NOT NULL, extension TEXT NOT NULL, agent TEXT NOT NULL, answered_by TEXT NOT "
    "NULL,"
    " queue TEXT NOT NULL, flow TEXT NOT NULL, owner TEXT NOT NULL, arrived_us INTEGER NOT NULL,"
    " answered_us INTEGER NOT NULL, menu_us INTEGER NOT NULL, queued_us INTEGER NOT NULL, offered_us INTEGER NOT NULL,"
    " connected_us INTEGER NOT NULL, ended_us INTEGER NOT NULL, ended_by TEXT NOT NULL, cause TEXT NOT NULL,"
    " sip_status INTEGER NOT NULL, offers INTEGER NOT NULL, taken_over INTEGER NOT NULL, quality TEXT NOT NULL);"
    "CREATE UNIQUE INDEX cdr_call ON cdr(call_id);"
    "CREATE TABLE event(idx INTEGER PRIMARY KEY, n INTEGER NOT NULL, body TEXT NOT NULL);"
    "CREATE TABLE audit(idx INTEGER NOT NULL, n INTEGER NOT NULL, time_us INTEGER NOT NULL, actor TEXT NOT NULL,"
    " origin TEXT NOT NULL, node TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, before TEXT, after TEXT,"
    " code INTEGER NOT NULL, PRIMARY KEY(idx, n)) WITHOUT ROWID;",
    /* 1 -> 2 */
    "ALTER TABLE node ADD COLUMN draining INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE address(ip TEXT PRIMARY KEY, home TEXT NOT NULL, holder TEXT NOT NULL, target TEXT NOT NULL,"
    " epoch INTEGER NOT NULL, bound INTEGER NOT NULL, why TEXT NOT NULL) WITHOUT ROWID;",
    /* 2 -> 3 */
    "ALTER TABLE agent_state ADD COLUMN occupied_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE agent_state ADD COLUMN last_offer INTEGER NOT NULL DEFAULT 0;"
    /* by number of the record: the oldest go first */
    "CREATE TABLE served(cdr INTEGER PRIMARY KEY, queue TEXT NOT NULL, caller TEXT NOT NULL, agent TEXT NOT NULL,"
    " time_us INTEGER NOT NULL, UNIQUE(queue, caller));",
    /* 3 -> 4 */
    "ALTER TABLE agent_state ADD COLUMN work BLOB NOT NULL DEFAULT x'';"
    "ALTER TABLE cdr ADD COLUMN variables TEXT NOT NULL DEFAULT '';"
    /* flows as they were before the present one */
    "CREATE TABLE flow_version(name TEXT NOT NULL, version INTEGER NOT NULL, since_us INTEGER NOT NULL,"
    " until_us INTEGER NOT NULL, definition TEXT NOT NULL, PRIMARY KEY(name, version));"
    "CREATE TABLE queue_state(name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;"
    "ALTER TABLE cdr ADD COLUMN served_queue TEXT NOT NULL DEFAULT '';",
    /* 4 -> 5 */
    "ALTER TABLE flow_version ADD COLUMN note TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE cdr ADD COLUMN menu TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE callback(id INTEGER PRIMARY KEY, queue TEXT NOT NULL, number TEXT NOT NULL, due_us INTEGER NOT NULL,"
    " call_id INTEGER NOT NULL, body BLOB NOT NULL);"
    /* by the time of its beginning, which no two have in common; state 0: being recorded, by `owner`, 1: kept */
    "CREATE TABLE message(started_us INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE, box TEXT NOT NULL,"
    " state INTEGER NOT NULL, owner TEXT NOT NULL, call_id INTEGER NOT NULL, caller TEXT NOT NULL,"
    " called TEXT NOT NULL, queue TEXT NOT NULL, flow TEXT NOT NULL, lead_ms INTEGER NOT NULL, max_s INTEGER NOT NULL,"
    " duration_ms INTEGER NOT NULL, blob TEXT NOT NULL, bytes INTEGER NOT NULL, heard INTEGER NOT NULL,"
    " note TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX message_box ON message(box);"
    /* what is told of messages outside; state 0: pending, by `owner`, 1: done, 2: given up */
    "CREATE TABLE delivery(message INTEGER NOT NULL, kind INTEGER NOT NULL, state INTEGER NOT NULL, owner TEXT NOT "
    "NULL,"
    " tries INTEGER NOT NULL, due_us INTEGER NOT NULL, at_us INTEGER NOT NULL, why TEXT NOT NULL,"
    " PRIMARY KEY(message, kind)) WITHOUT ROWID;"
    "ALTER TABLE registration ADD COLUMN events TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE subscription(id INTEGER PRIMARY KEY, extension TEXT NOT NULL, owner TEXT NOT NULL, body BLOB NOT "
    "NULL);"
    "CREATE INDEX subscription_extension ON subscription(extension);"
    "ALTER TABLE cdr ADD COLUMN notices TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE cdr ADD COLUMN segments TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE cdr ADD COLUMN transfers INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE cdr ADD COLUMN customer TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE cdr ADD COLUMN notes TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE cdr ADD COLUMN data TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE cdr ADD COLUMN shown TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE cdr ADD COLUMN dialled_by TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE cdr ADD COLUMN of_call INTEGER NOT NULL DEFAULT 0;"
    /* calls that nobody answered, by the number of their record; form: the caller's number, empty: none that can be called */
    "CREATE TABLE missed(seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, form TEXT NOT NULL, rung TEXT NOT NULL,"
    " backs INTEGER NOT NULL, back_by TEXT NOT NULL, back_us INTEGER NOT NULL, reached_by TEXT NOT NULL,"
    " reached_us INTEGER NOT NULL);"
    "CREATE INDEX missed_open ON missed(form) WHERE reached_us=0;"
    "ALTER TABLE cdr ADD COLUMN rating INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE cdr ADD COLUMN rated_agent TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE cdr ADD COLUMN rated_queue TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE cdr ADD COLUMN parted_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE cdr ADD COLUMN marked INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX cdr_marked ON cdr(seq) WHERE marked=1;"
    "CREATE INDEX cdr_rating ON cdr(rated_agent, rated_queue) WHERE rating>0;"
    "CREATE TABLE notice_stat(name TEXT PRIMARY KEY, since_us INTEGER NOT NULL, last_us INTEGER NOT NULL,"
    " began INTEGER NOT NULL, heard INTEGER NOT NULL, skipped INTEGER NOT NULL, again INTEGER NOT NULL,"
    " menu INTEGER NOT NULL, repeats INTEGER NOT NULL, went_on INTEGER NOT NULL) WITHOUT ROWID;"
    /* who has heard which, the oldest first */
    "CREATE TABLE notice_heard(id INTEGER PRIMARY KEY, notice TEXT NOT NULL, number TEXT NOT NULL,"
    " time_us INTEGER NOT NULL, UNIQUE(notice, number));"
    /* recordings of calls, by the time of their beginning; id: of the call; state 0: being recorded, by `owner`, 1: kept */
    "CREATE TABLE recording(started_us INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE, state INTEGER NOT NULL,"
    " owner TEXT NOT NULL, direction TEXT NOT NULL, caller TEXT NOT NULL, called TEXT NOT NULL, answered_by TEXT NOT "
    "NULL,"
    " agent TEXT NOT NULL, queue TEXT NOT NULL, rule TEXT NOT NULL, max_s INTEGER NOT NULL,"
    " duration_ms INTEGER NOT NULL, blob TEXT NOT NULL, bytes INTEGER NOT NULL, gaps TEXT NOT NULL, hold INTEGER NOT "
    "NULL,"
    " customer TEXT NOT NULL, marked INTEGER NOT NULL, segments TEXT NOT NULL, format TEXT NOT NULL,"
    " mp3 TEXT NOT NULL, mp3_bytes INTEGER NOT NULL);"
    "CREATE INDEX recording_unconverted ON recording(started_us) WHERE state=1 AND format='mp3' AND mp3='';"
    "CREATE INDEX recording_held ON recording(started_us) WHERE hold=1;"
    "CREATE INDEX recording_marked ON recording(started_us) WHERE marked=1;"
    "CREATE INDEX recording_long ON recording(started_us) WHERE duration_ms>=600000;"
    /* what a recording is looked for by, enum core_recording_key, in the order of time: all who took part, not the first only */
    "CREATE TABLE recording_key(started_us INTEGER NOT NULL, kind INTEGER NOT NULL, value TEXT NOT NULL,"
    " PRIMARY KEY(started_us, kind, value)) WITHOUT ROWID;"
    "CREATE INDEX recording_key_value ON recording_key(kind, value, started_us);",
};

const struct storage_table storage_tables[] = {
    {"applied", "id, idx, term, time_us, feature_level, front, offer, binding, cdr, idem, events, calls, sessions",
     "id"},
    {"cluster", "id, cluster_id, nonce_key, identifier_key", "id"},
    {"idempotency", "id, key, body_hash, idx, code, text, field, version, json, time_us", "id"},
    {"config", "kind, name, key, version, updated_us, body", "kind, name"},
    {"node", "name, up, since_us, draining, body", "name"},
    {"address", "ip, home, holder, target, epoch, bound, why", "ip"},
    {"registration",
     "extension, binding, id, uri, instance, reg_id, node, flow, path, user_agent, call_id, cseq, expires_us, "
     "events",
     "extension, binding"},
    {"agent_state",
     "number, extension, state, ready, logout, reason, since_us, login_us, idle_since_us, wrap_up_until_us, call_id, "
     "answered, occupied_us, last_offer, work",
     "number"},
    {"call", "call_id, owner, phase, queue, agent, priority, front, queued_us, body", "call_id"},
    {"cdr",
     "seq, call_id, direction, caller, called, trunk, extension, agent, answered_by, queue, flow, owner, arrived_us,"
     " answered_us, menu_us, queued_us, offered_us, connected_us, ended_us, ended_by, cause, sip_status, offers, "
     "taken_over,"
     " quality, variables, served_queue, menu, notices, segments, transfers, customer, notes, data, shown, dialled_by, "
     "of_call, rating, rated_agent, rated_queue, parted_us, marked",
     "seq"},
    {"missed", "seq, kind, form, rung, backs, back_by, back_us, reached_by, reached_us", "seq"},
    {"served", "cdr, queue, caller, agent, time_us", "cdr"},
    {"flow_version", "name, version, since_us, until_us, definition, note", "name, version"},
    {"queue_state", "name, body", "name"},
    {"callback", "id, queue, number, due_us, call_id, body", "id"},
    {"subscription", "id, extension, owner, body", "id"},
    {"message",
     "started_us, id, box, state, owner, call_id, caller, called, queue, flow, lead_ms, max_s, duration_ms, blob, "
     "bytes, heard, note",
     "started_us"},
    {"delivery", "message, kind, state, owner, tries, due_us, at_us, why", "message, kind"},
    {"recording",
     "started_us, id, state, owner, direction, caller, called, answered_by, agent, queue, rule, max_s, duration_ms, "
     "blob, "
     "bytes, gaps, hold, customer, marked, segments, format, mp3, mp3_bytes",
     "started_us"},
    {"recording_key", "started_us, kind, value", "started_us, kind, value"},
    {"notice_stat", "name, since_us, last_us, began, heard, skipped, again, menu, repeats, went_on", "name"},
    {"notice_heard", "id, notice, number, time_us", "id"},
    {"event", "idx, n, body", "idx"},
    {"audit", "idx, n, time_us, actor, origin, node, action, object, before, after, code", "idx, n"},
};
const unsigned storage_n_tables = sizeof storage_tables / sizeof storage_tables[0];

const char *const storage_statements[STORAGE_SQL_COUNT] = {
    [STORAGE_APPLIED_PUT] =
        "INSERT OR REPLACE INTO applied(id, idx, term, time_us, feature_level, front, offer, binding, cdr,"
        " idem, events, calls, sessions) VALUES(1,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STORAGE_APPLIED_GET] = "SELECT idx, term, time_us, feature_level, front, offer, binding, cdr, idem, events, calls,"
                            " sessions FROM applied",
    [STORAGE_CLUSTER_PUT] = "INSERT OR REPLACE INTO cluster(id, cluster_id, nonce_key, identifier_key) VALUES(1,?,?,?)",
    [STORAGE_CLUSTER_GET] = "SELECT cluster_id, nonce_key, identifier_key FROM cluster",
    [STORAGE_IDEM_PUT] = "INSERT INTO idempotency(id, key, body_hash, idx, code, text, field, version, json, time_us)"
                         " VALUES(?,?,?,?,?,?,?,?,?,?)",
    [STORAGE_IDEM_GET] = "SELECT body_hash, idx, code, text, field, version, json FROM idempotency WHERE key=?",
    /* ids grow with time: the oldest go, by age and by number */
    [STORAGE_IDEM_TRIM] =
        "DELETE FROM idempotency WHERE id <= (SELECT max(?2, coalesce((SELECT max(id) FROM idempotency"
        " WHERE time_us < ?1), 0)))",
    [STORAGE_IDEM_OLDEST] = "SELECT time_us FROM idempotency ORDER BY id LIMIT 1",
    [STORAGE_CONFIG_PUT] =
        "INSERT OR REPLACE INTO config(kind, name, key, version, updated_us, body) VALUES(?,?,?,?,?,?)",
    [STORAGE_CONFIG_DEL] = "DELETE FROM config WHERE kind=? AND name=?",
    [STORAGE_CONFIG_ALL] = "SELECT kind, name, key, version, updated_us, body FROM config ORDER BY kind, name",
    [STORAGE_NODE_PUT] = "INSERT OR REPLACE INTO node(name, up, since_us, draining, body) VALUES(?,?,?,?,?)",
    [STORAGE_NODE_DEL] = "DELETE FROM node WHERE name=?",
    [STORAGE_NODE_ALL] = "SELECT name, up, since_us, draining, body FROM node ORDER BY name",
    [STORAGE_ADDRESS_PUT] = "INSERT OR REPLACE INTO address(ip, home, holder, target, epoch, bound, why)"
                            " VALUES(?,?,?,?,?,?,?)",
    [STORAGE_ADDRESS_DEL] = "DELETE FROM address WHERE ip=?",
    [STORAGE_ADDRESS_ALL] = "SELECT ip, home, holder, target, epoch, bound, why FROM address ORDER BY ip",
    [STORAGE_REG_PUT] =
        "INSERT OR REPLACE INTO registration(extension, binding, id, uri, instance, reg_id, node, flow, path,"
        " user_agent, call_id, cseq, expires_us, events) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STORAGE_REG_DEL] = "DELETE FROM registration WHERE extension=? AND binding=?",
    [STORAGE_REG_ALL] =
        "SELECT extension, binding, id, uri, instance, reg_id, node, flow, path, user_agent, call_id, cseq,"
        " expires_us, events FROM registration ORDER BY id",
    [STORAGE_AGENT_PUT] =
        "INSERT OR REPLACE INTO agent_state(number, extension, state, ready, logout, reason, since_us,"
        " login_us, idle_since_us, wrap_up_until_us, call_id, answered, occupied_us, last_offer, work)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STORAGE_AGENT_DEL] = "DELETE FROM agent_state WHERE number=?",
    [STORAGE_AGENT_ALL] = "SELECT number, extension, state, ready, logout, reason, since_us, login_us, idle_since_us,"
                          " wrap_up_until_us, call_id, answered, occupied_us, last_offer, work FROM agent_state"
                          " ORDER BY number",
    [STORAGE_CALL_PUT] =
        "INSERT OR REPLACE INTO call(call_id, owner, phase, queue, agent, priority, front, queued_us, body)"
        " VALUES(?,?,?,?,?,?,?,?,?)",
    [STORAGE_CALL_DEL] = "DELETE FROM call WHERE call_id=?",
    [STORAGE_CALL_ALL] = "SELECT body FROM call ORDER BY call_id",
    [STORAGE_CDR_PUT] =
        "INSERT INTO cdr(seq, call_id, direction, caller, called, trunk, extension, agent, answered_by, queue,"
        " flow, owner, arrived_us, answered_us, menu_us, queued_us, offered_us, connected_us, ended_us,"
        " ended_by, cause, sip_status, offers, taken_over, quality, variables, served_queue, menu, notices, segments,"
        " transfers, customer, notes, data, shown, dialled_by, of_call, rating, rated_agent,"
        " rated_queue, parted_us, marked)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [STORAGE_CDR_HAS] = "SELECT 1 FROM cdr WHERE call_id=?",
    [STORAGE_MISSED_PUT] = "INSERT INTO missed(seq, kind, form, rung, backs, back_by, back_us, reached_by, reached_us)"
                           " VALUES(?,?,?,?,0,'',0,'',0)",
    [STORAGE_MISSED_FOLLOW] =
        "UPDATE missed SET backs=backs+?4, back_by=CASE WHEN ?4 THEN ?3 ELSE back_by END,"
        " back_us=CASE WHEN ?4 THEN ?2 ELSE back_us END, reached_by=CASE WHEN ?5 THEN ?3 ELSE '' END,"
        " reached_us=CASE WHEN ?5 THEN ?2 ELSE 0 END WHERE form=?1 AND reached_us=0",
    [STORAGE_MISSED_TRIM] = "DELETE FROM missed WHERE seq < coalesce((SELECT min(seq) FROM cdr), 0)",
    [STORAGE_CDR_TRIM] = "DELETE FROM cdr WHERE seq IN (SELECT seq FROM cdr ORDER BY seq LIMIT ?2) AND ended_us < ?1",
    [STORAGE_SERVED_PUT] = "INSERT OR REPLACE INTO served(cdr, queue, caller, agent, time_us) VALUES(?,?,?,?,?)",
    [STORAGE_SERVED_GET] = "SELECT agent, time_us FROM served WHERE queue=? AND caller=?",
    /* two go for each that comes: it catches up, and no transaction is long */
    [STORAGE_SERVED_TRIM] =
        "DELETE FROM served WHERE cdr IN (SELECT cdr FROM served ORDER BY cdr LIMIT 2) AND (cdr <= ?1 OR time_us < ?2)",
    [STORAGE_FLOW_VERSION_PUT] =
        "INSERT OR REPLACE INTO flow_version(name, version, since_us, until_us, definition, note) VALUES(?,?,?,?,?,?)",
    [STORAGE_FLOW_VERSION_GET] = "SELECT definition FROM flow_version WHERE name=? AND version=?",
    [STORAGE_FLOW_VERSION_DEL] = "DELETE FROM flow_version WHERE name=? AND version=?",
    [STORAGE_FLOW_VERSION_ALL] = "SELECT version FROM flow_version WHERE name=? ORDER BY version DESC",
    [STORAGE_QUEUE_STATE_PUT] = "INSERT OR REPLACE INTO queue_state(name, body) VALUES(?,?)",
    [STORAGE_QUEUE_STATE_DEL] = "DELETE FROM queue_state WHERE name=?",
    [STORAGE_QUEUE_STATE_ALL] = "SELECT name, body FROM queue_state ORDER BY name",
    [STORAGE_CALLBACK_PUT] =
        "INSERT OR REPLACE INTO callback(id, queue, number, due_us, call_id, body) VALUES(?,?,?,?,?,?)",
    [STORAGE_CALLBACK_DEL] = "DELETE FROM callback WHERE id=?",
    [STORAGE_CALLBACK_ALL] = "SELECT body FROM callback ORDER BY id",
    [STORAGE_SUBSCRIPTION_PUT] = "INSERT OR REPLACE INTO subscription(id, extension, owner, body) VALUES(?,?,?,?)",
    [STORAGE_SUBSCRIPTION_DEL] = "DELETE FROM subscription WHERE id=?",
    [STORAGE_SUBSCRIPTION_ALL] = "SELECT body FROM subscription ORDER BY id",
    [STORAGE_MESSAGE_PUT] =
        "INSERT INTO message(started_us, id, box, state, owner, call_id, caller, called, queue, flow,"
        " lead_ms, max_s, duration_ms, blob, bytes, heard)"
        " VALUES(?,?,?,0,?,?,?,?,?,?,?,?,0,'',0,0)",
    [STORAGE_MESSAGE_OWNER] = "UPDATE message SET owner=?2 WHERE id=?1",
    [STORAGE_MESSAGE_KEEP] = "UPDATE message SET state=1, owner='', blob=?2, bytes=?3, duration_ms=?4 WHERE id=?1",
    [STORAGE_MESSAGE_HEARD] = "UPDATE message SET heard=?2 WHERE id=?1",
    [STORAGE_MESSAGE_NOTE] = "UPDATE message SET note=?2 WHERE id=?1",
    [STORAGE_MESSAGE_DEL] = "DELETE FROM message WHERE id=?",
    [STORAGE_MESSAGE_GET] = "SELECT state, box, caller, called, call_id, queue, started_us, duration_ms, heard, blob"
                            " FROM message WHERE id=?",
    [STORAGE_MESSAGE_COUNT] = "SELECT count(*) FROM message WHERE box=?",
    [STORAGE_MESSAGE_NEXT] = "SELECT started_us, id, caller, lead_ms FROM message WHERE box=? AND state=1 AND heard=?"
                             " AND started_us>? ORDER BY started_us LIMIT 1",
    [STORAGE_MESSAGE_LATEST] = "SELECT id FROM message WHERE box=? AND state=1 ORDER BY started_us DESC LIMIT 1",
    [STORAGE_MESSAGE_HEARDS] =
        "SELECT coalesce(sum(heard=0), 0), coalesce(sum(heard<>0), 0) FROM message WHERE box=? AND state=1",
    [STORAGE_MESSAGE_PENDING] = "SELECT started_us, id, box, owner, call_id, lead_ms, max_s FROM message"
                                " WHERE state=0 ORDER BY started_us",
    [STORAGE_MESSAGE_OLDEST] = "SELECT started_us FROM message WHERE state=1 AND box NOT GLOB 'greeting:*'"
                               " ORDER BY started_us LIMIT 1",
    [STORAGE_MESSAGE_EXPIRED] = "SELECT id FROM message WHERE state=1 AND started_us < ? AND box NOT GLOB 'greeting:*'"
                                " ORDER BY started_us LIMIT 2",
    [STORAGE_DELIVERY_PUT] = "INSERT OR REPLACE INTO delivery(message, kind, state, owner, tries, due_us, at_us, why)"
                             " VALUES(?,?,?,?,?,?,?,?)",
    [STORAGE_DELIVERY_DEL] = "DELETE FROM delivery WHERE message=?",
    [STORAGE_DELIVERY_PENDING] =
        "SELECT message, kind, owner, tries, due_us FROM delivery WHERE state=0 ORDER BY message, kind",
    [STORAGE_RECORDING_PUT] =
        "INSERT INTO recording(started_us, id, state, owner, direction, caller, called, answered_by, agent, queue, "
        "rule,"
        " max_s, format, duration_ms, blob, bytes, gaps, hold, customer, marked, segments, mp3, mp3_bytes)"
        " VALUES(?,?,0,?,?,?,?,?,?,?,?,?,?,0,'',0,'',0,'',0,'','',0)",
    [STORAGE_RECORDING_OWNER] = "UPDATE recording SET owner=?2 WHERE id=?1",
    [STORAGE_RECORDING_KEEP] =
        "UPDATE recording SET state=1, owner='', blob=?2, bytes=?3, duration_ms=?4, gaps=?5 WHERE id=?1",
    [STORAGE_RECORDING_HOLD] = "UPDATE recording SET hold=?2 WHERE id=?1",
    [STORAGE_RECORDING_ABOUT] = "UPDATE recording SET customer=?2, marked=?3, segments=?4 WHERE id=?1",
    [STORAGE_RECORDING_KEY_PUT] = "INSERT OR IGNORE INTO recording_key(started_us, kind, value) VALUES(?,?,?)",
    [STORAGE_RECORDING_KEY_DEL] = "DELETE FROM recording_key WHERE started_us=?",
    [STORAGE_RECORDING_DEL] = "DELETE FROM recording WHERE id=?",
    [STORAGE_RECORDING_GET] =
        "SELECT state, hold, started_us, bytes + mp3_bytes, bytes, format, blob, mp3 FROM recording WHERE id=?",
    [STORAGE_RECORDING_FORM] = "UPDATE recording SET mp3=?2, mp3_bytes=?3, blob=?4, bytes=?5 WHERE id=?1",
    [STORAGE_RECORDING_UNCONVERTED] = "SELECT id FROM recording WHERE state=1 AND format='mp3' AND mp3=''"
                                      " ORDER BY started_us LIMIT 64",
    [STORAGE_RECORDING_PENDING] =
        "SELECT started_us, id, owner, max_s FROM recording WHERE state=0 ORDER BY started_us",
    [STORAGE_RECORDING_TOTAL] = "SELECT coalesce(sum(bytes + mp3_bytes), 0) FROM recording",
    [STORAGE_RECORDING_OLDEST] =
        "SELECT started_us FROM recording WHERE state=1 AND hold=0 ORDER BY started_us LIMIT 1",
    [STORAGE_RECORDING_EXPIRED] =
        "SELECT id FROM recording WHERE state=1 AND hold=0 AND started_us < ? ORDER BY started_us LIMIT 2",
    [STORAGE_NOTICE_COUNT] =
        "INSERT INTO notice_stat(name, since_us, last_us, began, heard, skipped, again, menu, repeats, went_on)"
        " VALUES(?,?,?,?,?,?,?,?,?,?) ON CONFLICT(name) DO UPDATE SET last_us=excluded.last_us,"
        " began=began+excluded.began, heard=heard+excluded.heard, skipped=skipped+excluded.skipped,"
        " again=again+excluded.again, menu=menu+excluded.menu, repeats=repeats+excluded.repeats,"
        " went_on=went_on+excluded.went_on",
    [STORAGE_NOTICE_STAT_DEL] = "DELETE FROM notice_stat WHERE name=?",
    [STORAGE_NOTICE_HEARD_PUT] = "INSERT OR REPLACE INTO notice_heard(id, notice, number, time_us)"
                                 " VALUES((SELECT coalesce(max(id), 0) + 1 FROM notice_heard), ?, ?, ?)",
    /* of one of this name that was removed before nothing counts */
    [STORAGE_NOTICE_HEARD_GET] = "SELECT time_us FROM notice_heard WHERE notice=?1 AND number=?2 AND time_us >="
                                 " (SELECT since_us FROM notice_stat WHERE name=?1)",
    [STORAGE_NOTICE_HEARD_TRIM] =
        "DELETE FROM notice_heard WHERE id IN (SELECT id FROM notice_heard ORDER BY id LIMIT 2)"
        " AND (id <= (SELECT max(id) FROM notice_heard) - ?1 OR time_us < ?2)",
    [STORAGE_EVENT_PUT] = "INSERT INTO event(idx, n, body) VALUES(?,?,?)",
    [STORAGE_EVENT_TRIM] = "DELETE FROM event WHERE idx=?",
    [STORAGE_EVENT_OLDEST] = "SELECT idx, n FROM event ORDER BY idx LIMIT 1",
    [STORAGE_AUDIT_PUT] = "INSERT INTO audit(idx, n, time_us, actor, origin, node, action, object, before, after, code)"
                          " VALUES(?,?,?,?,?,?,?,?,?,?,?)",
};
