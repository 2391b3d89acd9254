"""The HTTP side: the webhook, the API, health and metrics."""
