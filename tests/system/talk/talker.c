/* An actor that passes every function for talking to others on to whoever calls it, and writes down what it is told. */
#include "../asked.h"

#define MESSAGES "theater:simple/message-server-host"
#define CLIENT "theater:simple/message-server-client"
#define NAMES "theater:simple/names"
#define TALK "test:talk/api"

STATE("record talker { notes: list<string> }")

IMPORT(enlist, MESSAGES, "register", "() -> result<_, string>")
IMPORT(post, MESSAGES, "send", "(actor-id: string, msg: list<u8>) -> result<_, string>")
IMPORT(request, MESSAGES, "request", "(actor-id: string, msg: list<u8>) -> result<list<u8>, string>")
IMPORT(outstanding, MESSAGES, "list-outstanding-requests", "() -> list<string>")
IMPORT(respond, MESSAGES, "respond-to-request", "(request-id: string, response: list<u8>) -> result<_, string>")
IMPORT(withdraw, MESSAGES, "cancel-request", "(request-id: string) -> result<_, string>")
IMPORT(dial, MESSAGES, "open-channel", "(actor-id: string, initial-msg: list<u8>) -> result<string, string>")
IMPORT(say, MESSAGES, "send-on-channel", "(channel-id: string, msg: list<u8>) -> result<_, string>")
IMPORT(hang_up, MESSAGES, "close-channel", "(channel-id: string) -> result<_, string>")
IMPORT(rpc, "theater:simple/rpc", "call",
       "(actor-id: string, function: string, params: value, options: value) -> value")
IMPORT(implements, "theater:simple/rpc", "implements", "(actor-id: string, interface: string) -> value")
IMPORT(exports, "theater:simple/rpc", "exports", "(actor-id: string) -> value")
IMPORT(be_named, NAMES, "register", "(name: string) -> result<_, string>")
IMPORT(be_nameless, NAMES, "unregister", "(name: string) -> result<_, string>")
IMPORT(whereis, NAMES, "whereis", "(name: string) -> result<option<string>, string>")
IMPORT(join, NAMES, "join", "(group: string, mode: string) -> result<_, string>")
IMPORT(leave, NAMES, "leave", "(group: string) -> result<_, string>")
IMPORT(members, NAMES, "members", "(name: string) -> result<list<string>, string>")

/* -- helpers -- */

static value octets(const char *it) { return bytes(it, length(text(it))); }

static bool begins(const char *it, const char *with)
{
    while (*with)
        if (*it++ != *with++)
            return false;
    return true;
}

static value noted(value state, const char *note)
{
    return record(field("notes", with_note(get(state, "notes"), note)));
}

static void compute(void)
{
    for (volatile uint32_t n = 0; n < 60000000; n++)
        ;
}

INIT
{
    if (is_none(given)) {
        call_without(enlist);
        return done(record(field("notes", list_of(NULL, 0))));
    }
    return done(given);
}

/* -- what the test asks for -- */

EXPORT(do_enlist, TALK, "register", "()") { return settled(state, call_without(enlist)); }
EXPORT(do_post, TALK, "send", "(to: string, msg: string)")
{
    return settled(state, call(post, param[0], octets(as_text(param[1]))));
}
EXPORT(do_post_many, TALK, "send-many", "(to: string, count: u32)")
{
    for (uint32_t n = 0; n < as_u32(param[1]); n++) {
        value sent = call(post, param[0], octets(format("%u", n)));
        if (!is_ok(sent))
            return fail(format("%u: %s", n, as_text(payload(sent))));
    }
    return done(state);
}
EXPORT(do_request, TALK, "request", "(to: string, msg: string) -> string")
{
    value got = call(request, param[0], octets(as_text(param[1])));
    return is_ok(got) ? ok(state, text(words(payload(got)))) : fail(as_text(payload(got)));
}
EXPORT(do_outstanding, TALK, "outstanding", "() -> list<string>") { return ok(state, call_without(outstanding)); }
EXPORT(do_respond, TALK, "respond", "(id: string, msg: string)")
{
    return settled(state, call(respond, param[0], octets(as_text(param[1]))));
}
EXPORT(do_withdraw, TALK, "cancel", "(id: string)") { return settled(state, call(withdraw, param[0])); }
EXPORT(do_dial, TALK, "open", "(to: string, msg: string) -> string")
{
    return passed_on(state, call(dial, param[0], octets(as_text(param[1]))));
}
EXPORT(do_say, TALK, "say", "(channel: string, msg: string)")
{
    return settled(state, call(say, param[0], octets(as_text(param[1]))));
}
EXPORT(do_hang_up, TALK, "close", "(channel: string)") { return settled(state, call(hang_up, param[0])); }
EXPORT(do_rpc, TALK, "call", "(to: string, function: string, params: value, timeout-ms: option<u64>) -> value")
{
    value options = some(record(field("timeout-ms", param[3])));
    return ok(state, call(rpc, param[0], param[1], param[2], options));
}
EXPORT(do_implements, TALK, "implements", "(to: string, interface: string) -> value")
{
    return ok(state, call(implements, param[0], param[1]));
}
EXPORT(do_exports, TALK, "exports", "(to: string) -> value") { return ok(state, call(exports, param[0])); }
EXPORT(do_name, TALK, "name", "(name: string)") { return settled(state, call(be_named, param[0])); }
EXPORT(do_unname, TALK, "unname", "(name: string)") { return settled(state, call(be_nameless, param[0])); }
EXPORT(do_whereis, TALK, "whereis", "(name: string) -> option<string>")
{
    return passed_on(state, call(whereis, param[0]));
}
EXPORT(do_join, TALK, "join", "(group: string, mode: string)") { return settled(state, call(join, param[0], param[1])); }
EXPORT(do_leave, TALK, "leave", "(group: string)") { return settled(state, call(leave, param[0])); }
EXPORT(do_members, TALK, "members", "(name: string) -> list<string>")
{
    return passed_on(state, call(members, param[0]));
}
EXPORT(do_notes, TALK, "notes", "() -> list<string>") { return ok(state, get(state, "notes")); }
EXPORT(do_crash, TALK, "crash", "()") { panic(); }
EXPORT(do_compute, TALK, "compute", "()")
{
    compute();
    return done(state);
}
EXPORT(do_spin, TALK, "spin", "()")
{
    for (volatile uint32_t n = 0;; n++)
        ;
}
EXPORT(do_add, TALK, "add", "(one: u32, other: u32) -> u32")
{
    return ok(state, u32(as_u32(param[0]) + as_u32(param[1])));
}

/* -- what others send -- */

EXPORT(on_send, CLIENT, "handle-send", "(msg: list<u8>)")
{
    const char *message = words(param[0]);
    if (same(message, "crash"))
        panic();
    if (same(message, "decline"))
        return fail("no, thank you");
    if (same(message, "compute"))
        compute();
    return done(noted(state, format("send %s", message)));
}

EXPORT(on_request, CLIENT, "handle-request", "(request-id: string, msg: list<u8>) -> tuple<option<list<u8>>>")
{
    const char *message = words(param[1]);
    if (same(message, "crash"))
        panic();
    if (same(message, "decline"))
        return fail("no, thank you");
    value next = noted(state, format("request %s", message));
    if (begins(message, "later"))
        return ok(next, tuple(none()));
    if (same(message, "inside")) {
        call(respond, param[0], octets("from inside"));
        return ok(next, tuple(none()));
    }
    if (same(message, "which")) {
        value ids = call_without(outstanding);
        return ok(next, tuple(some(octets(format("%u", length(ids))))));
    }
    return ok(next, tuple(some(octets(format("you said %s", message)))));
}

EXPORT(on_open, CLIENT, "handle-channel-open",
       "(channel-id: string, initial: list<u8>) -> tuple<record accept { accepted: bool }>")
{
    const char *message = words(param[1]);
    if (same(message, "crash"))
        panic();
    value next = noted(state, format("open %s %s", as_text(param[0]), message));
    return ok(next, tuple(record(field("accepted", boolean(!same(message, "no"))))));
}

EXPORT(on_message, CLIENT, "handle-channel-message", "(channel-id: string, msg: list<u8>)")
{
    return done(noted(state, format("said %s %s", as_text(param[0]), words(param[1]))));
}

EXPORT(on_close, CLIENT, "handle-channel-close", "(channel-id: string)")
{
    return done(noted(state, format("closed %s", as_text(param[0]))));
}
