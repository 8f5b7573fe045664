// SPDX-License-Identifier: GPL-2.0-or-later
// A lab's record: what a new controller needs to go on, as JSON text that the agent keeps as bytes.
#include "control/state.h"

#include "util/log.h"
#include "util/strbuf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PIECE_MAX 65536

static char *format(const struct vnrs_lab *lab)
{
    _free_ char *ids = vnrs_ids_format(lab->ids);
    json_t *root = NULL;
    char *text = NULL;

    if (!ids)
        return NULL;
    root = json_pack("{s:s, s:s, s:O?, s:o?, s:I}", "file", lab->file, "source", lab->source, "files", lab->files,
                     "ids", json_loads(ids, 0, NULL), "generation", (json_int_t)lab->generation);
    if (root)
        text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static void on_stored(struct vnrs_agent_request *request, const struct vnrs_ag_reply *reply)
{
    struct vnrs_lab *lab = request->owner;
    char error[512];

    if (reply->error == 0) {
        if (request->tag) { // the last piece
            lab->record_due = false;
            vnrs_lab_clear_error(&lab->record_error);
        }
        return;
    }
    (void)snprintf(error, sizeof(error), "the lab's record is not stored: %s", reply->text);
    vnrs_lab_note_error(lab, &lab->record_error, error);
}

int vnrs_record_store(struct vnrs_lab *lab)
{
    _free_ char *text = format(lab);
    struct vnrs_ag_record piece = {0};
    struct vnrs_agent_request request = {.type = VNRS_AG_RECORD, .owner = lab, .done = on_stored};

    if (!text)
        return -ENOMEM;
    size_t total = strlen(text);
    if (total > VNRS_RECORD_MAX) {
        vnrs_lab_keep_error(lab, &lab->record_error, "the lab's record is larger than the agent takes; split the lab");
        return -EFBIG;
    }
    lab->record_due = true;
    vnrs_str_copy(piece.lab, sizeof(piece.lab), lab->name);
    piece.total = (uint32_t)total;
    for (; piece.offset < total; piece.offset += PIECE_MAX) {
        size_t n = MIN((size_t)PIECE_MAX, total - piece.offset);
        request.tag = piece.offset + n == total;
        int r = vnrs_agent_send(lab->control->agent, &request, &piece, sizeof(piece), text + piece.offset, n);
        if (r < 0)
            return r;
    }
    return 0;
}

int vnrs_record_parse(struct vnrs_lab *lab, const char *text)
{
    json_t *root = json_loads(text, 0, NULL), *files = NULL, *ids = NULL;
    const char *file, *source;
    json_int_t generation;
    int r = -EINVAL;

    if (root && json_unpack(root, "{s:s, s:s, s?:o, s?:o, s:I}", "file", &file, "source", &source, "files", &files,
                            "ids", &ids, "generation", &generation) == 0) {
        _free_ char *ids_text = ids ? json_dumps(ids, 0) : NULL;
        r = ids_text ? vnrs_ids_parse(lab->ids, ids_text) : 0;
        free(lab->file);
        free(lab->source);
        json_decref(lab->files);
        lab->file = strdup(file);
        lab->source = strdup(source);
        lab->files = json_is_object(files) ? json_incref(files) : NULL;
        lab->generation = (uint64_t)generation;
        if (!lab->file || !lab->source)
            r = -ENOMEM;
    }
    json_decref(root);
    return r;
}

void vnrs_record_piece(struct vnrs_control *control, const struct vnrs_ag_record *piece, const void *data, size_t len)
{
    struct vnrs_lab *lab = vnrs_control_find_lab(control, piece->lab);

    if (!lab)
        lab = vnrs_lab_new(control, piece->lab);
    if (!lab || piece->total > VNRS_RECORD_MAX || piece->offset > piece->total || len > piece->total - piece->offset ||
        (piece->offset && piece->offset != lab->record_have)) {
        log_error("a piece of the record of lab '%s' does not fit; the lab is left as it is", piece->lab);
        return;
    }
    if (piece->offset == 0) {
        free(lab->record);
        lab->record = calloc(1, (size_t)piece->total + 1);
        lab->record_have = 0;
    }
    if (!lab->record)
        return;
    memcpy(lab->record + piece->offset, data, len);
    lab->record_have = piece->offset + len;
    if (lab->record_have < piece->total)
        return;
    char *record = TAKE_PTR(lab->record);
    vnrs_lab_restore(lab, record);
    free(record);
}
