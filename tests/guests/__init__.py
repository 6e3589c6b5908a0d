"""Guests for tests: small modules built from text, and calls into them through a plain wasmtime host."""
