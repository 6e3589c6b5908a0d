"""A component that uses WASI, as text: clocks, random numbers, standard output, and a file it keeps open."""

from __future__ import annotations

WASI = """
(component
  (import "wasi:clocks/monotonic-clock@0.2.3" (instance $clock (export "now" (func (result u64)))))
  (import "wasi:random/random@0.2.3" (instance $random (export "get-random-u64" (func (result u64)))))
  (import "wasi:io/error@0.2.3" (instance $errors (export "error" (type (sub resource)))))
  (alias export $errors "error" (type $error))
  (import "wasi:io/streams@0.2.3" (instance $streams
    (export "output-stream" (type $out (sub resource)))
    (alias outer 1 $error (type $e)) (export "error" (type $err (eq $e)))
    (type $failed (variant (case "last-operation-failed" (own $err)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $failed)))
    (export "[method]output-stream.write"
      (func (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $out))
  (import "wasi:cli/stdout@0.2.3" (instance $stdout
    (alias outer 1 $out (type $o)) (export "output-stream" (type $out (eq $o)))
    (export "get-stdout" (func (result (own $out))))))
  (import "wasi:filesystem/types@0.2.3" (instance $files
    (export "descriptor" (type $d (sub resource)))
    (type $codes (enum
      "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota" "exist" "file-too-large"
      "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io" "is-directory" "loop" "too-many-links"
      "message-size" "name-too-long" "no-device" "no-entry" "no-lock" "insufficient-memory" "insufficient-space"
      "not-directory" "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device" "overflow" "not-permitted"
      "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $code (eq $codes)))
    (type $pf (flags "symlink-follow")) (export "path-flags" (type $path-flags (eq $pf)))
    (type $of (flags "create" "directory" "exclusive" "truncate")) (export "open-flags" (type $open-flags (eq $of)))
    (type $df (flags "read" "write" "file-integrity-sync" "data-integrity-sync" "requested-write-sync"
      "mutate-directory"))
    (export "descriptor-flags" (type $flags (eq $df)))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $d)) (param "path-flags" $path-flags)
      (param "path" string) (param "open-flags" $open-flags) (param "flags" $flags)
      (result (result (own $d) (error $code)))))
    (export "[method]descriptor.read" (func (param "self" (borrow $d)) (param "length" u64) (param "offset" u64)
      (result (result (tuple (list u8) bool) (error $code)))))))
  (alias export $files "descriptor" (type $d))
  (import "wasi:filesystem/preopens@0.2.3" (instance $preopens
    (alias outer 1 $d (type $o)) (export "descriptor" (type $d (eq $o)))
    (export "get-directories" (func (result (list (tuple (own $d) string)))))))
  (core module $libc
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (if (i32.gt_u (global.get $next) (i32.const 60000)) (then (global.set $next (i32.const 4096))))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $now (canon lower (func $clock "now")))
  (core func $u64 (canon lower (func $random "get-random-u64")))
  (core func $out (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower (func $streams "[method]output-stream.write") (memory $memory)))
  (core func $dirs (canon lower (func $preopens "get-directories") (memory $memory) (realloc $realloc)))
  (core func $open (canon lower (func $files "[method]descriptor.open-at") (memory $memory)))
  (core func $read (canon lower (func $files "[method]descriptor.read") (memory $memory) (realloc $realloc)))
  (core module $guest
    (import "h" "memory" (memory 1))
    (import "h" "now" (func $now (result i64)))
    (import "h" "u64" (func $u64 (result i64)))
    (import "h" "out" (func $out (result i32)))
    (import "h" "write" (func $write (param i32 i32 i32 i32)))
    (import "h" "dirs" (func $dirs (param i32)))
    (import "h" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
    (import "h" "read" (func $read (param i32 i64 i64 i32)))
    (data (i32.const 512) "hello\\n")
    (data (i32.const 520) "note")
    (global $file (mut i32) (i32.const 0))
    (func (export "init") (param i32 i32) (result i32)
      (i32.store8 (i32.const 1024) (i32.const 0))
      (i32.store (i32.const 1028) (local.get 1))
      (i32.const 1024))
    (func (export "now") (result i64) (call $now))
    (func (export "random") (result i64) (call $u64))
    (func (export "hello") (call $write (call $out) (i32.const 512) (i32.const 6) (i32.const 64)))
    (func (export "open") (result i32)
      (call $dirs (i32.const 64))
      (call $open (i32.load (i32.load (i32.const 64))) (i32.const 1) (i32.const 520) (i32.const 4)
        (i32.const 0) (i32.const 1) (i32.const 72))
      (if (i32.load8_u (i32.const 72)) (then (return (i32.add (i32.load8_u offset=4 (i32.const 72)) (i32.const 1)))))
      (global.set $file (i32.load offset=4 (i32.const 72)))
      (i32.const 0))
    (func (export "read") (result i32)
      (call $read (global.get $file) (i64.const 100) (i64.const 0) (i32.const 80))
      (i32.const 84)))
  (core instance $guest (instantiate $guest (with "h" (instance
    (export "memory" (memory $memory)) (export "now" (func $now)) (export "u64" (func $u64))
    (export "out" (func $out)) (export "write" (func $write)) (export "dirs" (func $dirs))
    (export "open" (func $open)) (export "read" (func $read))))))
  (func $init (param "state" (option u32)) (result (result (tuple u32) (error string)))
    (canon lift (core func $guest "init") (memory $memory)))
  (instance $actor (export "init" (func $init)))
  (export "theater:simple/actor" (instance $actor))
  (func $now' (result u64) (canon lift (core func $guest "now")))
  (func $random' (result u64) (canon lift (core func $guest "random")))
  (func $hello' (canon lift (core func $guest "hello")))
  (func $open' (result u32) (canon lift (core func $guest "open")))
  (func $read' (result (list u8)) (canon lift (core func $guest "read") (memory $memory)))
  (instance $api (export "now" (func $now')) (export "random" (func $random')) (export "hello" (func $hello'))
    (export "open" (func $open')) (export "read" (func $read')))
  (export "test:wasi/api" (instance $api)))
"""
"""now, random, hello (to standard output), open (the file ``note`` of the first directory), read (what is in it)."""
