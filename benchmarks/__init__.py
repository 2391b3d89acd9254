"""What the router costs, measured against what else one would run; see README.md beside this."""
