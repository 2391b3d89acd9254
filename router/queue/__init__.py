"""What waits: the journal of accepted notifications and the queue of deliveries."""
