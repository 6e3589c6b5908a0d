/* Messages are bytes; these are texts. */
#include "theater.h"

static inline value octets(const char *it) { return bytes(it, length(text(it))); }

static inline const char *words(value data)
{
    uint32_t size = length(data);
    char *copy = scratch(size + 1);
    for (uint32_t n = 0; n < size; n++)
        copy[n] = (char)as_bytes(data)[n];
    return copy;
}

/* A list, and one more text. */
static inline value with(value list, const char *more)
{
    uint32_t count = length(list);
    value *all = scratch((count + 1) * sizeof(value));
    for (uint32_t n = 0; n < count; n++)
        all[n] = item(list, n);
    all[count] = text(more);
    return list_of(all, count + 1);
}
