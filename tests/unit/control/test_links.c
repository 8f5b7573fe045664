// SPDX-License-Identifier: GPL-2.0-or-later
// Links said live: what the agent is asked for, what is kept over an apply and what is not, and that what cannot be is
// taken back.
#include "control/fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LAB(link)                                                                                                      \
    "name: l\nvirtualNetworks:\n  - name: n\n    addressSpace: [10.0.0.0/16]\n    subnets:\n"                          \
    "      - {name: s, addressPrefix: 10.0.0.0/24}\nmachines:\n  - {name: a, nics: [{subnet: n/s}]}\n"                 \
    "  - {name: b, nics: [{subnet: n/s, link: {" link "}}]}\n"

static void apply(struct fixture *f, const char *text)
{
    RUN_UNTIL(f, f->control->ready);
    struct answer answer = fixture_apply(f, text);
    assert_int_equal(answer.status, 200);
    json_decref(answer.json);
    RUN_UNTIL(f, vnrs_lab_is_reached(vnrs_control_find_lab(f->control, "l")));
}

// The link of `nic` as the agent has it; NULL: nothing is wrong with it.
static const struct vnrs_impair *impair_of(struct fixture *f, const char *key)
{
    struct vnrs_ag_obj obj = {.type = VNRS_OBJ_IMPAIR};

    (void)snprintf(obj.key, sizeof(obj.key), "%s", key);
    const struct fake_object *object = fake_find(&f->agent, &obj);
    return object ? (const void *)(object->bytes + sizeof(obj)) : NULL;
}

static bool is_down(struct fixture *f, const char *key)
{
    struct vnrs_ag_obj obj = {.type = VNRS_OBJ_LINK};

    (void)snprintf(obj.key, sizeof(obj.key), "%s", key);
    const struct fake_object *object = fake_find(&f->agent, &obj);
    assert_non_null(object);
    return ((const struct vnrs_obj_link *)(const void *)(object->bytes + sizeof(obj)))->down;
}

// The text of the answer, which is 200.
static const char *change(struct fixture *f, const char *body)
{
    static char text[256];
    struct answer answer = fixture_http(f, "POST", "/v1/labs/l/link", body);

    if (answer.status != 200)
        fail_msg("%s: %d %s", body, answer.status, answer.text);
    (void)snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(answer.json, "text")));
    json_decref(answer.json);
    return text;
}

static void changes_add_up(void **state)
{
    struct fixture *f = *state;

    apply(f, LAB(""));
    assert_null(impair_of(f, "b/eth0"));
    assert_string_equal(change(f, "{\"nic\":\"b\",\"action\":\"set\",\"loss\":\"1%\",\"rate\":\"1mbit\"}"),
                        "loss 1%, rate 1mbit");
    assert_int_equal(impair_of(f, "b/eth0")->loss_ppm, 10000);
    assert_false(is_down(f, "b/eth0"));
    assert_string_equal(change(f, "{\"nic\":\"b/eth0\",\"action\":\"down\"}"), "down, loss 1%, rate 1mbit");
    assert_true(is_down(f, "b/eth0"));
    assert_string_equal(change(f, "{\"nic\":\"b\",\"action\":\"set\",\"loss\":\"none\",\"delay\":\"2ms\"}"),
                        "down, rate 1mbit, delay 2ms");
    assert_string_equal(change(f, "{\"nic\":\"b\",\"action\":\"set\",\"jitter\":\"1ms\"}"),
                        "down, rate 1mbit, delay 2ms, jitter 1ms");
    assert_string_equal(change(f, "{\"nic\":\"b\",\"action\":\"set\",\"delay\":\"none\"}"), "down, rate 1mbit");
    assert_string_equal(change(f, "{\"nic\":\"b\",\"action\":\"reset\"}"), "");
    assert_null(impair_of(f, "b/eth0"));
    assert_false(is_down(f, "b/eth0"));
    struct answer status = fixture_http(f, "GET", "/v1/labs/l/status", NULL);
    assert_int_equal(json_array_size(json_object_get(status.json, "links")), 0);
    json_decref(status.json);
}

static void apply_keeps_what_is_said_live_unless_the_file_says_otherwise(void **state)
{
    struct fixture *f = *state;

    apply(f, LAB("rate: 5mbit"));
    assert_int_equal(impair_of(f, "b/eth0")->rate_kbit, 5000);
    (void)change(f, "{\"nic\":\"b\",\"action\":\"reset\"}");
    (void)change(f, "{\"nic\":\"a\",\"action\":\"down\"}");
    assert_null(impair_of(f, "b/eth0"));
    fake_clear_counts(&f->agent);
    apply(f, LAB("rate: 5mbit")); // as before
    assert_null(impair_of(f, "b/eth0"));
    assert_true(is_down(f, "a/eth0"));
    assert_int_equal(f->agent.n_created + f->agent.n_changed + f->agent.n_remove, 0);
    apply(f, LAB("rate: 6mbit")); // of b another thing than before, of a none
    assert_int_equal(impair_of(f, "b/eth0")->rate_kbit, 6000);
    assert_true(is_down(f, "a/eth0"));
    // What the file says is nothing that was said live.
    (void)change(f, "{\"nic\":\"b\",\"action\":\"set\",\"rate\":\"7mbit\"}");
    (void)change(f, "{\"nic\":\"b\",\"action\":\"set\",\"rate\":\"6mbit\"}");
    assert_int_equal(vnrs_control_find_lab(f->control, "l")->links.len, 1);
}

static void what_cannot_be_is_taken_back(void **state)
{
    struct fixture *f = *state;

    apply(f, LAB(""));
    (void)change(f, "{\"nic\":\"b\",\"action\":\"set\",\"rate\":\"1mbit\"}");
    f->agent.fail_key = "b/eth0";
    f->agent.fail_type = VNRS_OBJ_IMPAIR;
    struct answer answer =
        fixture_http(f, "POST", "/v1/labs/l/link", "{\"nic\":\"b\",\"action\":\"set\",\"delay\":\"20ms\"}");
    assert_int_equal(answer.status, 409);
    assert_non_null(strstr(answer.text, "impairment 'b/eth0': it is broken"));
    assert_non_null(strstr(answer.text, "vnrs doctor"));
    json_decref(answer.json);
    f->agent.fail_key = NULL;
    f->agent.fail_type = 0;
    RUN_UNTIL(f, impair_of(f, "b/eth0") && impair_of(f, "b/eth0")->delay_us == 0);
    assert_int_equal(impair_of(f, "b/eth0")->rate_kbit, 1000);
    struct answer now = fixture_http(f, "GET", "/v1/labs/l/link?nic=b", NULL);
    assert_non_null(strstr(now.text, "\"text\":\"rate 1mbit\""));
    json_decref(now.json);
}

static void refusals(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {
        "{}",
        "{\"nic\":\"b\"}",
        "{\"nic\":\"zz\",\"action\":\"down\"}",
        "{\"nic\":7,\"action\":\"down\"}",
        "{\"nic\":\"b\",\"action\":\"explode\"}",
        "{\"nic\":\"b\",\"action\":\"set\",\"loss\":\"200%\"}",
        "{\"nic\":\"b\",\"action\":\"set\",\"rate\":\"fast\"}",
        "{\"nic\":\"b\",\"action\":\"set\",\"delay\":\"20\"}",
        "{\"nic\":\"b\",\"action\":\"set\",\"delay\":\"2ms\",\"jitter\":\"3ms\"}",
    };

    apply(f, LAB(""));
    fake_clear_counts(&f->agent);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct answer answer = fixture_http(f, "POST", "/v1/labs/l/link", wrong[i]);
        if (answer.status != 400)
            fail_msg("%s: %d", wrong[i], answer.status);
        json_decref(answer.json);
    }
    assert_int_equal(f->agent.n_requests, 0);
    assert_int_equal(vnrs_control_find_lab(f->control, "l")->links.len, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(changes_add_up),
        TEST(apply_keeps_what_is_said_live_unless_the_file_says_otherwise),
        TEST(what_cannot_be_is_taken_back),
        TEST(refusals),
    };
    return cmocka_run_group_tests_name("control.links", tests, NULL, NULL);
}
