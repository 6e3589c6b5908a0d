"""Tests of the project itself: what imports what, the front door, the packaging."""
