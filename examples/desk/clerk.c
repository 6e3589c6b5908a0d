/* A clerk answers questions that come to the group "clerks", and hears what is said to the group "everybody". */
#include "theater.h"
#include "words.h"

#define MESSAGES "theater:simple/message-server-host"
#define CLIENT "theater:simple/message-server-client"

STATE("record clerk { answered: u32, heard: list<string> }")

IMPORT(take_messages, MESSAGES, "register", "() -> result<_, string>")
IMPORT(join, "theater:simple/names", "join", "(group: string, mode: string) -> result<_, string>")

static value clerk(value answered, value heard) { return record(field("answered", answered), field("heard", heard)); }

INIT
{
    (void)given;
    call_without(take_messages);
    call(join, text("clerks"), text("round-robin"));
    call(join, text("everybody"), text("broadcast"));
    return done(clerk(u32(0), list_of(NULL, 0)));
}

EXPORT(on_request, CLIENT, "handle-request", "(request-id: string, msg: list<u8>) -> tuple<option<list<u8>>>")
{
    uint32_t answered = as_u32(get(state, "answered")) + 1;
    const char *question = words(param[1]);
    if (same(question, "the question that kills"))
        panic();
    value answer = octets(format("it is so (answer %u): %s", answered, question));
    return ok(clerk(u32(answered), get(state, "heard")), tuple(some(answer)));
}

EXPORT(on_send, CLIENT, "handle-send", "(msg: list<u8>)")
{
    return done(clerk(get(state, "answered"), with(get(state, "heard"), words(param[0]))));
}

EXPORT(answered, "desk:example/clerk", "answered", "() -> u32") { return ok(state, get(state, "answered")); }

EXPORT(heard, "desk:example/clerk", "heard", "() -> list<string>") { return ok(state, get(state, "heard")); }
