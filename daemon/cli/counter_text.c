// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/counter_text.h"

#include "cli/table.h"
#include "util/macros.h"

#include <stdbool.h>
#include <string.h>

static json_int_t number_of(const json_t *row, const char *object, const char *key)
{
    return json_integer_value(json_object_get(object ? json_object_get(row, object) : row, key));
}

static bool has_packets(const json_t *row)
{
    return number_of(row, NULL, "packets") || number_of(row, "fromNic", "packets") ||
           number_of(row, "toNic", "packets");
}

// The rows that are not zero; a new reference.
static json_t *seen_rows(const json_t *rows)
{
    json_t *seen = json_array();

    for (size_t i = 0; i < json_array_size(rows); i++)
        if (has_packets(json_array_get(rows, i)))
            (void)json_array_append(seen, json_array_get(rows, i));
    return seen;
}

static json_t *sum_of(const json_t *rows, const char *object)
{
    json_int_t packets = 0, bytes = 0;

    for (size_t i = 0; i < json_array_size(rows); i++) {
        packets += number_of(json_array_get(rows, i), object, "packets");
        bytes += number_of(json_array_get(rows, i), object, "bytes");
    }
    return json_pack("{s:I, s:I}", "packets", packets, "bytes", bytes);
}

static void print_part(FILE *out, const struct vnrs_column *columns, size_t n, const json_t *rows)
{
    if (!json_array_size(rows))
        return;
    (void)fputc('\n', out);
    vnrs_table_print(out, columns, n, rows);
}

static void print_classes(FILE *out, const json_t *counters)
{
    static const struct vnrs_column columns[] = {{"Billing Class", "class"},
                                                 {"Packets", "packets"},
                                                 {"Bytes", "bytes"},
                                                 {"Bytes Outbound", "outbound.bytes"},
                                                 {"Bytes Inbound", "inbound.bytes"},
                                                 {"Billed", "billed"}};
    json_t *rows = seen_rows(json_object_get(counters, "billing")), *total = sum_of(rows, NULL);

    if (json_array_size(rows)) {
        (void)json_object_set_new(total, "class", json_string("Total"));
        (void)json_object_set_new(total, "outbound", sum_of(rows, "outbound"));
        (void)json_object_set_new(total, "inbound", sum_of(rows, "inbound"));
        (void)json_array_append(rows, total);
    }
    print_part(out, columns, ARRAY_SIZE(columns), rows);
    json_decref(total);
    json_decref(rows);
}

static const struct vnrs_column nic_columns[] = {{"NIC", "name"},
                                                 {"Packets From", "fromNic.packets"},
                                                 {"Bytes From", "fromNic.bytes"},
                                                 {"Packets To", "toNic.packets"},
                                                 {"Bytes To", "toNic.bytes"}};

void vnrs_counter_text(FILE *out, const json_t *counters)
{
    static const struct vnrs_column type_columns[] = {
        {"Next Hop Type", "type"}, {"Packets", "packets"}, {"Bytes", "bytes"}};
    static const struct vnrs_column drop_columns[] = {{"Dropped", "text"}, {"Packets", "packets"}, {"Bytes", "bytes"}};
    json_t *drops = seen_rows(json_object_get(counters, "drops"));

    vnrs_table_print(out, nic_columns, ARRAY_SIZE(nic_columns), json_object_get(counters, "nics"));
    print_classes(out, counters);
    print_part(out, type_columns, ARRAY_SIZE(type_columns), json_object_get(counters, "nextHopTypes"));
    print_part(out, drop_columns, ARRAY_SIZE(drop_columns), drops);
    json_decref(drops);
}

void vnrs_counter_tsv(FILE *out, const json_t *counters)
{
    vnrs_table_print_tsv(out, nic_columns, ARRAY_SIZE(nic_columns), json_object_get(counters, "nics"));
}

static const struct vnrs_column class_columns[] = {{"Billing Class", "class"},      {"Packets From", "fromNic.packets"},
                                                   {"Bytes From", "fromNic.bytes"}, {"Packets To", "toNic.packets"},
                                                   {"Bytes To", "toNic.bytes"},     {"Billed", "billed"}};

void vnrs_counter_text_nic(FILE *out, const json_t *nic)
{
    json_t *rows = json_array();

    (void)json_array_extend(rows, json_object_get(nic, "billing"));
    (void)json_array_append_new(rows, json_pack("{s:s, s:o, s:o}", "class", "Total", "fromNic", sum_of(rows, "fromNic"),
                                                "toNic", sum_of(rows, "toNic")));
    vnrs_table_print(out, class_columns, ARRAY_SIZE(class_columns), rows);
    json_decref(rows);
}

void vnrs_counter_tsv_nic(FILE *out, const json_t *nic)
{
    vnrs_table_print_tsv(out, class_columns, ARRAY_SIZE(class_columns), json_object_get(nic, "billing"));
}

json_t *vnrs_counter_text_find(const json_t *counters, const char *name)
{
    const json_t *nics = json_object_get(counters, "nics");
    size_t len = strlen(name);

    for (size_t i = 0; i < json_array_size(nics); i++) {
        json_t *nic = json_array_get(nics, i);
        const char *key = json_string_value(json_object_get(nic, "name"));
        if (key && strncmp(key, name, len) == 0 && (!key[len] || (key[len] == '/' && !strchr(name, '/'))))
            return nic;
    }
    return NULL;
}
