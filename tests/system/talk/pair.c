/* One of two that talk a lot: what it is asked to do it does so many times before it answers. */
#include "theater.h"

#define MESSAGES "theater:simple/message-server-host"
#define CLIENT "theater:simple/message-server-client"
#define PAIR "test:talk/pair"

STATE("u32")

IMPORT(enlist, MESSAGES, "register", "() -> result<_, string>")
IMPORT(post, MESSAGES, "send", "(actor-id: string, msg: list<u8>) -> result<_, string>")
IMPORT(request, MESSAGES, "request", "(actor-id: string, msg: list<u8>) -> result<list<u8>, string>")
IMPORT(rpc, "theater:simple/rpc", "call",
       "(actor-id: string, function: string, params: value, options: value) -> value")

static answer counted(value state) { return done(u32(as_u32(state) + 1)); }

INIT
{
    (void)given;
    call_without(enlist);
    return done(u32(0));
}

EXPORT(do_requests, PAIR, "requests", "(to: string, count: u32)")
{
    for (uint32_t n = 0; n < as_u32(param[1]); n++) {
        value got = call(request, param[0], bytes("ping", 4));
        if (!is_ok(got))
            return fail(as_text(payload(got)));
    }
    return done(state);
}

EXPORT(do_calls, PAIR, "calls", "(to: string, count: u32)")
{
    for (uint32_t n = 0; n < as_u32(param[1]); n++) {
        value got = payload(call(rpc, param[0], text(PAIR ".count"), tuple(u32(1)), none()));
        if (!is_case(got, "ok"))
            return fail(as_text(payload(got)));
    }
    return done(state);
}

/* The request at the end is answered when everything sent before it has been handled. */
EXPORT(do_sends, PAIR, "sends", "(to: string, count: u32)")
{
    for (uint32_t n = 0; n < as_u32(param[1]); n++) {
        value sent = call(post, param[0], bytes("ping", 4));
        if (!is_ok(sent))
            return fail(as_text(payload(sent)));
    }
    value got = call(request, param[0], bytes("ping", 4));
    return is_ok(got) ? done(state) : fail(as_text(payload(got)));
}

EXPORT(do_count, PAIR, "count", "(by: u32) -> u32") { return ok(state, param[0]); }
EXPORT(on_send, CLIENT, "handle-send", "(msg: list<u8>)") { return counted(state); }
EXPORT(on_request, CLIENT, "handle-request", "(request-id: string, msg: list<u8>) -> tuple<option<list<u8>>>")
{
    return ok(state, tuple(some(param[1])));
}
