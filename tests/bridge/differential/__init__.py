"""Stock Apprise and the bridge, given the same URLs and messages, side by side."""
