"""Decisions: pure functions and frozen values, without I/O, clock, dice, async or logging."""
