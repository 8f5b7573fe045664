// SPDX-License-Identifier: GPL-2.0-or-later
// The table of tests/lib/bgp_conformance.txt against the core: each line in a speaker of its own, to the last octet.
#include "bgp/test_core_world.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define PEER_ASN    65001u
#define MESSAGE_MAX 8192u

struct row {
    char *clause, *sessions, *states, *message, *outcome, *what;
    unsigned number; // makes the prefixes that are the line's own
    char kind;       // of the sessions, the one in work
};

struct text { // hexadecimal, and its octets
    uint8_t bytes[MESSAGE_MAX];
    size_t len;
};

static bool has_option(const struct row *r, char letter)
{
    const char *options = strchr(r->sessions, ' ');
    return options && strchr(options, letter);
}

static const char *own_prefix(const struct row *r, char *buf, size_t size)
{
    (void)snprintf(buf, size, "1864%02x%02x", 64 + r->number / 256, r->number % 256);
    return buf;
}

static const char *own_prefix6(const struct row *r, char *buf, size_t size)
{
    (void)snprintf(buf, size, "3020010db8%04x", r->number);
    return buf;
}

static void put(const struct row *r, struct text *out, const char *word, const struct text *msg);

static void put_words(const struct row *r, struct text *out, const char *words, const struct text *msg)
{
    char *copy = strdup(words), *save = NULL;

    assert_non_null(copy);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        put(r, out, word, msg);
    free(copy);
}

// One word: octets, a repeat of octets, or a name.
static void put(const struct row *r, struct text *out, const char *word, const struct text *msg)
{
    bool ibgp = r->kind == 'i', as2 = has_option(r, '2');
    char own[32];
    const struct {
        const char *word, *means;
    } names[] = {
        {"MARK", "ffffffffffffffffffffffffffffffff"},
        {"AS2", ibgp ? "ffeb" : "fde9"},
        {"AS4", ibgp ? "0000ffeb" : "0000fde9"},
        {"ORIGIN", "40010100"},
        {"PATH", as2 ? "4002040201fde9" : "40020602010000fde9"},
        {"NEXTHOP", "4003040a00000a"},
        {"LP", ibgp ? "40050400000064" : ""},
        {"GOOD", ibgp ? "ORIGIN PATH NEXTHOP LP" : "ORIGIN PATH NEXTHOP"},
        {"NH6", "20010db8000000000000000000000001"},
        {"ID", "00000001"},
        {"PFX", NULL},
        {"P6", NULL},
    };
    const char *star = strchr(word, '*');

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(word, names[i].word) == 0) {
            const char *means = names[i].means;
            if (!means)
                means = word[1] == 'F' ? own_prefix(r, own, sizeof(own)) : own_prefix6(r, own, sizeof(own));
            put_words(r, out, means, msg);
            return;
        }
    if (strcmp(word, "MSG") == 0) {
        memcpy(out->bytes + out->len, msg->bytes, msg->len);
        out->len += msg->len;
        return;
    }
    for (unsigned long n = star ? strtoul(word, NULL, 10) : 1; n; n--)
        out->len += hex_bytes(star ? star + 1 : word, out->bytes + out->len, sizeof(out->bytes) - out->len);
}

static void put_length(struct text *out, size_t at)
{
    size_t n = out->len - at - 2;

    out->bytes[at] = (uint8_t)(n >> 8);
    out->bytes[at + 1] = (uint8_t)n;
}

static void put_update(const struct row *r, struct text *out, const char *body)
{
    char *copy = strdup(body), *rest = copy;

    assert_non_null(copy);
    for (unsigned i = 0; i < 3; i++) {
        const char *field = strsep(&rest, ";");
        size_t at = out->len;
        out->len += i < 2 ? 2 : 0;
        put_words(r, out, field ? field : "", NULL);
        if (i < 2)
            put_length(out, at);
    }
    free(copy);
}

// "TYPE body" to a message.
static void build(const struct row *r, const char *message, struct text *out)
{
    static const struct {
        const char *name;
        uint8_t type;
    } types[] = {{"OPEN", 1},         {"UPDATE", 2},    {"UPDATE-RAW", 2}, {"UPDATE-SHORT", 2},
                 {"NOTIFICATION", 3}, {"KEEPALIVE", 4}, {"REFRESH", 5}};
    char name[16] = "";
    int used = 0;

    assert_int_equal(sscanf(message, "%15s%n", name, &used), 1);
    out->len = 0;
    if (strcmp(name, "RAW") == 0) {
        put_words(r, out, message + used, NULL);
        return;
    }
    out->len = VNRS_BGP_HEADER_BYTES;
    if (strcmp(name, "UPDATE") == 0)
        put_update(r, out, message + used);
    else
        put_words(r, out, message + used, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strcmp(name, types[i].name) == 0) {
            (void)hex_header(out->bytes, types[i].type, out->len - VNRS_BGP_HEADER_BYTES);
            return;
        }
    fail_msg("'%s' is no message", name);
}

static struct vnrs_bgp_member *setup(struct world *w, const struct row *r)
{
    uint8_t features =
        (uint8_t)((has_option(r, 'x') || has_option(r, 'X') ? VNRS_SPK_EXTENDED_MESSAGES : 0) |
                  (has_option(r, 'p') ? VNRS_SPK_ADD_PATH : 0) | (has_option(r, 'n') ? VNRS_SPK_EXTENDED_NEXTHOP : 0));

    world_setup(w, 2, features, 0);
    w->peers[0].asn = r->kind == 'i' ? WORLD_ASN : PEER_ASN;
    world_configure(w);
    return world_member(w, 'a');
}

static void to_state(struct world *w, const struct row *r, struct vnrs_bgp_member *m, char state)
{
    struct vnrs_bgp_open open = {.asn = m->conf.asn, .hold = 180, .id = 0x0a00000a};
    bool add_path = has_option(r, 'p');
    uint8_t buf[VNRS_BGP_MSG_MAX];

    open.caps = (struct vnrs_bgp_caps){
        .mp = {!has_option(r, '4'), !has_option(r, '6')},
        .refresh = true,
        .as4 = !has_option(r, '2'),
        .extended_message = has_option(r, 'x'),
        .add_path_receive = {add_path, add_path},
        .add_path_send = {add_path, add_path},
        .ext_nexthop = has_option(r, 'n'),
    };
    assert_int_equal(vnrs_bgp_peer_accept(&m->peer, w->now), 0);
    vnrs_bgp_peer_accepted(&m->peer, w->now);
    if (state == 'S')
        return;
    int len = vnrs_bgp_open_encode(&open, buf, sizeof(buf));
    assert_int_equal(world_input(w, m, buf, (size_t)len), len);
    if (state == 'E')
        assert_true(world_say(w, m, VNRS_BGP_KEEPALIVE, "") > 0);
}

// As a peer would send it: while there is no whole message the rest is waited for. From memory of exactly that size.
static ssize_t give(struct world *w, struct vnrs_bgp_member *m, const struct text *t)
{
    _free_ uint8_t *tight = malloc(t->len ? t->len : 1);

    assert_non_null(tight);
    memcpy(tight, t->bytes, t->len);
    return world_input(w, m, tight, t->len);
}

static const struct vnrs_bgp_path *path_of(struct world *w, struct vnrs_bgp_member *m, const struct vnrs_prefix *p)
{
    const struct vnrs_bgp_dest *d = vnrs_bgp_rib_find(&w->sp->rib, p);
    return d ? vnrs_bgp_dest_path(d, m->slot) : NULL;
}

static struct vnrs_prefix prefix4(const struct row *r)
{
    struct vnrs_addr a = vnrs_addr_from_v4(0x64400000u + (r->number << 8));
    return vnrs_prefix_make(&a, 24);
}

static struct vnrs_prefix prefix6(const struct row *r)
{
    struct vnrs_addr a = {.family = VNRS_AF_IPV6, .bytes = {0x20, 0x01, 0x0d, 0xb8}};

    a.bytes[4] = (uint8_t)(r->number >> 8);
    a.bytes[5] = (uint8_t)r->number;
    return vnrs_prefix_make(&a, 48);
}

// The types of the attributes in an UPDATE, "1,2,3".
static void attr_types(const uint8_t *msg, char *out, size_t size)
{
    size_t at = 21u + 256u * msg[19] + msg[20], end = at + 2 + 256u * msg[at] + msg[at + 1], used = 0;

    for (at += 2; at < end;) {
        used += (size_t)snprintf(out + used, size - used, "%s%u", used ? "," : "", msg[at + 1]);
        at += msg[at] & 0x10 ? 4u + 256u * msg[at + 2] + msg[at + 3] : 3u + msg[at + 2];
    }
}

// Those with which `b` is told of the prefix; empty: it is not.
static const char *told(struct world *w, const struct vnrs_prefix *prefix, char *out, size_t size)
{
    static uint8_t scratch[VNRS_BGP_MSG_EXTENDED_MAX];
    struct vnrs_bgp_member *b = world_member(w, 'b');
    struct vnrs_bgp_session session = world_far_end(b);
    struct world_ear *ear = &world_ears[b->slot];
    size_t len;

    out[0] = '\0';
    world_room("b", UINT_MAX);
    world_run_out(w);
    for (const uint8_t *msg = ear->bytes; msg < ear->bytes + ear->len; msg += len) {
        struct vnrs_bgp_update u;
        struct vnrs_bgp_error error;
        struct vnrs_prefix p;
        len = (size_t)(msg[16] << 8 | msg[17]);
        assert_int_equal(vnrs_bgp_update_decode(&session, msg, len, scratch, &u, &error), VNRS_BGP_OK);
        for (unsigned i = 0; i < 2; i++)
            while (vnrs_bgp_nlri_next(&u.reach[i], &p))
                if (vnrs_prefix_equal(&p, prefix))
                    attr_types(msg, out, size);
    }
    ear->len = 0;
    return out;
}

static bool is_word_of(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = text; (p = strstr(p, word)); p += n)
        if ((p == text || p[-1] == ' ') && (p[n] == '\0' || p[n] == ' '))
            return true;
    return false;
}

// What the peer said before, for a line that makes it go.
static void announce_before(struct world *w, const struct row *r, struct vnrs_bgp_member *m)
{
    const char *id = has_option(r, 'p') ? "ID " : "";
    char message[256];
    struct text t;

    (void)snprintf(message, sizeof(message), "UPDATE ; GOOD ; %sPFX", id);
    build(r, message, &t);
    assert_true(give(w, m, &t) > 0);
    (void)snprintf(message, sizeof(message), "UPDATE ; %s 0002 01 10 NH6 00 %sP6 ORIGIN PATH LP ;",
                   *id ? "800e20" : "800e1c", id);
    build(r, message, &t);
    assert_true(give(w, m, &t) > 0);
}

static bool is_notification_right(struct world *w, const struct row *r, ssize_t used, const struct text *msg)
{
    char *slash = NULL, *data = NULL;
    unsigned code = (unsigned)strtoul(r->outcome, &slash, 10), subcode = (unsigned)strtoul(slash + 1, &data, 10);
    struct text want = {.len = 2};

    want.bytes[0] = (uint8_t)code;
    want.bytes[1] = (uint8_t)subcode;
    put_words(r, &want, data, msg);
    return used == -ECONNRESET && w->last_len == VNRS_BGP_HEADER_BYTES + want.len &&
           w->last[18] == VNRS_BGP_NOTIFICATION && memcmp(w->last + VNRS_BGP_HEADER_BYTES, want.bytes, want.len) == 0;
}

static bool is_update_right(struct world *w, const struct row *r, struct vnrs_bgp_member *m)
{
    bool names4 = is_word_of(r->message, "PFX"), names6 = is_word_of(r->message, "P6");
    struct vnrs_prefix p4 = prefix4(r), p6 = prefix6(r);
    bool here4 = path_of(w, m, &p4) != NULL, here6 = path_of(w, m, &p6) != NULL;
    char types[256];

    if (strcmp(r->outcome, "gone") == 0)
        return (names4 || names6) && !(names4 && here4) && !(names6 && here6);
    if (strcmp(r->outcome, "ignored") == 0)
        return told(w, &p4, types, sizeof(types))[0] == '\0';
    if (strncmp(r->outcome, "lacks ", 6) == 0) {
        struct vnrs_prefix p = world_prefix(r->outcome + 6);
        return path_of(w, m, &p) == NULL;
    }
    bool in_use = !has_option(r, '6');
    if (strncmp(r->outcome, "used", 4) != 0 || here4 != names4 || here6 != (names6 && in_use))
        return false;
    return !r->outcome[4] || strcmp(told(w, &p4, types, sizeof(types)), r->outcome + 5) == 0;
}

static bool is_right(struct world *w, const struct row *r, char state)
{
    struct vnrs_bgp_member *m = setup(w, r);
    enum vnrs_bgp_state before;
    struct text msg;

    (void)world_up(w, 'b', NULL);
    to_state(w, r, m, state);
    if (strcmp(r->outcome, "gone") == 0)
        announce_before(w, r, m);
    build(r, r->message, &msg);
    before = m->peer.fsm[VNRS_BGP_IN].state;
    w->last_len = 0;
    ssize_t used = give(w, m, &msg);
    if (isdigit((unsigned char)r->outcome[0]))
        return is_notification_right(w, r, used, &msg);
    if (strcmp(r->outcome, "closed") == 0)
        return used == -ECONNRESET && w->last_len == 0;
    if (used != (ssize_t)msg.len)
        return false;
    if (strcmp(r->outcome, "accepted") == 0)
        return m->peer.fsm[VNRS_BGP_IN].state == VNRS_BGP_ST_OPEN_CONFIRM;
    if (strcmp(r->outcome, "nothing") == 0)
        return m->peer.fsm[VNRS_BGP_IN].state == before && w->last_len == 0;
    return is_update_right(w, r, m);
}

static unsigned run(struct row *r)
{
    static struct world w;
    unsigned wrong = 0;

    for (const char *kind = r->sessions; *kind == 'e' || *kind == 'i'; kind++)
        for (const char *state = r->states; *state; state++) {
            r->kind = *kind;
            bool right = is_right(&w, r, *state);
            vnrs_bgp_speaker_free(w.sp);
            wrong += !right;
            if (!right)
                print_error("%s, %c, %c, %s: not '%s'; last message type %u, %u/%u\n", r->clause, *kind, *state,
                            r->what, r->outcome, w.last_len ? w.last[18] : 0, w.last_len ? w.last[19] : 0,
                            w.last_len ? w.last[20] : 0);
        }
    return wrong;
}

// Cuts a line at its bars, and each field's blanks. False: a comment.
static bool row_read(char *line, struct row *r)
{
    char **const fields[] = {&r->clause, &r->sessions, &r->states, &r->message, &r->outcome, &r->what};
    char *rest = line;

    line[strcspn(line, "\n")] = '\0';
    if (!line[0] || line[0] == '#')
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        char *field = strsep(&rest, "|");
        assert_non_null(field);
        field += strspn(field, " ");
        for (size_t n = strlen(field); n && field[n - 1] == ' '; n--)
            field[n - 1] = '\0';
        *fields[i] = field;
    }
    assert_null(rest);
    return true;
}

static void every_line(void **state)
{
    const char *root = getenv("VNRS_SOURCE_DIR");
    char path[4096], line[2048];
    unsigned wrong = 0;
    struct row r = {0};

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/tests/lib/bgp_conformance.txt", root ? root : ".");
    FILE *table = fopen(path, "r");
    assert_non_null(table);
    while (fgets(line, sizeof(line), table)) {
        if (!row_read(line, &r))
            continue;
        r.number++;
        wrong += run(&r);
    }
    (void)fclose(table);
    assert_true(r.number > 200);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_line)};
    return cmocka_run_group_tests_name("bgp.conformance", tests, NULL, NULL);
}
