"""The worker: takes due deliveries, sends each once, and settles what came of it."""

from router.worker.worker import Worker

__all__ = ["Worker"]
