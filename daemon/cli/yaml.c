// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/yaml.h"

#include <yaml.h>

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool emit(yaml_emitter_t *emitter, yaml_event_t *event, int made)
{
    return made && yaml_emitter_emit(emitter, event);
}

static bool is_reserved(const char *text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

static size_t count(const char *text, char c)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == c;
    return n;
}

// No reader takes it for anything but a text. Prefixes and IPv4 addresses begin with a digit, but no number or date has
// a slash or three dots.
static bool is_text_to_all(const char *text)
{
    if (isdigit((unsigned char)*text))
        return strchr(text, '/') || count(text, '.') == 3;
    return (isalpha((unsigned char)*text) || *text == '/') && !is_reserved(text);
}

static bool emit_text(yaml_emitter_t *emitter, const char *text, size_t len)
{
    bool plain = is_text_to_all(text);
    yaml_scalar_style_t style = memchr(text, '\n', len) ? YAML_LITERAL_SCALAR_STYLE
                                : plain                 ? YAML_ANY_SCALAR_STYLE
                                                        : YAML_SINGLE_QUOTED_SCALAR_STYLE;
    yaml_event_t event;

    return emit(emitter, &event,
                yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)len, plain, 1, style));
}

// A number, a boolean or null: as JSON writes it, YAML reads it.
static bool emit_literal(yaml_emitter_t *emitter, const json_t *json)
{
    _free_ char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(10));
    yaml_event_t event;

    return text && emit(emitter, &event,
                        yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text),
                                                     1, 0, YAML_PLAIN_SCALAR_STYLE));
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *json);

static bool emit_list(yaml_emitter_t *emitter, const json_t *list)
{
    yaml_sequence_style_t style = json_array_size(list) ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE;
    yaml_event_t event;
    bool ok = emit(emitter, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style));

    for (size_t i = 0; ok && i < json_array_size(list); i++)
        ok = emit_value(emitter, json_array_get(list, i));
    return ok && emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

static bool emit_map(yaml_emitter_t *emitter, const json_t *map)
{
    yaml_mapping_style_t style = json_object_size(map) ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;
    yaml_event_t event;
    bool ok = emit(emitter, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style));
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)map, key, value) ok =
        ok && emit_text(emitter, key, strlen(key)) && emit_value(emitter, value);
    return ok && emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return emit_map(emitter, json);
    case JSON_ARRAY:
        return emit_list(emitter, json);
    case JSON_STRING:
        return emit_text(emitter, json_string_value(json), json_string_length(json));
    default:
        return emit_literal(emitter, json);
    }
}

int vnrs_yaml_print(FILE *out, const json_t *json)
{
    yaml_emitter_t emitter;
    yaml_event_t event;

    if (!yaml_emitter_initialize(&emitter))
        return -ENOMEM;
    yaml_emitter_set_output_file(&emitter, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    bool ok = emit(&emitter, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
              emit(&emitter, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
              emit_value(&emitter, json) && emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1)) &&
              emit(&emitter, &event, yaml_stream_end_event_initialize(&event));
    int err = ok ? 0 : emitter.error == YAML_WRITER_ERROR ? -EIO : -ENOMEM;
    yaml_emitter_delete(&emitter);
    return err;
}
