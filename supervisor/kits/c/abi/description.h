/* The module's description of itself, __pack_types: every function it imports and exports with its types, and a hash of
 * each interface, by which host and guest see at once whether they mean the same one. Made on first request from the
 * declarations, which the linker collects for us.
 */
extern struct theater_function __start_theater_exports[], __stop_theater_exports[];
extern struct theater_function __start_theater_imports[] __attribute__((weak));  /* none, if nothing is imported */
extern struct theater_function __stop_theater_imports[] __attribute__((weak));

/* -- SHA-256 (FIPS 180-4) -- */

struct theater_hash {
    uint32_t state[8];
    uint8_t block[64];
    uint64_t size;
};

static const uint32_t theater_rounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t theater_turn(uint32_t word, uint32_t by)
{
    return word >> by | word << (32 - by);
}

static void theater_hash_block(struct theater_hash *it)
{
    uint32_t w[64], s[8];
    for (int n = 0; n < 16; n++) {
        __builtin_memcpy(&w[n], it->block + 4 * n, 4);
        w[n] = __builtin_bswap32(w[n]);
    }
    for (int n = 16; n < 64; n++) {
        uint32_t a = theater_turn(w[n - 15], 7) ^ theater_turn(w[n - 15], 18) ^ w[n - 15] >> 3;
        uint32_t b = theater_turn(w[n - 2], 17) ^ theater_turn(w[n - 2], 19) ^ w[n - 2] >> 10;
        w[n] = w[n - 16] + a + w[n - 7] + b;
    }
    __builtin_memcpy(s, it->state, sizeof s);
    for (int n = 0; n < 64; n++) {
        uint32_t e = theater_turn(s[4], 6) ^ theater_turn(s[4], 11) ^ theater_turn(s[4], 25);
        uint32_t a = theater_turn(s[0], 2) ^ theater_turn(s[0], 13) ^ theater_turn(s[0], 22);
        uint32_t one = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + theater_rounds[n] + w[n];
        uint32_t two = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        __builtin_memmove(s + 1, s, 7 * sizeof *s);
        s[4] += one;
        s[0] = one + two;
    }
    for (int n = 0; n < 8; n++)
        it->state[n] += s[n];
}

static struct theater_hash theater_hash_begin(uint8_t tag)
{
    return (struct theater_hash){
        .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
        .block = {tag},
        .size = 1,
    };
}

static void theater_hash_add(struct theater_hash *it, const void *from, uint32_t size)
{
    for (const uint8_t *at = from; size; size--) {
        it->block[it->size++ % 64] = *at++;
        if (it->size % 64 == 0)
            theater_hash_block(it);
    }
}

static void theater_hash_add32(struct theater_hash *it, uint32_t number)
{
    theater_hash_add(it, &number, 4);
}

static void theater_hash_add_text(struct theater_hash *it, const char *from)
{
    theater_hash_add32(it, theater_strlen(from));
    theater_hash_add(it, from, theater_strlen(from));
}

static void theater_hash_end(struct theater_hash *it, uint8_t out[32])
{
    uint64_t bits = __builtin_bswap64(it->size * 8);
    theater_hash_add(it, "\x80", 1);
    while (it->size % 64 != 56)
        theater_hash_add(it, "", 1);
    theater_hash_add(it, &bits, 8);
    for (int n = 0; n < 8; n++) {
        uint32_t word = __builtin_bswap32(it->state[n]);
        __builtin_memcpy(out + 4 * n, &word, 4);
    }
}

/* -- hashes of types, functions and interfaces: names of types and parameters do not count, all others do -- */

/* The next part in the order of names after `last`, NULL to begin with; hashes do not depend on the order of fields. */
static const struct theater_part *theater_next_part(const struct theater_type *type, const struct theater_part *last)
{
    const struct theater_part *best = NULL;
    for (uint32_t n = 0; n < type->count; n++) {
        const struct theater_part *it = &type->parts[n];
        if ((!last || theater_order(it->name, last->name) > 0) && (!best || theater_order(it->name, best->name) < 0))
            best = it;
    }
    return best;
}

static void theater_hash_type(struct theater_hash *into, const struct theater_type *type)
{
    uint8_t out[32] = {0}, code = theater_words[theater_word(type->kind)].code;
    struct theater_hash it = theater_hash_begin(code);
    if (type->kind == THEATER_VALUE) {
        out[0] = out[1] = 0xff;
    } else if (code < 0x10) {
        out[1] = code;
    } else if (type->kind == THEATER_RECORD || type->kind == THEATER_VARIANT) {
        theater_hash_add32(&it, type->count);
        for (const struct theater_part *part = NULL; (part = theater_next_part(type, part));) {
            theater_hash_add_text(&it, part->name);
            if (type->kind == THEATER_VARIANT)
                theater_hash_add(&it, part->type ? "\1" : "\0", 1);
            if (part->type)
                theater_hash_type(&it, part->type);
        }
        theater_hash_end(&it, out);
    } else {
        if (type->kind == THEATER_TUPLE)
            theater_hash_add32(&it, type->count);
        for (uint32_t n = 0; n < type->count; n++)
            theater_hash_type(&it, type->parts[n].type);
        theater_hash_end(&it, out);
    }
    theater_hash_add(into, out, 32);
}

static void theater_hash_function(struct theater_hash *into, struct theater_function *function)
{
    struct theater_signature *signature = theater_signature(function);
    struct theater_hash it = theater_hash_begin(0x16);
    uint8_t out[32];
    theater_hash_add32(&it, signature->params.count);
    for (uint32_t n = 0; n < signature->params.count; n++)
        theater_hash_type(&it, signature->params.parts[n].type);
    theater_hash_add32(&it, signature->result ? 1 : 0);
    if (signature->result)
        theater_hash_type(&it, signature->result);
    theater_hash_end(&it, out);
    theater_hash_add_text(into, function->name);
    theater_hash_add(into, out, 32);
}

/* The function that follows `last` in the order of interface, then name. */
static struct theater_function *theater_next(struct theater_function *at, struct theater_function *end,
                                             struct theater_function *last)
{
    struct theater_function *best = NULL;
    for (; at < end; at++) {
        struct theater_function *pair[] = {last, best};
        int order[2] = {1, -1};
        for (int n = 0; n < 2; n++)
            if (pair[n]) {
                order[n] = theater_order(at->interface, pair[n]->interface);
                order[n] = order[n] ? order[n] : theater_order(at->name, pair[n]->name);
            }
        if (order[0] > 0 && order[1] < 0)
            best = at;
    }
    return best;
}

/* -- the description as a value; it is ours alone until it is encoded, so it may still be given names and tags -- */

static value theater_listed(const char *element, value items)  /* a list with the element type's tag as given */
{
    struct theater_value *it = (struct theater_value *)items;
    it->types = (const uint8_t *)element;
    it->types_size = 5;
    return it;
}
#define THEATER_RECORDS "\x09\0\0\0\0"
#define THEATER_VARIANTS "\x08\0\0\0\0"

static value theater_named(const char *name, value it)
{
    ((struct theater_value *)it)->name = name;
    return it;
}

static value theater_describe(const struct theater_type *type);

static value theater_describe_part(const struct theater_type *of, const struct theater_part *part)
{
    if (of->kind == THEATER_RECORD)
        return theater_named("field-desc",
                             record(field("name", text(part->name)), field("type", theater_describe(part->type))));
    value inner = theater_listed(THEATER_VARIANTS, part->type ? some(theater_describe(part->type)) : none());
    return theater_named("case-desc", record(field("name", text(part->name)), field("payload", inner)));
}

static value theater_describe(const struct theater_type *type)
{
    uint32_t word = theater_word(type->kind);
    value *parts = scratch(type->count * sizeof *parts), inside = NULL;
    bool is_record = type->kind == THEATER_RECORD, named = is_record || type->kind == THEATER_VARIANT;
    for (uint32_t n = 0; n < type->count; n++)
        parts[n] = named ? theater_describe_part(type, &type->parts[n]) : theater_describe(type->parts[n].type);
    if (type->kind == THEATER_LIST || type->kind == THEATER_OPTION)
        inside = parts[0];
    else if (type->kind == THEATER_RESULT)
        inside = theater_named("result-desc", record(field("ok", parts[0]), field("err", parts[1])));
    else if (type->kind == THEATER_TUPLE)
        inside = theater_listed(THEATER_VARIANTS, list_of(parts, type->count));
    else if (named)
        inside = theater_named(is_record ? "record-desc" : "variant-desc",
                               record(field("name", text(type->name)),
                                      field(is_record ? "fields" : "cases",
                                            theater_listed(THEATER_RECORDS, list_of(parts, type->count)))));
    struct theater_value *it = (struct theater_value *)theater_case(theater_words[word].name, inside ? 1 : 0, &inside);
    it->name = "type-desc";
    it->tag = theater_words[word].desc;
    return it;
}

static value theater_describe_function(struct theater_function *it)
{
    struct theater_signature *signature = theater_signature(it);
    uint32_t count = signature->params.count;
    value *params = scratch(count * sizeof *params), result = NULL;
    for (uint32_t n = 0; n < count; n++)
        params[n] = theater_named("param-sig",
                                  record(field("name", text(signature->params.parts[n].name)),
                                         field("type", theater_describe(signature->params.parts[n].type))));
    if (signature->result)
        result = theater_describe(signature->result);
    return theater_named("function-sig",
                         record(field("interface", text(it->interface)), field("name", text(it->name)),
                                field("params", theater_listed(THEATER_RECORDS, list_of(params, count))),
                                field("results", theater_listed(THEATER_VARIANTS, list_of(&result, result ? 1 : 0)))));
}

static value theater_describe_functions(struct theater_function *at, struct theater_function *end)
{
    uint32_t count = 0;
    value *items = scratch((uint32_t)(end - at) * sizeof *items);
    for (struct theater_function *it = NULL; (it = theater_next(at, end, it));)
        items[count++] = theater_describe_function(it);
    return theater_listed(THEATER_RECORDS, list_of(items, count));
}

static value theater_describe_hash(struct theater_function *first, struct theater_function *at,
                                   struct theater_function *end)
{
    uint32_t count = 0;
    uint8_t out[32];
    uint64_t words[4];
    struct theater_hash it = theater_hash_begin(0x17);
    for (struct theater_function *each = at; each < end; each++)
        count += same(each->interface, first->interface);
    theater_hash_add_text(&it, first->interface);
    theater_hash_add32(&it, 0);
    theater_hash_add32(&it, count);
    for (struct theater_function *each = first; each && same(each->interface, first->interface);)
        theater_hash_function(&it, each), each = theater_next(at, end, each);
    theater_hash_end(&it, out);
    __builtin_memcpy(words, out, 32);
    return theater_named("interface-hash",
                         record(field("name", text(first->interface)),
                                field("hash", tuple(u64(words[0]), u64(words[1]), u64(words[2]), u64(words[3])))));
}

static value theater_describe_hashes(struct theater_function *at, struct theater_function *end)
{
    uint32_t count = 0;
    const char *last = "";
    value *items = scratch((uint32_t)(end - at) * sizeof *items);
    for (struct theater_function *it = NULL; (it = theater_next(at, end, it)); last = it->interface)
        if (!same(it->interface, last))
            items[count++] = theater_describe_hash(it, at, end);
    return theater_listed(THEATER_RECORDS, list_of(items, count));
}

__attribute__((export_name("__pack_types"))) int32_t theater_pack_types(const uint8_t **at, uint32_t *size)
{
    static struct theater_writer kept;
    if (!kept.size) {
        struct theater_function *imports = __start_theater_imports, *imports_end = __stop_theater_imports;
        struct theater_function *exports = __start_theater_exports, *exports_end = __stop_theater_exports;
        value all = record(field("imports", theater_describe_functions(imports, imports_end)),
                           field("exports", theater_describe_functions(exports, exports_end)),
                           field("import-hashes", theater_describe_hashes(imports, imports_end)),
                           field("export-hashes", theater_describe_hashes(exports, exports_end)));
        struct theater_writer made = theater_encode(theater_named("package-metadata", all), NULL);
        kept = made;
        kept.at = theater_keep(made.size);
        __builtin_memcpy(kept.at, made.at, made.size);
        theater_sweep();
    }
    *at = kept.at;
    *size = kept.size;
    return 0;
}
