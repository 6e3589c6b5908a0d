"""Histories as workers record them, replayed: what must not be taken for a divergence, and what must be told."""
