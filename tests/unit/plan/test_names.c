// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/names.h"

#include "net/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void names_depend_on_lab_and_object_only(void **state)
{
    char a[VNRS_IFNAME_MAX], b[VNRS_IFNAME_MAX], mac_a[VNRS_MAC_STR_MAX];

    (void)state;
    assert_string_equal(vnrs_name_fabric_link("lab", "vm1/eth0", a), vnrs_name_fabric_link("lab", "vm1/eth0", b));
    assert_int_equal(strlen(a), 15);
    assert_string_not_equal(vnrs_name_fabric_link("lab", "vm2/eth0", b), a);
    assert_string_not_equal(vnrs_name_fabric_link("lab2", "vm1/eth0", b), a);
    struct vnrs_mac mac = vnrs_name_mac("lab", "vm1/eth0"), other = vnrs_name_mac("lab", "vm2/eth0");
    assert_int_equal(mac.bytes[0], 0x02);
    assert_memory_not_equal(&mac, &other, sizeof(mac));
    // Golden: a changed hash would rename every link of every lab that runs.
    assert_string_equal(vnrs_mac_format(&mac, mac_a), "02:4f:5c:54:bf:ab");
    assert_string_equal(a, "v07a5c051ff511f");
}

static void host_links_are_readable_where_they_fit(void **state)
{
    char name[VNRS_IFNAME_MAX];

    (void)state;
    assert_string_equal(vnrs_name_host_link("lab", "www", name), "h-www");
    assert_string_equal(vnrs_name_host_link("lab", "thirteen-char", name), "h-thirteen-char");
    vnrs_name_host_link("lab", "fourteen-chars", name);
    assert_int_equal(strlen(name), 15);
    assert_int_not_equal(name[1], '-');
}

static void netns_names(void **state)
{
    char name[VNRS_NETNS_FULL_MAX];

    (void)state;
    assert_string_equal(vnrs_name_netns("lab", "vm1", name), "vnrs.lab.vm1");
    assert_string_equal(vnrs_name_netns("lab", "", name), "vnrs.lab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_depend_on_lab_and_object_only),
        cmocka_unit_test(host_links_are_readable_where_they_fit),
        cmocka_unit_test(netns_names),
    };
    return cmocka_run_group_tests_name("plan.names", tests, NULL, NULL);
}
