// SPDX-License-Identifier: GPL-2.0-or-later
// Who is called for what: nobody for each path while only messages are wanted (stations: test_bmp.c).
#include "speaker/monitor.h"

#include "speaker/dump.h"
#include "util/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "speaker/test_world.h"

static void observer_is_there_while_somebody_watches(void **state)
{
    struct vnrs_spk_dump ask = {.id = 1, .kind = VNRS_SPK_DUMP_TABLE};
    struct world w;

    (void)state;
    setup(&w);
    greet(&w);
    assert_null(w.sp.core->observer);
    assert_int_equal(vnrs_dump_take(&w.sp, &ask), 0); // a table is read, not watched
    assert_null(w.sp.core->observer);
    for (ask.id = 2, ask.kind = VNRS_SPK_DUMP_UPDATES; ask.id < 4; ask.id++) {
        assert_int_equal(vnrs_dump_take(&w.sp, &ask), 0);
        assert_non_null(w.sp.core->observer);
        assert_true(w.sp.core->observer->received && w.sp.core->observer->changed);
        assert_false(w.sp.core->observer->path || w.sp.core->observer->told || w.sp.core->rib.changed);
        assert_ptr_equal(w.sp.core->observer_arg, &w.sp);
    }
    for (ask.kind = VNRS_SPK_DUMP_STOP; --ask.id > 1;) {
        assert_non_null(w.sp.core->observer);
        assert_int_equal(vnrs_dump_take(&w.sp, &ask), 0);
    }
    assert_null(w.sp.core->observer);
    vnrs_dump_forget(&w.sp);
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(observer_is_there_while_somebody_watches),
    };
    vnrs_log_init("test", VNRS_LOG_ERROR);
    return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
