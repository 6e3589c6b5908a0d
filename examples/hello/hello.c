/* One actor, one function: greet somebody, and say so in the log. */
#include "theater.h"

NO_STATE

INIT
{
    (void)given;
    write_log("hello is ready");
    return done(unit());
}

EXPORT(greet, "hello:example/greeter", "greet", "(name: string) -> string")
{
    const char *name = as_text(param[0]);
    if (same(name, ""))
        return fail("greet: the name is empty");
    write_log(format("greeting %s", name));
    return ok(state, text(format("Hello, %s!", name)));
}
