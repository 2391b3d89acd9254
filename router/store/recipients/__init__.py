"""Recipients: contacts, devices, attributes and imports."""
