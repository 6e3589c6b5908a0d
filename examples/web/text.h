/* Text that grows, and the three ways it is written and read here: HTML, JSON, and what a form sends. */

struct page {
    char *at;
    uint32_t used, room;
};

static void add_byte(struct page *page, char byte)
{
    if (page->used == page->room) {
        uint32_t room = page->room ? 2 * page->room : 1024;
        char *at = scratch(room);
        if (page->used)
            __builtin_memcpy(at, page->at, page->used);
        page->at = at;
        page->room = room;
    }
    page->at[page->used++] = byte;
}

static void add(struct page *page, const char *words)
{
    while (*words)
        add_byte(page, *words++);
}

/* As HTML, so that nobody's note is anybody's script. */
static void add_html(struct page *page, const char *words)
{
    for (; *words; words++) {
        switch (*words) {
        case '&': add(page, "&amp;"); break;
        case '<': add(page, "&lt;"); break;
        case '>': add(page, "&gt;"); break;
        case '"': add(page, "&quot;"); break;
        case '\'': add(page, "&#39;"); break;
        default: add_byte(page, *words);
        }
    }
}

static void add_json(struct page *page, const char *words)
{
    add_byte(page, '"');
    for (; *words; words++) {
        if (*words == '"' || *words == '\\')
            add_byte(page, '\\');
        add_byte(page, *words);
    }
    add_byte(page, '"');
}

static int32_t hex(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* The field of a form that was sent as application/x-www-form-urlencoded: name=a+note&other=%3A */
static struct page form_field(const uint8_t *at, uint32_t size, const char *name)
{
    struct page found = {0};
    uint32_t wanted = theater_strlen(name), n = 0;
    while (n < size) {
        bool is_it = size - n > wanted && theater_equal(at + n, name, wanted) && at[n + wanted] == '=';
        for (n += is_it ? wanted + 1 : 0; n < size && at[n] != '&'; n++) {
            if (!is_it)
                continue;
            bool is_escaped = at[n] == '%' && size - n > 2 && hex(at[n + 1]) >= 0 && hex(at[n + 2]) >= 0;
            add_byte(&found, is_escaped ? (char)(hex(at[n + 1]) * 16 + hex(at[n + 2])) : at[n] == '+' ? ' ' : (char)at[n]);
            n += is_escaped ? 2 : 0;
        }
        if (is_it)
            return found;
        n++;
    }
    return found;
}

/* How many bytes the UTF-8 character at the front has; 0 if it is none (RFC 3629). */
static uint32_t character(const uint8_t *at, uint32_t left)
{
    uint32_t size = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    if (size > left)
        return 0;
    for (uint32_t n = 1; n < size; n++)
        if (at[n] < 0x80 || at[n] > 0xbf)
            return 0;
    bool is_none = size > 2 && ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
                                (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f));
    return is_none ? 0 : size;
}

/* One line of text without blanks around it: ends of lines and other control characters are blanks. NULL: no UTF-8. */
static const char *line_of(const char *at, uint32_t size)
{
    char *line = scratch(size + 1);
    for (uint32_t n = 0, step; n < size; n += step)
        if (!(step = character((const uint8_t *)at + n, size - n)))
            return NULL;
    for (uint32_t n = 0; n < size; n++)
        line[n] = (uint8_t)at[n] < 0x20 || at[n] == 0x7f ? ' ' : at[n];
    while (size && line[size - 1] == ' ')
        line[--size] = '\0';
    while (*line == ' ')
        line++;
    return line;
}
