"""Values that decisions read and make: payloads, notifications, messages, deliveries, outcomes."""
