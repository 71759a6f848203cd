/* What telephones that subscribe are told: message-summary (RFC 3842), dialog-info (RFC 4235), presence (RFC 3863, 4480). Pure: from what
 * is given to text. Text is malloc'ed, NULL: out of memory. Any thread. */
#ifndef NODE_WATCH_DOC_H
#define NODE_WATCH_DOC_H

#include <stdbool.h>
#include <stdint.h>

char *watch_doc_messages(const char *account, uint32_t fresh, uint32_t heard);

enum watch_dialog_state { WATCH_TRYING, WATCH_EARLY, WATCH_CONFIRMED, WATCH_TERMINATED };
/* A dialog of the telephone that is watched, as seen from there: local is the telephone. */
struct watch_dialog {
    char id[40];
    enum watch_dialog_state state;
    bool initiator;                                   /* it called */
    char call_id[128], local_tag[64], remote_tag[64]; /* "" not known */
    char remote[64], remote_name[128];                /* number and name of the other side */
};
/* All of the dialogs: "full" state. entity: the URI that was subscribed to, "sip:8002@host"; numbers get its host. */
char *watch_doc_dialogs(const char *entity, uint32_t version, const struct watch_dialog *d, unsigned n);

enum watch_activity { WATCH_OPEN, WATCH_ON_THE_PHONE, WATCH_BUSY, WATCH_AWAY, WATCH_CLOSED };
char *watch_doc_presence(const char *entity, enum watch_activity what, const char *note);

#endif
