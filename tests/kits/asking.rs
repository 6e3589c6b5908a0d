//! A guest that declares every function of the host that the Rust library knows, and two that it does not.

use theater::{actor, Any};

actor! {
    use host::log;
    use host::self_id;
    use host::shutdown;
    use host::spawn;
    use host::list_children;
    use host::restart_child;
    use host::stop_child;
    use host::child_state;

    /// As a record.
    #[import("theater:simple/supervisor", "child-status")]
    fn child_status(child_id: &str) -> Result<Any, String>;

    #[import("theater:simple/supervisor", "get-child-events")]
    fn child_events(child_id: &str) -> Result<Vec<(u64, String, Vec<u8>)>, String>;

    #[init]
    fn init(_given: Option<()>) -> Result<(), String> {
        Ok(())
    }

    #[export("test:asking/api", "who")]
    fn who(_state: &()) -> Result<String, String> {
        Ok(self_id())
    }

    #[export("test:asking/api", "start")]
    fn start(_state: &(), manifest: String, with: Option<Any>) -> Result<String, String> {
        spawn(&manifest, with, None)
    }

    #[export("test:asking/api", "children")]
    fn children(_state: &()) -> Result<Vec<String>, String> {
        list_children()
    }

    #[export("test:asking/api", "state")]
    fn state_of(_state: &(), child: String) -> Result<Any, String> {
        child_state(&child).map(|it| it.0)
    }

    #[export("test:asking/api", "again")]
    fn again(_state: &(), child: String) -> Result<(), String> {
        restart_child(&child)
    }

    #[export("test:asking/api", "events")]
    fn events(_state: &(), child: String) -> Result<u32, String> {
        log(&format!("events of {}", child));
        Ok(child_events(&child)?.len() as u32)
    }

    #[export("test:asking/api", "end")]
    fn end(_state: &()) -> Result<(), String> {
        shutdown(Some(b"over".to_vec()))
    }
}
