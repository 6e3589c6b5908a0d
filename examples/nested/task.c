/* One package, many actors: every leaf of this tree is this program with another name in its state. */
#include "theater.h"

STATE("record task { name: string, steps: u32 }")

INIT
{
    if (is_none(given))
        return fail("a task needs a state, such as {name: reader, steps: 0}");
    write_log(format("task %s begins", as_text(get(given, "name"))));
    return done(given);
}

EXPORT(step, "nested:example/task", "step", "() -> u32")
{
    uint32_t steps = as_u32(get(state, "steps")) + 1;
    return ok(record(field("name", get(state, "name")), field("steps", u32(steps))), u32(steps));
}

/* End in good order: the reason is `normal`, so a transient child is not started again, and a significant one lets its
 * supervisor know that the work is done. */
EXPORT(finish, "nested:example/task", "finish", "()")
{
    write_log(format("task %s is finished", as_text(get(state, "name"))));
    shutdown(none());
    return done(state);
}

EXPORT(crash, "nested:example/task", "crash", "()")
{
    panic();
}
