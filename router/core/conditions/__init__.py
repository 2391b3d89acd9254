"""Conditions of rules: fields, operators, and the index that finds the rules of a payload."""
