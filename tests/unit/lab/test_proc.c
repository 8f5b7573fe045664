// SPDX-License-Identifier: GPL-2.0-or-later
#include "lab/proc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void join(const struct vnrs_proc_args *args, char *out, size_t size)
{
    size_t at = 0;

    out[0] = '\0';
    for (unsigned i = 0; args->argv[i]; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%s", i ? " " : "", args->argv[i]);
}

static void argv_by_table(void **state)
{
    static const struct {
        const char *what;
        uint32_t kind;
        const char *member;
        const char *data;
        size_t size;
        int code;
        const char *want; // ends with
    } rows[] = {
        {"zebra", VNRS_PROC_FRR, "zebra", "", 0, 0,
         "/frr/zebra -f /d/empty.conf -z /d/zserv.api -i /d/zebra.pid --vty_socket /d -P 0 -u frr -g frr --log stdout"},
        {"bfdd", VNRS_PROC_FRR, "bfdd", "", 0, 0, "--log stdout --bfdctl /d/bfdd.sock"},
        {"BIRD", VNRS_PROC_BIRD, "bird", "", 0, 0,
         "bird -f -c /d/bird.conf -s /d/bird.ctl -P /d/bird.pid -u bird -g bird"},
        {"GoBGP", VNRS_PROC_GOBGP, "gobgpd", "", 0, 0,
         "gobgpd -f /d/gobgpd.toml --api-hosts unix:///d/api --pprof-disable --log-plain"},
        {"ExaBGP", VNRS_PROC_EXABGP, "exabgp", "", 0, 0, "exabgp --env /d/exabgp.env /d/exabgp.conf"},
        {"OpenBGPD", VNRS_PROC_OPENBGPD, "bgpd", "", 0, 0, "/usr/sbin/bgpd -d -f /d/bgpd.conf"},
        {"charon", VNRS_PROC_STRONGSWAN, "charon", "", 0, 0, "charon-systemd"},
        {"charon's keeper", VNRS_PROC_STRONGSWAN, "keeper", "", 0, 0, "sh keeper"},
        {"command", VNRS_PROC_EXEC, "exec", "sleep\0infinity", 15, 0, "sleep infinity"},
        {"empty argument", VNRS_PROC_EXEC, "exec", "a\0\0b", 5, 0, "a  b"},
        {"no command", VNRS_PROC_EXEC, "exec", "", 0, -EINVAL, NULL},
        {"empty command", VNRS_PROC_EXEC, "exec", "", 1, -EINVAL, NULL},
        {"no NUL at the end", VNRS_PROC_EXEC, "exec", "sleep", 5, -EINVAL, NULL},
        {"no such kind", _VNRS_PROC_MAX, "x", "", 0, -EINVAL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct vnrs_proc_want want = {.dir = "/d", .kind = rows[i].kind, .data = rows[i].data, .size = rows[i].size};
        struct vnrs_proc_args args;
        char text[2048] = "";
        int code = vnrs_proc_argv(&want, rows[i].member, &args);
        if (code == 0)
            join(&args, text, sizeof(text));
        size_t len = strlen(text), tail = rows[i].want ? strlen(rows[i].want) : 0;
        if (code != rows[i].code || len < tail || strcmp(text + len - tail, rows[i].want ? rows[i].want : "") != 0)
            fail_msg("%s: %d '%s'", rows[i].what, code, text);
    }
}

static void too_much_is_refused(void **state)
{
    char data[256], dir[600];
    struct vnrs_proc_args args;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i += 2)
        memcpy(data + i, "a", 2);
    struct vnrs_proc_want want = {.dir = "/d", .kind = VNRS_PROC_EXEC, .data = data, .size = 2 * 31};
    assert_int_equal(vnrs_proc_argv(&want, "exec", &args), 0);
    want.size = 2 * 32;
    assert_int_equal(vnrs_proc_argv(&want, "exec", &args), -EINVAL);
    memset(dir, 'x', sizeof(dir) - 1);
    dir[sizeof(dir) - 1] = '\0';
    want = (struct vnrs_proc_want){.dir = dir, .kind = VNRS_PROC_BIRD};
    assert_int_equal(vnrs_proc_argv(&want, "bird", &args), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(argv_by_table), cmocka_unit_test(too_much_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
