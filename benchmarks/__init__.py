"""Benchmarks against their floors: ratios measured in one run on one machine, medians, printed as tables.

``python -m benchmarks`` runs all, ``python -m benchmarks calls lives`` some. Figures depend on the machine; the ratio
to the floor beside them is what the targets are about.
"""
