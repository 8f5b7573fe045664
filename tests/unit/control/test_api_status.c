// SPDX-License-Identifier: GPL-2.0-or-later
// What `status` says of a lab that is not ready.
#include "control/labs.h"

static char *status_of_sessions(struct fixture *f)
{
    static char text[256];
    struct answer answer = fixture_http(f, "GET", "/v1/labs/l/status", NULL);
    const json_t *condition;
    size_t i;

    json_array_foreach(json_object_get(answer.json, "conditions"), i, condition)
    {
        if (strcmp(json_string_value(json_object_get(condition, "name")), "bgp") == 0)
            (void)snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(condition, "text")));
    }
    json_decref(answer.json);
    return text;
}

// Of all sessions that are not there, the one is shown that says most of why.
static void status_tells_the_reason_that_matters(void **state)
{
    static const struct {
        unsigned instance;
        const char *name, *error, *text;
    } rows[] = {
        {1, "nva2", "", "0 of 4 sessions are Established; not yet: rs/nva1 instance 0"},
        {0, "nva2", "cannot connect: Connection refused",
         "0 of 4 sessions are Established; not yet: rs/nva2 instance 0: cannot connect: Connection refused"},
        {0, "nva1", "cannot connect: No route to host",
         "0 of 4 sessions are Established; not yet: rs/nva1 instance 0: cannot connect: No route to host"},
        {1, "nva1", "sent NOTIFICATION: Cease; cannot connect: Connection refused",
         "0 of 4 sessions are Established; not yet: rs/nva1 instance 1: sent NOTIFICATION: Cease; cannot connect: "
         "Connection refused"},
        {1, "nva2", "connection closed by the peer",
         "0 of 4 sessions are Established; not yet: rs/nva1 instance 1: sent NOTIFICATION: Cease; cannot connect: "
         "Connection refused"},
    };
    struct fixture *f = *state;
    struct fake_speaker speakers[2];

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, hub);
    for (unsigned i = 0; i < 2; i++) {
        speakers[i] = fixture_speaker(f, "l", i ? "rs-1" : "rs-0");
        RUN_UNTIL(f, speaker_hear(&speakers[i]));
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_spk_peer said = {.asn = 65001, .state = VNRS_BGP_ST_ACTIVE};
        const struct vnrs_spk_peer *known;
        (void)snprintf(said.name, sizeof(said.name), "%s", rows[i].name);
        (void)snprintf(said.last_error, sizeof(said.last_error), "%s", rows[i].error);
        assert_int_equal(vnrs_addr_parse("10.0.2.4", &said.addr), 0);
        speaker_say(&speakers[rows[i].instance], VNRS_SPK_PEER, &said, sizeof(said), 1);
        const struct vnrs_instance *instance = vnrs_instance_find(lab_of(f), rows[i].instance ? "rs-1" : "rs-0");
        RUN_UNTIL(f, (known = vnrs_instance_find_peer(instance, said.name)) &&
                         strcmp(known->last_error, said.last_error) == 0);
        assert_string_equal(status_of_sessions(f), rows[i].text);
    }
    close(speakers[0].fd);
    close(speakers[1].fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(status_tells_the_reason_that_matters, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("control.api_status", tests, NULL, NULL);
}
