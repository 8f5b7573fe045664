// SPDX-License-Identifier: GPL-2.0-or-later
// Desired state minus what is known of the actual state = requests, in an order that works: removals first, dependents
// before what they depend on (links and routes after their namespaces where nothing is desired at all); then what is
// missing or different, in the order of plan/desired.h, but each namespace right before the first link in it. Pure.
//
// Actual state is learned in two ways: LIST says what is there, an ENSURE that succeeded says what it is like. After a
// restart only the first is known, so everything is ensured again; the agent then finds that nothing has to be done.
#pragma once

#include "plan/desired.h"

struct vnrs_actual_object {
    enum vnrs_obj_type type;
    const char *key;
    const void *spec; // as last ensured; NULL: there, but not known what it is like
    size_t spec_size;
    const void *data;
    size_t data_size;
};

enum vnrs_request_op { VNRS_REQUEST_REMOVE, VNRS_REQUEST_ENSURE };

struct vnrs_request {
    enum vnrs_request_op op;
    const struct vnrs_object *object;        // ENSURE
    const struct vnrs_actual_object *actual; // REMOVE; ENSURE: what is there now, or NULL
};

typedef VEC(struct vnrs_request) vnrs_request_list;

bool vnrs_object_equal(const struct vnrs_object *object, const struct vnrs_actual_object *actual);

// Appends to `requests`, which borrow from both sides. Returns 0 or -ENOMEM.
int vnrs_diff(const struct vnrs_object *desired, size_t n_desired, const struct vnrs_actual_object *actual,
              size_t n_actual, vnrs_request_list *requests) VNRS_MUST_CHECK;
