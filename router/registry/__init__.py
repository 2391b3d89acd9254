"""Find, load and list plugins, and open the configured channels."""

from router.registry.loading import load_plugins
from router.registry.plugin import Plugin, Registry
from router.registry.schema import PluginSchema

__all__ = ["Plugin", "PluginSchema", "Registry", "load_plugins"]
