"""The tests of rules that a rules file holds."""
