/* Whether a value has a type: NULL, or what is wrong with it and where, as ".field[3]: expected u32, found string".
 * Names of types do not matter, fields are found by name, and whole numbers may have another width.
 */

static const char *theater_kind_name(uint8_t kind)
{
    return theater_words[theater_word(kind == THEATER_ARRAY ? THEATER_LIST : kind)].name;
}

static const char *theater_mismatch(value it, const struct theater_type *type);

static const char *theater_mismatch_record(value it, const struct theater_type *type)
{
    for (uint32_t n = 0; n < type->count; n++) {
        const char *name = type->parts[n].name;
        value found = theater_find(it, name);
        if (!found)
            return format(": the field %s is missing", name);
        const char *wrong = theater_mismatch(found, type->parts[n].type);
        if (wrong)
            return format(".%s%s", name, wrong);
    }
    return it->count == type->count ? NULL : format(": expected %u fields, found %u", type->count, it->count);
}

static const struct theater_part *theater_part_of(value it, const struct theater_type *variant, uint32_t *tag)
{
    for (*tag = 0; *tag < variant->count; ++*tag)
        if (same(variant->parts[*tag].name, it->label))
            return &variant->parts[*tag];
    return NULL;
}

static const char *theater_mismatch_case(value it, const struct theater_type *type)
{
    uint32_t tag;
    const struct theater_part *part = theater_part_of(it, type, &tag);
    if (!part)
        return format(": there is no case %s", it->label);
    if (it->count != (part->type ? 1 : 0))
        return format(".%s: expected %s payload", it->label, part->type ? "a" : "no");
    return part->type ? theater_mismatch(it->items[0], part->type) : NULL;
}

static const char *theater_mismatch_items(value it, const struct theater_type *type)
{
    uint8_t element = type->kind == THEATER_LIST ? type->parts[0].type->kind : 0;
    if (it->kind == THEATER_ARRAY && it->types[0] == element)
        return NULL;  /* a megabyte of u8 needs no look at every one */
    if (type->kind == THEATER_TUPLE && it->count != type->count)
        return format(": expected %u items, found %u", type->count, it->count);
    for (uint32_t n = 0; n < it->count; n++) {
        const char *wrong = theater_mismatch(item(it, n), type->parts[type->kind == THEATER_TUPLE ? n : 0].type);
        if (wrong)
            return format("[%u]%s", n, wrong);
    }
    return NULL;
}

static const char *theater_mismatch(value it, const struct theater_type *type)
{
    uint8_t kind = it->kind == THEATER_ARRAY ? THEATER_LIST : it->kind;
    if (type->kind == THEATER_VALUE)
        return NULL;
    if (theater_is_integer(kind) && theater_is_integer(type->kind) && theater_in_range(it, type->kind))
        return NULL;
    if (kind != type->kind)
        return format(": expected %s, found %s", theater_kind_name(type->kind), theater_kind_name(kind));
    switch (kind) {
    case THEATER_RECORD:
        return theater_mismatch_record(it, type);
    case THEATER_VARIANT:
        return theater_mismatch_case(it, type);
    case THEATER_LIST:
    case THEATER_TUPLE:
    case THEATER_OPTION:
        return theater_mismatch_items(it, type);
    case THEATER_RESULT:
        return theater_mismatch(it->items[0], type->parts[it->tag].type);
    default:
        return NULL;
    }
}
