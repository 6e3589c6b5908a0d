/* Values: how they look in memory, how they are made and read. */

/* The kinds of nodes of the encoding (CGRF); the type of a value of that kind has the same number. */
enum {
    THEATER_VALUE = 0,  /* as a type: anything */
    THEATER_BOOL = 1, THEATER_S32, THEATER_S64, THEATER_F32, THEATER_F64, THEATER_STRING, THEATER_LIST, THEATER_VARIANT,
    THEATER_RECORD, THEATER_OPTION, THEATER_TUPLE, THEATER_U8, THEATER_U16, THEATER_U32, THEATER_U64, THEATER_S8,
    THEATER_S16, THEATER_CHAR, THEATER_FLAGS, THEATER_RESULT, THEATER_ARRAY,
};

/* Bytes of a number of each kind; 0 for what is not a number. */
static const uint8_t theater_widths[THEATER_ARRAY + 1] = {
    [THEATER_BOOL] = 1, [THEATER_U8] = 1, [THEATER_S8] = 1, [THEATER_U16] = 2, [THEATER_S16] = 2,
    [THEATER_U32] = 4, [THEATER_S32] = 4, [THEATER_F32] = 4, [THEATER_CHAR] = 4,
    [THEATER_U64] = 8, [THEATER_S64] = 8, [THEATER_F64] = 8, [THEATER_FLAGS] = 8,
};

struct theater_value {
    uint8_t kind;
    uint16_t depth;             /* how many levels lie below */
    uint32_t tag;               /* of a variant's case; of a result: 0 ok, 1 err */
    uint32_t count;             /* bytes of a string, items of an array, children of anything else */
    uint64_t bits;              /* a number, sign- or zero-extended; a float's bits */
    const uint8_t *at;          /* the bytes of a string or an array */
    const value *items;         /* the children */
    const char *name, *label;   /* of a record or variant: its type's name; a variant's case */
    const char **fields;        /* a record's field names */
    const uint8_t *types;       /* the declared types inside a list, array, option or result that was received … */
    uint32_t types_size;        /* … or none of them, if it was made here */
};

typedef struct {
    const char *name;
    value it;
} theater_field;

#define THEATER_COUNT(type, ...) ((uint32_t)(sizeof((type[]){__VA_ARGS__}) / sizeof(type)))
#define THEATER_DEPTH 500u

static struct theater_value *theater_new(uint8_t kind)
{
    struct theater_value *it = scratch(sizeof *it);
    it->kind = kind;
    it->name = it->label = "";
    return it;
}

static value theater_number(uint8_t kind, uint64_t bits)
{
    struct theater_value *it = theater_new(kind);
    it->bits = bits;
    return it;
}

static struct theater_value *theater_parent(uint8_t kind, uint32_t count, const value *items)
{
    struct theater_value *it = theater_new(kind);
    value *copy = scratch(count * sizeof *copy);
    for (uint32_t n = 0; n < count; n++) {
        copy[n] = items[n];
        if (items[n]->depth >= it->depth)
            it->depth = items[n]->depth + 1;
    }
    if (it->depth > THEATER_DEPTH)
        panic();
    it->count = count;
    it->items = copy;
    return it;
}

static __attribute__((unused)) value theater_many(uint8_t kind, uint32_t count, const value *items)
{
    return theater_parent(kind, count, items);
}

static __attribute__((unused)) value theater_record(uint32_t count, const theater_field *fields)
{
    value *items = scratch(count * sizeof *items);
    const char **names = scratch(count * sizeof *names);
    for (uint32_t n = 0; n < count; n++) {
        names[n] = fields[n].name;
        items[n] = fields[n].it;
    }
    struct theater_value *it = theater_parent(THEATER_RECORD, count, items);
    it->fields = names;
    return it;
}

#define THEATER_API static __attribute__((unused))

THEATER_API value boolean(bool it) { return theater_number(THEATER_BOOL, it); }
THEATER_API value u8(uint8_t it) { return theater_number(THEATER_U8, it); }
THEATER_API value u16(uint16_t it) { return theater_number(THEATER_U16, it); }
THEATER_API value u32(uint32_t it) { return theater_number(THEATER_U32, it); }
THEATER_API value u64(uint64_t it) { return theater_number(THEATER_U64, it); }
THEATER_API value s32(int32_t it) { return theater_number(THEATER_S32, (uint64_t)(int64_t)it); }
THEATER_API value s64(int64_t it) { return theater_number(THEATER_S64, (uint64_t)it); }
THEATER_API value unit(void) { return theater_parent(THEATER_TUPLE, 0, NULL); }
THEATER_API value none(void) { return theater_parent(THEATER_OPTION, 0, NULL); }
THEATER_API value some(value it) { return theater_parent(THEATER_OPTION, 1, &it); }

THEATER_API value f64(double it)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &it, sizeof bits);
    return theater_number(THEATER_F64, bits);
}

THEATER_API value text(const char *it)
{
    struct theater_value *made = theater_new(THEATER_STRING);
    made->count = theater_strlen(it);
    made->at = theater_copy(it, made->count);
    return made;
}

THEATER_API value bytes(const void *at, uint32_t size)
{
    static const uint8_t element[] = {THEATER_U8};
    struct theater_value *made = theater_new(THEATER_ARRAY);
    made->count = size;
    made->at = theater_copy(at, size);
    made->types = element;
    made->types_size = 1;
    return made;
}

static value theater_case(const char *name, uint32_t count, const value *items)
{
    struct theater_value *it = theater_parent(THEATER_VARIANT, count, items);
    it->label = name;
    return it;
}

THEATER_API value case_of(const char *name) { return theater_case(name, 0, NULL); }
THEATER_API value case_with(const char *name, value payload) { return theater_case(name, 1, &payload); }

static value theater_result(uint32_t tag, value it)
{
    struct theater_value *made = theater_parent(THEATER_RESULT, 1, &it);
    made->tag = tag;
    return made;
}

THEATER_API answer ok(value state, value response)
{
    return theater_result(0, theater_parent(THEATER_TUPLE, 2, (value[]){state, response}));
}

THEATER_API answer done(value state)
{
    return theater_result(0, theater_parent(THEATER_TUPLE, 1, &state));
}

THEATER_API answer fail(const char *why)
{
    return theater_result(1, text(why));
}

static bool theater_is_integer(uint8_t kind)
{
    return (theater_widths[kind] && kind != THEATER_BOOL && kind != THEATER_F32 && kind != THEATER_F64 &&
            kind != THEATER_CHAR && kind != THEATER_FLAGS);
}

static bool theater_is_signed(uint8_t kind)
{
    return kind == THEATER_S8 || kind == THEATER_S16 || kind == THEATER_S32 || kind == THEATER_S64;
}

/* Whether a whole number of one kind has the same value as a number of the other. */
static bool theater_in_range(value it, uint8_t kind)
{
    uint32_t width = theater_widths[kind] * 8u;
    bool negative = theater_is_signed(it->kind) && (int64_t)it->bits < 0;
    if (theater_is_signed(kind)) {
        int64_t number = (int64_t)it->bits;
        if (!negative && number < 0)
            return false;  /* a u64 beyond the largest s64 */
        return width == 64 || (number >= -((int64_t)1 << (width - 1)) && number < (int64_t)1 << (width - 1));
    }
    return !negative && (width == 64 || it->bits >> width == 0);
}

static uint64_t theater_integer(value it, uint8_t kind)
{
    if (!theater_is_integer(it->kind) || !theater_in_range(it, kind))
        panic();
    return it->bits;
}

THEATER_API uint64_t as_u64(value it) { return theater_integer(it, THEATER_U64); }
THEATER_API uint32_t as_u32(value it) { return (uint32_t)theater_integer(it, THEATER_U32); }
THEATER_API int64_t as_s64(value it) { return (int64_t)theater_integer(it, THEATER_S64); }

static value theater_must_be(value it, uint8_t kind)
{
    if (it->kind != kind)
        panic();
    return it;
}

THEATER_API bool as_bool(value it) { return theater_must_be(it, THEATER_BOOL)->bits != 0; }

THEATER_API double as_f64(value it)
{
    if (it->kind == THEATER_F32) {
        float narrow;
        uint32_t bits = (uint32_t)it->bits;
        __builtin_memcpy(&narrow, &bits, sizeof narrow);
        return (double)narrow;
    }
    double wide;
    __builtin_memcpy(&wide, &theater_must_be(it, THEATER_F64)->bits, sizeof wide);
    return wide;
}

THEATER_API const char *as_text(value it)
{
    return theater_text(theater_must_be(it, THEATER_STRING)->at, it->count);
}

THEATER_API const uint8_t *as_bytes(value it)
{
    static const uint8_t nothing[1];
    if (it->kind == THEATER_LIST && it->count == 0)
        return nothing;
    if (theater_must_be(it, THEATER_ARRAY)->types[0] != THEATER_U8)
        panic();
    return it->at;
}

THEATER_API uint32_t length(value it)
{
    return it->count;
}

static uint64_t theater_load(const uint8_t *at, uint8_t kind)
{
    uint32_t width = theater_widths[kind];
    uint64_t bits = 0;
    __builtin_memcpy(&bits, at, width);
    uint32_t spare = 64 - 8 * width;
    return theater_is_signed(kind) && spare ? (uint64_t)((int64_t)(bits << spare) >> spare) : bits;
}

THEATER_API value item(value it, uint32_t index)
{
    if (index >= it->count || it->kind == THEATER_STRING)
        panic();
    if (it->kind == THEATER_ARRAY)
        return theater_number(it->types[0], theater_load(it->at + index * theater_widths[it->types[0]], it->types[0]));
    return it->items[index];
}

static value theater_find(value it, const char *name)
{
    for (uint32_t n = 0; n < it->count; n++)
        if (same(it->fields[n], name))
            return it->items[n];
    return NULL;
}

THEATER_API value get(value record, const char *field)
{
    value found = theater_find(theater_must_be(record, THEATER_RECORD), field);
    if (!found)
        panic();
    return found;
}

THEATER_API bool is_none(value it) { return it->kind == THEATER_OPTION && it->count == 0; }
THEATER_API bool is_ok(value it) { return theater_must_be(it, THEATER_RESULT)->tag == 0; }
THEATER_API bool is_case(value it, const char *name) { return same(theater_must_be(it, THEATER_VARIANT)->label, name); }
THEATER_API value payload(value it) { return item(it, 0); }

