"""Find, load and list plugins, and open the configured channels."""

from router.registry.loading import load_plugins
from router.registry.plugin import Plugin, PluginRegistry
from router.registry.schema import PluginSchema

__all__ = ["Plugin", "PluginRegistry", "PluginSchema", "load_plugins"]
