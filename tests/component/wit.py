"""Small components, written as text: the fixtures of the component door's tests."""

from __future__ import annotations

COUNTER = """
(component
  (type $runtime (instance
    (type $log (func (param "msg" string)))
    (export "log" (func (type $log)))))
  (import "theater:simple/runtime" (instance $host (type $runtime)))
  (core module $libc
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (core func $log (canon lower (func $host "log")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $guest
    (import "libc" "memory" (memory 1))
    (import "host" "log" (func $log (param i32 i32)))
    (data (i32.const 512) "refused")
    (data (i32.const 600) "hello from the component")
    (func $ok (param $state i32) (param $value i32) (result i32)
      (i32.store8 (i32.const 1024) (i32.const 0))
      (i32.store (i32.const 1028) (local.get $state))
      (i32.store (i32.const 1032) (local.get $value))
      (i32.const 1024))
    (func (export "init") (param i32) (result i32) (call $ok (local.get 0) (i32.const 0)))
    (func (export "bump") (param i32 i32) (result i32)
      (call $ok (i32.add (local.get 0) (local.get 1)) (i32.add (local.get 0) (local.get 1))))
    (func (export "fail") (param i32) (result i32)
      (i32.store8 (i32.const 1024) (i32.const 1))
      (i32.store (i32.const 1028) (i32.const 512))
      (i32.store (i32.const 1032) (i32.const 7))
      (i32.const 1024))
    (func (export "trap") (param i32) (result i32) unreachable)
    (func (export "spin") (param i32) (result i32) (loop $again (br $again)) unreachable)
    (func (export "log") (param i32) (result i32)
      (call $log (i32.const 600) (i32.const 24))
      (call $ok (local.get 0) (i32.const 0)))
    (func (export "plain") (param i32 i32) (result i32) (i32.mul (local.get 0) (local.get 1))))
  (core instance $guest (instantiate $guest
    (with "libc" (instance $libc))
    (with "host" (instance (export "log" (func $log))))))
  (func $init (param "state" u32) (result (result (tuple u32) (error string)))
    (canon lift (core func $guest "init") (memory (core memory $libc "memory"))))
  (func $bump (param "state" u32) (param "by" u32) (result (result (tuple u32 u32) (error string)))
    (canon lift (core func $guest "bump") (memory (core memory $libc "memory"))))
  (func $fail (param "state" u32) (result (result (tuple u32) (error string)))
    (canon lift (core func $guest "fail") (memory (core memory $libc "memory"))))
  (func $trap (param "state" u32) (result (result (tuple u32) (error string)))
    (canon lift (core func $guest "trap") (memory (core memory $libc "memory"))))
  (func $spin (param "state" u32) (result (result (tuple u32) (error string)))
    (canon lift (core func $guest "spin") (memory (core memory $libc "memory"))))
  (func $tell (param "state" u32) (result (result (tuple u32) (error string)))
    (canon lift (core func $guest "log") (memory (core memory $libc "memory"))))
  (func $plain (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $guest "plain")))
  (instance $actor (export "init" (func $init)))
  (export "theater:simple/actor@0.1.0" (instance $actor))
  (instance $api
    (export "bump" (func $bump)) (export "fail" (func $fail)) (export "trap" (func $trap))
    (export "spin" (func $spin)) (export "log" (func $tell)) (export "plain" (func $plain)))
  (export "test:counter/api" (instance $api)))
"""
"""A counter: state u32; bump(by), fail, trap, spin, log, and ``plain``, which knows no state."""

_WEIGH = """(func $weigh (param "data" (list u8)) (result u32) (canon lift (core func $guest "weigh")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (instance $actor"""
_WEIGHS = """(func (export "weigh") (param i32 i32) (result i32) (local.get 1))
    (func (export "plain")"""
LISTING = (
    COUNTER.replace('(func (export "plain")', _WEIGHS)
    .replace("(instance $actor", _WEIGH, 1)
    .replace('(export "plain" (func $plain))', '(export "plain" (func $plain)) (export "weigh" (func $weigh))')
)
"""The same with ``weigh``, which tells how many bytes it is given: so it is compiled with a bridge around it."""

_RECOVERED = """(func $recovered (param "state" u32) (param "how" string) (result (result (tuple u32) (error string)))
    (canon lift (core func $guest "recovered") (memory (core memory $libc "memory"))
      (realloc (core func $libc "realloc"))))
  (instance $recovery (export "handle-recovered" (func $recovered)))
  (export "theater:simple/recovery-handlers@0.1.1" (instance $recovery))
  (instance $actor"""
RECOVERING = COUNTER.replace("(instance $actor", _RECOVERED, 1).replace(
    '(func (export "plain")',
    """(func (export "recovered") (param i32 i32 i32) (result i32)
      (call $log (local.get 1) (local.get 2))
      (call $ok (i32.add (local.get 0) (i32.const 100)) (i32.const 0)))
    (func (export "plain")""",
)
"""The counter, which logs how it was recovered and adds 100."""
