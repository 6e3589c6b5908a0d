"""TCP for guests: what stands behind ``theater:simple/tcp``. Imported by the first actor that uses it."""
