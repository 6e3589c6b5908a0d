"""Host interfaces, each with a table of its functions, a fuzz test, and its record replayed."""
