//! A guest that exercises the Rust library where the examples do not; its functions are those of probe.c.

use theater::{actor, record, variant, Any, Flags};

variant! {
    pub enum Shape { Dot, Line(i16) }
}

record! {
    pub struct Mixed { z: f64, a: char, b: Flags, c: bool }
}

type Many = (Any, Vec<(u8, Shape)>, Result<bool, String>, Option<Vec<u16>>, Vec<String>, Mixed, Vec<u8>);

fn deeper(level: i32) -> i32 {
    let room = [level; 64];
    if level < 1 << 30 {
        deeper(level + 1) + unsafe { std::ptr::addr_of!(room[3]).read_volatile() }
    } else {
        0
    }
}

actor! {
    use host::log;

    #[init]
    fn init(given: Option<u8>) -> Result<u8, String> {
        Ok(given.unwrap_or(0))
    }

    #[export("test:probe/probe", "all")]
    fn all(_state: &u8, it: Many) -> Result<Many, String> {
        Ok(it)
    }

    #[export("test:probe/probe", "anything")]
    fn anything(_state: &u8, it: Any) -> Result<Any, String> {
        Ok(it)
    }

    #[export("test:probe/probe", "shape")]
    fn shape(_state: &u8, it: Shape) -> Result<Vec<Shape>, String> {
        Ok(match it {
            Shape::Dot => vec![],
            Shape::Line(length) => vec![Shape::Dot, Shape::Line(length * 2)],
        })
    }

    #[export("test:probe/probe", "sum")]
    fn sum(_state: &u8, numbers: Vec<i32>) -> Result<i64, String> {
        Ok(numbers.iter().map(|it| i64::from(*it)).sum())
    }

    #[export("test:probe/probe", "grow-state")]
    fn grow_state(state: &mut u8, by_much: u8) -> Result<(), &'static str> {
        *state += by_much;
        if *state > 200 {
            return Err("too large"); // and what was done to the state counts for nothing
        }
        Ok(())
    }

    #[export("test:probe/probe", "read")]
    fn read(_state: &u8, it: Any) -> Result<u32, theater::Wrong> {
        it.to::<u32>()
    }

    #[export("test:probe/probe", "made")]
    fn made(_state: &u8) -> Result<Any, String> {
        log("made");
        Ok(Any::of(&("text", [1u8, 2, 3].as_slice(), Some(true))))
    }

    #[export("test:probe/probe", "panics")]
    fn panics(_state: &u8, why: String) -> Result<(), String> {
        panic!("because {}", why)
    }

    #[export("test:probe/probe", "deep")]
    fn deep(_state: &u8) -> Result<i32, String> {
        Ok(deeper(0))
    }
}
