/* The auditor: watches ledger and teller, so it comes last; when it falls, nobody else has to. */
#include "theater.h"

STATE("record audit { remarks: list<string> }")

INIT
{
    (void)given;
    write_log("the auditor opens a new book");
    return done(record(field("remarks", list_of(NULL, 0))));
}

EXPORT(remark, "bank:example/auditor", "remark", "(text: string) -> u32")
{
    value old = get(state, "remarks");
    uint32_t count = length(old) + 1;
    value *next = scratch(count * sizeof *next);
    for (uint32_t n = 0; n < count; n++)
        next[n] = n + 1 < count ? item(old, n) : param[0];
    return ok(record(field("remarks", list_of(next, count))), u32(count));
}

EXPORT(remarks, "bank:example/auditor", "remarks", "() -> list<string>")
{
    return ok(state, get(state, "remarks"));
}

EXPORT(crash, "bank:example/auditor", "crash", "()")
{
    write_log("the auditor is about to crash, as asked");
    panic();
}
