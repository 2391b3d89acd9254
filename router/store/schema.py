"""The whole schema: whoever has this has every table."""

from router.store.marks import calls

metadata = calls.metadata
