/* Shared inside api/ only. Everything here belongs to the API thread unless a group of fields says otherwise.
 *
 * Life of a request:
 *
 *   headers complete ──► routed, token checked ──► body read ──► handler ──► answered ──► sent ──► freed
 *                             │ refused: the body is read and dropped      ▲
 *                             └────────────────────────────────────────────┤
 *                                       handler ──► ticket open ──► resumed┘   (or its time ran out: 504)
 *
 * A handler either answers (api_reply*, api_fail*) or opens a ticket (api_command, api_operation) and answers from its
 * resume function; exactly one of the two, before it returns. */
#ifndef API_API_INT_H
#define API_API_INT_H

#include <libwebsockets.h>
#include <pthread.h>
#include <stdatomic.h>

#include "api/api.h"
#include "base/list.h"
#include "base/map.h"
#include "core/scope.h"
#include "core/view.h"
#include "storage/storage.h"

#define API_PARAMS_MAX 2
#define API_PARAM_MAX 129
#define API_KEY_MAX 128 /* characters of an Idempotency-Key */
#define API_TOKEN_MAX 256
#define API_ANSWER_SMALL 65536u /* bytes of an answer that is always there for the asking: errors, single objects */
#define API_RESERVE_MS 1000u    /* how much longer than the node's own time-out a ticket is waited for */

/* A supervisor's token is admitted by what it asks for (scope.c), not by the least role of the endpoint. */
enum api_role { API_ROLE_NONE, API_ROLE_READ, API_ROLE_ADMIN, API_ROLE_SUPERVISOR };
enum api_method { API_GET = 1, API_POST = 2, API_PUT = 4, API_PATCH = 8, API_DELETE = 16 };
enum api_body { API_BODY_NONE, API_BODY_JSON, API_BODY_OPTIONAL, API_BODY_MERGE, API_BODY_DOCUMENT, API_BODY_SOUND };

struct api_request;
typedef void api_handler_fn(struct api_request *q);
typedef void api_resume_fn(struct api_request *q, const struct api_result *r);

/* One endpoint. */
struct api_route {
    enum api_method method;
    const char *path;   /* "/v1/agents/{number}:login" */
    enum api_role role; /* least role */
    enum api_body body;
    const char *query; /* names of the query parameters, separated by a blank */
    api_handler_fn *run;
    const char *kind; /* of core/view.h, where the handler serves several */
};
extern const struct api_route api_routes[];
extern const unsigned api_n_routes;

/* 0, ERR_NOTFOUND (no such path), ERR_UNSUPPORTED (the path is there, `allowed` has its methods). */
ERR_CHECKED int api_route_find(enum api_method method, const char *path, const struct api_route **out,
                               char params[API_PARAMS_MAX][API_PARAM_MAX], unsigned *allowed);
const char *api_method_name(enum api_method m);

struct api_request {
    struct api_server *s;
    struct lws *wsi;       /* NULL in tests of handlers without a connection */
    struct list_node link; /* in server.requests */

    /* from the client */
    enum api_method method;
    bool head;
    const struct api_route *route;
    char params[API_PARAMS_MAX][API_PARAM_MAX];
    char path[1024];
    json_t *query; /* name: text */
    char request_id[65];
    char origin[64]; /* source address */
    char content_type[96], accept[128];
    char if_match[64], if_none_match[16], last_event_id[48];
    char range[64];    /* "": none, or one too long to be one */
    char if_range[64]; /* "": a part is wanted in any case */
    char idem[API_KEY_MAX + 1];
    char actor[80]; /* "token:NAME", "agent:NUMBER" */
    char token[65]; /* its SHA-256 in hexadecimal; "": that of the node file */
    enum api_role role;
    struct view_scope *scope; /* what he manages; NULL: no supervisor */
    char *body;
    size_t body_len, body_cap, body_expected;
    int spool; /* file without a name that holds the body of API_BODY_SOUND; -1: none */
    bool body_dropped, dispatched;
    json_t *json; /* body, for API_BODY_JSON, _OPTIONAL and _MERGE; NULL without one */

    /* waiting for the node */
    uint64_t ticket;
    api_resume_fn *resume;
    lws_sorted_usec_list_t deadline;
    void *state; /* of the handler; freed with state_free */
    void (*state_free)(void *state);

    /* the answer */
    bool answered, close_after, headers_sent;
    int status;
    uint64_t index; /* Everline-Index, 0: none */
    char etag[32], location[256], allow[64];
    unsigned retry_after;
    bool ranges; /* parts of it may be asked for */
    char content_range[64];
    const char *type; /* Content-Type */
    char *out;
    size_t out_len, out_sent;
    struct api_stream *stream;
    struct api_archive *archive;
};

struct api_posted {
    struct api_posted *next;
    uint64_t ticket;
    int code;
    char text[256], field[128];
    uint64_t index, version;
    char *json_text;
    json_t *json;
};

struct api_counters {
    uint64_t requests, by_class[6], refused_connections, bytes_in, bytes_out, timeouts;
};

struct api_server {
    struct api_backend be;
    char *node, *realm, *listen_ip, *cert, *key, *spool;
    struct storage *storage;
    unsigned timeout_ms, idle_s;
    uint16_t port;
    bool has_admin;
    uint8_t admin_sha256[32];
    pthread_t thread;

    pthread_mutex_t lock;
    struct api_posted *posted, **posted_end; /* under lock */
    uint64_t notified;                       /* under lock */
    bool stop;                               /* under lock */

    /* API thread */
    struct lws_context *lws;
    struct lws_vhost *vhost;
    struct storage_reader *reader;
    struct map tickets;
    uint64_t next_ticket;
    uint64_t boot; /* makes request identifiers differ between processes */
    uint64_t next_request;
    struct list_node requests;
    struct list_node streams;
    struct api_board *board; /* live lists; NULL: nobody has followed them yet */
    unsigned n_streams, n_connections, n_archives;
    atomic_uint listening; /* n_streams, for the thread that tells of news: without streams nobody is woken */
    struct map sources;    /* address -> struct api_source */
    struct map peers;      /* connection -> struct peer */
    size_t body_bytes, spool_bytes, answer_bytes, answers_max;
    uint64_t seen_index; /* newest that streams know of */
    lws_sorted_usec_list_t beat, look;
    struct api_counters n;
};

/* ---- request.c */
struct api_request *api_request_new(struct api_server *s);
void api_request_free(struct api_request *q);
/* Runs the handler once the request is complete, or answers why not. */
void api_request_run(struct api_request *q);
const char *api_query(const struct api_request *q, const char *name); /* NULL: not given */
/* 0 or ERR_INVAL: neither true nor false. */
ERR_CHECKED int api_query_bool(const struct api_request *q, const char *name, bool *out, struct err_info *info);

/* Answers. json is taken over (NULL: out of memory, answered as such). */
void api_reply(struct api_request *q, int status, json_t *json);
void api_reply_text(struct api_request *q, int status, const char *type, char *text,
                    size_t len); /* text is taken over */
void api_reply_none(struct api_request *q, int status);
/* A problem; status from the code. */
void api_fail(struct api_request *q, const struct err_info *info);
void api_fail_code(struct api_request *q, int code, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A problem with a status of its own. */
void api_fail_status(struct api_request *q, int status, const struct err_info *info);
/* The problem that a result of the node stands for. */
void api_fail_result(struct api_request *q, const struct api_result *r);
/* The answer to a removal: 204, or the problem. */
void api_on_removed(struct api_request *q, const struct api_result *r);
/* The answer to a change of the row that the path names, of the route's kind: the row as it is now, or the problem. */
void api_on_row_changed(struct api_request *q, const struct api_result *r);
int api_status_of(int code);
const char *api_reason_of(int status);

/* ---- ticket.c: the way to the core and back */
/* cmd: body filled; actor, origin and key are added here. Taken over. */
void api_command(struct api_request *q, Ev__Command *cmd, api_resume_fn *resume);
void api_operation(struct api_request *q, enum api_op op, json_t *args, api_resume_fn *resume);
/* A sound from the request's file, or of a text. */
void api_sound(struct api_request *q, const char *language, const char *text, api_resume_fn *resume);
void api_ticket_drop(struct api_request *q);
void api_posted_free(struct api_posted *p);
/* Hands results that have arrived to their requests. */
void api_tickets_run(struct api_server *s);
Ev__Command *api_command_new(Ev__Command__BodyCase body);
/* With room for its message, which is neither begun nor in it yet. NULL and answered: out of memory. */
Ev__Command *api_command_with(struct api_request *q, Ev__Command__BodyCase body, size_t bytes, void **message);
/* A ConfigApply with room for so many objects to set and to remove, none of them there yet. NULL: out of memory. */
Ev__Command *api_config_command(size_t set, size_t removed);
/* Once all that is removed stands in it: which of the prompts are built in as well. ERR_NOMEM. */
ERR_CHECKED int api_config_built_in(struct api_request *q, Ev__ConfigApply *a);
/* One object, taken over, to the core; with `err` it is refused by `info` instead. if_version 0: whichever it has now. */
void api_object_send(struct api_request *q, Ev__ConfigObject *o, int err, const struct err_info *info,
                     uint64_t if_version, bool create_only, api_resume_fn *resume);
/* The answer that this request's idempotency key was given before, as far as this node knows. */
bool api_replayed(struct api_request *q, struct api_posted *out);
/* The same for what is made from the state as it was then and cannot be made again: `done` gets the outcome of then. */
bool api_answered_before(struct api_request *q, api_resume_fn *done);

/* ---- reading */
/* The identifier that the path names; false and answered (404) when it is none. */
bool api_path_id(struct api_request *q, uint64_t *id);
/* The body's one field, true or false; false and answered: it is not that. */
bool api_patch_bool(struct api_request *q, const char *field, bool *out);
/* The version of a row as the ETag of the answer. */
void api_set_etag(struct api_request *q, const json_t *row);
/* 0 and the rows, or answers the request and returns false. */
bool api_view(struct api_request *q, const struct view_query *vq, json_t **out);
int api_view_try(struct api_request *q, const struct view_query *vq, json_t **out, struct err_info *info);
/* The packed object as it is stored, with secrets. ERR_NOTFOUND. Free with ev__config_object__free_unpacked. */
ERR_CHECKED int api_stored(struct api_server *s, const char *kind, const char *name, Ev__ConfigObject **out,
                           uint64_t *version);
/* All of one kind, by name. fn returns non-zero to stop. */
typedef int api_stored_fn(void *ctx, const char *name, uint64_t version, const Ev__ConfigObject *o);
ERR_CHECKED int api_stored_all(struct api_server *s, const char *kind, api_stored_fn *fn, void *ctx);

/* ---- object.c: configuration objects as JSON */
struct api_kind {
    const char *kind; /* "access_number" */
    const char *list; /* "access_numbers": key in documents */
    const char *path; /* "access-numbers" */
    const char *key;  /* "number" or "name" */
    Ev__ConfigObject__ObjectCase which;
};
#define API_KINDS 24u
extern const struct api_kind api_kinds[API_KINDS]; /* in the order in which they are created */
const struct api_kind *api_kind_of(const char *kind);
const char *api_object_key(const Ev__ConfigObject *o);
/* Fields by their names; secrets are left out, or with `mask` "***". New reference or NULL. */
json_t *api_object_json(const Ev__ConfigObject *o, bool mask);
/* Whether putting `now` in the place of `before` changes nothing. */
bool api_object_equal(const Ev__ConfigObject *now, const Ev__ConfigObject *before);
/* Reads JSON of one kind: everything that view_config_from_json does, and "token" of tokens, "password": null, and flows are
 * compiled. info->field is the path inside the object. */
ERR_CHECKED int api_object_read(const char *realm, const struct api_kind *k, const json_t *json, Ev__ConfigObject **out,
                                struct err_info *info);

/* ---- document.c: whole configurations */
struct api_object {
    const struct api_kind *kind;
    Ev__ConfigObject *o; /* NULL: to be removed */
    Ev__ConfigObject *before;
    uint64_t version; /* of before */
    char path[64];    /* in the document: "queues[2]" */
};
struct yaml_marks;
struct api_document {
    struct api_object *objects;
    size_t n;
    bool has_kind[API_KINDS];
    json_t *json;
    struct yaml_marks *marks;
};
/* Text to objects, each checked on its own; nothing of the present state is needed. *unreadable: it is not YAML or JSON at all. */
ERR_CHECKED int api_document_read(const char *realm, const char *text, size_t len, bool yaml, bool *unreadable,
                                  struct api_document **out, struct err_info *info);
void api_document_free(struct api_document *d);
/* Writes JSON as block YAML that base/yaml.h reads back as the same; malloc'ed, NULL when out of memory. */
char *api_yaml_write(const json_t *json);

/* ---- time.c */
/* The POSIX TZ string of a zone of this machine's time zone data (package tzdata). ERR_INVAL: there is no such zone, or none with
 * one rule for the years to come; ERR_IO: there are no data. */
ERR_CHECKED int api_zone_tz(const char *zone, char *out, size_t size, struct err_info *info);
/* Fills in "tz" of a time group from its "zone". */
ERR_CHECKED int api_time_group_zone(json_t *group, struct err_info *info);
api_handler_fn api_test_time_group;
struct time_group;
/* As it is stored, with its holidays; within storage_reader_begin. ERR_NOTFOUND. */
ERR_CHECKED int api_time_group(struct api_server *s, const char *name, struct time_group **out);

/* ---- notice.c */
/* What a caller would be told; empty texts: not known. Within a read: {"area": name or "", "notices": [{"name", "title", "automatic",
 * "mass"}]}, a new reference. */
struct api_notice_ask {
    const char *caller, *called, *area;
    uint64_t at_us;
};
ERR_CHECKED int api_notices_for(struct api_server *s, const struct api_notice_ask *ask, json_t **out);
api_handler_fn api_test_notice;

/* ---- flow.c */
api_handler_fn api_list_flow_versions, api_get_flow_version, api_test_flow;
/* The definition of a flow in a version, 0: the live one. ERR_NOTFOUND. api_flow_text: within storage_reader_begin. */
ERR_CHECKED int api_flow_definition(struct api_request *q, const char *name, uint64_t version, json_t **out);
ERR_CHECKED int api_flow_text(struct api_server *s, const char *name, uint64_t version, json_t **out);
bool api_flow_version(const char *text, uint64_t *out);

/* ---- flow_draft.c */
api_handler_fn api_draft_faults, api_diff_flow;

/* ---- flow_stats.c */
api_handler_fn api_flow_stats;

/* ---- schema.c */
api_handler_fn api_get_flow_schema;

/* What makes the request's draft live, or NULL and the request is answered. */
Ev__Command *api_draft_publish(struct api_request *q);

/* ---- references.c */
typedef bool api_exists_fn(void *ctx, const char *kind, const char *name);
/* Everything that the object names must be there. */
ERR_CHECKED int api_references_check(const struct api_backend *be, const Ev__ConfigObject *o, api_exists_fn *exists,
                                     void *ctx, struct err_info *info);
/* All faults of a flow's text, what it names that is not there included: a list of {"field", "message"}, empty when it is fit to
 * go live. The field begins with "definition". */
ERR_CHECKED int api_flow_faults(const struct api_backend *be, const char *definition, api_exists_fn *exists, void *ctx,
                                json_t **out);

/* ---- auth.c */
void api_sha256(const void *p, size_t len, uint8_t out[32]);
void api_sha256_hex(const void *p, size_t len, char out[65]);
/* ERR_DENIED: none or not known (no info), or that of a supervisor who is none any more. Fills actor, role and scope. */
ERR_CHECKED int api_authenticate(struct api_request *q, const char *authorization, struct err_info *info);
/* Whether the token that the request came with is gone, or another's by now; false also when that cannot be read now. */
bool api_token_is_gone(struct api_request *q);

/* ---- scope.c: what supervisors may */
/* An endpoint that is for them, and what of the request has to be within the scope. */
struct api_scope_rule {
    enum api_method method;
    const char *path;
    enum api_scope_what {
        API_SCOPE_OPEN,  /* nothing: there is no power in it, or its handler sees to it (lists, events) */
        API_SCOPE_ROW,   /* the row of `kind` (core/view.h) that the first parameter of the path names */
        API_SCOPE_QUEUE, /* the queue that it names */
        API_SCOPE_BODY,  /* the queue in the body */
    } what;
    const char *kind;
};
extern const struct api_scope_rule api_scope_rules[];
extern const unsigned api_n_scope_rules;
/* Whether the endpoint is for supervisors at all; else answered (403). */
bool api_scope_admits(struct api_request *q);
/* Whether what the request is about is within what he manages; else answered. True for everybody who is no supervisor. */
bool api_scope_holds(struct api_request *q);

/* ---- events.c */
void api_streams_wake(struct api_server *s, uint64_t index);
void api_streams_beat(struct api_server *s);
void api_streams_look(struct api_server *s);
/* Writes what the connection takes; non-zero: close it. */
int api_stream_write(struct api_request *q);
void api_stream_free(struct api_stream *st);

/* Live lists were read anew: whoever follows them may have something to be told. */
void api_streams_live(struct api_server *s);

/* ---- live.c: the lists that live streams follow */
struct api_live; /* what one stream has been told */
ERR_CHECKED int api_live_new(struct api_server *s, struct api_live **out);
void api_live_free(struct api_live *l);
/* What has changed since, as events, to `out`; nothing when nothing has. ERR_DENIED: a supervisor's who is none any more. */
ERR_CHECKED int api_live_read(struct api_live *l, struct api_request *q, FILE *out);
void api_board_news(struct api_server *s); /* the state has changed */
void api_board_stop(struct api_server *s); /* before the context goes */
void api_board_free(struct api_server *s); /* after the last stream */

/* ---- server.c */
/* Asks the connection to send what q->out has. */
void api_wake(struct api_request *q);

/* prompt.c */
api_handler_fn api_put_prompt, api_say_prompt, api_rollback_prompt, api_prompt_audio;

/* call.c: what was asked of a live call is in the state, or the problem */
void api_on_call_done(struct api_request *q, const struct api_result *r);
/* call_data.c */
api_handler_fn api_patch_call;
/* Answers what is wrong with the `data` of a body; NULL is right. */
bool api_check_data(struct api_request *q, const json_t *data);
/* From checked customer, notes, marked and data. False: out of memory; the message can be freed. */
bool api_fill_call_data(Ev__CallData *m, const json_t *body);

/* callback.c */
api_handler_fn api_add_callback, api_cancel_callback;

/* audio.c: listening to messages and recordings, whole or in ranges */
api_handler_fn api_message_audio, api_recording_audio;
/* dial.c */
api_handler_fn api_agent_dial, api_call_back, api_message_call_back;
/* message.c */
api_handler_fn api_patch_message, api_delete_message;
/* recording.c */
api_handler_fn api_patch_recording, api_delete_recording, api_pause_recording, api_resume_recording,
    api_verify_recording;
/* archive.c: many recordings as one file, made while it is sent */
api_handler_fn api_recordings_archive;
/* Writes what the connection takes. 1: all was sent; negative: close it. */
int api_archive_write(struct api_request *q);
void api_archive_free(struct api_server *s, struct api_archive *a); /* NULL is fine */
/* What a Range header asks for of so many bytes (RFC 9110, section 14); one range of bytes, anything else is the whole. */
enum api_range { API_RANGE_WHOLE, API_RANGE_PART, API_RANGE_NONE };
enum api_range api_range_read(const char *range, size_t size, size_t *from, size_t *count);

/* supervise.c */
api_handler_fn api_listen_call, api_whisper_call, api_barge_call, api_take_over_call, api_queue_next_to,
    api_agent_next_to, api_agent_cancel_next;
/* agent.c: a text of the body, malloc'ed, "" when there is none; NULL: memory is short. */
char *api_text_of(const json_t *json, const char *name);
/* supervise.c: frees cmd, which may be NULL, and answers. */
void api_no_memory(struct api_request *q, Ev__Command *cmd);
/* forward.c */
api_handler_fn api_forward, api_forward_off;

/* nearest.c */
api_handler_fn api_nearest_nodes, api_dns_records;

api_handler_fn api_get_cluster, api_verify_cluster, api_transfer, api_list_nodes, api_add_node, api_get_node,
    api_remove_node, api_node_status, api_list_rows, api_get_row, api_put_object, api_patch_object, api_rollback_flow,
    api_publish_flow, api_delete_object, api_agent_login, api_agent_logout, api_agent_set_state, api_explain_call,
    api_explain_agent, api_test_blacklist, api_test_vip, api_queue_status, api_hangup, api_transfer_call, api_hold_call,
    api_consult_call, api_toggle_call, api_complete_call, api_cancel_consultation, api_conference_call, api_drop_party,
    api_resume_call, api_mute_call, api_unmute_call, api_answer_call, api_pickup_call, api_export_config,
    api_apply_config, api_diff_config, api_node_drain, api_node_undrain, api_move_address, api_stream_events,
    api_stream_live, api_get_metrics, api_get_healthz, api_get_readyz;

#endif
