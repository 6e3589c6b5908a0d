"""Recorded histories of the shipped examples, one file per actor, in the text form. They must replay for ever.

``python -m tests.golden`` records them anew: only when an example's guest has changed, and in the same commit.
"""
