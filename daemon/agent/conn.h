// SPDX-License-Identifier: GPL-2.0-or-later
// The agent's end of the pair to the controller: requests in, one after the other; replies and events out. While the
// controller does not read its replies, no further request is taken.
#pragma once

#include "agent/agentd.h"

// Takes `fd` (also on failure).
int vnrs_agentd_conn_new(struct vnrs_agentd *ad, int fd, struct vnrs_agentd_conn **ret_conn) VNRS_MUST_CHECK;
void vnrs_agentd_conn_free(struct vnrs_agentd_conn *conn); // accepts NULL

// All accept NULL: nobody is there, and a new controller asks for everything anyway. What cannot be queued (memory)
// ends the connection.
void vnrs_agentd_conn_event(struct vnrs_agentd_conn *conn, enum vnrs_ag_event_kind kind, const struct vnrs_ag_obj *obj,
                            const char *text);
void vnrs_agentd_conn_tunnel(struct vnrs_agentd_conn *conn, const struct vnrs_ag_obj *obj, enum vnrs_tunnel_state state,
                             const char *text);
void vnrs_agentd_conn_speaker(struct vnrs_agentd_conn *conn, const struct vnrs_ag_obj *obj, pid_t pid, int control_fd);
// `n` structs of `size` bytes, in as many messages as needed.
void vnrs_agentd_conn_items(struct vnrs_agentd_conn *conn, uint32_t seq, enum vnrs_agent_msg type, const void *items,
                            size_t size, size_t n);
void vnrs_agentd_conn_record(struct vnrs_agentd_conn *conn, uint32_t seq, const char *lab, const void *bytes,
                             size_t size);
// Whether everything that was sent has been taken, but for a little: only then there is room for what can be lost.
bool vnrs_agentd_conn_is_idle(const struct vnrs_agentd_conn *conn);
// `head->n` events, `size` bytes of them, now or never. False: not sent.
bool vnrs_agentd_conn_flows(struct vnrs_agentd_conn *conn, const struct vnrs_ag_flow_events *head, const void *events,
                            size_t size);
// `fd` -1: none goes with it; it stays the caller's.
void vnrs_agentd_conn_reply(struct vnrs_agentd_conn *conn, uint32_t seq, const struct vnrs_ag_reply *reply, int fd);
