/* theater.h: write an actor for a Theater supervisor in C.
 *
 * Include this file in one .c file per actor and run `theater build`, or build with any clang that knows WebAssembly;
 * no C library is needed (README.md has the exact commands). A complete actor:
 *
 *     #include "theater.h"
 *
 *     STATE("record counter { count: u64 }")
 *
 *     INIT
 *     {
 *         return done(is_none(given) ? record(field("count", u64(0))) : given);
 *     }
 *
 *     EXPORT(add, "example:counter/api", "add", "(by: u64) -> u64")
 *     {
 *         value sum = u64(as_u64(get(state, "count")) + as_u64(param[0]));
 *         return ok(record(field("count", sum)), sum);
 *     }
 *
 * The supervisor keeps an actor's state and hands it to every function; a function returns the next one. What arrives
 * has been checked against the declared types before your code sees it, what you return is checked before it leaves.
 * Everything you build during a call is freed when the call is answered: there is nothing to release.
 * How it works is in abi/, one idea per file: you need not read it to write an actor.
 */
#ifndef THEATER_H
#define THEATER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A value of any type: what the state, parameters and answers are. Values never change once made. */
typedef const struct theater_value *value;

/* What a function returns: ok(…), done(…) or fail(…). */
typedef value answer;

/* -- declaring --
 *
 * Types are written as text: bool u8 u16 u32 u64 s8 s16 s32 s64 f32 f64 char string flags, list<T>, option<T>,
 * result<T, E>, tuple<T, …>, record name { field: T, … }, variant name { case, case(T), … }, and value, which is
 * anything.
 *
 * STATE(type)  once, before all functions: the type of the state. An actor without state says NO_STATE.
 * INIT { … }   runs when the actor starts; `given` is the state it was given, or none. What is given has the type of
 *              the state (whole numbers of another width are fine), so it may simply be passed on.
 * EXPORT(c_name, interface, function, signature) { … }
 *              a function others may call; in its body `state` is the state and `param[0]`, `param[1]` … the
 *              parameters. The signature is what the caller sees: "(name: string, by: u32) -> u64", or no "->".
 * MIGRATE(type) { … }
 *              takes over in a hot update: `old` is the state that the package before this one left, of that type;
 *              done(…) gives what to go on with, fail(…) refuses, and the old package serves on. Only needed if the
 *              old state is not already one of the new type. It computes only: host functions are refused.
 */
#define STATE(type) static const char theater_state[] = type;
#define NO_STATE STATE("tuple<>")

#define INIT \
    static answer theater_init(value given); \
    static answer theater_init_body(value state, const value *param) { (void)param; return theater_init(state); } \
    THEATER_EXPORT(init_entry, "theater:simple/actor", "init", "()", "value", theater_init_body) \
    static answer theater_init(value given)

#define EXPORT(c_name, interface, function, signature) \
    static answer c_name(value state, const value *param); \
    THEATER_EXPORT(c_name, interface, function, signature, theater_state, c_name) \
    static answer c_name(__attribute__((unused)) value state, __attribute__((unused)) const value *param)

#define MIGRATE(type) \
    static answer theater_migrate(value old); \
    __attribute__((used, section("theater_exports"))) static struct theater_function theater_export_migrate = { \
        "theater:simple/actor", "migrate", "()", type, theater_state, NULL}; \
    __attribute__((export_name("theater:simple/actor.migrate"))) int32_t theater_enter_migrate( \
        const uint8_t *in, uint32_t size, const uint8_t **out, uint32_t *out_size) \
    { \
        return theater_take_over(&theater_export_migrate, theater_migrate, in, size, out, out_size); \
    } \
    static answer theater_migrate(value old)

/* -- answering -- */
static answer ok(value state, value response);      /* the next state, and what the caller gets */
static answer done(value state);                    /* the next state; the caller gets nothing */
static answer fail(const char *why);                /* the call is declined, the state stays as it was */
#define panic() __builtin_trap()                    /* the actor is broken: it dies, and its supervisor decides */

/* -- making values -- */
static value boolean(bool it);
static value u8(uint8_t it);
static value u16(uint16_t it);
static value u32(uint32_t it);
static value u64(uint64_t it);
static value s32(int32_t it);
static value s64(int64_t it);
static value f64(double it);
static value text(const char *it);                            /* a string; the characters are copied */
static value bytes(const void *at, uint32_t size);            /* a list<u8>; likewise */
static value some(value it);                                  /* an option with something in it … */
static value none(void);                                      /* … and one without */
static value unit(void);                                      /* nothing at all: the empty tuple */
#define tuple(...) theater_many(THEATER_TUPLE, THEATER_COUNT(value, __VA_ARGS__), (value[]){__VA_ARGS__})
#define list(...) theater_many(THEATER_LIST, THEATER_COUNT(value, __VA_ARGS__), (value[]){__VA_ARGS__})
#define list_of(items, count) theater_many(THEATER_LIST, count, items)  /* from an array; may be empty */
#define record(...) theater_record(THEATER_COUNT(theater_field, __VA_ARGS__), (theater_field[]){__VA_ARGS__})
#define field(name, it) ((theater_field){name, it})           /* only inside record(…) */
static value case_of(const char *name);                       /* a variant's case … */
static value case_with(const char *name, value payload);      /* … and one that carries something */

/* -- reading values: asking for what is not there is a panic -- */
static bool as_bool(value it);
static uint64_t as_u64(value it);                             /* any whole number that is not negative */
static uint32_t as_u32(value it);
static int64_t as_s64(value it);
static double as_f64(value it);
static const char *as_text(value it);                         /* ends with a zero byte, as C likes it */
static const uint8_t *as_bytes(value it);                     /* of a list<u8>; length(it) of them */
static uint32_t length(value it);                             /* bytes of a string, items of a list or tuple */
static value item(value it, uint32_t index);                  /* of a list or tuple */
static value get(value record, const char *field);            /* of a record */
static bool is_none(value it);
static bool is_ok(value it);                                  /* of a result */
static bool is_case(value it, const char *name);              /* of a variant */
static value payload(value it);                               /* inside some(…), a result, or a variant's case */
static bool same(const char *one, const char *other);         /* two texts are equal */

/* A text put together as with printf: %s, %u (uint32_t), %d (int32_t), %llu (uint64_t), %lld (int64_t) and %%. */
__attribute__((format(printf, 1, 2))) static const char *format(const char *pattern, ...);

/* Memory for the rest of this call, all zero. */
static void *scratch(uint32_t size);

/* -- asking the host --
 *
 * IMPORT declares a host function once; call(c_name, values…) calls it. A module imports only the functions it really
 * calls, and its manifest (or tree.yaml) must grant their interfaces. Functions that can fail answer with a result.
 */
#define IMPORT(c_name, interface, function, signature) \
    __attribute__((import_module(interface), import_name(function))) extern int32_t theater_host_##c_name( \
        const uint8_t *, uint32_t, const uint8_t **, uint32_t *); \
    __attribute__((unused, section("theater_imports"))) static struct theater_function theater_import_##c_name = { \
        interface, function, signature, NULL, NULL, NULL};
#define call(c_name, ...) \
    theater_ask(&theater_import_##c_name, theater_host_##c_name, \
                THEATER_COUNT(value, __VA_ARGS__), (value[]){__VA_ARGS__})
/* a function without parameters */
#define call_without(c_name) theater_ask(&theater_import_##c_name, theater_host_##c_name, 0, NULL)

static inline void write_log(const char *message);            /* a line in the actor's log and history */
static inline const char *self(void);                         /* the actor's own id */
static inline void shutdown(value data);                      /* end in good order after this call: none() or
                                                                 some(bytes(…)), which the parent is given */

/* Children of this actor; the manifest is the text of one or the path of its file. Each answers with a result. */
static inline value spawn(const char *manifest, value initial_state);  /* none() or some(state); ok: the child's id */
static inline value list_children(void);                               /* ok: a list of ids */
static inline value restart_child(const char *id);
static inline value stop_child(const char *id);
static inline value child_state(const char *id);                       /* ok: the child's state */

#include "abi/memory.h"
#include "abi/values.h"
#include "abi/types.h"
#include "abi/fitting.h"
#include "abi/encoding.h"
#include "abi/description.h"
#include "abi/calls.h"
#include "abi/migration.h"
#include "abi/host.h"

#endif
