"""A plugin that cannot be loaded, and says so with a secret."""

import os

raise RuntimeError(f"cannot log in with {os.environ.get('SHATTERED_PASSWORD')}")
