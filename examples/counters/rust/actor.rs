//! The counter, in Rust.

use theater::{actor, record};

record! {
    struct Counter { count: u64 }
}

actor! {
    #[init]
    fn init(given: Option<Counter>) -> Result<Counter, String> {
        Ok(given.unwrap_or(Counter { count: 0 }))
    }

    #[export("example:counters/api", "get")]
    fn get(state: &Counter) -> Result<u64, String> {
        Ok(state.count)
    }

    #[export("example:counters/api", "add")]
    fn add(state: &mut Counter, by: u32) -> Result<u64, String> {
        state.count += u64::from(by);
        Ok(state.count)
    }

    #[export("example:counters/api", "set")]
    fn set(state: &mut Counter, count: u64) -> Result<(), String> {
        state.count = count;
        Ok(())
    }

    #[export("example:counters/api", "fail")]
    fn fail(_state: &Counter) -> Result<(), String> {
        Err("declined, as you asked".into())
    }
}
