// SPDX-License-Identifier: GPL-2.0-or-later
// A graph (cli/graph.h) in the languages of programs that draw.
#pragma once

#include <jansson.h>

#include <stdio.h>

void vnrs_graph_mermaid(FILE *out, const json_t *graph); // https://mermaid.js.org, a flowchart
void vnrs_graph_dot(FILE *out, const json_t *graph);     // https://graphviz.org
