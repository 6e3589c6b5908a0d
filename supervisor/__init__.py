"""The root process: one thread that starts, watches and ends the workers of a supervision tree."""
