// SPDX-License-Identifier: GPL-2.0-or-later
// The controller against an agent and speakers in the test process: what it asks for, and what it says.
#include "control/fixture.h"
#include "control/labs.h"
#include "util/strbuf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *const both[] = {"10.0.2.4", "10.0.2.5", NULL}, *const first[] = {"10.0.2.4", NULL};

static size_t rows_with(struct fixture *f, const char *nic, const char *prefix)
{
    char path[128];
    size_t n = 0, i;
    json_t *row;

    (void)snprintf(path, sizeof(path), "/v1/labs/l/effective-routes?nic=%s", nic);
    struct answer answer = fixture_http(f, "GET", path, NULL);
    assert_int_equal(answer.status, 200);
    json_array_foreach(json_object_get(answer.json, "value"), i, row) n +=
        strcmp(json_string_value(json_array_get(json_object_get(row, "addressPrefix"), 0)), prefix) == 0;
    json_decref(answer.json);
    return n;
}

static void an_apply_makes_everything_and_the_second_nothing(void **state)
{
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, small);
    assert_int_equal(f->agent.n_created, 7); // fabric, two namespaces, links and tables
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_BEGIN], 1);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_END], 1);
    assert_true(f->agent.fib_routes_set > 0);
    assert_non_null(f->agent.record);
    fake_clear_counts(&f->agent);
    struct answer answer = fixture_apply(f, small);
    assert_int_equal(json_array_size(json_object_get(answer.json, "changes")), 0);
    json_decref(answer.json);
    RUN_UNTIL(f, lab_of(f)->reached == 2);
    assert_int_equal(f->agent.n_ensure, 0);
    assert_int_equal(f->agent.n_remove, 0);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_FLUSH], 0);
}

static void what_is_gone_from_the_file_goes(void **state)
{
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, small);
    fake_clear_counts(&f->agent);
    apply_and_reach(f, smaller);
    assert_int_equal(f->agent.n_remove, 3);
    assert_string_equal(f->agent.removed[0], "b/eth0"); // table, then link, then namespace
    assert_string_equal(f->agent.removed[2], "b");
    assert_int_equal(f->agent.n_ensure, 0);
}

static void a_failed_object_is_named_and_tried_again(void **state)
{
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    f->agent.fail_key = "b/eth0";
    struct answer answer = fixture_apply(f, small);
    json_decref(answer.json);
    RUN_UNTIL(f, lab_of(f)->failed && lab_of(f)->stage == VNRS_LAB_IDLE);
    assert_false(vnrs_lab_is_reached(lab_of(f)));
    answer = fixture_http(f, "GET", "/v1/labs/l/status", NULL);
    assert_false(json_is_true(json_object_get(answer.json, "ready")));
    assert_non_null(strstr(answer.text, "link 'b/eth0': it is broken"));
    json_decref(answer.json);
    f->agent.fail_key = NULL;
    RUN_UNTIL(f, vnrs_lab_is_reached(lab_of(f)));
    assert_int_equal(f->agent.objects.len, 7);
}

static void a_refused_route_is_synchronised_again(void **state)
{
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    f->agent.fail_fib = 2;
    struct answer answer = fixture_apply(f, small);
    json_decref(answer.json);
    RUN_UNTIL(f, vnrs_lab_is_reached(lab_of(f)));
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_END], 2);
    assert_null(lab_of(f)->fib_error);
}

static void destroy_removes_everything_and_twice_is_not_found(void **state)
{
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, small);
    struct answer answer = fixture_http(f, "DELETE", "/v1/labs/l", NULL);
    assert_int_equal(answer.status, 200);
    assert_int_equal(json_integer_value(json_object_get(answer.json, "removed")), 7);
    json_decref(answer.json);
    assert_int_equal(f->agent.objects.len, 0);
    assert_null(f->agent.record);
    assert_null(lab_of(f));
    answer = fixture_http(f, "DELETE", "/v1/labs/l", NULL);
    assert_int_equal(answer.status, 404);
    json_decref(answer.json);
    assert_null(lab_of(f));
}

static void leftovers_without_a_record_can_be_destroyed(void **state)
{
    struct fixture *f = *state;
    struct fake_object *left = calloc(1, sizeof(*left));

    left->obj = (struct vnrs_ag_obj){.lab = "l", .key = "old", .type = VNRS_OBJ_NETNS};
    assert_int_equal(vec_push(&f->agent.objects, left), 0);
    RUN_UNTIL(f, f->control->ready);
    struct answer answer = fixture_http(f, "DELETE", "/v1/labs/l", NULL);
    assert_int_equal(answer.status, 200);
    json_decref(answer.json);
    assert_int_equal(f->agent.objects.len, 0);
}

static void a_new_controller_changes_nothing(void **state)
{
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, small);
    uint32_t number = vnrs_ids_find(lab_of(f)->ids, VNRS_ID_LINK, "b/eth0");
    fixture_stop(f);
    fake_clear_counts(&f->agent);
    fixture_start(f);
    RUN_UNTIL(f, lab_of(f) && vnrs_lab_is_reached(lab_of(f)));
    assert_int_equal(lab_of(f)->generation, 1);
    assert_int_equal(f->agent.n_ensure, 7);
    assert_int_equal(f->agent.n_created + f->agent.n_changed + f->agent.n_remove, 0);
    assert_int_equal(vnrs_ids_find(lab_of(f)->ids, VNRS_ID_LINK, "b/eth0"), number);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_END], 1); // the sinks find that nothing has to be written
}

static void numbers_stay_when_the_file_grows(void **state)
{
    struct fixture *f = *state;

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, smaller);
    uint32_t number = vnrs_ids_find(lab_of(f)->ids, VNRS_ID_LINK, "a/eth0");
    fake_clear_counts(&f->agent);
    apply_and_reach(f, small);
    assert_int_equal(f->agent.n_ensure, 3);
    assert_int_equal(f->agent.n_remove, 0);
    assert_int_equal(vnrs_ids_find(lab_of(f)->ids, VNRS_ID_LINK, "a/eth0"), number);
}

static void suspect_checks_the_lab_again(void **state)
{
    struct fixture *f = *state;
    struct vnrs_ag_event event = {.kind = VNRS_AG_EV_SUSPECT,
                                  .obj = {.lab = "l", .key = "b/eth0", .type = VNRS_OBJ_LINK}};

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, small);
    fake_clear_counts(&f->agent);
    for (size_t i = 0; i < f->agent.objects.len; i++) {
        if (strcmp(f->agent.objects.items[i]->obj.key, "b/eth0") == 0 &&
            f->agent.objects.items[i]->obj.type == VNRS_OBJ_LINK) {
            free(f->agent.objects.items[i]);
            f->agent.objects.items[i] = f->agent.objects.items[--f->agent.objects.len];
        }
    }
    for (int i = 0; i < 20; i++) // a burst is one check
        fake_send(&f->agent, VNRS_AG_EVENT, 0, &event, sizeof(event), 1, NULL, 0, -1);
    RUN_UNTIL(f, f->agent.n_created == 1);
    RUN_UNTIL(f, f->agent.n_fib[VNRS_AG_FIB_END] == 1);
    fixture_settle(f, 400);
    assert_int_equal(f->agent.n_list, 1);
    assert_int_equal(f->agent.objects.len, 7);
}

// ---- speakers

static void start_speakers(struct fixture *f, struct fake_speaker speakers[2])
{
    speakers[0] = fixture_speaker(f, "l", "rs-0");
    speakers[1] = fixture_speaker(f, "l", "rs-1");
    for (int i = 0; i < 2; i++)
        RUN_UNTIL(f, speaker_hear(&speakers[i]));
}

static void say_converged(struct fake_speaker *speaker)
{
    speaker_say(speaker, VNRS_SPK_CONVERGED, NULL, 0, 0);
}

static void speakers_are_configured_and_their_routes_programmed(void **state)
{
    struct fixture *f = *state;
    struct fake_speaker speakers[2];

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, hub);
    start_speakers(f, speakers);
    assert_int_equal(speakers[0].peers, 2);
    assert_int_equal(speakers[0].own, 1);
    fake_clear_counts(&f->agent);
    speaker_route(&speakers[0], "10.50.0.0/16", both);
    RUN_UNTIL(f, f->agent.n_fib[VNRS_AG_FIB_FLUSH] == 1);
    assert_int_equal(rows_with(f, "vm", "10.50.0.0/16"), 2);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_BEGIN], 0); // a delta
    size_t set = f->agent.fib_routes_set;
    assert_true(set >= 1);
    // The other instance says the same: nothing to be done.
    speaker_route(&speakers[1], "10.50.0.0/16", both);
    fixture_settle(f, 50);
    assert_int_equal(f->agent.fib_routes_set, set);
    // One of the two next hops goes, for all domains: groups, not routes.
    speaker_route(&speakers[0], "10.50.0.0/16", first);
    speaker_route(&speakers[1], "10.50.0.0/16", first);
    RUN_UNTIL(f, rows_with(f, "vm", "10.50.0.0/16") == 1);
    RUN_UNTIL(f, lab_of(f)->fib_outstanding == 0);
    assert_int_equal(f->agent.fib_routes_set, set);
    speaker_route(&speakers[0], "10.50.0.0/16", NULL);
    speaker_route(&speakers[1], "10.50.0.0/16", NULL);
    RUN_UNTIL(f, f->agent.fib_routes_removed == set);
    close(speakers[0].fd);
    close(speakers[1].fd);
}

static void stations_are_part_of_the_configuration(void **state)
{
    struct fixture *f = *state;
    struct fake_speaker speakers[2];
    struct vnrs_strbuf source = {0};
    const char *at = strstr(hub, "    bgpConnections:");

    RUN_UNTIL(f, f->control->ready);
    vnrs_strbuf_add(&source, hub, (size_t)(at - hub));
    vnrs_strbuf_printf(&source, "    bmp: [{station: 10.0.3.4, ribs: [adjRibOut, locRib]}, {station: 10.0.3.5}]\n%s",
                       at);
    apply_and_reach(f, source.text);
    vnrs_strbuf_fini(&source);
    start_speakers(f, speakers);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(speakers[i].n_stations, 2);
        assert_string_equal(speakers[i].stations[0].name, i ? "l/rs-1" : "l/rs-0");
        assert_int_equal(speakers[i].stations[0].ribs, VNRS_SPK_BMP_ADJ_RIB_OUT | VNRS_SPK_BMP_LOC_RIB);
        assert_int_equal(speakers[i].stations[1].ribs, VNRS_SPK_BMP_PRE_POLICY | VNRS_SPK_BMP_LOC_RIB);
        assert_int_equal(speakers[i].stations[1].port, 11019);
        assert_int_equal(speakers[i].stations[1].statistics_s, 60);
        assert_int_equal(speakers[i].stations[1].station.bytes[3], 5);
        close(speakers[i].fd);
    }
}

static void routes_of_a_dead_speaker_stay_until_the_new_one_converged(void **state)
{
    struct fixture *f = *state;
    struct fake_speaker speakers[2];
    struct vnrs_ag_event exited = {.kind = VNRS_AG_EV_EXITED,
                                   .obj = {.lab = "l", .key = "rs-0", .type = VNRS_OBJ_SPEAKER}};

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, hub);
    start_speakers(f, speakers);
    speaker_route(&speakers[0], "10.50.0.0/16", first);
    speaker_route(&speakers[0], "10.60.0.0/16", first);
    RUN_UNTIL(f, rows_with(f, "vm", "10.60.0.0/16") == 1);
    say_converged(&speakers[0]);
    fake_clear_counts(&f->agent);
    close(speakers[0].fd);
    fake_send(&f->agent, VNRS_AG_EVENT, 0, &exited, sizeof(exited), 1, NULL, 0, -1);
    RUN_UNTIL(f, !vnrs_instance_find(lab_of(f), "rs-0")->chan);
    fixture_settle(f, 50);
    assert_int_equal(f->agent.fib_routes_removed, 0);
    // The new one: says only one of the two again.
    struct fake_speaker again = fixture_speaker(f, "l", "rs-0");
    RUN_UNTIL(f, speaker_hear(&again));
    assert_int_equal(speakers[0].config.restart, 0);
    assert_int_equal(again.config.restart, VNRS_SPK_RESTARTED | VNRS_SPK_FORWARDING_KEPT);
    assert_int_equal(again.config.features, 0); // Azure's OPEN
    struct vnrs_spk_synced synced = {0};
    speaker_say(&again, VNRS_SPK_SYNCED, &synced, sizeof(synced), 1);
    speaker_route(&again, "10.60.0.0/16", first);
    fixture_settle(f, 50);
    assert_int_equal(f->agent.fib_routes_removed, 0);
    say_converged(&again);
    RUN_UNTIL(f, f->agent.fib_routes_removed > 0);
    assert_int_equal(rows_with(f, "vm", "10.50.0.0/16"), 0);
    assert_int_equal(rows_with(f, "vm", "10.60.0.0/16"), 1);
    close(again.fd);
    close(speakers[1].fd);
}

// While one restarts the other goes on: what it withdraws goes, although the dead one had it too.
static void a_withdrawal_during_a_restart_counts_at_once(void **state)
{
    struct fixture *f = *state;
    struct fake_speaker speakers[2];

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, hub);
    start_speakers(f, speakers);
    for (int i = 0; i < 2; i++) {
        speaker_route(&speakers[i], "10.50.0.0/16", first);
        speaker_route(&speakers[i], "10.60.0.0/16", first);
        say_converged(&speakers[i]);
    }
    RUN_UNTIL(f, rows_with(f, "vm", "10.60.0.0/16") == 1 && vnrs_instance_find(lab_of(f), "rs-1")->converged);
    close(speakers[0].fd);
    RUN_UNTIL(f, !vnrs_instance_find(lab_of(f), "rs-0")->chan);
    fake_clear_counts(&f->agent);
    speaker_route(&speakers[1], "10.50.0.0/16", NULL);
    RUN_UNTIL(f, f->agent.fib_routes_removed > 0);
    assert_int_equal(rows_with(f, "vm", "10.50.0.0/16"), 0);
    assert_int_equal(rows_with(f, "vm", "10.60.0.0/16"), 1);
    close(speakers[1].fd);
}

static void a_restored_lab_waits_for_its_speakers(void **state)
{
    struct fixture *f = *state;
    struct fake_speaker speakers[2];

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, hub);
    start_speakers(f, speakers);
    fixture_stop(f);
    fake_clear_counts(&f->agent);
    fixture_start(f);
    for (int i = 0; i < 2; i++)
        RUN_UNTIL(f, speaker_hear(&speakers[i]) && speakers[i].hellos == 2);
    RUN_UNTIL(f, lab_of(f)->stage == VNRS_LAB_IDLE && lab_of(f)->fib_ready);
    fixture_settle(f, 50);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_BEGIN], 0); // what is in the kernel goes on
    assert_int_equal(f->agent.n_created + f->agent.n_changed + f->agent.n_remove, 0);
    speaker_route(&speakers[0], "10.50.0.0/16", first);
    say_converged(&speakers[0]);
    fixture_settle(f, 50);
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_BEGIN], 0);
    say_converged(&speakers[1]);
    RUN_UNTIL(f, vnrs_lab_is_reached(lab_of(f)));
    assert_int_equal(f->agent.n_fib[VNRS_AG_FIB_END], 1);
    assert_int_equal(rows_with(f, "vm", "10.50.0.0/16"), 1);
    close(speakers[0].fd);
    close(speakers[1].fd);
}

static void peers_of_another_configuration_are_forgotten(void **state)
{
    static const char *const text = "nva1, peerIp: 10.0.2.4, peerAsn: 65001";
    struct fixture *f = *state;
    struct fake_speaker speakers[2];
    struct vnrs_spk_peer said[2] = {{.name = "nva1", .asn = 65001, .state = VNRS_BGP_ST_ESTABLISHED, .eor = 1},
                                    {.name = "nva2", .asn = 65002, .state = VNRS_BGP_ST_ESTABLISHED, .eor = 1}};
    _free_ char *changed = strdup(hub);

    assert_int_equal(vnrs_addr_parse("10.0.2.4", &said[0].addr), 0);
    assert_int_equal(vnrs_addr_parse("10.0.2.5", &said[1].addr), 0);
    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, hub);
    start_speakers(f, speakers);
    speaker_say(&speakers[0], VNRS_SPK_PEER, said, sizeof(said[0]), 2);
    struct vnrs_instance *instance = vnrs_instance_find(lab_of(f), "rs-0");
    RUN_UNTIL(f, instance->peers.len == 2);
    apply_and_reach(f, hub);
    assert_int_equal(instance->peers.len, 2);
    memcpy(strstr(changed, text) + strlen(text) - 1, "9", 1);
    apply_and_reach(f, changed);
    assert_int_equal(instance->peers.len, 1); // its session starts again: it is not Established any more
    assert_string_equal(instance->peers.items[0].name, "nva2");
    close(speakers[0].fd);
    close(speakers[1].fd);
}

static void a_speaker_that_dies_again_does_not_prolong_the_wait(void **state)
{
    struct fixture *f = *state;
    struct fake_speaker speakers[2];
    struct timeval ends, then;

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, hub);
    start_speakers(f, speakers);
    struct vnrs_instance *instance = vnrs_instance_find(lab_of(f), "rs-0");
    speaker_route(&speakers[0], "10.50.0.0/16", first);
    RUN_UNTIL(f, vnrs_learned_len(instance->outlets[0].db, 0) == 1);
    close(speakers[0].fd);
    RUN_UNTIL(f, !instance->chan);
    assert_true(evtimer_pending(instance->timer, &ends));
    struct fake_speaker again = fixture_speaker(f, "l", "rs-0");
    RUN_UNTIL(f, speaker_hear(&again));
    fixture_settle(f, 50);
    close(again.fd);
    RUN_UNTIL(f, !instance->chan);
    assert_true(evtimer_pending(instance->timer, &then));
    assert_true(labs((then.tv_sec - ends.tv_sec) * 1000000L + then.tv_usec - ends.tv_usec) < 20000);
    event_active(instance->timer, EV_TIMEOUT, 0); // as if the wait were over
    RUN_UNTIL(f, vnrs_learned_len(instance->outlets[0].db, 0) == 0);
    close(speakers[1].fd);
}

static void messages_of_an_earlier_speaker_are_skipped(void **state)
{
    struct fixture *f = *state;
    struct fake_speaker speakers[2];

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, hub);
    start_speakers(f, speakers);
    speakers[0].generation--;
    speaker_route(&speakers[0], "10.50.0.0/16", first);
    fixture_settle(f, 50);
    assert_int_equal(rows_with(f, "vm", "10.50.0.0/16"), 0);
    assert_non_null(vnrs_instance_find(lab_of(f), "rs-0")->chan);
    close(speakers[0].fd);
    close(speakers[1].fd);
}

// What a session has beyond Azure's reaches the speakers; its password reaches nobody else.
static void session_options_reach_the_speakers(void **state)
{
    static const char *const paths[] = {"/v1/labs/l", "/v1/labs/l/peers", "/v1/labs/l/status",
                                        "/v1/labs/l/events?since=0", "/metrics"};
    static const char was[] = "{name: nva2, peerIp: 10.0.2.5, peerAsn: 65002}";
    static const char is[] = "{name: nva2, peerIp: 10.0.2.5, peerAsn: 65002, password: s3cret, ttlSecurityHops: 2, "
                             "passive: true, delayOpen: 4, bgp: {keepalive: 9, hold: 27}}";
    static const char bgp[] = "    bgp: {gracefulRestart: true, restartTime: 77, enhancedRefresh: true, "
                              "extendedMessages: true, addPath: true, extendedNextHop: true}\n";
    struct fixture *f = *state;
    struct fake_speaker speakers[2];
    _free_ char *changed = NULL;
    const char *at = strstr(hub, was), *conns = strstr(hub, "    bgpConnections");

    assert_true(asprintf(&changed, "%.*s%s%.*s%s%s", (int)(conns - hub), hub, bgp, (int)(at - conns), conns, is,
                         at + strlen(was)) > 0);
    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, changed);
    start_speakers(f, speakers);
    assert_int_equal(speakers[0].config.features, VNRS_SPK_GRACEFUL_RESTART | VNRS_SPK_ENHANCED_REFRESH |
                                                      VNRS_SPK_EXTENDED_MESSAGES | VNRS_SPK_ADD_PATH |
                                                      VNRS_SPK_EXTENDED_NEXTHOP);
    assert_int_equal(speakers[0].config.restart_s, 77);
    assert_string_equal(speakers[0].peer.name, "nva2");
    assert_string_equal(speakers[0].peer.md5, "s3cret");
    assert_int_equal(speakers[0].peer.ttl_min, 254);
    assert_int_equal(speakers[0].peer.delay_open, 4);
    assert_true(speakers[0].peer.passive && speakers[0].peer.hold == 27 && speakers[0].peer.keepalive == 9);
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct answer answer = fixture_http(f, "GET", paths[i], NULL);
        assert_int_equal(answer.status, 200);
        assert_null(strstr(answer.text, "s3cret"));
        json_decref(answer.json);
    }
    close(speakers[0].fd);
    close(speakers[1].fd);
}

// RFC 9003: texts of peers, and for them, are UTF-8. One that could drive a terminal is no speaker of ours.
static void texts_of_peers_are_utf8(void **state)
{
    struct fixture *f = *state;
    struct fake_speaker speakers[2];
    struct vnrs_spk_peer said = {.name = "nva1", .asn = 65001, .stale = 1};

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, hub);
    start_speakers(f, speakers);
    assert_int_equal(vnrs_addr_parse("10.0.2.4", &said.addr), 0);
    memcpy(said.last_error, "gr\xc3\xbc\xc3\x9f Gott", 12);
    speaker_say(&speakers[0], VNRS_SPK_PEER, &said, sizeof(said), 1);
    struct vnrs_instance *instance = vnrs_instance_find(lab_of(f), "rs-0");
    RUN_UNTIL(f, instance->peers.len == 1);
    assert_non_null(instance->chan);
    struct answer answer = fixture_http(f, "GET", "/v1/labs/l/peers", NULL);
    assert_non_null(strstr(answer.text, "gr\xc3\xbc\xc3\x9f Gott"));
    assert_non_null(strstr(answer.text, "\"stale\""));
    json_decref(answer.json);
    answer = fixture_http(f, "GET", "/metrics", NULL);
    // azure-routing.md 5.10
    assert_non_null(strstr(answer.text, "\nvnrs_route_server_units{lab=\"l\",route_server=\"rs\"} 2\n"));
    assert_non_null(strstr(answer.text, "\nvnrs_route_server_machines{lab=\"l\",route_server=\"rs\"} "));
    assert_non_null(strstr(answer.text, "\nvnrs_bgp_peer_up{lab=\"l\",route_server=\"rs\",instance=\"0\",peer=\"nva1\","
                                        "peer_ip=\"10.0.2.4\"} 0\n"));
    answer = fixture_http(f, "POST", "/v1/labs/l/peers/clear?peer=nva1&text=bis%20sp%C3%A4ter", NULL);
    assert_int_equal(answer.status, 200);
    json_decref(answer.json);
    RUN_UNTIL(f, speaker_hear(&speakers[0]) && speakers[0].text[0]);
    assert_string_equal(speakers[0].text, "bis sp\xc3\xa4ter");
    memcpy(said.last_error, "\x1b[2J", 5);
    speaker_say(&speakers[0], VNRS_SPK_PEER, &said, sizeof(said), 1);
    RUN_UNTIL(f, !instance->chan);
    close(speakers[0].fd);
    close(speakers[1].fd);
}

// A speaker that says this is none of ours: its channel ends.
static void ends_the_channel(struct fixture *f, const char *what, uint16_t type, uint32_t count, const void *body,
                             size_t size)
{
    f->agent.n_speakers = 0;
    struct fake_speaker speaker = fixture_speaker(f, "l", "rs-0");
    RUN_UNTIL(f, speaker_hear(&speaker));
    RUN_UNTIL(f, vnrs_instance_find(lab_of(f), "rs-0")->hello);
    struct vnrs_spk_hdr hdr = {
        .proto = VNRS_SPEAKER_PROTO, .type = type, .count = count, .generation = speaker.generation};
    struct iovec parts[] = {{&hdr, sizeof(hdr)}, {(void *)body, size}};
    assert_int_equal(vnrs_msg_send(speaker.fd, parts, 2, NULL, 0), 0);
    uint64_t deadline = vnrs_clock_ms() + 3000;
    while (vnrs_instance_find(lab_of(f), "rs-0")->chan) {
        if (vnrs_clock_ms() > deadline)
            fail_msg("%s", what);
        event_base_loop(f->base, EVLOOP_ONCE);
    }
    close(speaker.fd);
    close(f->agent.speakers[0]);
}

static void malformed_speaker_messages_end_the_channel(void **state)
{
    static const struct {
        const char *what;
        uint16_t type;
        uint32_t count;
        size_t size;
        uint8_t byte0, byte1; // of the body
    } rows[] = {
        {"unknown type", 200, 0, 0, 0, 0},
        {"type of the controller", VNRS_SPK_CONFIG_END, 0, 0, 0, 0},
        {"count without structs", VNRS_SPK_ROUTES, 1, 0, 0, 0},
        {"structs without count", VNRS_SPK_ROUTES, 0, sizeof(struct vnrs_spk_route), 4, 16},
        {"half a struct", VNRS_SPK_ROUTES, 1, 20, 4, 16},
        {"huge count", VNRS_SPK_ROUTES, UINT32_MAX, sizeof(struct vnrs_spk_route), 4, 16},
        {"no family", VNRS_SPK_ROUTES, 1, sizeof(struct vnrs_spk_route), 9, 16},
        {"length 33", VNRS_SPK_ROUTES, 1, sizeof(struct vnrs_spk_route), 4, 33},
        {"set without next hops", VNRS_SPK_SETS, 1, sizeof(struct vnrs_spk_set), 0, 0},
        {"set with 17 next hops", VNRS_SPK_SETS, 1, sizeof(struct vnrs_spk_set), 17, 0},
        {"next hop without family among others", VNRS_SPK_SETS, 1, sizeof(struct vnrs_spk_set), 2, 0},
        {"half of what is down", VNRS_SPK_DOWN, 1, 4, 1, 0},
        {"two HELLOs", VNRS_SPK_HELLO, 2, 2 * sizeof(struct vnrs_spk_hello), 0, 0},
        {"name without end", VNRS_SPK_PEER, 1, sizeof(struct vnrs_spk_peer), 1, 1},
    };
    static const struct {
        const char *what;
        struct vnrs_spk_detail detail;
    } details[] = {
        {"opened by a third", {.opened_by = 3}},
        {"NOTIFICATION of a third", {.error_by = 3}},
        {"more bytes than there are", {.error_len = VNRS_SPK_ERROR_BYTES + 1}},
        {"text for a terminal", {.error_text = "\x1b[2J"}},
        {"text that is none", {.reset_text = "\xff"}},
    };
    struct fixture *f = *state;
    char body[2048] = {0};

    RUN_UNTIL(f, f->control->ready);
    apply_and_reach(f, hub);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        body[0] = (char)rows[i].byte0;
        body[1] = (char)rows[i].byte1;
        ends_the_channel(f, rows[i].what, rows[i].type, rows[i].count, body, rows[i].size);
    }
    const struct vnrs_spk_set address = {.n = 1, .paths[0].nexthop.bytes = {10}};
    ends_the_channel(f, "address without family", VNRS_SPK_SETS, 1, &address, sizeof(address));
    const struct {
        struct vnrs_spk_set set;
        struct vnrs_spk_hdr next;
    } two = {{.n = 1}, {VNRS_SPEAKER_PROTO, VNRS_SPK_SYNCED, 1, 0}};
    ends_the_channel(f, "half a header behind SETS", VNRS_SPK_SETS, 1, &two, sizeof(two) - 8);
    ends_the_channel(f, "another protocol behind SETS", VNRS_SPK_SETS, 0, &two, sizeof(two));
    ends_the_channel(f, "a message behind others than SETS", VNRS_SPK_CONVERGED, 0, &two.next, sizeof(two.next));
    for (size_t i = 0; i < ARRAY_SIZE(details); i++)
        ends_the_channel(f, details[i].what, VNRS_SPK_DETAIL, 1, &details[i].detail, sizeof(details[i].detail));
    f->agent.n_speakers = 0;
}

static void malformed_agent_messages_end_the_controller(void **state)
{
    static const struct {
        uint16_t proto, type;
        uint32_t count;
        size_t size;
    } rows[] = {
        {VNRS_AGENT_PROTO + 1, VNRS_AG_EVENT, 1, sizeof(struct vnrs_ag_event)},
        {VNRS_AGENT_PROTO, VNRS_AG_ENSURE, 1, sizeof(struct vnrs_ag_obj)},
        {VNRS_AGENT_PROTO, 99, 0, 0},
        {VNRS_AGENT_PROTO, VNRS_AG_REPLY, 1, 10},
        {VNRS_AGENT_PROTO, VNRS_AG_REPLY, 1, sizeof(struct vnrs_ag_reply)},     // of nothing that was asked
        {VNRS_AGENT_PROTO, VNRS_AG_SPEAKER, 1, sizeof(struct vnrs_ag_speaker)}, // without a descriptor
        {VNRS_AGENT_PROTO, VNRS_AG_OBJECT, 1, sizeof(struct vnrs_ag_found)},
    };
    struct fixture *f = *state;
    static char body[1024];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        RUN_UNTIL(f, f->control->ready);
        struct vnrs_ag_hdr hdr = {.proto = rows[i].proto, .type = rows[i].type, .seq = 4711, .count = rows[i].count};
        struct iovec parts[] = {{&hdr, sizeof(hdr)}, {body, rows[i].size}};
        assert_int_equal(vnrs_msg_send(f->agent.fd, parts, 2, NULL, 0), 0);
        RUN_UNTIL(f, f->control->lost);
        fixture_stop(f);
        fixture_start(f);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_apply_makes_everything_and_the_second_nothing),
        TEST(what_is_gone_from_the_file_goes),
        TEST(a_failed_object_is_named_and_tried_again),
        TEST(a_refused_route_is_synchronised_again),
        TEST(destroy_removes_everything_and_twice_is_not_found),
        TEST(leftovers_without_a_record_can_be_destroyed),
        TEST(a_new_controller_changes_nothing),
        TEST(numbers_stay_when_the_file_grows),
        TEST(suspect_checks_the_lab_again),
        TEST(peers_of_another_configuration_are_forgotten),
        TEST(a_speaker_that_dies_again_does_not_prolong_the_wait),
        TEST(speakers_are_configured_and_their_routes_programmed),
        TEST(stations_are_part_of_the_configuration),
        TEST(routes_of_a_dead_speaker_stay_until_the_new_one_converged),
        TEST(a_withdrawal_during_a_restart_counts_at_once),
        TEST(a_restored_lab_waits_for_its_speakers),
        TEST(messages_of_an_earlier_speaker_are_skipped),
        TEST(session_options_reach_the_speakers),
        TEST(texts_of_peers_are_utf8),
        TEST(malformed_speaker_messages_end_the_channel),
        TEST(malformed_agent_messages_end_the_controller),
    };
    return cmocka_run_group_tests_name("control.control", tests, NULL, NULL);
}
