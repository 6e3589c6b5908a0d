/* A guest that exercises the kit where the examples do not: every type, wrong answers, deep recursion. */
#include "theater.h"

#define SHAPE "variant shape { dot, line(s16) }"
#define MIXED "record mixed { z: f64, a: char, b: flags, c: bool }"
#define MANY \
    "tuple<value, list<tuple<u8, " SHAPE ">>, result<bool, string>, option<list<u16>>, list<string>, " MIXED ", list<u8>>"

STATE("u8")

INIT
{
    return done(is_none(given) ? u8(0) : given);
}

EXPORT(all, "test:probe/probe", "all", "(it: " MANY ") -> " MANY)
{
    return ok(state, param[0]);
}

EXPORT(anything, "test:probe/probe", "anything", "(it: value) -> value")
{
    return ok(state, param[0]);
}

EXPORT(shape, "test:probe/probe", "shape", "(it: " SHAPE ") -> list<" SHAPE ">")
{
    if (is_case(param[0], "dot"))
        return ok(state, list_of(NULL, 0));
    return ok(state, list(case_of("dot"), case_with("line", s32((int32_t)as_s64(payload(param[0])) * 2))));
}

EXPORT(sum, "test:probe/probe", "sum", "(numbers: list<s32>) -> s64")
{
    int64_t sum = 0;
    for (uint32_t n = 0; n < length(param[0]); n++)
        sum += as_s64(item(param[0], n));
    return ok(state, s64(sum));
}

EXPORT(words, "test:probe/probe", "words", "(name: string, small: u32, big: u64, below: s32, far: s64) -> string")
{
    return ok(state, text(format("%s|%u|%llu|%d|%lld|100%%", as_text(param[0]), as_u32(param[1]), as_u64(param[2]),
                                 (int32_t)as_s64(param[3]), as_s64(param[4]))));
}

EXPORT(narrow, "test:probe/probe", "narrow", "(it: u64) -> u8")
{
    return ok(state, param[0]);
}

EXPORT(wrong, "test:probe/probe", "wrong", "() -> u32")
{
    return ok(state, text("not a number"));
}

EXPORT(grow_state, "test:probe/probe", "grow-state", "(to: u64)")
{
    return done(param[0]);
}

static int deeper(int level)
{
    volatile char room[256];
    room[0] = (char)level;
    return level < 1 << 30 ? deeper(level + 1) + room[0] : 0;
}

EXPORT(deep, "test:probe/probe", "deep", "() -> s32")
{
    return ok(state, s32(deeper(0)));
}
