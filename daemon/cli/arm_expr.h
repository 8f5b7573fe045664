// SPDX-License-Identifier: GPL-2.0-or-later
// The expressions of ARM templates, "[concat(parameters('name'), '-nic')]", and the trees that they stand in
// (Azure docs: "Syntax and expressions in ARM templates", "ARM template functions"). Names of functions, parameters,
// variables and properties are the same in upper and lower case, as there. What only a deployment knows (an address
// that Azure chose) has no value here. Pure.
#pragma once

#include "util/macros.h"

#include <jansson.h>

#include <stdbool.h>

#define VNRS_ARM_DEPTH_MAX 64      // of expressions, trees and templates
#define VNRS_ARM_LOOP_MAX  800     // as Azure limits a copy loop
#define VNRS_ARM_WORK_MAX  2000000 // values and calls of one template with all that it calls

// Where an expression stands. Whoever makes one owns what it points to.
struct vnrs_arm_scope {
    json_t *parameters; // values by name
    json_t *variables;  // as written
    json_t *known;      // variables that were evaluated
    json_t *loops;      // indexes of the copy loops around, by name
    json_t *locals;     // variables of lambdas around
    const char *loop;   // the innermost copy loop, or NULL
    // The value of reference(), as `arguments` name it: a new reference, or NULL after vnrs_arm_fail().
    json_t *(*reference)(struct vnrs_arm_scope *scope, json_t *const *arguments, size_t n);
    void *arg;       // of `reference`
    unsigned depth;  // of what is being evaluated
    unsigned *work;  // left, for all scopes
    char error[200]; // why there was no value
};

// Each returns a new reference; NULL: `error` of the scope says why.
json_t *vnrs_arm_text(struct vnrs_arm_scope *scope, const char *text); // an expression, or a text that is none
// A tree with every text in it evaluated, and "copy" of properties unrolled. What has no value is null there; `lost` is
// told of each.
typedef void (*vnrs_arm_lost_fn)(void *arg, const char *property, const char *why);
json_t *vnrs_arm_tree(struct vnrs_arm_scope *scope, const json_t *tree, vnrs_arm_lost_fn lost, void *arg);
// A lambda, as functions get it, with values for its variables.
json_t *vnrs_arm_call(struct vnrs_arm_scope *scope, const json_t *lambda, json_t *const *values, size_t n);

// Says why there is no value; NULL.
json_t *vnrs_arm_fail(struct vnrs_arm_scope *scope, const char *fmt, ...) VNRS_PRINTF(2, 3);
// A member, whatever the case of its name; borrowed, or NULL.
json_t *vnrs_arm_get(const json_t *object, const char *name);
// The same along "a.b.c".
json_t *vnrs_arm_path(const json_t *object, const char *path);

// A function: gets its arguments evaluated, as many as the table allows.
struct vnrs_arm_fn {
    const char *name;
    int min, max; // arguments; max -1: any
    json_t *(*fn)(struct vnrs_arm_scope *scope, json_t *const *args, size_t n);
};
// Ended by one without a name.
extern const struct vnrs_arm_fn vnrs_arm_text_fns[], vnrs_arm_number_fns[], vnrs_arm_list_fns[], vnrs_arm_id_fns[];
