/* A child that counts, and starts and ends in every way there is. */
#include "theater.h"

#define CHILD "test:family/child"

enum { REFUSES = 1001, ENDS_AT_ONCE = 1002, PANICS = 1003 };

STATE("record child { count: u32 }")

/* The count it is given also says how its start is to go. */
INIT
{
    if (is_none(given))
        return done(record(field("count", u32(0))));
    switch (as_u32(get(given, "count"))) {
    case REFUSES:
        return fail("not today");
    case ENDS_AT_ONCE:
        shutdown(some(bytes("at once", 7)));
        break;
    case PANICS:
        panic();
    }
    return done(given);
}

EXPORT(add, CHILD, "add", "(by: u32) -> u32")
{
    uint32_t sum = as_u32(get(state, "count")) + as_u32(param[0]);
    return ok(record(field("count", u32(sum))), u32(sum));
}

EXPORT(finish, CHILD, "finish", "(how: string)")
{
    shutdown(some(bytes(as_text(param[0]), length(param[0]))));
    return done(state);
}

EXPORT(crash, CHILD, "crash", "()")
{
    panic();
}

EXPORT(spin, CHILD, "spin", "()")
{
    for (volatile uint32_t n = 0;; n++)
        ;
}
