"""WASI 0.2 (and preview 1) as host interfaces: granted, recorded and replayed like all others."""
