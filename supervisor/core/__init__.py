"""Decides what supervisors do, and does nothing itself: notices and the time go in, actions come out."""
