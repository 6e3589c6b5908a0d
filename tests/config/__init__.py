"""Tests of theater.config: what is read, what is refused and how it is said."""
