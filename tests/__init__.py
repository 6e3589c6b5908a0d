"""Tests. ``tests/system`` uses real processes; everything else is in memory or one process."""
