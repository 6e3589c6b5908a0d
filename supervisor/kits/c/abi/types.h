/* Types and signatures.
 *
 * Signatures are text for you and trees for us: read once, on first use, and kept.
 */
struct theater_type {
    uint8_t kind;
    uint32_t count;
    const char *name;               /* of a record or variant */
    struct theater_part *parts;     /* what a list, option, result, tuple, record or variant is made of */
};

struct theater_part {
    const char *name;
    struct theater_type *type;      /* NULL: a variant's case without payload */
};

struct theater_signature {
    struct theater_type params;     /* a record: names and types, the state first */
    struct theater_type *result;    /* NULL: none */
};

struct theater_function {
    const char *interface, *name, *text;
    const char *given, *state;      /* of an export: the type of the state it is given, and of the next one */
    struct theater_signature *parsed;
};

static const struct { const char *name; uint8_t kind, desc, code; } theater_words[] = {
    /* name, kind of node, tag in a description (part 6), byte in a hash */
    {"bool", THEATER_BOOL, 0, 0x01}, {"u8", THEATER_U8, 1, 0x02}, {"u16", THEATER_U16, 2, 0x03},
    {"u32", THEATER_U32, 3, 0x04}, {"u64", THEATER_U64, 4, 0x05}, {"s8", THEATER_S8, 5, 0x06},
    {"s16", THEATER_S16, 6, 0x07}, {"s32", THEATER_S32, 7, 0x08}, {"s64", THEATER_S64, 8, 0x09},
    {"f32", THEATER_F32, 9, 0x0a}, {"f64", THEATER_F64, 10, 0x0b}, {"char", THEATER_CHAR, 11, 0x0c},
    {"string", THEATER_STRING, 12, 0x0d}, {"flags", THEATER_FLAGS, 13, 0x0e}, {"list", THEATER_LIST, 14, 0x10},
    {"option", THEATER_OPTION, 15, 0x11}, {"result", THEATER_RESULT, 16, 0x12}, {"record", THEATER_RECORD, 17, 0x14},
    {"variant", THEATER_VARIANT, 18, 0x15}, {"tuple", THEATER_TUPLE, 19, 0x13}, {"value", THEATER_VALUE, 20, 0xff},
};
#define THEATER_WORDS (sizeof theater_words / sizeof theater_words[0])
#define THEATER_PARTS 64

static uint32_t theater_word(uint8_t kind)
{
    for (uint32_t n = 0; n < THEATER_WORDS; n++)
        if (theater_words[n].kind == kind)
            return n;
    panic();
}

/* A mistake in a declaration is a panic on first use: the actor does not start. */
static bool theater_skip(const char **at, char wanted)
{
    while (**at == ' ' || **at == '\n')
        ++*at;
    bool there = **at == wanted;
    *at += there;
    return there;
}

static void theater_expect(const char **at, char wanted)
{
    if (!theater_skip(at, wanted))
        panic();
}

static bool theater_is_name(char it)
{
    return (it >= 'a' && it <= 'z') || (it >= 'A' && it <= 'Z') || (it >= '0' && it <= '9') || it == '-' || it == '_';
}

static const char *theater_identifier(const char **at)
{
    theater_skip(at, ' ');
    const char *start = *at;
    while (theater_is_name(**at))
        ++*at;
    uint32_t size = (uint32_t)(*at - start);
    char *copy = theater_keep(size + 1);
    __builtin_memcpy(copy, start, size);
    return copy;
}

static struct theater_type *theater_parse(const char **at);

/* Parts up to the closing sign: "name: type", "case" or "case(type)", or just types. */
static void theater_parse_parts(const char **at, struct theater_type *it, char closing)
{
    struct theater_part parts[THEATER_PARTS] = {{0}};
    while (!theater_skip(at, closing)) {
        if (it->count == THEATER_PARTS)
            panic();
        struct theater_part *part = &parts[it->count++];
        part->name = "";
        if (it->kind == THEATER_RECORD || it->kind == THEATER_VARIANT)
            part->name = theater_identifier(at);
        if (it->kind == THEATER_RECORD)
            theater_expect(at, ':');
        if (it->kind != THEATER_VARIANT)
            part->type = theater_parse(at);
        else if (theater_skip(at, '(')) {
            part->type = theater_parse(at);
            theater_expect(at, ')');
        }
        if (part->type && part->type->kind == THEATER_ARRAY)  /* "_", nothing: bool when ok, string when err */
            part->type->kind = it->count == 1 ? THEATER_BOOL : THEATER_STRING;
        if (!theater_skip(at, ',')) {
            theater_expect(at, closing);
            break;
        }
    }
    it->parts = theater_keep(it->count * sizeof *it->parts);
    __builtin_memcpy(it->parts, parts, it->count * sizeof *it->parts);
}

static struct theater_type *theater_parse(const char **at)
{
    struct theater_type *it = theater_keep(sizeof *it);
    const char *word = theater_identifier(at);
    uint32_t n = 0;
    it->name = "";
    if (same(word, "_")) {
        it->kind = THEATER_ARRAY;
        return it;
    }
    while (n < THEATER_WORDS && !same(word, theater_words[n].name))
        n++;
    if (n == THEATER_WORDS)
        panic();
    it->kind = theater_words[n].kind;
    if (it->kind == THEATER_RECORD || it->kind == THEATER_VARIANT) {
        it->name = theater_identifier(at);
        theater_expect(at, '{');
        theater_parse_parts(at, it, '}');
    } else if (theater_skip(at, '<')) {
        theater_parse_parts(at, it, '>');
    }
    uint32_t wanted = it->kind == THEATER_RESULT ? 2 : it->kind == THEATER_LIST || it->kind == THEATER_OPTION;
    if (wanted && it->count != wanted)
        panic();
    return it;
}

static struct theater_type *theater_make(uint8_t kind, struct theater_type *first, struct theater_type *second)
{
    struct theater_type *it = theater_keep(sizeof *it);
    it->kind = kind;
    it->name = "";
    it->count = (first != NULL) + (second != NULL);
    it->parts = theater_keep(2 * sizeof *it->parts);
    it->parts[0] = (struct theater_part){"", first};
    it->parts[1] = (struct theater_part){"", second};
    return it;
}

/* The signature as the host knows it: for an export func(state: S, …) -> result<tuple<S, R>, string>. */
static struct theater_signature *theater_signature(struct theater_function *it)
{
    if (it->parsed)
        return it->parsed;
    struct theater_signature *made = theater_keep(sizeof *made);
    const char *at = it->text;
    made->params.kind = THEATER_RECORD;
    theater_expect(&at, '(');
    theater_parse_parts(&at, &made->params, ')');
    if (theater_skip(&at, '-')) {
        theater_expect(&at, '>');
        made->result = theater_parse(&at);
    }
    theater_expect(&at, '\0');
    if (it->state) {
        const char *given = it->given, *state = it->state;
        struct theater_part *parts = theater_keep((made->params.count + 1) * sizeof *parts);
        parts[0] = (struct theater_part){"state", theater_parse(&given)};
        __builtin_memcpy(parts + 1, made->params.parts, made->params.count * sizeof *parts);
        made->params.parts = parts;
        made->params.count++;
        struct theater_type *answer = theater_make(THEATER_TUPLE, theater_parse(&state), made->result);
        made->result = theater_make(THEATER_RESULT, answer, theater_make(THEATER_STRING, NULL, NULL));
    }
    return it->parsed = made;
}
