"""The delivery log: lists, pages and filters of notifications, deliveries and attempts."""
