"""The rules in force: files watched and loaded, channels opened and closed."""
