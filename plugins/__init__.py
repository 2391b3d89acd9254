"""The built-in channels, one module each, importable as `router.plugins.<module>`."""
