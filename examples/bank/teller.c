/* The teller: numbers the customers of its shift. A shift is worth nothing without the ledger it was opened on. */
#include "theater.h"

STATE("record shift { served: u32 }")

INIT
{
    (void)given;
    write_log("the teller begins a shift");
    return done(record(field("served", u32(0))));
}

EXPORT(serve, "bank:example/teller", "serve", "(customer: string) -> string")
{
    uint32_t number = as_u32(get(state, "served")) + 1;
    value ticket = text(format("%s is number %u of this shift", as_text(param[0]), number));
    return ok(record(field("served", u32(number))), ticket);
}

EXPORT(crash, "bank:example/teller", "crash", "()")
{
    write_log("the teller is about to crash, as asked");
    panic();
}
