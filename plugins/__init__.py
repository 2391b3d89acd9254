"""The built-in plugins: a module or a package for each, importable as `router.plugins.<name>`.

Names that begin with `_` are parts that several plugins share.
"""
