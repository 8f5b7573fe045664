// SPDX-License-Identifier: GPL-2.0-or-later
#include "model/node.h"

#include "model/diag_ids.h"

#include <yaml.h>

#include <string.h>

struct reader {
    yaml_parser_t parser;
    const char *source;
    size_t len;
    struct vnrs_arena *arena;
    struct vnrs_diags *diags;
    unsigned n_nodes;
};

static struct vnrs_pos mark_pos(const yaml_mark_t *mark)
{
    return (struct vnrs_pos){.line = (unsigned)mark->line + 1, .col = (unsigned)mark->column + 1};
}

static int refuse(struct reader *r, unsigned id, struct vnrs_pos pos, const char *what)
{
    (void)vnrs_diag_add(r->diags, VNRS_DIAG_ERROR, id, pos, "%s", what);
    return -EINVAL;
}

// libyaml places what is missing at the end of a file on the line after it; the user looks for it on the last line.
static struct vnrs_pos inside_source(const struct reader *r, struct vnrs_pos pos)
{
    struct vnrs_pos at = {.line = 1, .col = 1}, last = at;

    for (size_t i = 0; i < r->len; i++) {
        unsigned char c = (unsigned char)r->source[i];
        at.col += (c & 0xc0) != 0x80;
        if (c == '\n')
            at = (struct vnrs_pos){.line = at.line + 1, .col = 1};
        else if (c > ' ')
            last = at;
    }
    return pos.line > last.line ? last : pos;
}

static int next_event(struct reader *r, yaml_event_t *event)
{
    const yaml_parser_t *p = &r->parser;

    if (yaml_parser_parse(&r->parser, event))
        return 0;
    if (p->error == YAML_MEMORY_ERROR) {
        r->diags->failed = true;
        return -ENOMEM;
    }
    struct vnrs_pos pos = mark_pos(&p->problem_mark);
    if (p->error == YAML_READER_ERROR)
        pos = mark_pos(&p->mark);
    pos = inside_source(r, pos);
    struct vnrs_diag *d = vnrs_diag_add(r->diags, VNRS_DIAG_ERROR, VNRS_V_YAML_SYNTAX, pos, "not valid YAML: %s",
                                        p->problem ? p->problem : "unknown problem");
    struct vnrs_pos start = inside_source(r, mark_pos(&p->context_mark));
    if (p->context && (start.line != pos.line || start.col != pos.col))
        vnrs_diag_note(r->diags, d, start, "%s that starts here", p->context);
    return -EINVAL;
}

static int read_node(struct reader *r, yaml_event_t *event, unsigned depth, struct vnrs_node **ret);

static int check_event(struct reader *r, const yaml_event_t *event, unsigned depth)
{
    struct vnrs_pos pos = mark_pos(&event->start_mark);
    const yaml_char_t *tag = NULL;

    if (event->type == YAML_ALIAS_EVENT)
        return refuse(r, VNRS_V_YAML_FEATURE, pos, "aliases are not part of a topology file");
    if (event->type == YAML_SCALAR_EVENT)
        tag = event->data.scalar.tag;
    else if (event->type == YAML_SEQUENCE_START_EVENT)
        tag = event->data.sequence_start.tag;
    else if (event->type == YAML_MAPPING_START_EVENT)
        tag = event->data.mapping_start.tag;
    if (tag)
        return refuse(r, VNRS_V_YAML_FEATURE, pos, "tags are not part of a topology file");
    if (depth > VNRS_NODE_DEPTH_MAX)
        return refuse(r, VNRS_V_TOO_BIG, pos, "nested too deeply");
    if (++r->n_nodes > VNRS_NODES_MAX)
        return refuse(r, VNRS_V_TOO_BIG, pos, "too many values in one file");
    return 0;
}

static int read_scalar(struct reader *r, const yaml_event_t *event, struct vnrs_node *node)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;

    if (memchr(text, '\0', len))
        return refuse(r, VNRS_V_YAML_SYNTAX, node->pos, "text holds a NUL character");
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = vnrs_arena_strndup(r->arena, text, len);
    if (!node->text)
        r->diags->failed = true;
    return node->text ? 0 : -ENOMEM;
}

// The key of the next member, or 1 at the end of the map.
static int read_key(struct reader *r, const struct vnrs_node *map, struct vnrs_node *ret_key)
{
    yaml_event_t event;
    int err = next_event(r, &event);

    if (err < 0)
        return err;
    ret_key->pos = mark_pos(&event.start_mark);
    if (event.type == YAML_MAPPING_END_EVENT)
        err = 1;
    else if (event.type != YAML_SCALAR_EVENT)
        err = refuse(r, VNRS_V_YAML_FEATURE, ret_key->pos, "a key is plain text, not an alias, list or map");
    else if (map->n >= VNRS_NODE_KEYS_MAX)
        err = refuse(r, VNRS_V_TOO_BIG, ret_key->pos, "too many keys in one map");
    else if ((err = read_scalar(r, &event, ret_key)) == 0 && strcmp(ret_key->text, "<<") == 0)
        err = refuse(r, VNRS_V_YAML_FEATURE, ret_key->pos, "merge keys are not part of a topology file");
    yaml_event_delete(&event);
    return err;
}

static void report_duplicate(struct reader *r, const struct vnrs_node *map, struct vnrs_node *value)
{
    node_foreach (other, map) {
        if (strcmp(other->key, value->key) != 0)
            continue;
        struct vnrs_diag *d = vnrs_diag_add(r->diags, VNRS_DIAG_ERROR, VNRS_V_DUPLICATE_KEY, value->key_pos,
                                            "key '%s' is there twice", value->key);
        vnrs_diag_note(r->diags, d, other->key_pos, "first here");
        value->bad = true;
        return;
    }
}

static int read_children(struct reader *r, struct vnrs_node *node, unsigned depth)
{
    struct vnrs_node **tail = &node->first;

    for (;;) {
        struct vnrs_node key = {0}, *child = NULL;
        yaml_event_t event;
        int err = node->kind == VNRS_NODE_MAP ? read_key(r, node, &key) : 0;
        if (err)
            return err < 0 ? err : 0;
        err = next_event(r, &event);
        if (err < 0)
            return err;
        bool at_end = event.type == YAML_SEQUENCE_END_EVENT;
        err = at_end ? 0 : read_node(r, &event, depth + 1, &child);
        yaml_event_delete(&event);
        if (err < 0 || !child)
            return err;
        child->key = key.text;
        child->key_pos = key.pos;
        if (key.text)
            report_duplicate(r, node, child);
        *tail = child;
        tail = &child->next;
        node->n++;
    }
}

static int read_node(struct reader *r, yaml_event_t *event, unsigned depth, struct vnrs_node **ret)
{
    int err = check_event(r, event, depth);
    if (err < 0)
        return err;
    struct vnrs_node *node = vnrs_arena_alloc(r->arena, sizeof(*node));
    if (!node) {
        r->diags->failed = true;
        return -ENOMEM;
    }
    node->pos = mark_pos(&event->start_mark);
    if (event->type == YAML_SCALAR_EVENT) {
        node->kind = VNRS_NODE_SCALAR;
        err = read_scalar(r, event, node);
    } else {
        node->kind = event->type == YAML_MAPPING_START_EVENT ? VNRS_NODE_MAP : VNRS_NODE_LIST;
        err = read_children(r, node, depth);
    }
    if (err == 0)
        *ret = node;
    return err;
}

// What follows the stream start: at most one document.
static int read_stream(struct reader *r, struct vnrs_node **ret)
{
    struct vnrs_node *root = NULL;
    bool at_end = false;
    int err = 0;

    while (!at_end && err == 0) {
        yaml_event_t event;
        err = next_event(r, &event);
        if (err < 0)
            return err;
        at_end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && root)
            err = refuse(r, VNRS_V_YAML_FEATURE, mark_pos(&event.start_mark), "a second document in one file");
        else if (event.type == YAML_SCALAR_EVENT || event.type == YAML_SEQUENCE_START_EVENT ||
                 event.type == YAML_MAPPING_START_EVENT || event.type == YAML_ALIAS_EVENT)
            err = read_node(r, &event, 1, &root);
        yaml_event_delete(&event);
    }
    if (err == 0 && !root && (root = vnrs_arena_alloc(r->arena, sizeof(*root))))
        *root = (struct vnrs_node){.kind = VNRS_NODE_MAP, .pos = {.line = 1, .col = 1}};
    if (err == 0)
        *ret = root;
    return err;
}

struct vnrs_node *vnrs_node_load(const char *source, size_t len, struct vnrs_arena *arena, struct vnrs_diags *diags)
{
    struct reader r = {.source = source, .len = len, .arena = arena, .diags = diags};
    struct vnrs_node *root = NULL;

    if (len > VNRS_NODE_SOURCE_BYTES_MAX) {
        (void)vnrs_diag_add(diags, VNRS_DIAG_ERROR, VNRS_V_TOO_BIG, (struct vnrs_pos){0},
                            "the file is larger than %u bytes", VNRS_NODE_SOURCE_BYTES_MAX);
        return NULL;
    }
    if (!yaml_parser_initialize(&r.parser)) {
        diags->failed = true;
        return NULL;
    }
    // Without this a byte order mark would switch to UTF-16, and positions would mean nothing.
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)source, len);
    int err = read_stream(&r, &root);
    yaml_parser_delete(&r.parser);
    return err == 0 ? root : NULL;
}

static struct vnrs_node *find_member(const struct vnrs_node *map, const char *key)
{
    if (!map || map->kind != VNRS_NODE_MAP)
        return NULL;
    node_foreach (member, map)
        if (strcmp(member->key, key) == 0)
            return member;
    return NULL;
}

struct vnrs_node *vnrs_node_get(const struct vnrs_node *map, const char *key)
{
    struct vnrs_node *member = find_member(map, key);
    return member && !member->bad ? member : NULL;
}

bool vnrs_node_has(const struct vnrs_node *map, const char *key)
{
    return find_member(map, key);
}
