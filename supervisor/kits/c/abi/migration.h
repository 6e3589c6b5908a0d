/* Hot update: the state that another package left comes in, ours goes out. */

__attribute__((unused)) static int32_t theater_take_over(
    struct theater_function *it, answer (*body)(value), const uint8_t *in, uint32_t size, const uint8_t **out,
    uint32_t *out_size)
{
    struct theater_signature *signature = theater_signature(it);
    value input = theater_decode(in, size);
    const char *wrong = theater_refusal(it, &signature->params, input);
    answer given = wrong ? NULL : body(input->items[0]);
    if (!wrong && (wrong = theater_mismatch(given, signature->result)))
        wrong = format("encode error: %s: answer%s", it->name, wrong);
    if (wrong)
        return theater_leave(-1, wrong, theater_strlen(wrong), out, out_size);
    struct theater_writer bytes = theater_encode(given, signature->result);
    return theater_leave(0, bytes.at, bytes.size, out, out_size);
}
