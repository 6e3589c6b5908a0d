/* An actor that passes every supervision function on to whoever calls it, and writes down what it is told. */
#include "../asked.h"

#define SUPERVISOR "theater:simple/supervisor"
#define HANDLERS "theater:simple/supervisor-handlers"
#define PARENT "test:family/parent"

STATE("record parent { first: string, notes: list<string> }")

IMPORT(spawn_and_wait, SUPERVISOR, "spawn-and-wait",
       "(manifest: string, init-state: option<value>, wasm-bytes: option<list<u8>>, timeout-ms: option<u64>)"
       " -> result<option<list<u8>>, string>")
IMPORT(resume, SUPERVISOR, "resume",
       "(manifest: string, state-bytes: option<list<u8>>, wasm-bytes: option<list<u8>>) -> result<string, string>")
IMPORT(kill_child, SUPERVISOR, "kill-child", "(child-id: string) -> result<_, string>")
IMPORT(subscribe, SUPERVISOR, "subscribe-to-child", "(child-id: string) -> result<_, string>")
IMPORT(unsubscribe, SUPERVISOR, "unsubscribe-from-child", "(child-id: string) -> result<_, string>")
IMPORT(child_events, SUPERVISOR, "get-child-events",
       "(child-id: string) -> result<list<tuple<u64, string, list<u8>>>, string>")
IMPORT(child_status, SUPERVISOR, "child-status", "(child-id: string) -> result<value, string>")
IMPORT(child_metrics, SUPERVISOR, "child-metrics", "(child-id: string) -> result<value, string>")

/* The state may name a manifest that is spawned before init returns. */
INIT
{
    if (is_none(given))
        return done(record(field("first", text("")), field("notes", list_of(NULL, 0))));
    const char *first = as_text(get(given, "first"));
    if (length(text(first)) > 0 && !is_ok(spawn(first, none())))
        return fail("the first child did not start");
    return done(given);
}

EXPORT(do_spawn, PARENT, "spawn", "(manifest: string) -> string")
{
    return passed_on(state, spawn(as_text(param[0]), none()));
}

EXPORT(do_spawn_with, PARENT, "spawn-with", "(manifest: string, state: value) -> string")
{
    return passed_on(state, spawn(as_text(param[0]), some(param[1])));
}

EXPORT(do_spawn_bytes, PARENT, "spawn-bytes", "(manifest: string, wasm: list<u8>) -> string")
{
    return passed_on(state, call(spawn, param[0], none(), some(param[1])));
}

EXPORT(do_spawn_and_wait, PARENT, "spawn-and-wait", "(manifest: string, timeout-ms: option<u64>) -> option<list<u8>>")
{
    return passed_on(state, call(spawn_and_wait, param[0], none(), none(), param[1]));
}

EXPORT(do_resume, PARENT, "resume", "(manifest: string) -> string")
{
    return passed_on(state, call(resume, param[0], none(), none()));
}

EXPORT(do_list, PARENT, "children", "() -> list<string>")
{
    return passed_on(state, list_children());
}

EXPORT(do_restart, PARENT, "restart", "(id: string)")
{
    return settled(state, restart_child(as_text(param[0])));
}

EXPORT(do_stop, PARENT, "stop", "(id: string)")
{
    return settled(state, stop_child(as_text(param[0])));
}

EXPORT(do_kill, PARENT, "kill", "(id: string)")
{
    return settled(state, call(kill_child, param[0]));
}

EXPORT(do_subscribe, PARENT, "subscribe", "(id: string)")
{
    return settled(state, call(subscribe, param[0]));
}

EXPORT(do_unsubscribe, PARENT, "unsubscribe", "(id: string)")
{
    return settled(state, call(unsubscribe, param[0]));
}

EXPORT(do_state, PARENT, "state-of", "(id: string) -> value")
{
    return passed_on(state, child_state(as_text(param[0])));
}

EXPORT(do_events, PARENT, "events-of", "(id: string) -> list<tuple<u64, string, list<u8>>>")
{
    return passed_on(state, call(child_events, param[0]));
}

EXPORT(do_status, PARENT, "status-of", "(id: string) -> value")
{
    return passed_on(state, call(child_status, param[0]));
}

EXPORT(do_metrics, PARENT, "metrics-of", "(id: string) -> value")
{
    return passed_on(state, call(child_metrics, param[0]));
}

EXPORT(do_notes, PARENT, "notes", "() -> list<string>")
{
    return ok(state, get(state, "notes"));
}

EXPORT(do_crash, PARENT, "crash", "()")
{
    panic();
}

EXPORT(do_leave, PARENT, "leave", "()")
{
    shutdown(none());
    return done(state);
}

/* -- what the supervisor tells us -- */

static answer noted(value state, const char *note)
{
    return done(record(field("first", get(state, "first")), field("notes", with_note(get(state, "notes"), note))));
}

/* The characters of an option<list<u8>>. */
static const char *words_if_any(value data)
{
    return is_none(data) ? "nothing" : words(payload(data));
}

EXPORT(on_exit, HANDLERS, "handle-child-exit", "(child-id: string, result: option<list<u8>>)")
{
    const char *how = words_if_any(param[1]);
    if (same(how, "trap"))
        panic();
    if (same(how, "decline"))
        return fail("I do not want to know");
    return noted(state, format("exit %s %s", as_text(param[0]), how));
}

EXPORT(on_error, HANDLERS, "handle-child-error", "(child-id: string, error: value)")
{
    return noted(state, format("error %s %s", as_text(param[0]), words_if_any(item(param[1], 1))));
}

EXPORT(on_stop, HANDLERS, "handle-child-external-stop", "(child-id: string)")
{
    return noted(state, format("stop %s", as_text(param[0])));
}

EXPORT(on_restarted, HANDLERS, "handle-child-restarted", "(child-id: string, incarnation: u64)")
{
    return noted(state, format("restarted %s %llu", as_text(param[0]), as_u64(param[1])));
}

EXPORT(on_event, HANDLERS, "handle-child-event", "(child-id: string, event-type: string, data: list<u8>)")
{
    return noted(state, format("event %s %s", as_text(param[0]), as_text(param[1])));
}
