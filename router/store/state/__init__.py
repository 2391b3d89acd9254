"""State that deliveries change: calls, reads, cancellations and notifications."""
