"""One actor's process: its lifecycle, the wasm guest it hosts, and the record of what the guest did.

Imports nothing here: what a worker imports, every actor pays for.
"""
