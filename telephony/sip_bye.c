/* BYEs whose 200 waits until the end of the call is in the state. */
#include <stdlib.h>

#include "telephony/sip_int.h"

struct sip_bye {
    struct list_node link; /* ua->byes */
    struct sip_ua *ua;
    struct sip_port *port; /* NULL: closed, and the transaction with it */
    nta_incoming_t *irq;
};

struct sip_bye *sip_leg_keep_bye(struct sip_leg *leg)
{
    struct sip_bye *bye = leg->bye_in ? malloc(sizeof *bye) : NULL;
    if (!bye)
        return NULL;
    *bye = (struct sip_bye){.ua = leg->ua, .port = leg->port, .irq = leg->bye_in};
    leg->bye_in = NULL;
    nta_incoming_bind(bye->irq, NULL, NULL);
    list_push_back(&leg->ua->byes, &bye->link);
    return bye;
}

void sip_bye_done(struct sip_bye *bye, bool answer)
{
    if (!bye)
        return;
    if (bye->port && answer && sip_may_act(bye->ua)) {
        nta_incoming_treply(bye->irq, SIP_200_OK, SIPTAG_SERVER_STR(bye->ua->product), TAG_END());
        nta_incoming_destroy(bye->irq);
    } else if (bye->port) {
        sip_incoming_silence(bye->ua, bye->irq);
    }
    list_del(&bye->link);
    free(bye);
}

void sip_byes_drop(struct sip_ua *ua, const struct sip_port *port)
{
    list_foreach(it, &ua->byes) {
        struct sip_bye *bye = list_entry(it, struct sip_bye, link);
        if (!port || bye->port == port)
            bye->port = NULL;
    }
}
