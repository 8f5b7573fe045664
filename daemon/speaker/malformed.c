// SPDX-License-Identifier: GPL-2.0-or-later
#include "speaker/malformed.h"

#include "net/addr.h"
#include "util/fd.h"
#include "util/log.h"

#include <stdio.h>

static const char *const outcomes[] = {
    [VNRS_BGP_OK] = "no error",
    [VNRS_BGP_ATTR_DISCARD] = "attribute discarded",
    [VNRS_BGP_TREAT_AS_WITHDRAW] = "treated as withdrawn",
    [VNRS_BGP_SESSION_RESET] = "session reset",
};

struct listing {
    char *buf;
    size_t size, len;
    unsigned more; // prefixes that had no room
};

static void list_prefixes(struct listing *l, struct vnrs_bgp_nlri nlri)
{
    struct vnrs_prefix p;

    while (vnrs_bgp_nlri_next(&nlri, &p)) {
        char text[VNRS_PREFIX_STR_MAX + 16];
        const char *separator = l->buf[l->len - 1] == ':' ? " " : ", ";
        size_t n = (size_t)snprintf(text, sizeof(text), "%s%s", separator,
                                    vnrs_prefix_format(&p, (char[VNRS_PREFIX_STR_MAX]){0}));
        if (l->more || l->len + n + 32 > l->size) { // room for the count at the end
            l->more++;
            continue;
        }
        memcpy(l->buf + l->len, text, n + 1);
        l->len += n;
    }
}

const char *vnrs_malformed_text(enum vnrs_bgp_outcome outcome, const struct vnrs_bgp_update *update, char *buf,
                                size_t size)
{
    struct listing l = {.buf = buf, .size = size};
    bool has_prefixes = update->has_reach || update->withdrawn[0].len || update->withdrawn[1].len;

    l.len = (size_t)snprintf(buf, size, "%s: %s", outcomes[outcome], update->why ? update->why : "?");
    if (update->bad_attr && l.len < size)
        l.len += (size_t)snprintf(buf + l.len, size - l.len, " (attribute %u)", update->bad_attr);
    if (!has_prefixes || l.len + 1 >= size)
        return buf;
    buf[l.len++] = ':';
    buf[l.len] = '\0';
    for (unsigned i = 0; i < ARRAY_SIZE(update->reach); i++)
        list_prefixes(&l, update->reach[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(update->withdrawn); i++)
        list_prefixes(&l, update->withdrawn[i]);
    if (l.more)
        (void)snprintf(buf + l.len, size - l.len, " and %u more", l.more);
    return buf;
}

bool vnrs_malformed_admit(struct vnrs_malformed_budget *budget, uint64_t now_ms, unsigned *ret_suppressed)
{
    if (!budget->n || now_ms - budget->since_ms >= VNRS_MALFORMED_PERIOD_MS) {
        budget->since_ms = now_ms;
        budget->n = 0;
    }
    if (budget->n >= VNRS_MALFORMED_PER_PERIOD) {
        budget->suppressed++;
        return false;
    }
    budget->n++;
    *ret_suppressed = budget->suppressed;
    budget->suppressed = 0;
    return true;
}

static void log_octets(const char *peer, const uint8_t *msg, size_t len)
{
    for (size_t at = 0; at < len; at += VNRS_MALFORMED_LINE_BYTES) {
        char hex[2 * VNRS_MALFORMED_LINE_BYTES + 1];
        size_t n = MIN(len - at, (size_t)VNRS_MALFORMED_LINE_BYTES);
        for (size_t i = 0; i < n; i++)
            (void)snprintf(hex + 2 * i, 3, "%02x", msg[at + i]);
        log_warn("peer '%s': UPDATE of %zu octets, from octet %zu: %s", peer, len, at, hex);
    }
}

void vnrs_malformed_log(struct vnrs_speakerd *sp, const struct vnrs_bgp_member *m, enum vnrs_bgp_outcome outcome,
                        const struct vnrs_bgp_update *update, const uint8_t *msg, size_t len)
{
    char text[VNRS_MALFORMED_TEXT_MAX];
    unsigned suppressed = 0;

    if (!vnrs_malformed_admit(&sp->malformed[m->slot], vnrs_clock_ms(), &suppressed))
        return;
    if (suppressed)
        log_warn("peer '%s': %u malformed UPDATEs more were not logged", m->conf.name, suppressed);
    log_warn("peer '%s': malformed UPDATE, %s", m->conf.name, vnrs_malformed_text(outcome, update, text, sizeof(text)));
    log_octets(m->conf.name, msg, len);
}
