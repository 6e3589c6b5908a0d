"""The wire of theater: three classes of messages (operation, info, control) and the upward stream.

Normative description: ``docs/protocol.md``. Imports nothing but the standard library and msgspec.
"""
