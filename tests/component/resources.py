"""Components with resources, as text: one that uses the host's, one that has its own."""

from __future__ import annotations

USER = """
(component
  (import "test:res/api@2.0.0" (instance $api
    (export "thing" (type $thing (sub resource)))
    (export "[constructor]thing" (func (param "size" u32) (result (own $thing))))
    (export "[method]thing.size" (func (param "self" (borrow $thing)) (result u32)))
    (export "swallow" (func (param "it" (own $thing))))
    (export "all" (func (result (list (own $thing)))))))
  (alias export $api "thing" (type $thing))
  (core module $libc
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $new (canon lower (func $api "[constructor]thing")))
  (core func $size (canon lower (func $api "[method]thing.size")))
  (core func $swallow (canon lower (func $api "swallow")))
  (core func $all (canon lower (func $api "all") (memory $memory) (realloc $realloc)))
  (core func $drop (canon resource.drop $thing))
  (core module $guest
    (import "host" "new" (func $new (param i32) (result i32)))
    (import "host" "size" (func $size (param i32) (result i32)))
    (import "host" "swallow" (func $swallow (param i32)))
    (import "host" "all" (func $all (param i32)))
    (import "host" "drop" (func $drop (param i32)))
    (import "libc" "memory" (memory 1))
    (func (export "use") (param i32) (result i32) (local $it i32)
      (local.set $it (call $new (local.get 0)))
      (local.set 0 (call $size (local.get $it)))
      (call $drop (local.get $it))
      (local.get 0))
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "keep") (param i32) (result i32) (local.get 0))
    (func (export "look") (param i32) (result i32) (local $found i32)
      (local.set $found (call $size (local.get 0)))
      (call $drop (local.get 0))
      (local.get $found))
    (func (export "feed") (param i32) (call $swallow (local.get 0)))
    (func (export "both") (result i32) (local $at i32)
      (call $all (i32.const 64))
      (local.set $at (i32.load (i32.const 64)))
      (i32.add (call $size (i32.load (local.get $at))) (call $size (i32.load offset=4 (local.get $at))))))
  (core instance $guest (instantiate $guest
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "new" (func $new)) (export "size" (func $size)) (export "swallow" (func $swallow))
      (export "all" (func $all)) (export "drop" (func $drop))))))
  (func (export "use") (param "size" u32) (result u32) (canon lift (core func $guest "use")))
  (func (export "make") (param "size" u32) (result (own $thing)) (canon lift (core func $guest "make")))
  (func (export "keep") (param "it" (own $thing)) (result u32) (canon lift (core func $guest "keep")))
  (func (export "look") (param "it" (borrow $thing)) (result u32) (canon lift (core func $guest "look")))
  (func (export "feed") (param "it" (own $thing)) (canon lift (core func $guest "feed")))
  (func (export "both") (result u32) (canon lift (core func $guest "both"))))
"""
"""Uses ``test:res/api.thing`` of the host's in every way there is."""

OWNER = """
(component
  (core module $memory
    (global (export "dropped") (mut i32) (i32.const 0)))
  (core instance $memory (instantiate $memory))
  (core module $end
    (import "m" "dropped" (global $dropped (mut i32)))
    (func (export "end") (param i32)
      (if (i32.eq (local.get 0) (i32.const 666)) (then unreachable))
      (global.set $dropped (i32.add (global.get $dropped) (local.get 0)))))
  (core instance $end (instantiate $end (with "m" (instance $memory))))
  (type $counter (resource (rep i32) (dtor (core func $end "end"))))
  (core func $new (canon resource.new $counter))
  (core func $rep (canon resource.rep $counter))
  (core func $drop (canon resource.drop $counter))
  (core module $guest
    (import "m" "dropped" (global $dropped (mut i32)))
    (import "r" "new" (func $new (param i32) (result i32)))
    (import "r" "rep" (func $rep (param i32) (result i32)))
    (import "r" "drop" (func $drop (param i32)))
    (func (export "new") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "get") (param i32) (result i32) (local.get 0))
    (func (export "eat") (param i32) (result i32) (local $found i32)
      (local.set $found (call $rep (local.get 0)))
      (call $drop (local.get 0))
      (local.get $found))
    (func (export "pair") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "dropped") (result i32) (global.get $dropped)))
  (core instance $guest (instantiate $guest
    (with "m" (instance $memory))
    (with "r" (instance (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
  (func $new' (param "start" u32) (result (own $counter)) (canon lift (core func $guest "new")))
  (func $get' (param "self" (borrow $counter)) (result u32) (canon lift (core func $guest "get")))
  (func $eat' (param "it" (own $counter)) (result u32) (canon lift (core func $guest "eat")))
  (func $pair' (param "a" (own $counter)) (param "b" (own $counter)) (result u32)
    (canon lift (core func $guest "pair")))
  (func $dropped' (result u32) (canon lift (core func $guest "dropped")))
  (component $shape
    (import "counter" (type $c (sub resource)))
    (import "new" (func $new (param "start" u32) (result (own $c))))
    (import "get" (func $get (param "self" (borrow $c)) (result u32)))
    (import "eat" (func $eat (param "it" (own $c)) (result u32)))
    (import "pair" (func $pair (param "a" (own $c)) (param "b" (own $c)) (result u32)))
    (import "dropped" (func $dropped (result u32)))
    (export $counter "counter" (type $c))
    (export "[constructor]counter" (func $new) (func (param "start" u32) (result (own $counter))))
    (export "[method]counter.get" (func $get) (func (param "self" (borrow $counter)) (result u32)))
    (export "eat" (func $eat) (func (param "it" (own $counter)) (result u32)))
    (export "pair" (func $pair) (func (param "a" (own $counter)) (param "b" (own $counter)) (result u32)))
    (export "dropped" (func $dropped)))
  (instance $api (instantiate $shape
    (with "counter" (type $counter)) (with "new" (func $new')) (with "get" (func $get')) (with "eat" (func $eat'))
    (with "pair" (func $pair')) (with "dropped" (func $dropped'))))
  (export "test:own/api" (instance $api)))
"""
"""Has ``test:own/api.counter``; dropping one adds its start to ``dropped``, and traps at 666."""
