"""A component that answers HTTP requests, as text: ``wasi:http/incoming-handler`` without a toolchain."""

from __future__ import annotations

from theater import types
from theater.types import Type
from worker.interfaces.wasi.http_names import ERROR


def _told(kind: Type | None, named: dict[Type, str]) -> str:
    match kind:
        case types.Primitive(name=name):
            return name
        case types.Option(item=item):
            return f"(option {_told(item, named)})"
        case types.Record():
            return named[kind]
    raise AssertionError(kind)


def _error_code() -> str:
    """The type ``error-code`` with the records in it, each exported under its name, as imports must."""
    assert isinstance(ERROR, types.Variant)
    lines: list[str] = []
    named: dict[Type, str] = {}
    for _, payload in ERROR.cases:
        record = payload.item if isinstance(payload, types.Option) else payload
        if isinstance(record, types.Record) and record not in named:
            fields = " ".join(f'(field "{name}" {_told(kind, named)})' for name, kind in record.fields)
            place = len(named)
            lines.append(f'(type $r{place} (record {fields})) (export "{record.name}" (type $n{place} (eq $r{place})))')
            named[record] = f"$n{place}"
    cases = " ".join(
        f'(case "{name}"{"" if payload is None else " " + _told(payload, named)})' for name, payload in ERROR.cases
    )
    return " ".join([*lines, f'(type $codes (variant {cases})) (export "error-code" (type $code (eq $codes)))'])


def web(body: str = "hello", status: int = 200) -> str:
    """Answers every request alike; at ``/trap`` it traps, at ``/none`` it returns without a response."""
    data = body.encode()
    escaped = "".join(f"\\{byte:02x}" for byte in data)
    return f"""
(component
  (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
  (alias export $errors "error" (type $error))
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "output-stream" (type $out (sub resource)))
    (alias outer 1 $error (type $e)) (export "error" (type $err (eq $e)))
    (type $failed (variant (case "last-operation-failed" (own $err)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $failed)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $out)) (param "contents" (list u8)) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $out))
  (import "wasi:http/types@0.2.0" (instance $http
    (alias outer 1 $out (type $o)) (export "output-stream" (type $output (eq $o)))
    (export "fields" (type $fields (sub resource)))
    (export "incoming-request" (type $request (sub resource)))
    (export "outgoing-response" (type $response (sub resource)))
    (export "outgoing-body" (type $body (sub resource)))
    (export "response-outparam" (type $outparam (sub resource)))
    {_error_code()}
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[method]incoming-request.path-with-query"
      (func (param "self" (borrow $request)) (result (option string))))
    (export "[constructor]outgoing-response" (func (param "headers" (own $fields)) (result (own $response))))
    (export "[method]outgoing-response.set-status-code"
      (func (param "self" (borrow $response)) (param "status-code" u16) (result (result))))
    (export "[method]outgoing-response.body"
      (func (param "self" (borrow $response)) (result (result (own $body)))))
    (export "[method]outgoing-body.write" (func (param "self" (borrow $body)) (result (result (own $output)))))
    (export "[static]outgoing-body.finish"
      (func (param "this" (own $body)) (param "trailers" (option (own $fields))) (result (result (error $code)))))
    (export "[static]response-outparam.set"
      (func (param "param" (own $outparam)) (param "response" (result (own $response) (error $code)))))))
  (alias export $http "incoming-request" (type $request))
  (alias export $http "response-outparam" (type $outparam))
  (core module $libc
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $fields (canon lower (func $http "[constructor]fields")))
  (core func $path (canon lower (func $http "[method]incoming-request.path-with-query")
    (memory $memory) (realloc $realloc)))
  (core func $respond (canon lower (func $http "[constructor]outgoing-response")))
  (core func $status (canon lower (func $http "[method]outgoing-response.set-status-code")))
  (core func $body (canon lower (func $http "[method]outgoing-response.body") (memory $memory)))
  (core func $write (canon lower (func $http "[method]outgoing-body.write") (memory $memory)))
  (core func $finish (canon lower (func $http "[static]outgoing-body.finish") (memory $memory) (realloc $realloc)))
  (core func $set (canon lower (func $http "[static]response-outparam.set") (memory $memory) (realloc $realloc)))
  (core func $put (canon lower (func $streams "[method]output-stream.blocking-write-and-flush") (memory $memory)))
  (core func $drop (canon resource.drop $out))
  (core module $guest
    (import "h" "memory" (memory 1))
    (import "h" "fields" (func $fields (result i32)))
    (import "h" "path" (func $path (param i32 i32)))
    (import "h" "respond" (func $respond (param i32) (result i32)))
    (import "h" "status" (func $status (param i32 i32) (result i32)))
    (import "h" "body" (func $body (param i32 i32)))
    (import "h" "write" (func $write (param i32 i32)))
    (import "h" "finish" (func $finish (param i32 i32 i32 i32)))
    (import "h" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "h" "put" (func $put (param i32 i32 i32 i32)))
    (import "h" "drop" (func $drop (param i32)))
    (data (i32.const 8192) "{escaped}")
    (func (export "init") (param i32 i32) (result i32)
      (i32.store8 (i32.const 1024) (i32.const 0))
      (i32.store (i32.const 1028) (local.get 1))
      (i32.const 1024))
    (func (export "handle") (param $request i32) (param $outparam i32)
      (local $response i32) (local $body i32) (local $stream i32) (local $letter i32)
      (call $path (local.get $request) (i32.const 64))
      (if (i32.gt_u (i32.load (i32.const 72)) (i32.const 1))
        (then (local.set $letter (i32.load8_u offset=1 (i32.load (i32.const 68))))))
      (if (i32.eq (local.get $letter) (i32.const 116)) (then unreachable))
      (if (i32.eq (local.get $letter) (i32.const 110)) (then return))
      (local.set $response (call $respond (call $fields)))
      (drop (call $status (local.get $response) (i32.const {status})))
      (call $body (local.get $response) (i32.const 64))
      (local.set $body (i32.load offset=4 (i32.const 64)))
      (call $set (local.get $outparam) (i32.const 0) (local.get $response)
        (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
      (call $write (local.get $body) (i32.const 64))
      (local.set $stream (i32.load offset=4 (i32.const 64)))
      (call $put (local.get $stream) (i32.const 8192) (i32.const {len(data)}) (i32.const 64))
      (call $drop (local.get $stream))
      (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64))))
  (core instance $guest (instantiate $guest (with "h" (instance
    (export "memory" (memory $memory)) (export "fields" (func $fields)) (export "path" (func $path))
    (export "respond" (func $respond)) (export "status" (func $status)) (export "body" (func $body))
    (export "write" (func $write)) (export "finish" (func $finish)) (export "set" (func $set))
    (export "put" (func $put)) (export "drop" (func $drop))))))
  (func $init (param "state" (option u32)) (result (result (tuple u32) (error string)))
    (canon lift (core func $guest "init") (memory $memory)))
  (instance $actor (export "init" (func $init)))
  (export "theater:simple/actor" (instance $actor))
  (func $handle (param "request" (own $request)) (param "response-out" (own $outparam))
    (canon lift (core func $guest "handle")))
  (component $shape
    (import "request" (type $r (sub resource)))
    (import "outparam" (type $o (sub resource)))
    (import "handle" (func $handle (param "request" (own $r)) (param "response-out" (own $o))))
    (export "handle" (func $handle)))
  (instance $handler (instantiate $shape
    (with "request" (type $request)) (with "outparam" (type $outparam)) (with "handle" (func $handle))))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))
"""
