/* One member of a ring: what it is given, a token with the number of its pass, it gives to the next, counted up. */
#include "theater.h"

#define MESSAGES "theater:simple/message-server-host"

STATE("record member { next: string, passes: u64, newest: u64 }")

IMPORT(enlist, MESSAGES, "register", "() -> result<_, string>")
IMPORT(post, MESSAGES, "send", "(actor-id: string, msg: list<u8>) -> result<_, string>")

INIT
{
    call_without(enlist);
    return done(given);
}

/* "GENERATION PASS END": pass it on until the end; a token of an older generation has been given up for lost. */
EXPORT(on_send, "theater:simple/message-server-client", "handle-send", "(msg: list<u8>)")
{
    uint64_t number[3] = {0, 0, 0};
    uint32_t at = 0;
    for (uint32_t n = 0; n < length(param[0]); n++) {
        uint8_t c = as_bytes(param[0])[n];
        if (c == ' ')
            at++;
        else
            number[at] = number[at] * 10 + (c - '0');
    }
    if (number[0] < as_u64(get(state, "newest")))
        return done(state);
    const char *next = as_text(get(state, "next"));
    value after = record(field("next", text(next)), field("passes", u64(number[1])), field("newest", u64(number[0])));
    if (number[1] < number[2]) {
        const char *token = format("%llu %llu %llu", number[0], number[1] + 1, number[2]);
        call(post, text(next), bytes(token, length(text(token))));
    }
    return done(after);
}
