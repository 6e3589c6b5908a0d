/* A board of notes that anybody may read and pin something to, over HTTP. Its state is the board. */
#include "theater.h"

#define VERSION "1"
#define COLOUR "#08c"

STATE("record board { notes: list<string>, hits: u64 }")

#include "pages.h"

static value board(value notes, uint64_t hits)
{
    return record(field("notes", notes), field("hits", u64(hits)));
}

static value with_hit(value state)
{
    return board(get(state, "notes"), as_u64(get(state, "hits")) + 1);
}

static value with_note(value state, const char *note)
{
    return board(appended(get(state, "notes"), note), as_u64(get(state, "hits")));
}

static void heading(struct page *page, value state)
{
    add(page, "<h1>The board</h1>\n");
    add(page, format("<p>%u notes, seen %llu times</p>\n", length(get(state, "notes")), as_u64(get(state, "hits"))));
}

INIT
{
    return done(is_none(given) ? board(list_of(NULL, 0), 0) : given);
}
