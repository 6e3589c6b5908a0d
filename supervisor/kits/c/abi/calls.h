/* The two ways a call can go: the host calls one of our functions, or we call one of the host's. */

#define THEATER_EXPORT(c_name, interface, function, signature, given, body) \
    __attribute__((used, section("theater_exports"))) static struct theater_function theater_export_##c_name = { \
        interface, function, signature, given, theater_state, NULL}; \
    __attribute__((export_name(interface "." function))) int32_t theater_enter_##c_name( \
        const uint8_t *in, uint32_t size, const uint8_t **out, uint32_t *out_size) \
    { \
        return theater_enter(&theater_export_##c_name, body, in, size, out, out_size); \
    }

/* Hand a buffer to the host, which frees it, and everything made during the call to the next one. */
static int32_t theater_leave(int32_t status, const void *from, uint32_t size, const uint8_t **out, uint32_t *out_size)
{
    uint8_t *copy = theater_keep(size);
    __builtin_memcpy(copy, from, size);
    theater_sweep();
    *out = copy;
    *out_size = size;
    return status;
}

/* What is wrong with the tuple (state, parameters…) that came in; NULL if nothing. */
static const char *theater_refusal(const struct theater_function *it, const struct theater_type *params, value input)
{
    if (!input || input->kind != THEATER_TUPLE || input->count == 0)
        return "decode error: expected tuple with state and params";
    if (input->count != params->count)
        return format("%s: expected %u parameters, found %u", it->name, params->count - 1, input->count - 1);
    for (uint32_t n = 0; n < input->count; n++) {
        const char *wrong = theater_mismatch(input->items[n], params->parts[n].type);
        if (wrong)
            return format("%s: %s%s", it->name, params->parts[n].name, wrong);
    }
    return NULL;
}

/* The state an actor begins with: what it was given may be none, the state, or some(state). */
static const char *theater_begin(const struct theater_function *it, value *given)
{
    const struct theater_type *state = it->parsed->result->parts[0].type->parts[0].type;
    if ((*given)->kind == THEATER_OPTION && state->kind != THEATER_OPTION && (*given)->count)
        *given = payload(*given);
    const char *wrong = is_none(*given) ? NULL : theater_mismatch(*given, state);
    return wrong ? format("%s: state%s", it->name, wrong) : NULL;
}

static int32_t theater_enter(struct theater_function *it, answer (*body)(value, const value *), const uint8_t *in,
                             uint32_t size, const uint8_t **out, uint32_t *out_size)
{
    struct theater_signature *signature = theater_signature(it);
    value input = theater_decode(in, size);
    const char *wrong = theater_refusal(it, &signature->params, input);
    value state = wrong ? NULL : input->items[0];
    if (!wrong && it->given != it->state)
        wrong = theater_begin(it, &state);
    if (wrong)
        return theater_leave(-1, wrong, theater_strlen(wrong), out, out_size);
    answer given = body(state, input->items + 1);
    wrong = theater_mismatch(given, signature->result);
    if (wrong) {
        wrong = format("encode error: %s: answer%s", it->name, wrong);
        return theater_leave(-1, wrong, theater_strlen(wrong), out, out_size);
    }
    struct theater_writer bytes = theater_encode(given, signature->result);
    return theater_leave(0, bytes.at, bytes.size, out, out_size);
}

/* One parameter goes bare, several as a tuple. The host keeps the buffer of its answer, so what we read from it is
 * copied: the next call may overwrite it. */
static value theater_ask(struct theater_function *it,
                         int32_t (*host)(const uint8_t *, uint32_t, const uint8_t **, uint32_t *), uint32_t count,
                         const value *items)
{
    struct theater_type params = theater_signature(it)->params;
    value input = count == 1 ? items[0] : theater_parent(THEATER_TUPLE, count, items);
    params.kind = THEATER_TUPLE;
    if (count != params.count || theater_mismatch(theater_parent(THEATER_TUPLE, count, items), &params))
        panic();
    struct theater_writer sent = theater_encode(input, count == 1 ? params.parts[0].type : &params);
    const uint8_t *answer = NULL;
    uint32_t size = 0;
    if (host(sent.at, sent.size, &answer, &size) < 0)
        panic();
    value found = theater_decode(theater_copy(answer, size), size);
    if (!found)
        panic();
    return found;
}
