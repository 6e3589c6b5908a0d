"""Real processes, real signals, real sockets, real wasm. Facts are waited for, with a deadline."""
