/* What both versions of the board do: take a request apart, answer it. The HTTP function is theater:simple/http-handlers.
 *
 * A version defines VERSION and COLOUR, and the three functions below; its state has a field `notes`.
 */
#include "text.h"

static value with_hit(value state);                             /* the board, seen once more */
static value with_note(value state, const char *note);          /* the board with one more note */
static void heading(struct page *page, value state);            /* what stands above the notes */

#define HEADERS "headers: list<tuple<string, list<u8>>>, body: list<u8>"
#define REQUEST \
    "record http-request { method: string, scheme: option<string>, authority: option<string>, " \
    "path-with-query: option<string>, " HEADERS " }"
#define RESPONSE "record http-response { status: u16, " HEADERS " }"
#define NOTES_MAX 100u          /* the oldest goes when there is one more */
#define NOTE_BYTES_MAX 280u

static value header(const char *name, const char *words)
{
    return tuple(text(name), bytes(words, theater_strlen(words)));
}

static value response(uint16_t status, const char *type, struct page body)
{
    return record(field("status", u16(status)),
                  field("headers", list(header("content-type", type), header("cache-control", "no-store"))),
                  field("body", bytes(body.at, body.used)));
}

static value said(uint16_t status, const char *words)
{
    struct page body = {0};
    add(&body, words);
    add(&body, "\n");
    return response(status, "text/plain; charset=utf-8", body);
}

/* "See other": a browser that has sent a form asks for the board, and may do so again without sending the form again. */
static value back_to_the_board(void)
{
    return record(field("status", u16(303)), field("headers", list(header("location", "/"))),
                  field("body", list_of(NULL, 0)));
}

static value page_of(value state)
{
    struct page page = {0};
    value notes = get(state, "notes");
    add(&page, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>The board</title>\n");
    add(&page, "<body style=\"font-family: sans-serif; border-top: 1em solid " COLOUR "; max-width: 40em\">\n");
    heading(&page, state);
    add(&page, "<ul>\n");
    for (uint32_t n = 0; n < length(notes); n++) {
        add(&page, "<li>");
        add_html(&page, as_text(item(notes, n)));
        add(&page, "</li>\n");
    }
    add(&page, "</ul>\n<form method=\"post\" action=\"/notes\"><input name=\"note\" maxlength=\"280\" autofocus>");
    add(&page, "<button>Pin it up</button></form>\n<p>version " VERSION "</p>\n");
    return response(200, "text/html; charset=utf-8", page);
}

static value json_of(value state)
{
    struct page page = {0};
    value notes = get(state, "notes");
    add(&page, "[");
    for (uint32_t n = 0; n < length(notes); n++) {
        add(&page, n ? ", " : "");
        add_json(&page, as_text(item(notes, n)));
    }
    add(&page, "]\n");
    return response(200, "application/json", page);
}

/* A list of texts with one more at its end, and the oldest gone if that is too many. */
static value appended(value notes, const char *note)
{
    uint32_t dropped = length(notes) < NOTES_MAX ? 0 : length(notes) - NOTES_MAX + 1, count = length(notes) - dropped;
    value *next = scratch((count + 1) * sizeof *next);
    for (uint32_t n = 0; n < count; n++)
        next[n] = item(notes, dropped + n);
    next[count] = text(note);
    return list_of(next, count + 1);
}

static bool begins(const char *words, const char *with)
{
    return theater_strlen(words) >= theater_strlen(with) && theater_equal(words, with, theater_strlen(with));
}

static bool is_form(value request)
{
    value headers = get(request, "headers");
    for (uint32_t n = 0; n < length(headers); n++) {
        value name = item(item(headers, n), 0), what = item(item(headers, n), 1);
        if (same(as_text(name), "content-type"))
            return begins(theater_text(as_bytes(what), length(what)), "application/x-www-form-urlencoded");
    }
    return false;
}

static answer add_note(value state, value request)
{
    value body = get(request, "body");
    bool came_from_form = is_form(request);
    if (length(body) > 4 * NOTE_BYTES_MAX)  /* a form writes a byte as three, %3C */
        return ok(state, said(413, "a note has at most 280 bytes"));
    struct page sent = {(char *)as_bytes(body), length(body), length(body)};
    if (came_from_form)
        sent = form_field(as_bytes(body), length(body), "note");
    const char *note = line_of(sent.at, sent.used);
    if (!note || same(note, ""))
        return ok(state, said(400, "a note is a line of text in UTF-8"));
    if (theater_strlen(note) > NOTE_BYTES_MAX)
        return ok(state, said(413, "a note has at most 280 bytes"));
    return ok(with_note(state, note), came_from_form ? back_to_the_board() : said(201, "pinned up"));
}

EXPORT(handle_request, "theater:simple/http-handlers", "handle-request", "(request: " REQUEST ") -> " RESPONSE)
{
    value request = param[0], target = get(request, "path-with-query");
    const char *path = is_none(target) ? "/" : as_text(payload(target)), *method = as_text(get(request, "method"));
    bool is_read = same(method, "GET") || same(method, "HEAD");
    if (is_read && (same(path, "/") || begins(path, "/?")))
        return ok(with_hit(state), page_of(with_hit(state)));
    if (is_read && same(path, "/notes.json"))
        return ok(with_hit(state), json_of(state));
    if (same(method, "POST") && same(path, "/notes"))
        return add_note(state, request);
    return ok(state, said(404, "there is no such page"));
}
