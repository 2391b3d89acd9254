"""Accept webhooks: decode payloads, and store them before they are answered."""
