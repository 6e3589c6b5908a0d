//! Write an actor for a Theater supervisor in Rust: this one file, no other crate. A complete actor:
//!
//! ```ignore
//! use theater::{actor, record};
//!
//! record! {
//!     struct Counter { count: u64 }
//! }
//!
//! actor! {
//!     use host::log;
//!
//!     #[init]
//!     fn init(given: Option<Counter>) -> Result<Counter, String> {
//!         Ok(given.unwrap_or(Counter { count: 0 }))
//!     }
//!
//!     #[export("example:counter/api", "add")]
//!     fn add(state: &mut Counter, by: u32) -> Result<u64, String> {
//!         log("counting");
//!         state.count += u64::from(by);
//!         Ok(state.count)
//!     }
//! }
//! ```
//!
//! The supervisor keeps an actor's state and hands it to every function; what the function leaves in it is the next
//! state. `Err` declines the call: the caller gets the text, and the state stays as it was. A panic ends the actor, and
//! its supervisor decides what happens next. What arrives has been checked against the types of the parameters.
//!
//! The signatures of the functions are the declaration: the module describes itself from them, interface hashes
//! included. Types are the usual ones of Rust, each with its type of WIT:
//!
//! | Rust | WIT |
//! |---|---|
//! | `bool`, `u8` … `u64`, `i8` … `i64`, `f32`, `f64`, `char` | `bool`, `u8` … `u64`, `s8` … `s64`, `f32`, `f64`, `char` |
//! | `String`, given also `&str` | `string` |
//! | `Vec<T>`, given also `&[T]` | `list<T>` |
//! | `Option<T>`, `Result<T, E>` | `option<T>`, `result<T, E>` |
//! | `()`, `(A,)`, `(A, B)` … up to eight | `tuple<…>` |
//! | [`record!`], [`variant!`] | `record`, `variant` |
//! | [`Flags`] | `flags` |
//! | [`Any`] | `value`: anything |
//!
//! Names are written as Rust has them (`interval_ms`, `NotFound`) and known to the host as WIT has them (`interval-ms`,
//! `not-found`). A type must not contain itself.

#![warn(missing_docs)]

use std::fmt;

// -- types, and values as bytes (CGRF) --------------------------------------------------------------------------------
//
// A buffer is a header, then nodes, each a kind, a length and a payload; the payload ends with the numbers of the
// node's children. What is written is canonical: children before their parent, in order, the root last.

const BOOL: u8 = 1;
const S32: u8 = 2;
const S64: u8 = 3;
const F32: u8 = 4;
const F64: u8 = 5;
const STRING: u8 = 6;
const LIST: u8 = 7;
const VARIANT: u8 = 8;
const RECORD: u8 = 9;
const OPTION: u8 = 10;
const TUPLE: u8 = 11;
const U8: u8 = 12;
const U16: u8 = 13;
const U32: u8 = 14;
const U64: u8 = 15;
const S8: u8 = 16;
const S16: u8 = 17;
const CHAR: u8 = 18;
const FLAGS: u8 = 19;
const RESULT: u8 = 20;
const ARRAY: u8 = 21;

/// Name, kind and width of the types without parts, in the order in which descriptions and hashes number them.
const WORDS: [(&str, u8, usize); 14] = [
    ("bool", BOOL, 1),
    ("u8", U8, 1),
    ("u16", U16, 2),
    ("u32", U32, 4),
    ("u64", U64, 8),
    ("s8", S8, 1),
    ("s16", S16, 2),
    ("s32", S32, 4),
    ("s64", S64, 8),
    ("f32", F32, 4),
    ("f64", F64, 8),
    ("char", CHAR, 4),
    ("string", STRING, 0),
    ("flags", FLAGS, 8),
];

const HEADER: usize = 16;
const DEPTH_MAX: u16 = 500;
const NODES_MAX: u32 = 10_000_000;

fn word(kind: u8) -> Option<usize> {
    WORDS.iter().position(|it| it.1 == kind)
}

/// Bytes of a number of this kind; 0 for what is not a number.
fn width(kind: u8) -> usize {
    word(kind).map_or(0, |at| WORDS[at].2)
}

fn kind_name(kind: u8) -> &'static str {
    match kind {
        LIST | ARRAY => "list",
        VARIANT => "variant",
        RECORD => "record",
        OPTION => "option",
        TUPLE => "tuple",
        RESULT => "result",
        _ => word(kind).map_or("nothing", |at| WORDS[at].0),
    }
}

/// A name as WIT writes it: `interval_ms` is `interval-ms`, `NotFound` is `not-found`.
fn kebab(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for each in name.strip_prefix("r#").unwrap_or(name).trim_start_matches('_').chars() {
        if each.is_ascii_uppercase() && !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        out.push(if each == '_' { '-' } else { each.to_ascii_lowercase() });
    }
    out
}

/// A type of WIT, as a Rust type has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A number, a character, a string, a boolean or flags: the kind of its nodes.
    #[doc(hidden)]
    Plain(u8),
    /// `list<T>`
    List(Box<Shape>),
    /// `option<T>`
    Option(Box<Shape>),
    /// `result<T, E>`
    Result(Box<Shape>, Box<Shape>),
    /// `tuple<T, …>`
    Tuple(Vec<Shape>),
    /// A record: its name, and its fields in order.
    Record(String, Vec<(String, Shape)>),
    /// A variant: its name, and its cases in order.
    Variant(String, Vec<(String, Option<Shape>)>),
    /// `value`: anything.
    Any,
}

impl Shape {
    fn kind(&self) -> u8 {
        match self {
            Shape::Plain(kind) => *kind,
            Shape::List(_) => LIST,
            Shape::Option(_) => OPTION,
            Shape::Result(..) => RESULT,
            Shape::Tuple(_) | Shape::Any => TUPLE,
            Shape::Record(..) => RECORD,
            Shape::Variant(..) => VARIANT,
        }
    }

    /// The tag that stands inside containers, so that an empty one keeps its type; for anything, that of nothing.
    fn tag(&self, out: &mut Vec<u8>) {
        out.push(self.kind());
        match self {
            Shape::Plain(_) => {}
            Shape::List(item) | Shape::Option(item) => item.tag(out),
            Shape::Result(ok, err) => {
                ok.tag(out);
                err.tag(out);
            }
            Shape::Tuple(items) => {
                add_u32(out, items.len());
                items.iter().for_each(|it| it.tag(out));
            }
            Shape::Record(name, _) | Shape::Variant(name, _) => add_text(out, name),
            Shape::Any => add_u32(out, 0),
        }
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Shape::Tuple(items) if items.is_empty())
    }
}

fn add_u32(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(&(number as u32).to_le_bytes());
}

fn add_text(out: &mut Vec<u8>, text: &str) {
    add_u32(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Where values are written, node by node.
pub struct Writer {
    bytes: Vec<u8>,
    nodes: u32,
}

impl Writer {
    fn new() -> Writer {
        let mut bytes = vec![0; HEADER];
        bytes[..8].copy_from_slice(b"CGRF\x02\0\0\0");
        Writer { bytes, nodes: 0 }
    }

    fn finish(mut self, root: u32) -> Vec<u8> {
        self.bytes[8..12].copy_from_slice(&self.nodes.to_le_bytes());
        self.bytes[12..16].copy_from_slice(&root.to_le_bytes());
        self.bytes
    }

    #[inline(never)]
    fn node(&mut self, kind: u8, head: &[u8], children: &[u32]) -> u32 {
        if self.nodes == NODES_MAX {
            panic!("a value has too many parts");
        }
        self.bytes.extend_from_slice(&[kind, 0, 0, 0]);
        add_u32(&mut self.bytes, head.len() + 4 * children.len());
        self.bytes.extend_from_slice(head);
        for child in children {
            self.bytes.extend_from_slice(&child.to_le_bytes());
        }
        self.nodes += 1;
        self.nodes - 1
    }

    fn text(&mut self, text: &str) -> u32 {
        let mut head = Vec::with_capacity(4 + text.len());
        add_text(&mut head, text);
        self.node(STRING, &head, &[])
    }

    /// A list of numbers, packed.
    fn array(&mut self, kind: u8, count: usize, fill: impl FnOnce(&mut Vec<u8>)) -> u32 {
        let mut head = Vec::with_capacity(5 + count * width(kind));
        head.push(kind);
        add_u32(&mut head, count);
        fill(&mut head);
        self.node(ARRAY, &head, &[])
    }

    fn list(&mut self, element: &[u8], items: &[u32]) -> u32 {
        let mut head = element.to_vec();
        add_u32(&mut head, items.len());
        self.node(LIST, &head, items)
    }

    fn option(&mut self, inner: &[u8], item: Option<u32>) -> u32 {
        let mut head = inner.to_vec();
        head.push(u8::from(item.is_some()));
        self.node(OPTION, &head, item.as_slice_of_one())
    }

    fn result(&mut self, ok: &Shape, err: &Shape, is_ok: bool, payload: u32) -> u32 {
        let mut head = Vec::new();
        ok.tag(&mut head);
        err.tag(&mut head);
        add_u32(&mut head, usize::from(!is_ok));
        head.push(1);
        self.node(RESULT, &head, &[payload])
    }

    #[doc(hidden)]
    pub fn tuple(&mut self, items: &[u32]) -> u32 {
        let mut head = Vec::new();
        add_u32(&mut head, items.len());
        self.node(TUPLE, &head, items)
    }

    fn record(&mut self, name: &str, fields: &[(&str, u32)]) -> u32 {
        let mut head = Vec::new();
        add_text(&mut head, name);
        add_u32(&mut head, fields.len());
        fields.iter().for_each(|field| add_text(&mut head, field.0));
        let children: Vec<u32> = fields.iter().map(|field| field.1).collect();
        self.node(RECORD, &head, &children)
    }

    fn variant(&mut self, name: &str, case: &str, tag: usize, payload: Option<u32>) -> u32 {
        let mut head = Vec::new();
        add_text(&mut head, name);
        add_text(&mut head, case);
        add_u32(&mut head, tag);
        add_u32(&mut head, payload.iter().len());
        self.node(VARIANT, &head, payload.as_slice_of_one())
    }
}

trait AsSliceOfOne {
    fn as_slice_of_one(&self) -> &[u32];
}

impl AsSliceOfOne for Option<u32> {
    fn as_slice_of_one(&self) -> &[u32] {
        self.as_ref().map_or(&[], std::slice::from_ref)
    }
}

/// Bytes being read: every step gives nothing once they are not what they should be.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        if size > self.0.len() {
            return None;
        }
        let (taken, rest) = self.0.split_at(size);
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|it| it[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4).map(read_u32)
    }

    fn text(&mut self) -> Option<&'a str> {
        let size = self.u32()?;
        std::str::from_utf8(self.take(size as usize)?).ok()
    }

    fn tag(&mut self, depth: u16) -> Option<()> {
        let kind = self.u8()?;
        let inner = match kind {
            LIST | OPTION => 1,
            RESULT => 2,
            TUPLE => self.u32()?,
            RECORD | VARIANT => {
                self.text()?;
                0
            }
            _ => word(kind).map(|_| 0)?,
        };
        if depth > DEPTH_MAX {
            return None;
        }
        for _ in 0..inner {
            self.tag(depth + 1)?;
        }
        Some(())
    }

    /// What comes before a node's children, up to and with their count.
    fn head(&mut self, kind: u8) -> Option<u32> {
        match kind {
            BOOL => return self.u8().filter(|it| *it <= 1).map(|_| 0),
            CHAR => return char::from_u32(self.u32()?).map(|_| 0),
            STRING => return self.text().map(|_| 0),
            ARRAY => {
                let each = Some(width(self.u8()?)).filter(|it| *it > 0)?;
                let count = self.u32()? as usize;
                return self.take(count.checked_mul(each)?).map(|_| 0);
            }
            LIST | OPTION => self.tag(0)?,
            RESULT => {
                self.tag(0)?;
                self.tag(0)?;
                self.u32()?;
                return self.u8().filter(|it| *it == 1).map(u32::from);
            }
            RECORD => {
                self.text()?;
                let count = self.u32()?;
                for _ in 0..count {
                    self.text()?;
                }
                return Some(count);
            }
            VARIANT => {
                self.text()?;
                self.text()?;
                self.u32()?;
            }
            TUPLE => {}
            _ => {
                let size = Some(width(kind)).filter(|it| *it > 0)?;
                return self.take(size).map(|_| 0);
            }
        }
        if kind == OPTION {
            return self.u8().map(|it| u32::from(it == 1));
        }
        self.u32()
    }
}

fn read_u32(at: &[u8]) -> u32 {
    u32::from_le_bytes([at[0], at[1], at[2], at[3]])
}

#[derive(Clone, Copy)]
struct Raw<'a> {
    kind: u8,
    /// The payload but for the children's numbers, which follow.
    head: &'a [u8],
    children: &'a [u8],
    /// Levels below.
    depth: u16,
}

/// The nodes of a buffer, checked. As every host of today writes it, children stand before their parents.
struct Table<'a> {
    nodes: Vec<Raw<'a>>,
    root: usize,
}

impl<'a> Table<'a> {
    fn read(bytes: &'a [u8]) -> Option<Table<'a>> {
        let mut at = Cursor(bytes);
        if at.take(6)? != b"CGRF\x02\0" {
            return None;
        }
        at.take(2)?;
        let (count, root) = (at.u32()? as usize, at.u32()? as usize);
        if root >= count || count > bytes.len() / 8 {
            return None;
        }
        let mut nodes = Vec::with_capacity(count);
        for _ in 0..count {
            let kind = at.take(4)?[0];
            let size = at.u32()?;
            let payload = at.take(size as usize)?;
            nodes.push(Table::node(kind, payload, &nodes)?);
        }
        Some(Table { nodes, root }).filter(|_| at.0.is_empty())
    }

    fn node(kind: u8, payload: &'a [u8], known: &[Raw<'a>]) -> Option<Raw<'a>> {
        let mut rest = Cursor(payload);
        let count = rest.head(kind)? as usize;
        let children = rest.0;
        if children.len() % 4 != 0 || children.len() / 4 != count {
            return None;
        }
        let mut depth = 0;
        for child in children.chunks_exact(4) {
            depth = depth.max(known.get(read_u32(child) as usize)?.depth + 1);
        }
        let head = &payload[..payload.len() - children.len()];
        Some(Raw { kind, head, children, depth }).filter(|it| it.depth <= DEPTH_MAX)
    }

    fn root(&self) -> Node<'_> {
        Node { raw: self.nodes[self.root], table: &self.nodes }
    }
}

/// A value that was received, not yet read.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    raw: Raw<'a>,
    table: &'a [Raw<'a>],
}

impl<'a> Node<'a> {
    fn count(self) -> usize {
        self.raw.children.len() / 4
    }

    fn child(self, at: usize) -> Node<'a> {
        let number = read_u32(&self.raw.children[4 * at..]);
        Node { raw: self.table[number as usize], table: self.table }
    }

    /// The items of a list, packed or not.
    fn items(self) -> Box<dyn Iterator<Item = Node<'a>> + 'a> {
        if self.raw.kind != ARRAY {
            return Box::new((0..self.count()).map(move |at| self.child(at)));
        }
        let kind = self.raw.head[0];
        let each = move |head| Node { raw: Raw { kind, head, children: &[], depth: 0 }, table: self.table };
        Box::new(self.raw.head[5..].chunks_exact(width(kind)).map(each))
    }

    /// A whole number of any width.
    fn integer(self) -> Option<i128> {
        let is_signed = match self.raw.kind {
            U8 | U16 | U32 | U64 => false,
            S8 | S16 | S32 | S64 => true,
            _ => return None,
        };
        let fill = if is_signed && self.raw.head[self.raw.head.len() - 1] >= 0x80 { 0xff } else { 0 };
        let mut bytes = [fill; 16];
        bytes[..self.raw.head.len()].copy_from_slice(self.raw.head);
        Some(i128::from_le_bytes(bytes))
    }

    fn expect(self, kind: u8) -> Result<Node<'a>, Wrong> {
        if self.raw.kind == kind {
            return Ok(self);
        }
        Err(self.unexpected(kind))
    }

    #[cold]
    #[inline(never)]
    fn unexpected(self, kind: u8) -> Wrong {
        Wrong(format!(": expected {}, found {}", kind_name(kind), kind_name(self.raw.kind)))
    }

    /// Write this node and all below it elsewhere, as it is.
    fn copy_to(self, out: &mut Writer) -> u32 {
        let children: Vec<u32> = (0..self.count()).map(|at| self.child(at).copy_to(out)).collect();
        out.node(self.raw.kind, self.raw.head, &children)
    }

    #[doc(hidden)]
    pub fn field<T: Value>(self, name: &str) -> Result<T, Wrong> {
        T::take(self.field_node(name)?).map_err(|it| it.inside(&[".", &kebab(name)].concat()))
    }

    #[inline(never)]
    fn field_node(self, name: &str) -> Result<Node<'a>, Wrong> {
        let name = kebab(name);
        let mut head = Cursor(self.expect(RECORD)?.raw.head);
        let _ = head.text();
        let count = head.u32().unwrap_or(0) as usize;
        let found = (0..count).find(|_| head.text() == Some(name.as_str()));
        found.map(|at| self.child(at)).ok_or_else(|| Wrong(format!(": the field {} is missing", name)))
    }

    #[doc(hidden)]
    pub fn has_fields(self, count: usize) -> Result<(), Wrong> {
        match self.expect(RECORD)?.count() {
            found if found != count => Err(Wrong(format!(": expected {} fields, found {}", count, found))),
            _ => Ok(()),
        }
    }

    #[doc(hidden)]
    pub fn case(self) -> Result<&'a str, Wrong> {
        let mut head = Cursor(self.expect(VARIANT)?.raw.head);
        let _ = head.text();
        Ok(head.text().unwrap_or(""))
    }

    #[doc(hidden)]
    pub fn is_case(self, name: &str, parts: usize) -> Result<bool, Wrong> {
        let case = self.case()?;
        if case != kebab(name) {
            return Ok(false);
        }
        if self.count() == parts {
            return Ok(true);
        }
        Err(Wrong(format!(".{}: expected {} payload", case, if parts == 1 { "a" } else { "no" })))
    }

    #[doc(hidden)]
    pub fn payload<T: Value>(self) -> Result<T, Wrong> {
        let case = self.case()?;
        T::take(self.child(0)).map_err(|it| it.inside(&[".", case].concat()))
    }

    #[doc(hidden)]
    pub fn no_case<T>(self) -> Result<T, Wrong> {
        Err(Wrong(format!(": there is no case {}", self.case()?)))
    }

    fn item<T: Value>(self, at: usize) -> Result<T, Wrong> {
        T::take(self.child(at)).map_err(|it| it.at(at))
    }
}

/// Why a value is not of a type, and where: `.field[3]: expected u32, found string`.
#[derive(Debug)]
pub struct Wrong(String);

impl Wrong {
    #[inline(never)]
    fn inside(self, place: &str) -> Wrong {
        Wrong([place, &self.0].concat())
    }

    #[inline(never)]
    fn at(self, number: usize) -> Wrong {
        Wrong(format!("[{}]{}", number, self.0))
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0.strip_prefix(": ").unwrap_or(&self.0))
    }
}

/// What can be given to the host: it has a type of WIT.
pub trait Put {
    /// Its type.
    fn shape() -> Shape;
    /// Write it; the number of its node.
    fn put(&self, out: &mut Writer) -> u32;

    #[doc(hidden)]
    fn put_all(items: &[Self], out: &mut Writer) -> u32
    where
        Self: Sized,
    {
        let children: Vec<u32> = items.iter().map(|it| it.put(out)).collect();
        out.list(&tag_of::<Self>(), &children)
    }
}

/// What can be received from the host, too.
pub trait Value: Put + Sized {
    /// Read it from what was received.
    fn take(from: Node<'_>) -> Result<Self, Wrong>;

    #[doc(hidden)]
    fn take_all(from: Node<'_>) -> Result<Vec<Self>, Wrong> {
        each_of(from)
    }
}

fn each_of<T: Value>(from: Node<'_>) -> Result<Vec<T>, Wrong> {
    let mut out = Vec::new();
    for (at, it) in from.items().enumerate() {
        out.push(T::take(it).map_err(|wrong| wrong.at(at))?);
    }
    Ok(out)
}

fn tag_of<T: Put>() -> Vec<u8> {
    let mut out = Vec::new();
    T::shape().tag(&mut out);
    out
}

macro_rules! whole_numbers {
    ($($type:ident $kind:ident),*) => {$(
        impl Put for $type {
            fn shape() -> Shape {
                Shape::Plain($kind)
            }
            fn put(&self, out: &mut Writer) -> u32 {
                out.node($kind, &self.to_le_bytes(), &[])
            }
            fn put_all(items: &[$type], out: &mut Writer) -> u32 {
                out.array($kind, items.len(), |to| items.iter().for_each(|it| to.extend_from_slice(&it.to_le_bytes())))
            }
        }
        impl Value for $type {
            fn take(from: Node<'_>) -> Result<$type, Wrong> {
                let fits = from.integer().and_then(|it| $type::try_from(it).ok());
                fits.ok_or_else(|| from.unexpected($kind))
            }
            fn take_all(from: Node<'_>) -> Result<Vec<$type>, Wrong> {
                if from.raw.kind == ARRAY && from.raw.head[0] == $kind {
                    let mut one = [0; std::mem::size_of::<$type>()];
                    let each = |it: &[u8]| {
                        one.copy_from_slice(it);
                        $type::from_le_bytes(one)
                    };
                    return Ok(from.raw.head[5..].chunks_exact(std::mem::size_of::<$type>()).map(each).collect());
                }
                each_of(from)
            }
        }
    )*};
}
whole_numbers!(u8 U8, u16 U16, u32 U32, u64 U64, i8 S8, i16 S16, i32 S32, i64 S64);

/// A mask of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u64);

macro_rules! other_plain {
    ($($type:ident $kind:ident $to:expr, $from:expr;)*) => {$(
        impl Put for $type {
            fn shape() -> Shape {
                Shape::Plain($kind)
            }
            fn put(&self, out: &mut Writer) -> u32 {
                out.node($kind, &$to(*self), &[])
            }
            fn put_all(items: &[$type], out: &mut Writer) -> u32 {
                out.array($kind, items.len(), |to| items.iter().for_each(|it| to.extend_from_slice(&$to(*it))))
            }
        }
        impl Value for $type {
            fn take(from: Node<'_>) -> Result<$type, Wrong> {
                let head = from.expect($kind)?.raw.head;
                let mut bytes = [0; 8];
                bytes[..head.len()].copy_from_slice(head);
                Ok($from(u64::from_le_bytes(bytes)))
            }
        }
    )*};
}
other_plain! {
    bool BOOL |it| [u8::from(it)], |it| it != 0;
    char CHAR |it| u32::from(it).to_le_bytes(), |it| char::from_u32(it as u32).unwrap_or('\u{fffd}');
    f32 F32 f32::to_le_bytes, |it| f32::from_bits(it as u32);
    f64 F64 f64::to_le_bytes, f64::from_bits;
    Flags FLAGS |it: Flags| it.0.to_le_bytes(), Flags;
}

impl Put for str {
    fn shape() -> Shape {
        Shape::Plain(STRING)
    }
    fn put(&self, out: &mut Writer) -> u32 {
        out.text(self)
    }
}

impl Put for String {
    fn shape() -> Shape {
        str::shape()
    }
    fn put(&self, out: &mut Writer) -> u32 {
        out.text(self)
    }
}

impl Value for String {
    fn take(from: Node<'_>) -> Result<String, Wrong> {
        Ok(Cursor(from.expect(STRING)?.raw.head).text().unwrap_or("").to_owned())
    }
}

impl<T: Put + ?Sized> Put for &T {
    fn shape() -> Shape {
        T::shape()
    }
    fn put(&self, out: &mut Writer) -> u32 {
        T::put(self, out)
    }
}

impl<T: Put> Put for [T] {
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
    fn put(&self, out: &mut Writer) -> u32 {
        T::put_all(self, out)
    }
}

impl<T: Put> Put for Vec<T> {
    fn shape() -> Shape {
        <[T]>::shape()
    }
    fn put(&self, out: &mut Writer) -> u32 {
        T::put_all(self, out)
    }
}

impl<T: Value> Value for Vec<T> {
    fn take(from: Node<'_>) -> Result<Vec<T>, Wrong> {
        if from.raw.kind != ARRAY {
            from.expect(LIST)?;
        }
        T::take_all(from)
    }
}

impl<T: Put> Put for Option<T> {
    fn shape() -> Shape {
        Shape::Option(Box::new(T::shape()))
    }
    fn put(&self, out: &mut Writer) -> u32 {
        let item = self.as_ref().map(|it| it.put(out));
        out.option(&tag_of::<T>(), item)
    }
}

impl<T: Value> Value for Option<T> {
    fn take(from: Node<'_>) -> Result<Option<T>, Wrong> {
        match from.expect(OPTION)?.count() {
            0 => Ok(None),
            _ => from.item(0).map(Some),
        }
    }
}

impl<T: Put, E: Put> Put for Result<T, E> {
    fn shape() -> Shape {
        Shape::Result(Box::new(T::shape()), Box::new(E::shape()))
    }
    fn put(&self, out: &mut Writer) -> u32 {
        let payload = match self {
            Ok(it) => it.put(out),
            Err(it) => it.put(out),
        };
        out.result(&T::shape(), &E::shape(), self.is_ok(), payload)
    }
}

impl<T: Value, E: Value> Value for Result<T, E> {
    fn take(from: Node<'_>) -> Result<Result<T, E>, Wrong> {
        let head = from.expect(RESULT)?.raw.head;
        match read_u32(&head[head.len() - 5..]) {
            0 => T::take(from.child(0)).map(Ok),
            _ => E::take(from.child(0)).map(Err),
        }
    }
}

macro_rules! tuples {
    ($(($($type:ident $at:tt),*))*) => {$(
        #[allow(unused_variables)]
        impl<$($type: Put),*> Put for ($($type,)*) {
            fn shape() -> Shape {
                Shape::Tuple(vec![$($type::shape()),*])
            }
            fn put(&self, out: &mut Writer) -> u32 {
                let items: &[u32] = &[$(self.$at.put(out)),*];
                out.tuple(items)
            }
        }
        #[allow(clippy::unused_unit)]
        impl<$($type: Value),*> Value for ($($type,)*) {
            fn take(from: Node<'_>) -> Result<($($type,)*), Wrong> {
                let names: &[&str] = &[$(stringify!($type)),*];
                match from.expect(TUPLE)?.count() {
                    found if found == names.len() => Ok(($(from.item::<$type>($at)?,)*)),
                    found => Err(Wrong(format!(": expected {} items, found {}", names.len(), found))),
                }
            }
        }
    )*};
}
tuples! {
    () (A 0) (A 0, B 1) (A 0, B 1, C 2) (A 0, B 1, C 2, D 3) (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5) (A 0, B 1, C 2, D 3, E 4, F 5, G 6) (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}

/// A value of any type, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Any(Vec<u8>);

impl Any {
    /// Anything from something.
    pub fn of<T: Put + ?Sized>(it: &T) -> Any {
        Any(encoded(it))
    }

    /// What it is, if it is of that type.
    pub fn to<T: Value>(&self) -> Result<T, Wrong> {
        T::take(self.table().root())
    }

    fn table(&self) -> Table<'_> {
        Table::read(&self.0).expect("made by us")
    }
}

impl Put for Any {
    fn shape() -> Shape {
        Shape::Any
    }
    fn put(&self, out: &mut Writer) -> u32 {
        self.table().root().copy_to(out)
    }
}

impl Value for Any {
    fn take(from: Node<'_>) -> Result<Any, Wrong> {
        let mut out = Writer::new();
        let root = from.copy_to(&mut out);
        Ok(Any(out.finish(root)))
    }
}

fn encoded<T: Put + ?Sized>(it: &T) -> Vec<u8> {
    let mut out = Writer::new();
    let root = it.put(&mut out);
    out.finish(root)
}

/// The state of a child, as `use host::child_state;` answers with it: what the child's state is, or none.
#[derive(Clone, Debug)]
pub struct ChildState(
    /// Of whatever type the child's state has.
    pub Any,
);

impl Put for ChildState {
    /// As the host declares it.
    fn shape() -> Shape {
        <Option<Vec<u8>>>::shape()
    }
    fn put(&self, out: &mut Writer) -> u32 {
        self.0.put(out)
    }
}

impl Value for ChildState {
    fn take(from: Node<'_>) -> Result<ChildState, Wrong> {
        Any::take(from).map(ChildState)
    }
}

/// Declare a record: a struct whose fields have types of WIT. Attributes and visibility are as you write them.
///
/// ```ignore
/// record! {
///     #[derive(Clone, Debug)]
///     pub struct Point { x: i32, y: i32 }
/// }
/// ```
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* $vis:vis struct $Name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident : $type:ty),* $(,)?
    }) => {
        $(#[$meta])*
        $vis struct $Name {
            $($(#[$field_meta])* $field_vis $field: $type),*
        }
        impl $crate::Put for $Name {
            fn shape() -> $crate::Shape {
                let fields = vec![$((stringify!($field), <$type as $crate::Put>::shape())),*];
                $crate::glue::record_shape(stringify!($Name), fields)
            }
            fn put(&self, out: &mut $crate::Writer) -> u32 {
                let fields: &[(&str, u32)] = &[$((stringify!($field), $crate::Put::put(&self.$field, out))),*];
                $crate::glue::put_record(stringify!($Name), fields, out)
            }
        }
        impl $crate::Value for $Name {
            fn take(from: $crate::Node<'_>) -> ::std::result::Result<$Name, $crate::Wrong> {
                let names: &[&str] = &[$(stringify!($field)),*];
                let it = $Name { $($field: from.field(stringify!($field))?),* };
                from.has_fields(names.len()).map(|_| it)
            }
        }
    };
}

/// Declare a variant: an enum whose cases carry one value or none. Without any payload it is an enum of WIT.
///
/// ```ignore
/// variant! {
///     #[derive(Clone, Debug)]
///     pub enum Shape { Dot, Line(i16) }
/// }
/// ```
#[macro_export]
macro_rules! variant {
    ($(#[$meta:meta])* $vis:vis enum $Name:ident {
        $($(#[$case_meta:meta])* $Case:ident $(($type:ty))?),* $(,)?
    }) => {
        $(#[$meta])*
        $vis enum $Name {
            $($(#[$case_meta])* $Case $(($type))?),*
        }
        impl $crate::Put for $Name {
            fn shape() -> $crate::Shape {
                let cases: ::std::vec::Vec<(&str, ::std::option::Option<$crate::Shape>)> = vec![$({
                    let payload = ::std::option::Option::None $(.or(Some(<$type as $crate::Put>::shape())))?;
                    (stringify!($Case), payload)
                }),*];
                $crate::glue::variant_shape(stringify!($Name), cases)
            }
            fn put(&self, out: &mut $crate::Writer) -> u32 {
                let cases: &[&str] = &[$(stringify!($Case)),*];
                match self {
                    $($Name::$Case $(($crate::variant!(@name it $type)))? => {
                        let payload: ::std::option::Option<u32> =
                            ::std::option::Option::None $(.or(Some(<$type as $crate::Put>::put(it, out))))?;
                        $crate::glue::put_variant(stringify!($Name), cases, stringify!($Case), payload, out)
                    })*
                }
            }
        }
        impl $crate::Value for $Name {
            fn take(from: $crate::Node<'_>) -> ::std::result::Result<$Name, $crate::Wrong> {
                $(if from.is_case(stringify!($Case), 0 $(+ $crate::variant!(@one $type))?)? {
                    return ::std::result::Result::Ok($Name::$Case $((from.payload::<$type>()?))?);
                })*
                from.no_case()
            }
        }
    };
    (@name $name:ident $type:ty) => { $name };
    (@one $type:ty) => { 1 };
}

/// Declare the actor, once: what it asks of the host, how it begins, and the functions others may call.
///
/// * `use host::log;` for a function of the host that is declared here: `log(&str)`, `self_id() -> String`,
///   `shutdown(Option<Vec<u8>>)`, and of the supervisor `spawn(&str, Option<Any>, Option<Vec<u8>>) -> Result<String,
///   String>`, `list_children`, `restart_child`, `stop_child`, `child_state`. With `log`, panics are logged.
/// * `#[import("interface", "function")] fn name(…) -> …;` for any other. The interface must be granted. `Result<(), E>`
///   is `result<_, E>`.
/// * `#[init] fn init(given: Option<State>) -> Result<State, E>`, which runs when the actor starts. An actor without
///   state has `()` as its state.
/// * `#[export("interface", "function")] fn name(state: &mut State, …) -> Result<T, E>` for a function that others may
///   call. With `&State` it only looks. `Result<(), E>` answers with nothing.
///
/// Errors may be of any type that has a text.
#[macro_export]
macro_rules! actor {
    (@items $init:tt $exports:tt $imports:tt use host::log; $($rest:tt)*) => {
        $crate::actor! { @items $init $exports $imports
            /// Write a line to the log.
            #[import("theater:simple/runtime", "log")]
            fn log(msg: &str);
            $($rest)*
        }
    };
    (@items $init:tt $exports:tt $imports:tt use host::self_id; $($rest:tt)*) => {
        $crate::actor! { @items $init $exports $imports
            /// The actor's own id.
            #[import("theater:simple/runtime", "self")]
            fn self_id() -> ::std::string::String;
            $($rest)*
        }
    };
    (@items $init:tt $exports:tt $imports:tt use host::shutdown; $($rest:tt)*) => {
        $crate::actor! { @items $init $exports $imports
            /// End in good order after this call, with a value for the parent.
            #[import("theater:simple/runtime", "shutdown")]
            fn shutdown(
                data: ::std::option::Option<::std::vec::Vec<u8>>
            ) -> ::std::result::Result<(), ::std::string::String>;
            $($rest)*
        }
    };
    (@items $init:tt $exports:tt $imports:tt use host::spawn; $($rest:tt)*) => {
        $crate::actor! { @items $init $exports $imports
            /// Start a child from a manifest (its text, or the path of its file); the child's id.
            #[import("theater:simple/supervisor", "spawn")]
            fn spawn(
                manifest: &str,
                init_state: ::std::option::Option<$crate::Any>,
                wasm_bytes: ::std::option::Option<::std::vec::Vec<u8>>,
            ) -> ::std::result::Result<::std::string::String, ::std::string::String>;
            $($rest)*
        }
    };
    (@items $init:tt $exports:tt $imports:tt use host::list_children; $($rest:tt)*) => {
        $crate::actor! { @items $init $exports $imports
            /// The ids of the children that live.
            #[import("theater:simple/supervisor", "list-children")]
            fn list_children() -> ::std::result::Result<::std::vec::Vec<::std::string::String>, ::std::string::String>;
            $($rest)*
        }
    };
    (@items $init:tt $exports:tt $imports:tt use host::restart_child; $($rest:tt)*) => {
        $crate::actor! { @items $init $exports $imports
            /// Stop a child in order and start it again from its last state.
            #[import("theater:simple/supervisor", "restart-child")]
            fn restart_child(child_id: &str) -> ::std::result::Result<(), ::std::string::String>;
            $($rest)*
        }
    };
    (@items $init:tt $exports:tt $imports:tt use host::stop_child; $($rest:tt)*) => {
        $crate::actor! { @items $init $exports $imports
            /// Stop a child in order.
            #[import("theater:simple/supervisor", "stop-child")]
            fn stop_child(child_id: &str) -> ::std::result::Result<(), ::std::string::String>;
            $($rest)*
        }
    };
    (@items $init:tt $exports:tt $imports:tt use host::child_state; $($rest:tt)*) => {
        $crate::actor! { @items $init $exports $imports
            /// A child's state.
            #[import("theater:simple/supervisor", "get-child-state")]
            fn child_state(child_id: &str) -> ::std::result::Result<$crate::ChildState, ::std::string::String>;
            $($rest)*
        }
    };

    (@items $init:tt $exports:tt [$($imports:tt)*]
        $(#[doc = $doc:literal])*
        #[import($interface:literal, $function:literal)]
        $vis:vis fn $name:ident($($param:ident : $type:ty),* $(,)?) $(-> $result:ty)?;
        $($rest:tt)*
    ) => {
        $(#[doc = $doc])*
        #[allow(dead_code, clippy::needless_pass_by_value, clippy::unused_unit)]
        $vis fn $name($($param: $type),*) $(-> $result)? {
            $crate::glue::ask($name::host, concat!($interface, ".", $function), |out| {
                let items: &[u32] = &[$($crate::Put::put(&$param, out)),*];
                if items.len() == 1 { items[0] } else { out.tuple(items) }
            })
        }
        mod $name {
            #[link(wasm_import_module = $interface)]
            extern "C" {
                #[link_name = $function]
                pub fn host(input: *const u8, size: usize, at: *mut *const u8, length: *mut usize) -> i32;
            }
        }
        $crate::actor! { @items $init $exports
            [$($imports)* { $name $interface $function ($($param: $type),*) ($($result)?) }] $($rest)*
        }
    };

    (@items [] $exports:tt $imports:tt
        $(#[doc = $doc:literal])*
        #[init]
        $vis:vis fn $name:ident($given:ident : $given_type:ty) -> $result:ty $body:block
        $($rest:tt)*
    ) => {
        type TheaterState = <$result as $crate::glue::Answer>::Response;

        $(#[doc = $doc])*
        $vis fn $name($given: $given_type) -> $result $body

        const _: () = {
            #[export_name = "theater:simple/actor.init"]
            unsafe extern "C" fn enter(input: *const u8, size: usize, at: *mut *mut u8, length: *mut usize) -> i32 {
                let call = |input: &[u8]| $crate::glue::begin(input, $name);
                $crate::glue::enter(THEATER_IMPORTS, input, size, at, length, &call)
            }
        };
        $crate::actor! { @items [init] $exports $imports $($rest)* }
    };

    (@items $init:tt [$($exports:tt)*] $imports:tt
        $(#[doc = $doc:literal])*
        #[export($interface:literal, $function:literal)]
        $vis:vis fn $name:ident($state:ident : $state_type:ty $(, $param:ident : $type:ty)* $(,)?) -> $result:ty
        $body:block
        $($rest:tt)*
    ) => {
        $(#[doc = $doc])*
        $vis fn $name($state: $state_type $(, $param: $type)*) -> $result $body

        const _: () = {
            #[export_name = concat!($interface, ".", $function)]
            unsafe extern "C" fn enter(input: *const u8, size: usize, at: *mut *mut u8, length: *mut usize) -> i32 {
                let names: &[&str] = &[$(stringify!($param)),*];
                let call = |input: &[u8]| {
                    $crate::glue::call($function, names, input, |state: &mut TheaterState, _params| {
                        $(let $param: $type = _params.next()?;)*
                        ::std::result::Result::Ok($name(state $(, $param)*))
                    })
                };
                $crate::glue::enter(THEATER_IMPORTS, input, size, at, length, &call)
            }
        };
        $crate::actor! { @items $init
            [$($exports)* { $interface $function ($($param: $type),*) ($result) }] $imports $($rest)*
        }
    };

    (@items [init]
        [$({ $interface:literal $function:literal ($($param:ident : $type:ty),*) ($result:ty) })*]
        [$({
            $host:ident $host_interface:literal $host_function:literal
            ($($host_param:ident : $host_type:ty),*) ($($host_result:ty)?)
        })*]
    ) => {
        static THEATER_IMPORTS: &[$crate::glue::Import] = &[$($crate::glue::Import {
            host: $host::host,
            function: $crate::glue::Function {
                interface: $host_interface,
                name: $host_function,
                signature: || $crate::glue::import_signature(
                    vec![$((stringify!($host_param), <$host_type as $crate::Put>::shape())),*],
                    ::std::option::Option::None $(.or(Some(<$host_result as $crate::Put>::shape())))?,
                ),
            },
        }),*];

        const _: () = {
            static EXPORTS: &[$crate::glue::Function] = &[
                $crate::glue::Function {
                    interface: "theater:simple/actor",
                    name: "init",
                    signature: $crate::glue::init_signature::<TheaterState>,
                },
                $($crate::glue::Function {
                    interface: $interface,
                    name: $function,
                    signature: || $crate::glue::export_signature::<TheaterState, $result>(
                        vec![$((stringify!($param), <$type as $crate::Put>::shape())),*]
                    ),
                }),*
            ];

            #[export_name = "__pack_types"]
            unsafe extern "C" fn types(at: *mut *const u8, length: *mut usize) -> i32 {
                $crate::glue::types(EXPORTS, THEATER_IMPORTS, at, length)
            }
            #[export_name = "__pack_alloc"]
            extern "C" fn alloc(size: i32) -> *mut u8 {
                $crate::glue::alloc(size)
            }
            #[export_name = "__pack_free"]
            unsafe extern "C" fn free(at: *mut u8, size: i32) {
                $crate::glue::free(at, size)
            }
        };
    };
    (@items [] $exports:tt $imports:tt) => {
        compile_error!("actor!: expected #[init] fn init(given: Option<State>) -> Result<State, String> { … }");
    };
    (@items $init:tt $exports:tt $imports:tt $($rest:tt)*) => {
        compile_error!(concat!(
            "actor!: expected `use host::log;` (or another of the host's functions), #[import(\"interface\", \
             \"function\")] fn …;, one #[init] fn …, or #[export(\"interface\", \"function\")] fn name(state: &mut State, \
             …) -> Result<…, …> { … }; found: ",
            stringify!($($rest)*)
        ));
    };
    ($($items:tt)*) => {
        $crate::actor! { @items [] [] [] $($items)* }
    };
}

/// What the macros stand on: not for use by hand.
#[doc(hidden)]
#[allow(missing_docs, clippy::missing_safety_doc)]
pub mod glue {
    use super::*;
    use std::cell::Cell;

    pub type Host = unsafe extern "C" fn(*const u8, usize, *mut *const u8, *mut usize) -> i32;
    /// The encoded answer, or why there is none.
    pub type Reply = Result<Vec<u8>, String>;

    pub struct Function {
        pub interface: &'static str,
        pub name: &'static str,
        pub signature: fn() -> Signature,
    }

    pub struct Import {
        pub function: Function,
        pub host: Host,
    }

    pub struct Signature {
        params: Vec<(String, Shape)>,
        result: Option<Shape>,
    }

    // -- memory: whoever frees a block tells its length ---------------------------------------------------------------

    fn layout(size: usize) -> std::alloc::Layout {
        std::alloc::Layout::from_size_align(size, 1).expect("a length of 31 bits")
    }

    pub fn alloc(size: i32) -> *mut u8 {
        if size <= 0 {
            return std::ptr::null_mut();
        }
        unsafe { std::alloc::alloc(layout(size as usize)) }
    }

    pub unsafe fn free(at: *mut u8, size: i32) {
        if !at.is_null() && size > 0 {
            std::alloc::dealloc(at, layout(size as usize));
        }
    }

    // -- the host calls one of our functions --------------------------------------------------------------------------

    /// What a function of an actor returns.
    pub trait Answer {
        type Response: Put;
        fn given(self) -> Result<Self::Response, String>;
    }

    impl<T: Put, E: ToString> Answer for Result<T, E> {
        type Response = T;
        fn given(self) -> Result<T, String> {
            self.map_err(|why| why.to_string())
        }
    }

    // What does not depend on the types of a function is kept out of it: a module has one of each of these.

    #[inline(never)]
    pub unsafe fn enter(
        imports: &'static [Import],
        input: *const u8,
        size: usize,
        at: *mut *mut u8,
        length: *mut usize,
        call: &dyn Fn(&[u8]) -> Reply,
    ) -> i32 {
        log_panics(imports);
        let given = if size == 0 { &[] } else { std::slice::from_raw_parts(input, size) };
        let (status, bytes) = match call(given) {
            Ok(answer) => (0, answer),
            Err(why) => (-1, why.into_bytes()),
        };
        let bytes = Box::leak(bytes.into_boxed_slice()); // the host frees it
        at.write_unaligned(bytes.as_mut_ptr());
        length.write_unaligned(bytes.len());
        status
    }

    /// A panic is told in the log, if the actor has one, before it ends the actor.
    fn log_panics(imports: &'static [Import]) {
        thread_local!(static DONE: Cell<bool> = const { Cell::new(false) });
        if DONE.with(|it| it.replace(true)) {
            return;
        }
        let is_log = |it: &&Import| it.function.interface == "theater:simple/runtime" && it.function.name == "log";
        if let Some(log) = imports.iter().find(is_log) {
            let host = log.host;
            std::panic::set_hook(Box::new(move |panic| {
                let line = encoded(panic.to_string().lines().collect::<Vec<_>>().join(" ").as_str());
                let (mut at, mut size) = (std::ptr::null(), 0);
                unsafe { host(line.as_ptr(), line.len(), &mut at, &mut size) };
            }));
        }
    }

    /// Parameters, one after the other.
    pub struct Params<'a> {
        function: &'a str,
        names: &'a [&'a str],
        input: Node<'a>,
        at: usize,
    }

    impl Params<'_> {
        #[allow(clippy::should_implement_trait)]
        pub fn next<T: Value>(&mut self) -> Result<T, String> {
            let input = self.one();
            T::take(input).map_err(|wrong| refusal(self.function, self.names[self.at - 1], wrong))
        }

        #[inline(never)]
        fn one(&mut self) -> Node<'_> {
            self.at += 1;
            self.input.child(self.at)
        }
    }

    #[inline(never)]
    fn refusal(function: &str, place: &str, wrong: Wrong) -> String {
        format!("{}: {}{}", function, kebab(place), wrong.0)
    }

    const NO_TUPLE: &str = "decode error: expected tuple with state and params";

    /// The nodes of a tuple of the state and so many parameters.
    #[inline(never)]
    fn input_of<'a>(function: &str, params: usize, input: &'a [u8]) -> Result<Table<'a>, String> {
        let table = Table::read(input).ok_or(NO_TUPLE)?;
        let root = Some(table.root()).filter(|it| it.raw.kind == TUPLE && it.count() > 0).ok_or(NO_TUPLE)?;
        match root.count() - 1 {
            found if found == params => Ok(table),
            found => Err(format!("{}: expected {} parameters, found {}", function, params, found)),
        }
    }

    pub fn call<S: Value, A: Answer>(
        function: &str,
        names: &[&str],
        input: &[u8],
        body: impl FnOnce(&mut S, &mut Params<'_>) -> Result<A, String>,
    ) -> Reply {
        let table = input_of(function, names.len(), input)?;
        let input = table.root();
        let mut state = S::take(input.child(0)).map_err(|wrong| refusal(function, "state", wrong))?;
        let answer = body(&mut state, &mut Params { function, names, input, at: 0 })?;
        drop(table);
        Ok(reply::<S, A::Response>(answer.given().map(|response| (state, response))))
    }

    /// What an actor begins with: what it was given may be none, the state, or some(state).
    pub fn begin<S: Value, A: Answer<Response = S>>(input: &[u8], body: impl FnOnce(Option<S>) -> A) -> Reply {
        let table = input_of("init", 0, input)?;
        let mut given = table.root().child(0);
        let state = if given.raw.kind == OPTION && given.count() == 0 {
            None
        } else {
            if given.raw.kind == OPTION && S::shape().kind() != OPTION {
                given = given.child(0);
            }
            Some(S::take(given).map_err(|wrong| refusal("init", "state", wrong))?)
        };
        drop(table);
        Ok(reply::<S, ()>(body(state).given().map(|state| (state, ()))))
    }

    fn reply<S: Put, R: Put>(given: Result<(S, R), String>) -> Vec<u8> {
        let mut out = Writer::new();
        let shape = answer_shape(S::shape(), R::shape());
        match given {
            Ok((state, response)) => {
                let mut items = vec![state.put(&mut out)];
                if !R::shape().is_nothing() {
                    items.push(response.put(&mut out));
                }
                agreed(&shape, &items, out)
            }
            Err(why) => declined(&shape, &why, out),
        }
    }

    #[inline(never)]
    fn agreed(shape: &Shape, items: &[u32], mut out: Writer) -> Vec<u8> {
        let payload = out.tuple(items);
        let root = out.result(shape, &str::shape(), true, payload);
        out.finish(root)
    }

    #[inline(never)]
    fn declined(shape: &Shape, why: &str, mut out: Writer) -> Vec<u8> {
        let payload = out.text(why);
        let root = out.result(shape, &str::shape(), false, payload);
        out.finish(root)
    }

    fn answer_shape(state: Shape, response: Shape) -> Shape {
        Shape::Tuple(if response.is_nothing() { vec![state] } else { vec![state, response] })
    }

    // -- we call one of the host's ------------------------------------------------------------------------------------

    pub fn ask<R: Value>(host: Host, name: &str, put: impl FnOnce(&mut Writer) -> u32) -> R {
        let mut out = Writer::new();
        let root = put(&mut out);
        let table = asked(host, name, out.finish(root));
        R::take(table.root()).unwrap_or_else(|wrong| unread(name, wrong))
    }

    /// The host keeps the buffer of its answer, and may use it again when it is asked the next time.
    #[inline(never)]
    fn asked(host: Host, name: &str, sent: Vec<u8>) -> Table<'static> {
        let (mut at, mut size) = (std::ptr::null(), 0);
        let status = unsafe { host(sent.as_ptr(), sent.len(), &mut at, &mut size) };
        if status < 0 {
            panic!("{}: the host gave no answer", name);
        }
        let answer = if size == 0 { &[] } else { unsafe { std::slice::from_raw_parts(at, size) } };
        Table::read(answer).unwrap_or_else(|| unread(name, Wrong(": expected a value".into())))
    }

    #[cold]
    #[inline(never)]
    fn unread(name: &str, wrong: Wrong) -> ! {
        panic!("{}: answer{}", name, wrong.0)
    }

    // -- records and variants -----------------------------------------------------------------------------------------

    pub fn record_shape(name: &str, fields: Vec<(&str, Shape)>) -> Shape {
        Shape::Record(kebab(name), named(fields))
    }

    pub fn variant_shape(name: &str, cases: Vec<(&str, Option<Shape>)>) -> Shape {
        Shape::Variant(kebab(name), named(cases))
    }

    fn named<T>(parts: Vec<(&str, T)>) -> Vec<(String, T)> {
        parts.into_iter().map(|(name, it)| (kebab(name), it)).collect()
    }

    pub fn put_record(name: &str, fields: &[(&str, u32)], out: &mut Writer) -> u32 {
        let names: Vec<String> = fields.iter().map(|it| kebab(it.0)).collect();
        let fields: Vec<(&str, u32)> = names.iter().map(String::as_str).zip(fields.iter().map(|it| it.1)).collect();
        out.record(&kebab(name), &fields)
    }

    pub fn put_variant(name: &str, cases: &[&str], case: &str, payload: Option<u32>, out: &mut Writer) -> u32 {
        let tag = cases.iter().position(|it| *it == case).unwrap_or(0);
        out.variant(&kebab(name), &kebab(case), tag, payload)
    }

    // -- signatures ---------------------------------------------------------------------------------------------------

    pub fn init_signature<S: Put>() -> Signature {
        let answer = answer_shape(S::shape(), <()>::shape());
        Signature { params: vec![("state".into(), Shape::Any)], result: Some(or_text(answer)) }
    }

    pub fn export_signature<S: Put, A: Answer>(params: Vec<(&str, Shape)>) -> Signature {
        let mut all = vec![("state".to_owned(), S::shape())];
        all.extend(named(params));
        Signature { params: all, result: Some(or_text(answer_shape(S::shape(), A::Response::shape()))) }
    }

    fn or_text(ok: Shape) -> Shape {
        Shape::Result(Box::new(ok), Box::new(str::shape()))
    }

    /// `result<_, E>` counts as `result<bool, E>`, `result<T, _>` as `result<T, string>`.
    pub fn import_signature(params: Vec<(&str, Shape)>, result: Option<Shape>) -> Signature {
        let or = |it: Box<Shape>, kind: u8| if it.is_nothing() { Box::new(Shape::Plain(kind)) } else { it };
        let result = match result {
            Some(Shape::Result(ok, err)) => Some(Shape::Result(or(ok, BOOL), or(err, STRING))),
            other => other,
        };
        Signature { params: named(params), result }
    }

    // -- the module's description of itself: every function with its types, and a hash of each interface --------------

    const RECORDS: &[u8] = b"\x09\0\0\0\0";
    const VARIANTS: &[u8] = b"\x08\0\0\0\0";

    pub unsafe fn types(exports: &[Function], imports: &[Import], at: *mut *const u8, length: *mut usize) -> i32 {
        thread_local!(static KEPT: Cell<&'static [u8]> = const { Cell::new(&[]) });
        if KEPT.with(|it| it.get().is_empty()) {
            let imports: Vec<&Function> = imports.iter().map(|it| &it.function).collect();
            let made = describe(&in_order(imports), &in_order(exports.iter().collect()));
            KEPT.with(|it| it.set(Box::leak(made.into_boxed_slice())));
        }
        let kept = KEPT.with(Cell::get);
        at.write_unaligned(kept.as_ptr());
        length.write_unaligned(kept.len());
        0
    }

    fn in_order(functions: Vec<&Function>) -> Vec<&Function> {
        sorted(functions, &|one, other| (one.interface, one.name) < (other.interface, other.name))
    }

    /// A short list in order: the library's sort would be a twentieth of a module.
    fn sorted<T>(given: Vec<T>, is_before: &dyn Fn(&T, &T) -> bool) -> Vec<T> {
        let mut out: Vec<T> = Vec::with_capacity(given.len());
        for it in given {
            let at = out.iter().position(|other| is_before(&it, other)).unwrap_or(out.len());
            out.insert(at, it);
        }
        out
    }

    fn describe(imports: &[&Function], exports: &[&Function]) -> Vec<u8> {
        let mut out = Writer::new();
        let fields = [
            ("imports", describe_functions(imports, &mut out)),
            ("exports", describe_functions(exports, &mut out)),
            ("import-hashes", describe_hashes(imports, &mut out)),
            ("export-hashes", describe_hashes(exports, &mut out)),
        ];
        let root = out.record("package-metadata", &fields);
        out.finish(root)
    }

    fn describe_functions(functions: &[&Function], out: &mut Writer) -> u32 {
        let items: Vec<u32> = functions.iter().map(|it| describe_function(it, out)).collect();
        out.list(RECORDS, &items)
    }

    fn describe_function(function: &Function, out: &mut Writer) -> u32 {
        let signature = (function.signature)();
        let (interface, name) = (out.text(function.interface), out.text(function.name));
        let params = describe_named("param-sig", &signature.params, out);
        let results: Vec<u32> = signature.result.iter().map(|it| describe_shape(it, out)).collect();
        let results = out.list(VARIANTS, &results);
        let fields = [("interface", interface), ("name", name), ("params", params), ("results", results)];
        out.record("function-sig", &fields)
    }

    fn describe_named(what: &str, parts: &[(String, Shape)], out: &mut Writer) -> u32 {
        let one = |(name, shape): &(String, Shape)| {
            let fields = [("name", out.text(name)), ("type", describe_shape(shape, out))];
            out.record(what, &fields)
        };
        let items: Vec<u32> = parts.iter().map(one).collect();
        out.list(RECORDS, &items)
    }

    fn describe_case(name: &str, payload: &Option<Shape>, out: &mut Writer) -> u32 {
        let name = out.text(name);
        let inner = payload.as_ref().map(|it| describe_shape(it, out));
        let payload = out.option(VARIANTS, inner);
        out.record("case-desc", &[("name", name), ("payload", payload)])
    }

    fn describe_shape(shape: &Shape, out: &mut Writer) -> u32 {
        let (name, tag, inside) = match shape {
            Shape::Plain(kind) => (kind_name(*kind), word(*kind).unwrap_or(0), None),
            Shape::List(item) => ("list", 14, Some(describe_shape(item, out))),
            Shape::Option(item) => ("option", 15, Some(describe_shape(item, out))),
            Shape::Result(ok, err) => {
                let fields = [("ok", describe_shape(ok, out)), ("err", describe_shape(err, out))];
                ("result", 16, Some(out.record("result-desc", &fields)))
            }
            Shape::Record(name, fields) => {
                let fields = [("name", out.text(name)), ("fields", describe_named("field-desc", fields, out))];
                ("record", 17, Some(out.record("record-desc", &fields)))
            }
            Shape::Variant(name, cases) => {
                let name = out.text(name);
                let cases: Vec<u32> = cases.iter().map(|(case, it)| describe_case(case, it, out)).collect();
                let fields = [("name", name), ("cases", out.list(RECORDS, &cases))];
                ("variant", 18, Some(out.record("variant-desc", &fields)))
            }
            Shape::Tuple(items) => {
                let items: Vec<u32> = items.iter().map(|it| describe_shape(it, out)).collect();
                ("tuple", 19, Some(out.list(VARIANTS, &items)))
            }
            Shape::Any => ("value", 20, None),
        };
        out.variant("type-desc", name, tag, inside)
    }

    fn describe_hashes(functions: &[&Function], out: &mut Writer) -> u32 {
        let mut items = Vec::new();
        let mut rest = functions;
        while let Some(first) = rest.first() {
            let count = rest.iter().take_while(|it| it.interface == first.interface).count();
            let hash = interface_hash(first.interface, &rest[..count]);
            rest = &rest[count..];
            let name = out.text(first.interface);
            let words: Vec<u32> = hash.chunks_exact(8).map(|it| out.node(U64, it, &[])).collect();
            let fields = [("name", name), ("hash", out.tuple(&words))];
            items.push(out.record("interface-hash", &fields));
        }
        out.list(RECORDS, &items)
    }

    // -- hashes: names of types and parameters do not count, all others do --------------------------------------------

    fn interface_hash(name: &str, functions: &[&Function]) -> [u8; 32] {
        let mut parts = vec![0x17];
        add_text(&mut parts, name);
        add_u32(&mut parts, 0);
        add_u32(&mut parts, functions.len());
        for function in functions {
            add_text(&mut parts, function.name);
            parts.extend_from_slice(&function_hash(&(function.signature)()));
        }
        sha256(&parts)
    }

    fn function_hash(signature: &Signature) -> [u8; 32] {
        let mut parts = vec![0x16];
        add_u32(&mut parts, signature.params.len());
        signature.params.iter().for_each(|it| parts.extend_from_slice(&shape_hash(&it.1)));
        add_u32(&mut parts, signature.result.iter().len());
        signature.result.iter().for_each(|it| parts.extend_from_slice(&shape_hash(it)));
        sha256(&parts)
    }

    fn shape_hash(shape: &Shape) -> [u8; 32] {
        let mut constant = [0; 32];
        let mut parts = Vec::new();
        match shape {
            Shape::Any => {
                constant[..2].copy_from_slice(&[0xff, 0xff]);
                return constant;
            }
            Shape::Plain(kind) => {
                constant[1] = 1 + word(*kind).unwrap_or(0) as u8;
                return constant;
            }
            Shape::List(item) => parts.push((0x10, vec![shape_hash(item)])),
            Shape::Option(item) => parts.push((0x11, vec![shape_hash(item)])),
            Shape::Result(ok, err) => parts.push((0x12, vec![shape_hash(ok), shape_hash(err)])),
            Shape::Tuple(items) => {
                let mut all = vec![0x13];
                add_u32(&mut all, items.len());
                items.iter().for_each(|it| all.extend_from_slice(&shape_hash(it)));
                return sha256(&all);
            }
            Shape::Record(_, fields) => {
                return parts_hash(0x14, fields.iter().map(|(name, it)| (name, shape_hash(it).to_vec())).collect());
            }
            Shape::Variant(_, cases) => {
                let payload = |it: &Option<Shape>| match it {
                    Some(shape) => [&[1][..], &shape_hash(shape)].concat(),
                    None => vec![0],
                };
                return parts_hash(0x15, cases.iter().map(|(name, it)| (name, payload(it))).collect());
            }
        }
        let (tag, inner) = parts.remove(0);
        sha256(&[&[tag][..], &inner.concat()].concat())
    }

    fn parts_hash(tag: u8, parts: Vec<(&String, Vec<u8>)>) -> [u8; 32] {
        let mut all = vec![tag];
        add_u32(&mut all, parts.len());
        for (name, rest) in sorted(parts, &|one, other| one.0 < other.0) {
            add_text(&mut all, name);
            all.extend_from_slice(&rest);
        }
        sha256(&all)
    }

    const ROUNDS: [u32; 64] = [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
        0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
        0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
        0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
        0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
        0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
        0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2,
    ];

    /// FIPS 180-4.
    fn sha256(data: &[u8]) -> [u8; 32] {
        let mut padded = data.to_vec();
        padded.push(0x80);
        padded.resize((data.len() + 9 + 63) / 64 * 64 - 8, 0);
        padded.extend_from_slice(&(data.len() as u64 * 8).to_be_bytes());
        let mut state: [u32; 8] = [
            0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
        ];
        padded.chunks_exact(64).for_each(|block| hash_block(&mut state, block));
        let mut out = [0; 32];
        out.chunks_exact_mut(4).zip(state).for_each(|(to, word)| to.copy_from_slice(&word.to_be_bytes()));
        out
    }

    fn hash_block(state: &mut [u32; 8], block: &[u8]) {
        let mut w = [0u32; 64];
        for (to, from) in w.iter_mut().zip(block.chunks_exact(4)) {
            *to = u32::from_be_bytes([from[0], from[1], from[2], from[3]]);
        }
        for n in 16..64 {
            let a = w[n - 15].rotate_right(7) ^ w[n - 15].rotate_right(18) ^ w[n - 15] >> 3;
            let b = w[n - 2].rotate_right(17) ^ w[n - 2].rotate_right(19) ^ w[n - 2] >> 10;
            w[n] = w[n - 16].wrapping_add(a).wrapping_add(w[n - 7]).wrapping_add(b);
        }
        let mut s = *state;
        for n in 0..64 {
            let e = s[4].rotate_right(6) ^ s[4].rotate_right(11) ^ s[4].rotate_right(25);
            let a = s[0].rotate_right(2) ^ s[0].rotate_right(13) ^ s[0].rotate_right(22);
            let choice = (s[4] & s[5]) ^ (!s[4] & s[6]);
            let majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
            let one = [e, choice, ROUNDS[n], w[n]].iter().fold(s[7], |sum, it| sum.wrapping_add(*it));
            s.copy_within(0..7, 1);
            s[4] = s[4].wrapping_add(one);
            s[0] = one.wrapping_add(a).wrapping_add(majority);
        }
        state.iter_mut().zip(s).for_each(|(to, it)| *to = to.wrapping_add(it));
    }
}
