"""The core under random trees, answers and mishaps, from seeds."""
