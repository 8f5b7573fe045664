// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/graph_text.h"

#include "util/macros.h"

#include <stdbool.h>
#include <string.h>

static const struct kind {
    const char *name, *title; // title: before the name, "" where that says enough
    const char *open, *close; // mermaid
    const char *shape;        // dot; NULL: it holds others
} kinds[] = {
    {"virtualNetwork", "", "[", "]", NULL},
    {"subnet", "", "[", "]", NULL},
    {"machine", "", "[", "]", "box"},
    {"nva", "", "{{", "}}", "hexagon"},
    {"nic", "", "[", "]", "box"},
    {"routeServer", "Route Server ", "[[", "]]", "component"},
    {"gateway", "Gateway ", "([", "])", "house"},
    {"loadBalancer", "Load Balancer ", "{", "}", "diamond"},
    {"site", "Site ", "(", ")", "box3d"},
    {"service", "", "[(", ")]", "cylinder"},
    {"internet", "", "((", "))", "ellipse"},
    {"host", "", "(", ")", "oval"},
    {"bgpPeer", "BGP peer ", "(", ")", "oval"},
};

struct language {
    void (*put)(FILE *out, const char *text); // inside of quotes
    const char *newline;
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool is_down(const json_t *object)
{
    return strcmp(text_of(object, "state"), "down") == 0;
}

static const struct kind *kind_of(const json_t *node)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (strcmp(kinds[i].name, text_of(node, "kind")) == 0)
            return &kinds[i];
    return &kinds[2];
}

// "Route Server rs", then a line for each detail. Of a subnet only its own name: it is drawn in its network.
static void put_label(FILE *out, const struct language *language, const char *title, const char *name,
                      const json_t *details)
{
    bool begun = *title || *name;
    json_t *line;
    size_t i;

    (void)fputs(title, out);
    language->put(out, name);
    json_array_foreach(details, i, line)
    {
        (void)fputs(begun ? language->newline : "", out);
        language->put(out, json_string_value(line));
        begun = true;
    }
}

static void put_node_label(FILE *out, const struct language *language, const json_t *node)
{
    const struct kind *kind = kind_of(node);
    const char *name = text_of(node, "name"), *slash = strchr(name, '/');
    bool is_subnet = strcmp(kind->name, "subnet") == 0;

    put_label(out, language, kind->title, is_subnet && slash ? slash + 1 : name, json_object_get(node, "details"));
}

static void put_edge_label(FILE *out, const struct language *language, const json_t *edge)
{
    static const struct {
        const char *kind, *title;
    } titles[] = {{"peering", "peering"}, {"bgp", "BGP "}, {"serviceEndpoint", "service endpoint"}};
    const char *title = "";

    for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
        if (strcmp(titles[i].kind, text_of(edge, "kind")) == 0)
            title = titles[i].title;
    put_label(out, language, title, text_of(edge, "name"), json_object_get(edge, "details"));
}

static bool has_label(const json_t *edge)
{
    return *text_of(edge, "name") || json_array_size(json_object_get(edge, "details")) ||
           strcmp(text_of(edge, "kind"), "serviceEndpoint") == 0;
}

// All nodes that are in `in`, NULL: in none, and what is in them.
static void put_nodes(FILE *out, const json_t *nodes, const char *in, unsigned depth,
                      void (*put_node)(FILE *out, const json_t *nodes, const json_t *node, unsigned depth))
{
    json_t *node;
    size_t i;

    json_array_foreach(nodes, i, node)
    {
        if (strcmp(text_of(node, "in"), in ? in : "") == 0)
            put_node(out, nodes, node, depth);
    }
}

// ---- mermaid

static void put_mermaid(FILE *out, const char *text)
{
    static const char special[] = "\"#<>`&";
    static const char *const codes[] = {"#quot;", "#35;", "#lt;", "#gt;", "#96;", "#amp;"};

    for (; *text; text++) {
        const char *found = strchr(special, *text);
        if (found)
            (void)fputs(codes[found - special], out);
        else
            (void)fputc(*text, out);
    }
}

static const struct language mermaid = {put_mermaid, "<br/>"};

static void mermaid_node(FILE *out, const json_t *nodes, const json_t *node, unsigned depth)
{
    const struct kind *kind = kind_of(node);
    int indent = (int)depth * 2;

    (void)fprintf(out, "%*s%s%s%s\"", indent, "", kind->shape ? "" : "subgraph ", text_of(node, "id"), kind->open);
    put_node_label(out, &mermaid, node);
    (void)fprintf(out, "\"%s%s\n", kind->close, is_down(node) ? ":::down" : "");
    if (kind->shape)
        return;
    put_nodes(out, nodes, text_of(node, "id"), depth + 1, mermaid_node);
    (void)fprintf(out, "%*send\n", indent, "");
}

void vnrs_graph_mermaid(FILE *out, const json_t *graph)
{
    json_t *edge;
    size_t i;

    (void)fprintf(out, "%%%% %s\nflowchart LR\n", text_of(graph, "name"));
    put_nodes(out, json_object_get(graph, "nodes"), NULL, 1, mermaid_node);
    json_array_foreach(json_object_get(graph, "edges"), i, edge)
    {
        (void)fprintf(out, "  %s %s", text_of(edge, "from"), is_down(edge) ? "-.-" : "---");
        if (has_label(edge)) {
            (void)fputs("|\"", out);
            put_edge_label(out, &mermaid, edge);
            (void)fputs("\"|", out);
        }
        (void)fprintf(out, " %s\n", text_of(edge, "to"));
    }
    (void)fputs("  classDef down stroke:#c00,stroke-dasharray:4\n", out);
}

// ---- dot

static void put_dot(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            (void)fputc('\\', out);
        (void)fputc(*text, out);
    }
}

static const struct language dot = {put_dot, "\\n"};

// What holds others has a point inside, unseen, where its edges end: dot has edges between nodes only.
static void dot_node(FILE *out, const json_t *nodes, const json_t *node, unsigned depth)
{
    const struct kind *kind = kind_of(node);
    const char *id = text_of(node, "id");
    int indent = (int)depth * 2;

    (void)fprintf(out, kind->shape ? "%*s%s [label=\"" : "%*ssubgraph cluster_%s {\n%*slabel=\"", indent, "", id,
                  indent + 2, "");
    put_node_label(out, &dot, node);
    if (kind->shape) {
        (void)fprintf(out, "\" shape=%s%s]\n", kind->shape, is_down(node) ? " color=red style=dashed" : "");
        return;
    }
    (void)fprintf(out, "\"\n%*s%s [shape=point style=invis]\n", indent + 2, "", id);
    put_nodes(out, nodes, id, depth + 1, dot_node);
    (void)fprintf(out, "%*s}\n", indent, "");
}

static bool is_cluster(const json_t *nodes, const char *id)
{
    json_t *node;
    size_t i;

    json_array_foreach(nodes, i, node)
    {
        if (strcmp(text_of(node, "id"), id) == 0)
            return !kind_of(node)->shape;
    }
    return false;
}

static void dot_edge(FILE *out, const json_t *nodes, const json_t *edge)
{
    static const char *const ends[][2] = {{"from", "ltail"}, {"to", "lhead"}};

    (void)fprintf(out, "  %s -- %s [label=\"", text_of(edge, "from"), text_of(edge, "to"));
    if (has_label(edge))
        put_edge_label(out, &dot, edge);
    (void)fputs("\"", out);
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        if (is_cluster(nodes, text_of(edge, ends[i][0])))
            (void)fprintf(out, " %s=cluster_%s", ends[i][1], text_of(edge, ends[i][0]));
    (void)fprintf(out, "%s]\n", is_down(edge) ? " color=red style=dashed" : "");
}

void vnrs_graph_dot(FILE *out, const json_t *graph)
{
    const json_t *nodes = json_object_get(graph, "nodes");
    json_t *edge;
    size_t i;

    (void)fputs("graph \"", out);
    put_dot(out, text_of(graph, "name"));
    (void)fputs("\" {\n  compound=true\n  rankdir=LR\n", out);
    put_nodes(out, nodes, NULL, 1, dot_node);
    json_array_foreach(json_object_get(graph, "edges"), i, edge) dot_edge(out, nodes, edge);
    (void)fputs("}\n", out);
}
