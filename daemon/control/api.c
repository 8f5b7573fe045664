// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/api.h"

#include "control/state.h"
#include "net/addr.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/strbuf.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define BODY_MAX         (6u << 20) // fits a record with room for the rest
#define BODY_HARD_MAX    (8u << 20) // beyond it the connection is cut by the HTTP layer
#define HEADERS_MAX      16384
#define TIMEOUT_S        60
#define STREAM_QUEUE_MAX (1u << 20) // bytes that wait for one client
#define STREAM_TIMEOUT_S 60         // for a client that does not read

static const struct {
    enum evhttp_cmd_type method;
    const char *path; // '*' is the lab
    vnrs_api_handler handler;
} endpoints[] = {
    {EVHTTP_REQ_POST, "/v1/validate", vnrs_api_validate},
    {EVHTTP_REQ_POST, "/v1/plan", vnrs_api_plan},
    {EVHTTP_REQ_POST, "/v1/tests", vnrs_api_file_tests},
    {EVHTTP_REQ_POST, "/v1/labs", vnrs_api_apply},
    {EVHTTP_REQ_GET, "/v1/labs", vnrs_api_labs},
    {EVHTTP_REQ_GET, "/v1/labs/*", vnrs_api_inspect},
    {EVHTTP_REQ_DELETE, "/v1/labs/*", vnrs_api_destroy},
    {EVHTTP_REQ_GET, "/v1/labs/*/config", vnrs_api_config},
    {EVHTTP_REQ_GET, "/v1/labs/*/status", vnrs_api_status},
    {EVHTTP_REQ_GET, "/v1/labs/*/effective-routes", vnrs_api_effective_routes},
    {EVHTTP_REQ_GET, "/v1/labs/*/next-hop", vnrs_api_next_hop},
    {EVHTTP_REQ_GET, "/v1/labs/*/trace", vnrs_api_trace},
    {EVHTTP_REQ_GET, "/v1/labs/*/peerings", vnrs_api_peerings},
    {EVHTTP_REQ_GET, "/v1/labs/*/peers", vnrs_api_peers},
    {EVHTTP_REQ_GET, "/v1/labs/*/peer", vnrs_api_peer},
    {EVHTTP_REQ_GET, "/v1/labs/*/learned-routes", vnrs_api_learned_routes},
    {EVHTTP_REQ_GET, "/v1/labs/*/advertised-routes", vnrs_api_advertised_routes},
    {EVHTTP_REQ_GET, "/v1/labs/*/rib", vnrs_api_rib},
    {EVHTTP_REQ_GET, "/v1/labs/*/dump", vnrs_api_dump},
    {EVHTTP_REQ_POST, "/v1/labs/*/peers/clear", vnrs_api_peer_clear},
    {EVHTTP_REQ_POST, "/v1/labs/*/peers/refresh", vnrs_api_peer_refresh},
    {EVHTTP_REQ_GET, "/v1/labs/*/counters", vnrs_api_counters},
    {EVHTTP_REQ_GET, "/v1/labs/*/tests", vnrs_api_tests},
    {EVHTTP_REQ_GET, "/v1/labs/*/events", vnrs_api_events},
    {EVHTTP_REQ_GET, "/v1/labs/*/flows", vnrs_api_flows},
    {EVHTTP_REQ_GET, "/v1/labs/*/capture", vnrs_api_capture},
    {EVHTTP_REQ_GET, "/v1/labs/*/link", vnrs_api_link},
    {EVHTTP_REQ_POST, "/v1/labs/*/link", vnrs_api_link_change},
    {EVHTTP_REQ_GET, "/v1/events", vnrs_api_events},
    {EVHTTP_REQ_GET, "/v1/log", vnrs_api_log},
    {EVHTTP_REQ_GET, "/v1/doctor", vnrs_api_doctor},
    {EVHTTP_REQ_GET, "/v1/version", vnrs_api_version},
    {EVHTTP_REQ_GET, "/healthz", vnrs_api_healthz},
    {EVHTTP_REQ_GET, "/readyz", vnrs_api_readyz},
    {EVHTTP_REQ_GET, "/metrics", vnrs_api_metrics},
};

// ---- ends of a call

static void call_free(struct vnrs_api_call *call)
{
    if (call->request) {
        struct evhttp_connection *conn = evhttp_request_get_connection(call->request);
        if (conn)
            evhttp_connection_set_closecb(conn, NULL, NULL);
    }
    evhttp_clear_headers(call->query);
    free(call->query);
    json_decref(call->body);
    json_decref(call->result);
    free(call->data);
    free(call);
}

static void send_text(struct vnrs_api_call *call, int status, const char *type, const char *text)
{
    if (!call->request)
        return;
    struct evkeyvalq *headers = evhttp_request_get_output_headers(call->request);
    struct evbuffer *out = evhttp_request_get_output_buffer(call->request);
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    (void)evbuffer_add(out, text, strlen(text));
    struct evhttp_connection *conn = evhttp_request_get_connection(call->request);
    if (conn)
        evhttp_connection_set_closecb(conn, NULL, NULL);
    struct evhttp_request *request = TAKE_PTR(call->request);
    evhttp_send_reply(request, status, NULL, NULL);
}

void vnrs_api_reply_text(struct vnrs_api_call *call, const char *type, const char *text)
{
    send_text(call, 200, type, text);
    call_free(call);
}

void vnrs_api_reply(struct vnrs_api_call *call, int status, json_t *json)
{
    _free_ char *text = json ? json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

    json_decref(json);
    if (text)
        send_text(call, status, "application/json", text);
    else
        send_text(call, 500, "application/json",
                  "{\"error\":{\"id\":\"failed\",\"message\":\"out of memory\",\"help\":\"\"}}");
    call_free(call);
}

void vnrs_api_error(struct vnrs_api_call *call, int status, const char *id, const char *message, const char *help)
{
    vnrs_api_reply(call, status,
                   json_pack("{s:{s:s, s:s, s:s}}", "error", "id", id, "message", message, "help", help ? help : ""));
}

struct bufferevent *vnrs_api_wire(const struct vnrs_api_call *call)
{
    struct evhttp_connection *conn = call->request ? evhttp_request_get_connection(call->request) : NULL;
    return conn ? evhttp_connection_get_bufferevent(conn) : NULL;
}

bool vnrs_api_is_behind(const struct vnrs_api_call *call)
{
    struct bufferevent *wire = vnrs_api_wire(call);
    return wire && evbuffer_get_length(bufferevent_get_output(wire)) > STREAM_QUEUE_MAX;
}

void vnrs_api_stream(struct vnrs_api_call *call, const char *type, void (*gone)(struct vnrs_api_call *call))
{
    static const struct timeval patience = {STREAM_TIMEOUT_S, 0};
    struct evkeyvalq *headers = evhttp_request_get_output_headers(call->request);

    call->streaming = true;
    call->gone = gone;
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_send_reply_start(call->request, 200, "OK");
    if (vnrs_api_wire(call))
        bufferevent_set_timeouts(vnrs_api_wire(call), NULL, &patience);
}

void vnrs_api_stream_end(struct vnrs_api_call *call)
{
    struct evhttp_connection *conn = evhttp_request_get_connection(call->request);

    if (conn)
        evhttp_connection_set_closecb(conn, NULL, NULL);
    evhttp_send_reply_end(TAKE_PTR(call->request));
    call_free(call);
}

// Without the last chunk. The end of the connection is what frees the request.
void vnrs_api_stream_abort(struct vnrs_api_call *call)
{
    struct bufferevent *wire = vnrs_api_wire(call);

    if (wire)
        (void)shutdown(bufferevent_getfd(wire), SHUT_RDWR);
}

const char *vnrs_api_param(struct vnrs_api_call *call, const char *name, bool needed)
{
    const char *value = evhttp_find_header(call->query, name);
    char message[128];

    if ((value && *value) || !needed)
        return value && *value ? value : NULL;
    (void)snprintf(message, sizeof(message), "the parameter '%s' is missing", name);
    vnrs_api_error(call, 400, "bad-request", message, NULL);
    return NULL;
}

static void on_closed(struct evhttp_connection *conn, void *arg)
{
    struct vnrs_api_call *call = arg;

    (void)conn;
    // A request that is not answered yet was taken off its connection and is ours; else libevent frees it.
    if (!evhttp_request_get_connection(call->request))
        evhttp_request_free(call->request);
    call->request = NULL;
    if (call->streaming) {
        call->gone(call);
        call_free(call);
    }
}

// ---- the beginning

// Does `path` match `pattern`? The part for '*' is copied to `lab`.
static bool match_path(const char *pattern, const char *path, char *lab, size_t size)
{
    const char *star = strchr(pattern, '*');

    if (!star)
        return strcmp(pattern, path) == 0;
    size_t head = (size_t)(star - pattern);
    if (strncmp(pattern, path, head) != 0)
        return false;
    size_t len = strcspn(path + head, "/");
    if (len == 0 || len >= size || strcmp(path + head + len, star + 1) != 0)
        return false;
    memcpy(lab, path + head, len);
    lab[len] = '\0';
    return true;
}

static bool read_body(struct vnrs_api_call *call)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(call->request);
    size_t len = evbuffer_get_length(in);
    json_error_t error;

    if (len > BODY_MAX) {
        vnrs_api_error(call, 413, "too-big", "the request is larger than 6 MiB", "split the lab");
        return false;
    }
    if (!len)
        return true;
    const unsigned char *bytes = evbuffer_pullup(in, -1);
    call->body = bytes ? json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (json_is_object(call->body))
        return true;
    vnrs_api_error(call, 400, "bad-request", "the body is not a JSON object", call->body || !bytes ? NULL : error.text);
    return false;
}

static vnrs_api_handler find_handler(struct vnrs_api_call *call, const char *path, bool *ret_known)
{
    enum evhttp_cmd_type method = evhttp_request_get_command(call->request);

    *ret_known = false;
    for (size_t i = 0; i < ARRAY_SIZE(endpoints); i++) {
        char lab[sizeof(call->lab_name)] = "";
        if (!match_path(endpoints[i].path, path, lab, sizeof(lab)))
            continue;
        *ret_known = true;
        if (endpoints[i].method != method)
            continue;
        vnrs_str_copy(call->lab_name, sizeof(call->lab_name), lab);
        return endpoints[i].handler;
    }
    return NULL;
}

// By name a page of the web could come here that a browser on this host shows (DNS rebinding): only the addresses
// themselves and "localhost" are ours.
static bool is_local_name(const char *host)
{
    struct vnrs_addr addr;
    char text[VNRS_ADDR_STR_MAX] = "";
    bool has_brackets = host && *host == '[';

    if (!host || strcasecmp(host, "localhost") == 0)
        return host != NULL;
    bool fits = vnrs_str_copy(text, sizeof(text), host + has_brackets);
    text[strcspn(text, "]")] = '\0';
    return fits && vnrs_addr_parse(text, &addr) == 0;
}

// What anybody on this host may ask for. False: the call was answered.
static bool may_ask(struct vnrs_api_call *call, vnrs_api_handler handler)
{
    if (!call->by_tcp)
        return true;
    if (!is_local_name(evhttp_request_get_host(call->request)))
        vnrs_api_error(call, 403, "bad-host", "the API on TCP has no other name than its address and 'localhost'",
                       NULL);
    else if (evhttp_request_get_command(call->request) != EVHTTP_REQ_GET)
        vnrs_api_error(call, 403, "read-only", "the API on TCP only reads", "use the socket of vnrsd");
    else if (handler == vnrs_api_capture || handler == vnrs_api_flows) // to watch packets costs those who send them
        vnrs_api_error(call, 403, "read-only", "packets are only for who may use the socket",
                       "use the socket of vnrsd");
    else
        return true;
    return false;
}

static void dispatch(struct vnrs_api_call *call)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(call->request);
    const char *raw = uri ? evhttp_uri_get_path(uri) : NULL, *query = uri ? evhttp_uri_get_query(uri) : NULL;
    _free_ char *path = raw ? evhttp_uridecode(raw, 0, NULL) : NULL;
    bool known = false;
    vnrs_api_handler handler = path ? find_handler(call, path, &known) : NULL;

    if (!handler) {
        if (known)
            vnrs_api_error(call, 405, "bad-method", "this method does not exist here", NULL);
        else
            vnrs_api_error(call, 404, "not-found", "there is nothing here", "the API begins at /v1/");
        return;
    }
    if (!may_ask(call, handler))
        return;
    if (query && evhttp_parse_query_str(query, call->query) < 0) {
        vnrs_api_error(call, 400, "bad-request", "the query cannot be read", NULL);
        return;
    }
    if (!read_body(call))
        return;
    if (!call->control->ready && strncmp(path, "/v1/", 4) == 0) {
        vnrs_api_error(call, 503, "starting", "the daemon is still starting", "try again in a second");
        return;
    }
    if (call->lab_name[0]) {
        call->lab = vnrs_control_find_lab(call->control, call->lab_name);
        if (!call->lab && handler != vnrs_api_destroy) {
            char message[128];
            (void)snprintf(message, sizeof(message), "there is no lab '%.60s'", call->lab_name);
            vnrs_api_error(call, 404, "not-found", message, "`vnrs list` shows the labs");
            return;
        }
    }
    handler(call);
}

static void begin_call(struct evhttp_request *request, struct vnrs_control *control, bool by_tcp)
{
    struct vnrs_api_call *call = calloc(1, sizeof(*call));
    struct evkeyvalq *query = calloc(1, sizeof(*query));

    if (!call || !query) {
        free(call);
        free(query);
        evhttp_send_error(request, 503, NULL);
        return;
    }
    TAILQ_INIT(query);
    *call = (struct vnrs_api_call){.control = control, .request = request, .query = query, .by_tcp = by_tcp};
    control->http_requests++;
    struct evhttp_connection *conn = evhttp_request_get_connection(request);
    if (conn)
        evhttp_connection_set_closecb(conn, on_closed, call);
    dispatch(call);
}

static void on_request(struct evhttp_request *request, void *control)
{
    begin_call(request, control, false);
}

static void on_tcp_request(struct evhttp_request *request, void *control)
{
    begin_call(request, control, true);
}

// Takes the descriptor. NULL: no memory.
static struct evhttp *serve(struct vnrs_control *control, int listen_fd,
                            void (*handler)(struct evhttp_request *request, void *control))
{
    struct evhttp *http = evhttp_new(control->base);
    struct evconnlistener *listener = NULL;

    if (http && vnrs_fd_set_nonblock(listen_fd, true) == 0)
        listener =
            evconnlistener_new(control->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, listen_fd);
    if (!listener)
        (void)close(listen_fd);
    if (listener && evhttp_bind_listener(http, listener)) {
        evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_DELETE | EVHTTP_REQ_PUT |
                                             EVHTTP_REQ_HEAD | EVHTTP_REQ_PATCH);
        evhttp_set_max_body_size(http, BODY_HARD_MAX);
        evhttp_set_max_headers_size(http, HEADERS_MAX);
        evhttp_set_timeout(http, TIMEOUT_S);
        evhttp_set_gencb(http, handler, control);
        return http;
    }
    if (listener)
        evconnlistener_free(listener);
    if (http)
        evhttp_free(http);
    return NULL;
}

int vnrs_api_start(struct vnrs_control *control, int listen_fd)
{
    control->http = serve(control, listen_fd, on_request);
    return control->http ? 0 : -ENOMEM;
}

int vnrs_api_listen_tcp(struct vnrs_control *control, int listen_fd)
{
    control->tcp = serve(control, listen_fd, on_tcp_request);
    return control->tcp ? 0 : -ENOMEM;
}

void vnrs_api_stop(struct vnrs_control *control)
{
    if (control->http)
        evhttp_free(control->http);
    if (control->tcp)
        evhttp_free(control->tcp);
    control->http = control->tcp = NULL;
}
