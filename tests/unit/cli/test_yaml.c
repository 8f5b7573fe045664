// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *print(const char *json)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);

    assert_non_null(out);
    assert_non_null(value);
    assert_int_equal(vnrs_yaml_print(out, value), 0);
    (void)fclose(out);
    json_decref(value);
    return text;
}

static void values(void **state)
{
    static const struct {
        const char *what, *json, *yaml;
    } rows[] = {
        {"an empty list", "[]", "[]\n"},
        {"an empty object", "{}", "{}\n"},
        {"what is empty inside", "{\"a\":[],\"b\":{}}", "a: []\nb: {}\n"},
        {"keys keep their order", "{\"z\":1,\"a\":2}", "z: 1\na: 2\n"},
        {"lists of objects", "[{\"a\":1,\"b\":[2,3]}]", "- a: 1\n  b:\n  - 2\n  - 3\n"},
        {"what is no text", "[1,-2,1.5,true,false,null]", "- 1\n- -2\n- 1.5\n- true\n- false\n- null\n"},
        {"addresses", "[\"10.0.0.4\",\"10.0.0.0/16\",\"2001:db8::/32\",\"fd00::4\",\"::/0\"]",
         "- 10.0.0.4\n- 10.0.0.0/16\n- 2001:db8::/32\n- fd00::4\n- '::/0'\n"},
        {"texts that look like another thing",
         "[\"\",\"12\",\"1.5\",\"1e3\",\"0x10\",\"yes\",\"No\",\"ON\",\"null\",\"True\",\"~\",\"-\",\"12:34:56\","
         "\"2026-11-26\",\".inf\",\"y\",\"<<\"]",
         "- ''\n- '12'\n- '1.5'\n- '1e3'\n- '0x10'\n- 'yes'\n- 'No'\n- 'ON'\n- 'null'\n- 'True'\n- '~'\n- '-'\n"
         "- '12:34:56'\n- '2026-11-26'\n- '.inf'\n- 'y'\n- '<<'\n"},
        {"texts that need quotes", "[\"a: b\",\"a #b\",\"a\\tb\",\" a\",\"it's\",\"*a\",\"a\\u0007\"]",
         "- 'a: b'\n- 'a #b'\n- \"a\\tb\"\n- ' a'\n- it's\n- '*a'\n- \"a\\a\"\n"},
        {"more than one line", "{\"a\":\"one\\ntwo\\n\"}", "a: |\n  one\n  two\n"},
        {"UTF-8", "[\"a → ü\"]", "- a → ü\n"},
        {"a key that looks like a number", "{\"65001\":1}", "'65001': 1\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _free_ char *text = print(rows[i].json);
        if (strcmp(text, rows[i].yaml) != 0)
            fail_msg("%s: got\n%s\nnot\n%s", rows[i].what, text, rows[i].yaml);
    }
}

static void long_texts_stay_on_their_line(void **state)
{
    char json[512], yaml[512], word[301];

    (void)state;
    for (size_t i = 0; i < sizeof(word) - 1; i++)
        word[i] = i % 10 == 9 ? ' ' : 'a';
    word[sizeof(word) - 2] = 'a';
    word[sizeof(word) - 1] = '\0';
    (void)snprintf(json, sizeof(json), "[\"%s\"]", word);
    (void)snprintf(yaml, sizeof(yaml), "- %s\n", word);
    _free_ char *text = print(json);
    assert_string_equal(text, yaml);
}

static void nowhere_to_write(void **state)
{
    FILE *full = fopen("/dev/full", "w");
    json_t *value = json_pack("[s]", "a");

    (void)state;
    assert_non_null(full);
    setbuf(full, NULL);
    assert_int_equal(vnrs_yaml_print(full, value), -5);
    (void)fclose(full);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(long_texts_stay_on_their_line),
        cmocka_unit_test(nowhere_to_write),
    };
    return cmocka_run_group_tests_name("cli.yaml", tests, NULL, NULL);
}
