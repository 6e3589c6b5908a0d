/* The desk has questions answered by whichever clerk's turn it is, and takes note of clerks that end. */
#include "theater.h"
#include "words.h"

#define MESSAGES "theater:simple/message-server-host"

STATE("record desk { notes: list<string> }")

IMPORT(request, MESSAGES, "request", "(actor-id: string, msg: list<u8>) -> result<list<u8>, string>")
IMPORT(post, MESSAGES, "send", "(actor-id: string, msg: list<u8>) -> result<_, string>")
IMPORT(be_named, "theater:simple/names", "register", "(name: string) -> result<_, string>")
IMPORT(monitor, "theater:simple/links", "monitor", "(actor: string) -> result<u64, string>")

INIT
{
    (void)given;
    call(be_named, text("desk"));
    return done(record(field("notes", list_of(NULL, 0))));
}

EXPORT(ask, "desk:example/desk", "ask", "(question: string) -> string")
{
    value answer = call(request, text("clerks"), octets(as_text(param[0])));
    return is_ok(answer) ? ok(state, text(words(payload(answer)))) : fail(as_text(payload(answer)));
}

EXPORT(announce, "desk:example/desk", "announce", "(news: string)")
{
    value sent = call(post, text("everybody"), octets(as_text(param[0])));
    return is_ok(sent) ? done(state) : fail(as_text(payload(sent)));
}

EXPORT(watch, "desk:example/desk", "watch", "(clerk: string)")
{
    value watching = call(monitor, param[0]);
    return is_ok(watching) ? done(state) : fail(as_text(payload(watching)));
}

EXPORT(notes, "desk:example/desk", "notes", "() -> list<string>") { return ok(state, get(state, "notes")); }

EXPORT(on_down, "theater:simple/links-client", "handle-down", "(ref: u64, actor: string, reason: string)")
{
    const char *note = format("%s has ended: %s", as_text(param[1]), as_text(param[2]));
    return done(record(field("notes", with(get(state, "notes"), note))));
}
