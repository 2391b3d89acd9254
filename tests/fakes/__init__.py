"""Providers on loopback: real servers that check what they get and answer as told."""
