/* A session: started on request, any number of times, and gone when it is closed. */
#include "theater.h"

STATE("record session { pages: u32 }")

INIT
{
    return done(is_none(given) ? record(field("pages", u32(0))) : given);
}

EXPORT(visit, "dynamic:example/session", "visit", "(page: string) -> string")
{
    uint32_t pages = as_u32(get(state, "pages")) + 1;
    value seen = text(format("%s is page %u of this session", as_text(param[0]), pages));
    return ok(record(field("pages", u32(pages))), seen);
}

EXPORT(close, "dynamic:example/session", "close", "()")
{
    shutdown(none());
    return done(state);
}

EXPORT(crash, "dynamic:example/session", "crash", "()")
{
    panic();
}
