/* The host's own functions, declared once for everybody; a module imports only those it calls. */

#define THEATER_RUNTIME "theater:simple/runtime"
#define THEATER_SUPERVISOR "theater:simple/supervisor"

IMPORT(log, THEATER_RUNTIME, "log", "(msg: string)")
IMPORT(self, THEATER_RUNTIME, "self", "() -> string")
IMPORT(shutdown, THEATER_RUNTIME, "shutdown", "(data: option<list<u8>>) -> result<_, string>")
IMPORT(spawn, THEATER_SUPERVISOR, "spawn",
       "(manifest: string, init-state: option<value>, wasm-bytes: option<list<u8>>) -> result<string, string>")
IMPORT(list_children, THEATER_SUPERVISOR, "list-children", "() -> result<list<string>, string>")
IMPORT(restart_child, THEATER_SUPERVISOR, "restart-child", "(child-id: string) -> result<_, string>")
IMPORT(stop_child, THEATER_SUPERVISOR, "stop-child", "(child-id: string) -> result<_, string>")
IMPORT(child_state, THEATER_SUPERVISOR, "get-child-state", "(child-id: string) -> result<option<list<u8>>, string>")

static inline void write_log(const char *message) { call(log, text(message)); }
static inline const char *self(void) { return as_text(call_without(self)); }
static inline void shutdown(value data) { call(shutdown, data); }
static inline value spawn(const char *manifest, value initial_state)
{
    return call(spawn, text(manifest), initial_state, none());
}
static inline value list_children(void) { return call_without(list_children); }
static inline value restart_child(const char *id) { return call(restart_child, text(id)); }
static inline value stop_child(const char *id) { return call(stop_child, text(id)); }
static inline value child_state(const char *id) { return call(child_state, text(id)); }
