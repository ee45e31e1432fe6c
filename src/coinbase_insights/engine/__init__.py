"""Quotes in, insights out: the one set of rules, pure arithmetic on arrays.

The same functions are interpreted in the live tool and compiled by numba (`compiled.py`) for long histories.
"""
