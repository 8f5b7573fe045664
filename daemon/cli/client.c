// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/client.h"

#include "util/strbuf.h"

#include <curl/curl.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static bool verbose; // of the whole program, as -v is

void vnrs_client_be_verbose(void)
{
    verbose = true;
}

static void tell(const char *method, const char *path, CURL *curl, CURLcode rc, long status)
{
    double seconds = 0;

    if (!verbose)
        return;
    curl_easy_getinfo(curl, CURLINFO_TOTAL_TIME, &seconds);
    (void)fprintf(stderr, "vnrs: %s %s: %ld, %.1f ms%s%s\n", method, path, status, seconds * 1000, rc ? ": " : "",
                  rc ? curl_easy_strerror(rc) : "");
}

void vnrs_answer_fini(struct vnrs_answer *answer)
{
    json_decref(answer->json);
    *answer = (struct vnrs_answer){0};
}

static size_t collect(char *bytes, size_t size, size_t n, void *arg)
{
    struct vnrs_strbuf *buf = arg;
    vnrs_strbuf_add(buf, bytes, size * n);
    return buf->failed ? 0 : size * n;
}

static int exit_of_status(long status)
{
    if (status >= 200 && status < 300)
        return VNRS_EXIT_OK;
    switch (status) {
    case 400:
        return VNRS_EXIT_USAGE;
    case 403:
        return VNRS_EXIT_NOT_PERMITTED;
    case 422:
        return VNRS_EXIT_INVALID;
    default:
        return VNRS_EXIT_FAILED;
    }
}

// Why the socket does not answer: libcurl only says that it could not connect.
static int exit_of_socket(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    _close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (!vnrs_str_copy(addr.sun_path, sizeof(addr.sun_path), path) || fd < 0)
        return VNRS_EXIT_NO_DAEMON;
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 && (errno == EACCES || errno == EPERM))
        return VNRS_EXIT_NOT_PERMITTED;
    return VNRS_EXIT_NO_DAEMON;
}

struct vnrs_answer vnrs_client_request(const char *socket, const char *method, const char *path, const json_t *body)
{
    struct vnrs_answer answer = {.exit = VNRS_EXIT_FAILED};
    struct vnrs_strbuf reply = {0}, url = {0};
    _free_ char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    CURL *curl = curl_easy_init();
    long status = 0;

    vnrs_strbuf_printf(&url, "http://vnrs%s", path);
    if (!curl || url.failed || (body && !text))
        goto out;
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
    curl_easy_setopt(curl, CURLOPT_URL, url.text);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    if (text) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(text));
    }
    CURLcode rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    tell(method, path, curl, rc, status);
    curl_slist_free_all(headers);
    answer.status = (int)status;
    answer.exit = rc == CURLE_OK ? exit_of_status(status) : exit_of_socket(socket);
    if (rc == CURLE_OK && reply.text)
        answer.json = json_loadb(reply.text, reply.len, JSON_REJECT_DUPLICATES, NULL);
out:
    if (curl)
        curl_easy_cleanup(curl);
    vnrs_strbuf_fini(&reply);
    vnrs_strbuf_fini(&url);
    return answer;
}

struct stream {
    CURL *curl;
    const struct vnrs_stream_reader *reader;
    struct vnrs_strbuf refusal;
};

static bool is_agreed(const struct stream *stream)
{
    long status = 0;

    curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

// Called with each line of the head; an empty one ends it.
static size_t on_head(char *line, size_t size, size_t n, void *arg)
{
    const struct stream *stream = arg;

    if (size * n == strlen("\r\n") && stream->reader->begun && is_agreed(stream))
        stream->reader->begun(stream->reader->arg);
    (void)line;
    return size * n;
}

static size_t pass_on(char *bytes, size_t size, size_t n, void *arg)
{
    struct stream *stream = arg;

    if (is_agreed(stream))
        return stream->reader->piece(stream->reader->arg, bytes, size * n) ? size * n : 0;
    return collect(bytes, size, n, &stream->refusal);
}

// Called about once a second, and when a signal came.
static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
    const volatile sig_atomic_t *stop = arg;

    (void)total, (void)now, (void)up_total, (void)up_now;
    return *stop != 0;
}

struct vnrs_answer vnrs_client_stream(const char *socket, const char *path, const struct vnrs_stream_reader *reader)
{
    struct vnrs_answer answer = {.exit = VNRS_EXIT_FAILED};
    struct stream stream = {.curl = curl_easy_init(), .reader = reader};
    struct vnrs_strbuf url = {0};
    long status = 0;

    vnrs_strbuf_printf(&url, "http://vnrs%s", path);
    if (stream.curl && !url.failed) {
        curl_easy_setopt(stream.curl, CURLOPT_UNIX_SOCKET_PATH, socket);
        curl_easy_setopt(stream.curl, CURLOPT_URL, url.text);
        curl_easy_setopt(stream.curl, CURLOPT_HEADERFUNCTION, on_head);
        curl_easy_setopt(stream.curl, CURLOPT_HEADERDATA, &stream);
        curl_easy_setopt(stream.curl, CURLOPT_WRITEFUNCTION, pass_on);
        curl_easy_setopt(stream.curl, CURLOPT_WRITEDATA, &stream);
        curl_easy_setopt(stream.curl, CURLOPT_NOSIGNAL, 1L);
        if (reader->stop) {
            curl_easy_setopt(stream.curl, CURLOPT_XFERINFOFUNCTION, on_progress);
            curl_easy_setopt(stream.curl, CURLOPT_XFERINFODATA, (void *)reader->stop);
            curl_easy_setopt(stream.curl, CURLOPT_NOPROGRESS, 0L);
        }
        CURLcode rc = curl_easy_perform(stream.curl);
        curl_easy_getinfo(stream.curl, CURLINFO_RESPONSE_CODE, &status);
        tell("GET", path, stream.curl, rc, status);
        answer.status = (int)status;
        answer.exit = rc == CURLE_OK ? exit_of_status(status) : status ? VNRS_EXIT_FAILED : exit_of_socket(socket);
        if (stream.refusal.text)
            answer.json = json_loadb(stream.refusal.text, stream.refusal.len, JSON_REJECT_DUPLICATES, NULL);
    }
    if (stream.curl)
        curl_easy_cleanup(stream.curl);
    vnrs_strbuf_fini(&stream.refusal);
    vnrs_strbuf_fini(&url);
    return answer;
}

int vnrs_answer_complain(const struct vnrs_answer *answer, const char *socket)
{
    const char *message = NULL, *help = NULL;
    const json_t *error = json_object_get(answer->json, "error");

    if (answer->exit == VNRS_EXIT_OK)
        return VNRS_EXIT_OK;
    if (answer->status == 0 && answer->exit == VNRS_EXIT_NOT_PERMITTED) {
        (void)fprintf(stderr, "vnrs: error: may not use %s: permission denied\n", socket);
        (void)fputs("help: run it with sudo, or join the group: sudo usermod -aG vnrs $USER\n", stderr);
        return answer->exit;
    }
    if (answer->status == 0) {
        (void)fprintf(stderr, "vnrs: error: no vnrsd answers on %s\n", socket);
        (void)fputs("help: start it with 'sudo systemctl start vnrsd' or 'sudo vnrsd &'\n", stderr);
        return answer->exit;
    }
    message = json_string_value(json_object_get(error, "message"));
    help = json_string_value(json_object_get(error, "help"));
    (void)fprintf(stderr, "vnrs: error: %s\n", message ? message : "the daemon answered without saying why");
    if (help && *help)
        (void)fprintf(stderr, "help: %s\n", help);
    return answer->exit;
}

struct vnrs_answer vnrs_client_lab_request(const char *socket, const char *method, const char *lab, const char *suffix)
{
    struct vnrs_strbuf path = {0};
    char *name = curl_easy_escape(NULL, lab, 0);

    vnrs_strbuf_printf(&path, "/v1/labs/%s%s", name ? name : "", suffix);
    struct vnrs_answer answer = vnrs_client_request(socket, method, path.text ? path.text : "/", NULL);
    curl_free(name);
    vnrs_strbuf_fini(&path);
    return answer;
}

void vnrs_client_param(struct vnrs_strbuf *path, const char *name, const char *value)
{
    char *escaped = curl_easy_escape(NULL, value, 0);

    vnrs_strbuf_printf(path, "%c%s=%s", path->text && strchr(path->text, '?') ? '&' : '?', name,
                       escaped ? escaped : "");
    curl_free(escaped);
}

char *vnrs_client_path(const char *path, const char *name, const char *value, const char *name2, const char *value2)
{
    struct vnrs_strbuf buf = {0};

    vnrs_strbuf_printf(&buf, "%s", path);
    vnrs_client_param(&buf, name, value);
    if (name2)
        vnrs_client_param(&buf, name2, value2 ? value2 : "");
    return vnrs_strbuf_take(&buf);
}
