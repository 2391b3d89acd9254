"""Decisions without effects: explanations, tests of rules, and replays of stored payloads."""
