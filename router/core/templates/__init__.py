"""Templates of titles, bodies and data: expressions, operators and filters."""
