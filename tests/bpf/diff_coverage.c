// SPDX-License-Identifier: GPL-2.0-or-later
#include "diff_coverage.h"

#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// What random packets of random topologies cannot meet.
static const struct elsewhere {
    uint32_t reason;
    const char *why;
    const char *file, *test; // who meets it; NULL: nobody can
} elsewhere[] = {
    {VNRS_DROP_UNSPEC, "it is the absence of a reason", NULL, NULL},
    {VNRS_DROP_LINK_DOWN, "links of these topologies are as they should be", "test_impair.c", "down_gets_nothing"},
    {VNRS_DROP_LINK_LOSS, "likewise", "test_impair.c", "everything_is_lost_at_a_million"},
};

static const char *const reason_names[] = {
#define X(id, text) [id] = #id,
    VNRS_DROP_REASONS(X)
#undef X
};

static const char *const type_names[] = {
#define X(id, text) [id] = text,
    VNRS_NEXTHOP_TYPES(X)
#undef X
};

static const char *const class_names[] = {
#define X(id, name, billed) [id] = name,
    VNRS_BILLING_CLASSES(X)
#undef X
};

static const struct elsewhere *find_elsewhere(uint32_t reason)
{
    for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
        if (elsewhere[i].reason == reason)
            return &elsewhere[i];
    return NULL;
}

// The body of a test in a file of this folder, in `text`.
static const char *find_test(const char *text, const char *test)
{
    char entry[128], head[128];

    (void)snprintf(entry, sizeof(entry), "cmocka_unit_test(%s)", test);
    (void)snprintf(head, sizeof(head), "static void %s(void **state)\n{", test);
    return strstr(text, entry) ? strstr(text, head) : NULL;
}

static bool has_test(const struct elsewhere *e)
{
    static char text[1 << 16];
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", VNRS_BPF_TESTS_DIR, e->file);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    const char *body = find_test(text, e->test), *end = body ? strstr(body, "\n}\n") : NULL,
               *reason = body ? strstr(body, reason_names[e->reason]) : NULL;
    return reason && end && reason < end;
}

static unsigned check_reason(const struct diff_coverage *coverage, uint32_t reason)
{
    const struct elsewhere *e = find_elsewhere(reason);

    if (coverage->reasons[reason] && e)
        print_error("%s is met here: it need not be in the list of what is not\n", reason_names[reason]);
    else if (!coverage->reasons[reason] && !e)
        print_error("no packet met %s\n", reason_names[reason]);
    else if (e && e->test && !has_test(e))
        print_error("%s: there is no test '%s' in %s that expects it\n", reason_names[reason], e->test, e->file);
    else
        return 0;
    return 1;
}

void diff_coverage_check(const struct diff_coverage *coverage)
{
    unsigned missing = 0;

    for (uint32_t reason = 0; reason < _VNRS_DROP_MAX; reason++)
        missing += check_reason(coverage, reason);
    for (unsigned type = 0; type < _VNRS_NH_MAX; type++) {
        for (unsigned v6 = 0; v6 < 2; v6++) {
            // What a None route matches is dropped: VNRS_DROP_NONE_ROUTE.
            bool never = type == VNRS_NH_NONE, met = coverage->types[type][v6];
            if (met == !never)
                continue;
            print_error("%s IPv%c packet was forwarded with next hop type %s\n", met ? "an" : "no", v6 ? '6' : '4',
                        type_names[type]);
            missing++;
        }
    }
    for (unsigned billing = 0; billing < _VNRS_BILL_MAX; billing++) {
        bool never = billing == VNRS_BILL_NONE, met = coverage->billing[billing]; // of what is not forwarded
        if (met == !never)
            continue;
        print_error("%s packet was forwarded as billing class %s\n", met ? "a" : "no", class_names[billing]);
        missing++;
    }
    assert_int_equal(missing, 0);
}
