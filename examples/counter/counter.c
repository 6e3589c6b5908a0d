/* State over calls: a number that can be read, added to and set, and three ways to go wrong on request. */
#include "theater.h"

STATE("record counter { count: u64 }")

static value counter(uint64_t count)
{
    return record(field("count", u64(count)));
}

/* The state in tree.yaml, {count: 0}, arrives here; without one the count begins at 0. */
INIT
{
    value first = is_none(given) ? counter(0) : given;
    write_log(format("counting from %llu", as_u64(get(first, "count"))));
    return done(first);
}

EXPORT(count, "counter:example/counter", "get", "() -> u64")
{
    return ok(state, get(state, "count"));
}

EXPORT(add, "counter:example/counter", "add", "(by: u32) -> u64")
{
    uint64_t sum = as_u64(get(state, "count")) + as_u32(param[0]);
    return ok(counter(sum), u64(sum));
}

EXPORT(set, "counter:example/counter", "set", "(count: u64)")
{
    return done(counter(as_u64(param[0])));
}

/* Decline: the caller gets the text as an error, the state stays, nobody dies. */
EXPORT(decline, "counter:example/counter", "fail", "()")
{
    return fail("declined, as you asked");
}

/* Crash: the process of this actor ends, and its supervisor decides what happens next. */
EXPORT(crash, "counter:example/counter", "crash", "()")
{
    panic();
}

/* Compute for ever: status and terminate still work, and the call's deadline ends it at last. */
EXPORT(spin, "counter:example/counter", "spin", "()")
{
    for (;;) {
    }
}
