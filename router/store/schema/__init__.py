"""The whole schema: whoever has this has every table."""

from router.store.schema.state_tables import calls

metadata = calls.metadata
