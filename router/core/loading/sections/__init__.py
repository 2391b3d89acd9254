"""The sections of `rules.yaml`, one module for each."""
