/* Values as bytes and back (CGRF): a header, then nodes, each a kind, a length and a payload; a node refers to its
 * children by number. What we write is canonical: children before their parent, in order, the root last. What we read
 * must have children before parents too, as every host of today writes it; nodes may be shared.
 */
#define THEATER_HEADER 16u

/* -- writing: by the declared type, or by the value's own kind where the type is `value` (or NULL) -- */

struct theater_writer {
    uint8_t *at;
    uint32_t size, room, nodes;
};

static void theater_put(struct theater_writer *out, const void *from, uint32_t size)
{
    if (size > out->room - out->size) {
        out->room = out->size + size + (out->size + size) / 4 + 256;
        uint8_t *bigger = scratch(out->room);
        __builtin_memcpy(bigger, out->at, out->size);
        out->at = bigger;
    }
    __builtin_memcpy(out->at + out->size, from, size);
    out->size += size;
}

static void theater_put8(struct theater_writer *out, uint8_t number)
{
    theater_put(out, &number, 1);
}

static void theater_put32(struct theater_writer *out, uint32_t number)
{
    theater_put(out, &number, 4);
}

static void theater_put_text(struct theater_writer *out, const char *it)
{
    theater_put32(out, theater_strlen(it));
    theater_put(out, it, theater_strlen(it));
}

static void theater_put_inner_tags(struct theater_writer *out, const struct theater_type *type, value it);

/* A type's tag: what stands inside containers so that an empty one keeps its type. */
static void theater_put_tag(struct theater_writer *out, const struct theater_type *type, value it)
{
    uint8_t kind = type && type->kind ? type->kind : it ? it->kind : THEATER_TUPLE;
    theater_put8(out, kind == THEATER_ARRAY ? THEATER_LIST : kind);
    theater_put_inner_tags(out, type, it);
}

/* What follows a tag: the name of a record or variant, the tags of what is inside anything else. */
static void theater_put_inner_tags(struct theater_writer *out, const struct theater_type *type, value it)
{
    bool declared = type && type->kind;
    uint8_t kind = declared ? type->kind : it ? it->kind : THEATER_TUPLE;
    uint32_t count = declared ? type->count : it ? it->count : 0;
    if (kind == THEATER_RECORD || kind == THEATER_VARIANT) {
        theater_put_text(out, declared ? type->name : it->name);
    } else if (kind == THEATER_TUPLE) {
        theater_put32(out, count);
        for (uint32_t n = 0; n < count; n++)
            theater_put_tag(out, declared ? type->parts[n].type : NULL, declared ? NULL : it->items[n]);
    } else if (declared) {
        for (uint32_t n = 0; n < count; n++)
            theater_put_tag(out, type->parts[n].type, NULL);
    } else if (it && it->types_size) {
        theater_put(out, it->types, it->types_size);
    } else if (kind == THEATER_RESULT) {
        theater_put_tag(out, NULL, it->tag ? NULL : it->items[0]);
        theater_put_tag(out, NULL, it->tag ? it->items[0] : NULL);
    } else if (kind == THEATER_LIST || kind == THEATER_OPTION) {
        theater_put_tag(out, NULL, count ? it->items[0] : NULL);
    }
}

/* A node is a kind, the length of its payload, and the payload: the length is filled in at the end. */
static uint32_t theater_open_node(struct theater_writer *out, uint8_t kind)
{
    theater_put32(out, kind);
    theater_put32(out, 0);
    return out->size;
}

static uint32_t theater_close_node(struct theater_writer *out, uint32_t start)
{
    uint32_t size = out->size - start;
    __builtin_memcpy(out->at + start - 4, &size, 4);
    return out->nodes++;
}

/* Numbers, strings and lists of numbers: what has no children. */
static uint32_t theater_put_leaf(struct theater_writer *out, value it, uint8_t kind, uint8_t element)
{
    uint32_t start = theater_open_node(out, kind);
    if (kind == THEATER_STRING) {
        theater_put32(out, it->count);
        theater_put(out, it->at, it->count);
    } else if (kind != THEATER_ARRAY) {
        theater_put(out, &it->bits, theater_widths[kind]);
    } else {
        theater_put8(out, element);
        theater_put32(out, it->count);
        if (it->kind == THEATER_ARRAY && it->types[0] == element)
            theater_put(out, it->at, it->count * theater_widths[element]);
        else
            for (uint32_t n = 0; n < it->count; n++)
                theater_put(out, &item(it, n)->bits, theater_widths[element]);
    }
    return theater_close_node(out, start);
}

static uint8_t theater_element(const struct theater_type *type, value it)
{
    if (type && type->parts[0].type->kind)
        return type->parts[0].type->kind;
    return it->types_size ? it->types[0] : it->count ? it->items[0]->kind : THEATER_TUPLE;
}

static uint32_t theater_put_value(struct theater_writer *out, value it, const struct theater_type *type);

static const uint32_t *theater_put_children(struct theater_writer *out, value it, const struct theater_type *type)
{
    uint32_t tag, *children = scratch(it->count * sizeof *children);
    for (uint32_t n = 0; n < it->count; n++) {
        const struct theater_type *inner = NULL;
        value child = it->items ? it->items[n] : item(it, n);
        if (type && type->kind == THEATER_RECORD)
            child = theater_find(it, type->parts[n].name);
        if (type && type->kind == THEATER_VARIANT)
            inner = theater_part_of(it, type, &tag)->type;
        else if (type)
            inner = type->parts[type->kind == THEATER_RESULT ? it->tag : type->kind == THEATER_LIST ? 0 : n].type;
        children[n] = theater_put_value(out, child, inner);
    }
    return children;
}

static uint32_t theater_put_value(struct theater_writer *out, value it, const struct theater_type *type)
{
    type = type && type->kind ? type : NULL;
    uint8_t kind = type ? type->kind : it->kind == THEATER_ARRAY ? THEATER_LIST : it->kind;
    uint8_t element = kind == THEATER_LIST ? theater_element(type, it) : 0;
    if (theater_widths[kind] || kind == THEATER_STRING || theater_widths[element])
        return theater_put_leaf(out, it, theater_widths[element] ? THEATER_ARRAY : kind, element);

    const uint32_t *children = theater_put_children(out, it, type);
    uint32_t start = theater_open_node(out, kind), tag = it->tag;
    if (kind != THEATER_TUPLE)
        theater_put_inner_tags(out, type, it);
    if (kind == THEATER_VARIANT) {
        theater_put_text(out, it->label);
        if (type)
            theater_part_of(it, type, &tag);
    }
    if (kind == THEATER_VARIANT || kind == THEATER_RESULT)
        theater_put32(out, tag);
    if (kind == THEATER_OPTION || kind == THEATER_RESULT)
        theater_put8(out, it->count != 0);
    else
        theater_put32(out, it->count);
    for (uint32_t n = 0; kind == THEATER_RECORD && n < it->count; n++)
        theater_put_text(out, type ? type->parts[n].name : it->fields[n]);
    theater_put(out, children, it->count * (uint32_t)sizeof *children);
    return theater_close_node(out, start);
}

/* The whole buffer, in scratch memory. */
static struct theater_writer theater_encode(value it, const struct theater_type *type)
{
    struct theater_writer out = {0};
    theater_put(&out, "CGRF\2\0\0\0\0\0\0\0\0\0\0\0", THEATER_HEADER);
    uint32_t root = theater_put_value(&out, it, type);
    __builtin_memcpy(out.at + 8, &out.nodes, 4);
    __builtin_memcpy(out.at + 12, &root, 4);
    return out;
}

/* -- reading: NULL for bytes that are not a value -- */

struct theater_reader {
    const uint8_t *at, *end;
    bool bad;
};

static const uint8_t *theater_take(struct theater_reader *in, uint32_t size)
{
    static const uint8_t nothing[16];
    if (in->bad || size > (uint32_t)(in->end - in->at)) {
        in->bad = true;
        return nothing;
    }
    in->at += size;
    return in->at - size;
}

static uint8_t theater_take8(struct theater_reader *in)
{
    return *theater_take(in, 1);
}

static uint32_t theater_take32(struct theater_reader *in)
{
    uint32_t number;
    __builtin_memcpy(&number, theater_take(in, 4), 4);
    return number;
}

static const char *theater_take_text(struct theater_reader *in)
{
    uint32_t size = theater_take32(in);
    const uint8_t *at = theater_take(in, size);
    return in->bad ? "" : theater_text(at, size);
}

static void theater_take_tag(struct theater_reader *in, uint32_t depth)
{
    uint8_t kind = theater_take8(in);
    if (kind == 0 || kind >= THEATER_ARRAY || depth > THEATER_DEPTH) {
        in->bad = true;
        return;
    }
    if (kind == THEATER_RECORD || kind == THEATER_VARIANT)
        theater_take(in, theater_take32(in));
    uint32_t inner = kind == THEATER_LIST || kind == THEATER_OPTION ? 1 : kind == THEATER_RESULT ? 2 : 0;
    if (kind == THEATER_TUPLE)
        inner = theater_take32(in);
    while (inner-- && !in->bad)
        theater_take_tag(in, depth + 1);
}

/* The children's numbers, as pointers to what was read before. */
static void theater_take_children(struct theater_reader *in, struct theater_value *it, uint32_t count, value *nodes,
                                  uint32_t known)
{
    if (count > (uint32_t)(in->end - in->at) / 4) {
        in->bad = true;
        return;
    }
    value *items = scratch(count * sizeof *items);
    for (uint32_t n = 0; n < count; n++) {
        uint32_t child = theater_take32(in);
        if (child >= known || nodes[child]->depth >= THEATER_DEPTH) {
            in->bad = true;
            return;
        }
        items[n] = nodes[child];
        if (items[n]->depth >= it->depth)
            it->depth = items[n]->depth + 1;
    }
    it->items = items;
    it->count = count;
}

static void theater_take_array(struct theater_reader *in, struct theater_value *it)
{
    it->types = in->at;
    it->types_size = 1;
    uint8_t element = theater_take8(in);
    it->count = theater_take32(in);
    if (element >= THEATER_ARRAY || !theater_widths[element] || it->count > (uint32_t)(in->end - in->at)) {
        in->bad = true;
        return;
    }
    it->at = theater_take(in, it->count * theater_widths[element]);
}

static value theater_take_node(struct theater_reader *in, uint8_t kind, value *nodes, uint32_t known)
{
    if (kind == 0 || kind > THEATER_ARRAY) {
        in->bad = true;
        return NULL;
    }
    struct theater_value *it = theater_new(kind);
    uint32_t count = 0;
    if (theater_widths[kind]) {
        it->bits = theater_load(theater_take(in, theater_widths[kind]), kind);
        return it;
    }
    if (kind == THEATER_STRING) {
        it->count = theater_take32(in);
        it->at = theater_take(in, it->count);
        return it;
    }
    if (kind == THEATER_ARRAY) {
        theater_take_array(in, it);
        return it;
    }
    if (kind == THEATER_LIST || kind == THEATER_OPTION || kind == THEATER_RESULT) {
        it->types = in->at;
        theater_take_tag(in, 0);
        if (kind == THEATER_RESULT)
            theater_take_tag(in, 0);
        it->types_size = (uint32_t)(in->at - it->types);
    }
    if (kind == THEATER_RECORD || kind == THEATER_VARIANT)
        it->name = theater_take_text(in);
    if (kind == THEATER_VARIANT)
        it->label = theater_take_text(in);
    if (kind == THEATER_VARIANT || kind == THEATER_RESULT)
        it->tag = theater_take32(in);
    if (kind == THEATER_RESULT)
        it->tag = it->tag != 0;
    count = kind == THEATER_OPTION || kind == THEATER_RESULT ? theater_take8(in) == 1 : theater_take32(in);
    if (kind == THEATER_RECORD) {
        if (count > (uint32_t)(in->end - in->at) / 8)
            in->bad = true;
        it->fields = scratch(in->bad ? 0 : count * sizeof *it->fields);
        for (uint32_t n = 0; n < count && !in->bad; n++)
            it->fields[n] = theater_take_text(in);
    }
    theater_take_children(in, it, in->bad ? 0 : count, nodes, known);
    in->bad |= kind == THEATER_RESULT && it->count != 1;
    return it;
}

static value theater_decode(const uint8_t *at, uint32_t size)
{
    struct theater_reader in = {at, at + size, false};
    if (!theater_equal(theater_take(&in, 6), "CGRF\2\0", 6))
        return NULL;
    theater_take(&in, 2);
    uint32_t count = theater_take32(&in), root = theater_take32(&in);
    if (root >= count || count > size / 8)
        return NULL;
    value *nodes = scratch(count * sizeof *nodes);
    for (uint32_t n = 0; n < count && !in.bad; n++) {
        uint8_t kind = *theater_take(&in, 4);
        uint32_t room = theater_take32(&in);
        const uint8_t *payload = theater_take(&in, room);
        struct theater_reader node = {payload, payload + room, in.bad};
        nodes[n] = theater_take_node(&node, kind, nodes, n);
        in.bad |= node.bad || node.at != node.end;
    }
    return in.bad || in.at != in.end ? NULL : nodes[root];
}
