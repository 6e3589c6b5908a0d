/* An actor that starts, stops and restarts other actors, and keeps count of how they end.
 *
 * It asks the supervisor for everything (theater:simple/supervisor); the children's processes are the supervisor's to
 * watch, and it tells the manager about every end by calling one of the three handlers at the bottom.
 */
#include "theater.h"

#define MANAGER "record manager { hired: u32, finished: u32, failed: u32, stopped: u32, last: string }"
#define HANDLERS "theater:simple/supervisor-handlers"

STATE(MANAGER)

static uint32_t number(value state, const char *name)
{
    return as_u32(get(state, name));
}

INIT
{
    if (!is_none(given))
        return done(given);
    return done(record(field("hired", u32(0)), field("finished", u32(0)), field("failed", u32(0)),
                       field("stopped", u32(0)), field("last", text("nothing happened yet"))));
}

/* The same record with one of the counters grown by one, and a new last word. */
static value counted(value state, const char *which, const char *last)
{
    const char *names[] = {"hired", "finished", "failed", "stopped"};
    theater_field fields[5];
    for (int n = 0; n < 4; n++)
        fields[n] = field(names[n], u32(number(state, names[n]) + same(names[n], which)));
    fields[4] = field("last", text(last));
    return theater_record(5, fields);
}

/* Pass on what a host function answered: its error declines our own call. */
static answer settled(value state, value result)
{
    return is_ok(result) ? done(state) : fail(as_text(payload(result)));
}

EXPORT(hire, "dynamic:example/manager", "hire", "(name: string) -> string")
{
    value first = record(field("name", param[0]), field("jobs", u32(0)));
    value child = spawn("worker.toml", some(first));  /* a manifest beside ours */
    if (!is_ok(child))
        return fail(as_text(payload(child)));
    const char *id = as_text(payload(child));
    return ok(counted(state, "hired", format("hired %s as %s", as_text(param[0]), id)), text(id));
}

EXPORT(staff, "dynamic:example/manager", "staff", "() -> list<string>")
{
    value children = list_children();
    return is_ok(children) ? ok(state, payload(children)) : fail(as_text(payload(children)));
}

EXPORT(look_at, "dynamic:example/manager", "look-at", "(id: string) -> value")
{
    value found = child_state(as_text(param[0]));
    return is_ok(found) ? ok(state, payload(found)) : fail(as_text(payload(found)));
}

EXPORT(dismiss, "dynamic:example/manager", "dismiss", "(id: string)")
{
    return settled(state, stop_child(as_text(param[0])));
}

EXPORT(restart, "dynamic:example/manager", "restart", "(id: string)")
{
    return settled(state, restart_child(as_text(param[0])));
}

EXPORT(report, "dynamic:example/manager", "report", "() -> " MANAGER)
{
    return ok(state, state);
}

/* -- what the supervisor tells us; these are optional, and called only because they are there -- */

EXPORT(on_exit, HANDLERS, "handle-child-exit", "(child-id: string, result: option<list<u8>>)")
{
    return done(counted(state, "finished", format("%s finished", as_text(param[0]))));
}

EXPORT(on_error, HANDLERS, "handle-child-error", "(child-id: string, error: value)")
{
    return done(counted(state, "failed", format("%s failed", as_text(param[0]))));
}

EXPORT(on_external_stop, HANDLERS, "handle-child-external-stop", "(child-id: string)")
{
    return done(counted(state, "stopped", format("%s was stopped", as_text(param[0]))));
}
