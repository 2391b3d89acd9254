"""Databases: SQLite and PostgreSQL, connections, transactions and group commit."""
