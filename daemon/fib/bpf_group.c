// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/bpf_group.h"

#include <assert.h>
#include <string.h>

#define NOBODY VNRS_GROUP_MEMBERS_MAX

static unsigned member_find(const uint32_t *members, unsigned n, uint32_t value)
{
    for (unsigned m = 0; m < n; m++) {
        if (members[m] == value)
            return m;
    }
    return NOBODY;
}

// Fair shares. The odd buckets go to those that have most now, so that least has to move.
static void share_out(const unsigned *has, unsigned n, unsigned *ret_quota)
{
    unsigned odd = VNRS_GROUP_BUCKETS % n;

    for (unsigned m = 0; m < n; m++)
        ret_quota[m] = VNRS_GROUP_BUCKETS / n;
    while (odd--) {
        unsigned best = NOBODY;
        for (unsigned m = 0; m < n; m++) {
            if (ret_quota[m] == VNRS_GROUP_BUCKETS / n && (best == NOBODY || has[m] > has[best]))
                best = m;
        }
        ret_quota[best]++;
    }
}

void vnrs_bpf_group_fill(const uint16_t *old, const uint32_t *members, unsigned n,
                         uint16_t ret_buckets[static VNRS_GROUP_BUCKETS])
{
    unsigned owner[VNRS_GROUP_BUCKETS], has[VNRS_GROUP_MEMBERS_MAX] = {0}, quota[VNRS_GROUP_MEMBERS_MAX];

    assert(n >= 1 && n <= VNRS_GROUP_MEMBERS_MAX);
    for (unsigned b = 0; b < VNRS_GROUP_BUCKETS; b++) {
        owner[b] = old ? member_find(members, n, old[b]) : NOBODY;
        if (owner[b] != NOBODY)
            has[owner[b]]++;
    }
    share_out(has, n, quota);
    for (unsigned b = VNRS_GROUP_BUCKETS; b-- > 0;) {
        if (owner[b] != NOBODY && has[owner[b]] > quota[owner[b]]) {
            has[owner[b]]--;
            owner[b] = NOBODY;
        }
    }
    for (unsigned b = 0, next = 0; b < VNRS_GROUP_BUCKETS; b++) {
        if (owner[b] == NOBODY) {
            while (has[next] >= quota[next])
                next = (next + 1) % n;
            owner[b] = next;
            has[next]++;
            next = (next + 1) % n;
        }
        ret_buckets[b] = (uint16_t)members[owner[b]];
    }
}

unsigned vnrs_bpf_group_members(const uint16_t buckets[static VNRS_GROUP_BUCKETS],
                                uint32_t ret_members[static VNRS_GROUP_MEMBERS_MAX])
{
    unsigned n = 0, has[VNRS_GROUP_MEMBERS_MAX] = {0};
    uint32_t members[VNRS_GROUP_MEMBERS_MAX];

    for (unsigned b = 0; b < VNRS_GROUP_BUCKETS; b++) {
        unsigned m = member_find(members, n, buckets[b]);
        if (m == NOBODY) {
            if (n == VNRS_GROUP_MEMBERS_MAX)
                return 0;
            m = n++;
            members[m] = buckets[b];
        }
        has[m]++;
    }
    for (unsigned m = 0; m < n; m++) {
        if (has[m] < VNRS_GROUP_BUCKETS / n || has[m] > VNRS_GROUP_BUCKETS / n + 1)
            return 0;
    }
    memcpy(ret_members, members, n * sizeof(*members));
    return n;
}
