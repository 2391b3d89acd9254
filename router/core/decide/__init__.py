"""Decisions: the deliveries that a ruleset plans for one notification."""
