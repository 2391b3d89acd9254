"""Rulesets: the rules of a file ready to decide with, and the warnings about them."""
