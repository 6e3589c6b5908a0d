/* What the guests of the system tests have in common: they pass on what the host answers, and write down what they
   are told. */
#include "theater.h"

/* What a host function answered, or its error as our own. */
static answer passed_on(value state, value result)
{
    return is_ok(result) ? ok(state, payload(result)) : fail(as_text(payload(result)));
}

static answer settled(value state, value result)
{
    return is_ok(result) ? done(state) : fail(as_text(payload(result)));
}

/* The notes so far, and one more. */
static value with_note(value notes, const char *note)
{
    uint32_t count = length(notes);
    value *all = scratch((count + 1) * sizeof(value));
    for (uint32_t n = 0; n < count; n++)
        all[n] = item(notes, n);
    all[count] = text(note);
    return list_of(all, count + 1);
}

/* The characters of a list<u8>. */
static inline const char *words(value data)
{
    uint32_t size = length(data);
    char *copy = scratch(size + 1);
    for (uint32_t n = 0; n < size; n++)
        copy[n] = (char)as_bytes(data)[n];
    return copy;
}
