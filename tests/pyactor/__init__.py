"""Actors in Python: hints into WIT, complaints, and what a component is made of."""
