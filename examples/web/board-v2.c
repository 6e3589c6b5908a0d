/* The next version of the board: in green, and it counts what was ever pinned up, which is one more field of the state. */
#include "theater.h"

#define VERSION "2"
#define COLOUR "#080"

STATE("record board { notes: list<string>, hits: u64, pinned: u64 }")

#include "pages.h"

static value board(value notes, uint64_t hits, uint64_t pinned)
{
    return record(field("notes", notes), field("hits", u64(hits)), field("pinned", u64(pinned)));
}

static value with_hit(value state)
{
    return board(get(state, "notes"), as_u64(get(state, "hits")) + 1, as_u64(get(state, "pinned")));
}

static value with_note(value state, const char *note)
{
    return board(appended(get(state, "notes"), note), as_u64(get(state, "hits")), as_u64(get(state, "pinned")) + 1);
}

static void heading(struct page *page, value state)
{
    add(page, "<h1>The green board</h1>\n");
    add(page, format("<p>%u notes of %llu that were ever pinned up, seen %llu times</p>\n", length(get(state, "notes")),
                     as_u64(get(state, "pinned")), as_u64(get(state, "hits"))));
}

INIT
{
    return done(is_none(given) ? board(list_of(NULL, 0), 0, 0) : given);
}

/* What version 1 left. It did not count, so what hangs there now is what was ever pinned up, as far as we know. */
MIGRATE("record board { notes: list<string>, hits: u64 }")
{
    value notes = get(old, "notes");
    return done(board(notes, as_u64(get(old, "hits")), length(notes)));
}
