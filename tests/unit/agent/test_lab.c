// SPDX-License-Identifier: GPL-2.0-or-later
// The journal of objects and the record of a lab, as a second agent finds them.
#include "agent/lab.h"
#include "util/fd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[64];

static struct vnrs_agentd *agent_new(void)
{
    struct vnrs_agentd *ad = calloc(1, sizeof(*ad));

    assert_non_null(ad);
    ad->options.run_dir = dir;
    assert_int_equal(vnrs_agentd_labs_load(ad), 0);
    return ad;
}

static void agent_free(struct vnrs_agentd *ad)
{
    vnrs_agentd_labs_free(ad);
    free(ad);
}

static int setup(void **state)
{
    char path[128];

    (void)state;
    strcpy(dir, "/tmp/vnrs-test-lab-XXXXXX");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/labs", dir);
    return mkdir(path, 0755);
}

static int teardown(void **state)
{
    char path[128];
    struct vnrs_agentd *ad = agent_new();
    struct vnrs_ag_record none = {.lab = "hub"};
    struct vnrs_err err = {0};

    (void)state;
    assert_int_equal(vnrs_agentd_record_put(ad, &none, NULL, 0, &err), 0);
    agent_free(ad);
    (void)snprintf(path, sizeof(path), "%s/labs", dir);
    return rmdir(path) < 0 || rmdir(dir) < 0;
}

static struct vnrs_agentd_object *put(struct vnrs_agentd_lab *lab, uint32_t type, const char *key, uint32_t flags)
{
    struct vnrs_ag_obj obj = {.lab = "hub", .type = type};
    union vnrs_agentd_spec spec = {.netns.flags = flags};
    struct vnrs_err err = {0};

    strcpy(obj.key, key);
    struct vnrs_agentd_object *object = vnrs_agentd_object_put(lab, &obj, &spec, &err);
    assert_non_null(object);
    return object;
}

static void journal_path(char path[static 128])
{
    (void)snprintf(path, 128, "%s/labs/hub/objects", dir);
}

static off_t journal_size(void)
{
    char path[128];
    struct stat st;

    journal_path(path);
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void objects_are_found_again(void **state)
{
    struct vnrs_agentd *ad = agent_new();
    struct vnrs_agentd_lab *lab = vnrs_agentd_lab_find(ad, "hub", true);

    (void)state;
    put(lab, VNRS_OBJ_NETNS, "a", 0);
    put(lab, VNRS_OBJ_NETNS, "b", 0);
    put(lab, VNRS_OBJ_LINK, "a", 0); // same key, other type
    put(lab, VNRS_OBJ_NETNS, "a", VNRS_NETNS_FORWARD);
    vnrs_agentd_object_drop(put(lab, VNRS_OBJ_NETNS, "b", 0));
    struct vnrs_agentd_object *snat = put(lab, VNRS_OBJ_SNAT, "s", 0);
    snat->listing = 77;
    assert_int_equal(vnrs_agentd_object_store(snat), 0);
    agent_free(ad);

    ad = agent_new();
    lab = vnrs_agentd_lab_find(ad, "hub", false);
    assert_non_null(lab);
    assert_int_equal(lab->objects.len, 3);
    assert_int_equal(vnrs_agentd_object_find(lab, VNRS_OBJ_NETNS, "a")->spec.netns.flags, VNRS_NETNS_FORWARD);
    assert_null(vnrs_agentd_object_find(lab, VNRS_OBJ_NETNS, "b"));
    assert_non_null(vnrs_agentd_object_find(lab, VNRS_OBJ_LINK, "a"));
    assert_int_equal(vnrs_agentd_object_find(lab, VNRS_OBJ_SNAT, "s")->listing, 77);
    agent_free(ad);
}

static void the_same_again_writes_nothing(void **state)
{
    struct vnrs_agentd *ad = agent_new();
    struct vnrs_agentd_lab *lab = vnrs_agentd_lab_find(ad, "hub", true);

    (void)state;
    put(lab, VNRS_OBJ_NETNS, "a", 0);
    off_t size = journal_size();
    put(lab, VNRS_OBJ_NETNS, "a", 0);
    assert_int_equal(journal_size(), size);
    agent_free(ad);
}

// What could not be written down is written with the next attempt, although it is the same again.
static void failed_write_is_made_up_for(void **state)
{
    struct vnrs_agentd *ad = agent_new();
    struct vnrs_agentd_lab *lab = vnrs_agentd_lab_find(ad, "hub", true);
    const struct vnrs_ag_obj obj = {.lab = "hub", .type = VNRS_OBJ_NETNS, .key = "a"};
    const union vnrs_agentd_spec spec = {0};
    struct vnrs_err err = {0};
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/labs/hub", dir);
    assert_int_equal(vnrs_file_store(path, "", 0, 0600), 0); // in the way of the directory
    assert_null(vnrs_agentd_object_put(lab, &obj, &spec, &err));
    assert_int_equal(unlink(path), 0);
    put(lab, VNRS_OBJ_NETNS, "a", 0);
    agent_free(ad);
    ad = agent_new();
    assert_non_null(vnrs_agentd_object_find(vnrs_agentd_lab_find(ad, "hub", false), VNRS_OBJ_NETNS, "a"));
    agent_free(ad);
}

static void journal_does_not_grow_without_end(void **state)
{
    struct vnrs_agentd *ad = agent_new();
    struct vnrs_agentd_lab *lab = vnrs_agentd_lab_find(ad, "hub", true);

    (void)state;
    for (uint32_t i = 0; i < 60000; i++)
        put(lab, VNRS_OBJ_NETNS, "a", i & 1);
    assert_true(journal_size() < 8 << 20);
    agent_free(ad);
    ad = agent_new(); // compacted when it is read
    assert_true(journal_size() < 1000);
    agent_free(ad);
}

// Cut anywhere, or with rubbish behind: what was written whole before is there.
static void journal_cut_anywhere(void **state)
{
    struct vnrs_agentd *ad = agent_new();
    struct vnrs_agentd_lab *lab = vnrs_agentd_lab_find(ad, "hub", true);
    char path[128];
    _free_ char *bytes = NULL;
    size_t len;

    (void)state;
    put(lab, VNRS_OBJ_NETNS, "a", 0);
    size_t one = (size_t)journal_size();
    put(lab, VNRS_OBJ_NETNS, "b", 1);
    agent_free(ad);
    journal_path(path);
    assert_int_equal(vnrs_file_load(path, 1 << 20, &bytes, &len), 0);
    for (size_t cut = 0; cut <= len; cut++) {
        assert_int_equal(vnrs_file_store(path, bytes, cut, 0600), 0);
        ad = agent_new();
        lab = vnrs_agentd_lab_find(ad, "hub", false);
        assert_int_equal(lab->objects.len, cut / one);
        agent_free(ad);
    }
    for (size_t at = 0; at < one; at++) { // the second entry with a byte turned
        _free_ char *turned = malloc(len);
        assert_non_null(turned);
        memcpy(turned, bytes, len);
        turned[one + at] ^= 0x55;
        assert_int_equal(vnrs_file_store(path, turned, len, 0600), 0);
        ad = agent_new();
        lab = vnrs_agentd_lab_find(ad, "hub", false);
        assert_non_null(vnrs_agentd_object_find(lab, VNRS_OBJ_NETNS, "a"));
        agent_free(ad);
    }
}

static int piece(struct vnrs_agentd *ad, uint32_t total, uint32_t offset, const char *text)
{
    struct vnrs_ag_record record = {.lab = "hub", .total = total, .offset = offset};
    struct vnrs_err err = {0};

    return vnrs_agentd_record_put(ad, &record, text, strlen(text), &err);
}

static void assert_record(const char *want)
{
    struct vnrs_agentd *ad = agent_new();
    _free_ char *bytes = NULL;
    size_t size;

    assert_int_equal(vnrs_agentd_record_load(vnrs_agentd_lab_find(ad, "hub", false), &bytes, &size), 0);
    assert_string_equal(bytes, want);
    assert_int_equal(size, strlen(want));
    agent_free(ad);
}

static void record_in_pieces(void **state)
{
    struct vnrs_agentd *ad = agent_new();

    (void)state;
    assert_int_equal(piece(ad, 3, 1, "b"), -EINVAL); // no first one
    assert_int_equal(piece(ad, 3, 0, "abc"), 0);
    assert_record("abc");
    assert_int_equal(piece(ad, 6, 0, "wx"), 0);
    assert_record("abc"); // until the last piece
    assert_int_equal(piece(ad, 6, 4, "z"), -EINVAL);
    assert_int_equal(piece(ad, 7, 2, "y"), -EINVAL);
    assert_int_equal(piece(ad, 6, 2, "yz12"), 0);
    assert_record("wxyz12");
    assert_int_equal(piece(ad, 0, 0, ""), 0);
    assert_null(vnrs_agentd_lab_find(ad, "hub", false));
    assert_int_equal(piece(ad, 0, 0, ""), 0);
    agent_free(ad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(objects_are_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_again_writes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_write_is_made_up_for, setup, teardown),
        cmocka_unit_test_setup_teardown(journal_does_not_grow_without_end, setup, teardown),
        cmocka_unit_test_setup_teardown(journal_cut_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(record_in_pieces, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
