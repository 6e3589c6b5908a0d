/* The counter, in C. */
#include "theater.h"

STATE("record counter { count: u64 }")

static value counter(uint64_t count)
{
    return record(field("count", u64(count)));
}

INIT
{
    return done(is_none(given) ? counter(0) : given);
}

EXPORT(get_count, "example:counters/api", "get", "() -> u64")
{
    return ok(state, get(state, "count"));
}

EXPORT(add, "example:counters/api", "add", "(by: u32) -> u64")
{
    uint64_t sum = as_u64(get(state, "count")) + as_u32(param[0]);
    return ok(counter(sum), u64(sum));
}

EXPORT(set, "example:counters/api", "set", "(count: u64)")
{
    return done(counter(as_u64(param[0])));
}

EXPORT(decline, "example:counters/api", "fail", "()")
{
    return fail("declined, as you asked");
}
