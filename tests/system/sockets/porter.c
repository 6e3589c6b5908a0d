/* An actor that passes every function of tcp on to whoever calls it, does with connections what it was told to do,
   and writes down what it is told. */
#include "../asked.h"

#define TCP "theater:simple/tcp"
#define CLIENT "theater:simple/tcp-client"
#define PORTER "test:sockets/porter"

/* manner: keep, echo, pass (to the target), pass-and-wait, refuse, trap */
STATE("record porter { manner: string, target: string, last: string, notes: list<string> }")

IMPORT(tcp_connect, TCP, "connect", "(address: string) -> result<string, string>")
IMPORT(tcp_listen, TCP, "listen", "(address: string) -> result<string, string>")
IMPORT(tcp_accept, TCP, "accept", "(listener-id: string) -> result<string, string>")
IMPORT(tcp_activate, TCP, "activate", "(connection-id: string) -> result<_, string>")
IMPORT(tcp_set_active, TCP, "set-active", "(connection-id: string, mode: string) -> result<_, string>")
IMPORT(tcp_transfer, TCP, "transfer", "(connection-id: string, target-actor: string) -> result<_, string>")
IMPORT(tcp_transfer_async, TCP, "transfer-async", "(connection-id: string, target-actor: string) -> result<_, string>")
IMPORT(tcp_peer, TCP, "peer-address", "(connection-id: string) -> result<string, string>")
IMPORT(tcp_local, TCP, "local-address", "(id: string) -> result<string, string>")
IMPORT(tcp_send, TCP, "send", "(connection-id: string, data: list<u8>) -> result<u64, string>")
IMPORT(tcp_receive, TCP, "receive", "(connection-id: string, max-bytes: u32) -> result<list<u8>, string>")
IMPORT(tcp_close, TCP, "close", "(connection-id: string) -> result<_, string>")
IMPORT(tcp_close_listener, TCP, "close-listener", "(listener-id: string) -> result<_, string>")
IMPORT(tcp_server, TCP, "upgrade-to-tls-server", "(connection-id: string) -> result<_, string>")
IMPORT(tcp_client, TCP, "upgrade-to-tls-client", "(connection-id: string, server-name: string) -> result<_, string>")

static value porter(value manner, value target, value last, value notes)
{
    return record(field("manner", manner), field("target", target), field("last", last), field("notes", notes));
}

INIT
{
    return done(is_none(given) ? porter(text("keep"), text(""), text(""), list_of(NULL, 0)) : given);
}

EXPORT(be, PORTER, "be", "(manner: string, target: string)")
{
    return done(porter(param[0], param[1], get(state, "last"), get(state, "notes")));
}

EXPORT(last, PORTER, "last", "() -> string")
{
    return ok(state, get(state, "last"));
}

EXPORT(notes, PORTER, "notes", "() -> list<string>")
{
    return ok(state, get(state, "notes"));
}

EXPORT(do_connect, PORTER, "connect", "(address: string) -> string")
{
    return passed_on(state, call(tcp_connect, param[0]));
}

EXPORT(do_listen, PORTER, "listen", "(address: string) -> string")
{
    return passed_on(state, call(tcp_listen, param[0]));
}

EXPORT(do_accept, PORTER, "accept", "(id: string) -> string")
{
    return passed_on(state, call(tcp_accept, param[0]));
}

EXPORT(do_activate, PORTER, "activate", "(id: string)")
{
    return settled(state, call(tcp_activate, param[0]));
}

EXPORT(do_set_active, PORTER, "set-active", "(id: string, mode: string)")
{
    return settled(state, call(tcp_set_active, param[0], param[1]));
}

EXPORT(do_transfer, PORTER, "transfer", "(id: string, target: string)")
{
    return settled(state, call(tcp_transfer, param[0], param[1]));
}

EXPORT(do_transfer_async, PORTER, "transfer-async", "(id: string, target: string)")
{
    return settled(state, call(tcp_transfer_async, param[0], param[1]));
}

EXPORT(do_peer, PORTER, "peer-address", "(id: string) -> string")
{
    return passed_on(state, call(tcp_peer, param[0]));
}

EXPORT(do_local, PORTER, "local-address", "(id: string) -> string")
{
    return passed_on(state, call(tcp_local, param[0]));
}

EXPORT(do_send, PORTER, "send", "(id: string, data: list<u8>) -> u64")
{
    return passed_on(state, call(tcp_send, param[0], param[1]));
}

EXPORT(do_receive, PORTER, "receive", "(id: string, max: u32) -> list<u8>")
{
    return passed_on(state, call(tcp_receive, param[0], param[1]));
}

EXPORT(do_close, PORTER, "close", "(id: string)")
{
    return settled(state, call(tcp_close, param[0]));
}

EXPORT(do_close_listener, PORTER, "close-listener", "(id: string)")
{
    return settled(state, call(tcp_close_listener, param[0]));
}

EXPORT(do_server, PORTER, "upgrade-to-tls-server", "(id: string)")
{
    return settled(state, call(tcp_server, param[0]));
}

EXPORT(do_client, PORTER, "upgrade-to-tls-client", "(id: string, name: string)")
{
    return settled(state, call(tcp_client, param[0], param[1]));
}

/* Wait for something on one connection; then go back to passive mode on another, and read that. */
EXPORT(go_back, PORTER, "go-back", "(waited-for: string, id: string) -> list<u8>")
{
    value waited = call(tcp_receive, param[0], u32(1));
    if (!is_ok(waited))
        return fail(as_text(payload(waited)));
    value set = call(tcp_set_active, param[1], text("passive"));
    if (!is_ok(set))
        return fail(as_text(payload(set)));
    return passed_on(state, call(tcp_receive, param[1], u32(100)));
}

EXPORT(crash, PORTER, "crash", "()")
{
    panic();
}

/* -- what the host tells us -- */

static answer noted(value state, value id, const char *note)
{
    return done(porter(get(state, "manner"), get(state, "target"), id, with_note(get(state, "notes"), note)));
}

static bool is(value state, const char *manner)
{
    return same(as_text(get(state, "manner")), manner);
}

EXPORT(on_connection, CLIENT, "handle-connection", "(connection-id: string)")
{
    value id = param[0], done_so_far = NULL;
    if (is(state, "refuse"))
        return fail("not today");
    if (is(state, "pass"))
        done_so_far = call(tcp_transfer_async, id, get(state, "target"));
    else if (is(state, "pass-and-wait"))
        done_so_far = call(tcp_transfer, id, get(state, "target"));
    else if (is(state, "echo")) {
        done_so_far = call(tcp_activate, id);
        if (is_ok(done_so_far))
            done_so_far = call(tcp_set_active, id, text("active"));
    }
    if (done_so_far != NULL && !is_ok(done_so_far))
        return noted(state, id, format("connection, but %s", as_text(payload(done_so_far))));
    return noted(state, id, "connection");
}

EXPORT(on_transfer, CLIENT, "handle-connection-transfer", "(connection-id: string)")
{
    if (is(state, "refuse"))
        return fail("not today");
    if (is(state, "trap"))
        panic();
    if (is(state, "echo") && !is_ok(call(tcp_set_active, param[0], text("active"))))
        return fail("it cannot be made active");
    return noted(state, param[0], "transfer");
}

EXPORT(on_data, CLIENT, "on-data", "(connection-id: string, data: list<u8>)")
{
    if (is(state, "echo") && !is_ok(call(tcp_send, param[0], param[1])))
        return fail("it cannot be sent");
    return noted(state, param[0], format("data %u", length(param[1])));
}

EXPORT(on_close, CLIENT, "on-close", "(connection-id: string, reason: string)")
{
    return noted(state, param[0], format("close %s", as_text(param[1])));
}
