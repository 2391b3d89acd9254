"""What the router is measured against, each a process of its own."""
