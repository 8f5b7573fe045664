// SPDX-License-Identifier: GPL-2.0-or-later
#include "fib/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define RECEIVE_BUFFER_BYTES (8 << 20)
#define BATCH_BYTES          65536 // well below the default send buffer
#define ANSWER_BYTES         32768 // the kernel fills dump buffers up to this size
#define DUMP_ATTEMPTS        16

// Messages that wait to be sent.
struct batch {
    size_t n, len; // messages, their bytes
    uint32_t first_seq;
    size_t last_offset; // of the last message
    uint64_t cookies[VNRS_NL_BATCH_MAX];
    _Alignas(NLMSG_ALIGNTO) char bytes[BATCH_BYTES];
};

struct vnrs_nl {
    int fd;
    uint32_t seq; // of the last message
    vnrs_nl_error_fn on_error;
    void *on_error_arg;
    uint64_t written;
    struct batch *batch; // NULL: nothing is queued
};

// There are thousands of sockets and one thread, which is done with a batch before it begins the next, and reads one
// answer at a time: they share these.
static struct batch *spare_batch; // NULL: somebody has it, or there is none yet
static _Alignas(NLMSG_ALIGNTO) char answer[ANSWER_BYTES];

static struct batch *take_batch(void)
{
    struct batch *batch = spare_batch ? TAKE_PTR(spare_batch) : malloc(sizeof(*batch));

    if (batch)
        batch->n = batch->len = 0;
    return batch;
}

static void give_batch(struct batch *batch)
{
    if (spare_batch)
        free(batch);
    else
        spare_batch = batch;
}

int vnrs_nl_new(int fd, struct vnrs_nl **ret_nl)
{
    _close_ int own = fd;
    static const int options[] = {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK};
    const int on = 1, bytes = RECEIVE_BUFFER_BYTES;

    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (setsockopt(own, SOL_NETLINK, options[i], &on, sizeof(on)) < 0)
            return -errno;
    if (setsockopt(own, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 &&
        setsockopt(own, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0)
        return -errno;
    struct vnrs_nl *nl = calloc(1, sizeof(*nl));
    if (!nl)
        return -ENOMEM;
    nl->fd = TAKE_FD(own);
    *ret_nl = nl;
    return 0;
}

void vnrs_nl_free(struct vnrs_nl *nl)
{
    if (!nl)
        return;
    if (nl->batch)
        give_batch(nl->batch);
    (void)close(nl->fd);
    free(nl);
}

int vnrs_nl_fd(const struct vnrs_nl *nl)
{
    return nl->fd;
}

uint64_t vnrs_nl_written(const struct vnrs_nl *nl)
{
    return nl->written;
}

static int send_bytes(struct vnrs_nl *nl, const void *bytes, size_t len)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t sent;

    do
        sent = sendto(nl->fd, bytes, len, MSG_NOSIGNAL, (struct sockaddr *)&kernel, sizeof(kernel));
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

// One datagram of answers; -ENOBUFS where the kernel had no room for it.
static ssize_t receive(struct vnrs_nl *nl)
{
    ssize_t got;

    do
        got = recv(nl->fd, answer, sizeof(answer), MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno == EAGAIN ? -ENOBUFS : -errno;
    return got;
}

static void drain(struct vnrs_nl *nl)
{
    while (recv(nl->fd, answer, sizeof(answer), MSG_DONTWAIT) >= 0 || errno == EINTR || errno == ENOBUFS)
        ;
}

static int copy_text(const struct nlattr *attr, void *arg)
{
    if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
        *(const char **)arg = mnl_attr_get_str(attr);
    return MNL_CB_OK;
}

static const char *error_text(const struct nlmsghdr *msg, int error)
{
    const struct nlmsgerr *err = mnl_nlmsg_get_payload(msg);
    const char *text = NULL;

    if (msg->nlmsg_flags & NLM_F_ACK_TLVS) {
        size_t skip = sizeof(*err);
        if (!(msg->nlmsg_flags & NLM_F_CAPPED))
            skip += mnl_nlmsg_get_payload_len(&err->msg);
        (void)mnl_attr_parse(msg, (unsigned)skip, copy_text, &text);
    }
    return text && *text ? text : strerror(-error);
}

int vnrs_nl_handler_set(struct vnrs_nl *nl, vnrs_nl_error_fn fn, void *arg)
{
    int r = vnrs_nl_flush(nl);
    nl->on_error = fn;
    nl->on_error_arg = arg;
    return r;
}

int vnrs_nl_queue(struct vnrs_nl *nl, const struct vnrs_nlmsg *msg, uint64_t cookie)
{
    const struct nlmsghdr *head = (const struct nlmsghdr *)msg->bytes;
    size_t size = NLMSG_ALIGN(head->nlmsg_len);

    if (nl->batch && (nl->batch->n == VNRS_NL_BATCH_MAX || nl->batch->len + size > BATCH_BYTES)) {
        int r = vnrs_nl_flush(nl);
        if (r < 0)
            return r;
    }
    struct batch *batch = nl->batch ? nl->batch : take_batch();
    if (!batch)
        return -ENOMEM;
    nl->batch = batch;
    struct nlmsghdr *queued = (struct nlmsghdr *)(batch->bytes + batch->len);
    memcpy(queued, msg->bytes, size);
    queued->nlmsg_seq = ++nl->seq;
    if (batch->n == 0)
        batch->first_seq = nl->seq;
    batch->cookies[batch->n++] = cookie;
    batch->last_offset = batch->len;
    batch->len += size;
    return 0;
}

// Handle one datagram of acknowledgements. Returns 1 once the last message was answered.
static int take_answers(struct vnrs_nl *nl, const struct batch *batch, size_t len, uint64_t *failed)
{
    int left = (int)len;

    for (const struct nlmsghdr *msg = (void *)answer; mnl_nlmsg_ok(msg, left); msg = mnl_nlmsg_next(msg, &left)) {
        uint32_t at = msg->nlmsg_seq - batch->first_seq;
        if (msg->nlmsg_type != NLMSG_ERROR || at >= batch->n ||
            mnl_nlmsg_get_payload_len(msg) < sizeof(struct nlmsgerr))
            continue;
        int error = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(msg))->error;
        if (error) {
            (*failed)++;
            if (nl->on_error)
                nl->on_error(nl->on_error_arg, batch->cookies[at], error, error_text(msg, error));
        }
        if (at == batch->n - 1)
            return 1;
    }
    return 0;
}

int vnrs_nl_flush(struct vnrs_nl *nl)
{
    struct batch *batch = TAKE_PTR(nl->batch);
    uint64_t failed = 0;

    if (!batch)
        return 0;
    drain(nl);
    ((struct nlmsghdr *)(batch->bytes + batch->last_offset))->nlmsg_flags |= NLM_F_ACK;
    int r = send_bytes(nl, batch->bytes, batch->len);
    while (r == 0) {
        ssize_t got = receive(nl);
        r = got < 0 ? (int)got : take_answers(nl, batch, (size_t)got, &failed);
    }
    if (r < 0)
        drain(nl);
    else
        nl->written += batch->n - failed;
    give_batch(batch);
    return MIN(r, 0);
}

struct dump {
    int (*each)(const struct nlmsghdr *msg, void *arg);
    void *arg;
    bool interrupted, single;
};

// Returns 1 when the answer is complete.
static int take_dump(struct vnrs_nl *nl, size_t len, struct dump *dump)
{
    int left = (int)len;

    for (const struct nlmsghdr *msg = (void *)answer; mnl_nlmsg_ok(msg, left); msg = mnl_nlmsg_next(msg, &left)) {
        if (msg->nlmsg_seq != nl->seq)
            continue;
        if (msg->nlmsg_flags & NLM_F_DUMP_INTR)
            dump->interrupted = true;
        if (msg->nlmsg_type == NLMSG_DONE) {
            int error = mnl_nlmsg_get_payload_len(msg) >= sizeof(int) ? *(int *)mnl_nlmsg_get_payload(msg) : 0;
            return error < 0 ? error : 1;
        }
        if (msg->nlmsg_type == NLMSG_ERROR)
            return mnl_nlmsg_get_payload_len(msg) >= sizeof(int) && *(int *)mnl_nlmsg_get_payload(msg) < 0
                       ? *(int *)mnl_nlmsg_get_payload(msg)
                       : 1;
        int r = dump->each(msg, dump->arg);
        if (r < 0)
            return r;
        if (dump->single)
            return 1;
    }
    return 0;
}

static int ask(struct vnrs_nl *nl, const struct vnrs_nlmsg *request, uint16_t flags, struct dump *dump)
{
    struct vnrs_nlmsg msg = *request;
    struct nlmsghdr *head = (struct nlmsghdr *)msg.bytes;

    drain(nl);
    head->nlmsg_seq = ++nl->seq;
    head->nlmsg_flags |= flags;
    int r = send_bytes(nl, msg.bytes, head->nlmsg_len);
    while (r == 0) {
        ssize_t got = receive(nl);
        r = got < 0 ? (int)got : take_dump(nl, (size_t)got, dump);
    }
    drain(nl);
    return r < 0 ? r : 0;
}

int vnrs_nl_dump(struct vnrs_nl *nl, const struct vnrs_nlmsg *request, void (*restart)(void *arg),
                 int (*each)(const struct nlmsghdr *msg, void *arg), void *arg)
{
    for (unsigned i = 0; i < DUMP_ATTEMPTS; i++) {
        struct dump dump = {.each = each, .arg = arg};
        restart(arg);
        int r = ask(nl, request, NLM_F_DUMP, &dump);
        if (r == -ENOBUFS)
            continue;
        if (r < 0 || !dump.interrupted)
            return r;
    }
    return -EAGAIN;
}

int vnrs_nl_get(struct vnrs_nl *nl, const struct vnrs_nlmsg *request,
                int (*each)(const struct nlmsghdr *msg, void *arg), void *arg)
{
    struct dump dump = {.each = each, .arg = arg, .single = true};
    return ask(nl, request, 0, &dump);
}
