/* What the manager hires: does jobs, and ends well or badly on request. */
#include "theater.h"

STATE("record worker { name: string, jobs: u32 }")

INIT
{
    if (is_none(given))
        return fail("a worker needs a state, such as {name: ann, jobs: 0}");
    write_log(format("%s reports for work", as_text(get(given, "name"))));
    return done(given);
}

EXPORT(work, "dynamic:example/worker", "work", "() -> u32")
{
    uint32_t jobs = as_u32(get(state, "jobs")) + 1;
    return ok(record(field("name", get(state, "name")), field("jobs", u32(jobs))), u32(jobs));
}

/* End in good order and hand the parent a result. */
EXPORT(finish, "dynamic:example/worker", "finish", "()")
{
    const char *result = format("%s did %u jobs", as_text(get(state, "name")), as_u32(get(state, "jobs")));
    shutdown(some(bytes(result, length(text(result)))));
    return done(state);
}

EXPORT(crash, "dynamic:example/worker", "crash", "()")
{
    panic();
}
