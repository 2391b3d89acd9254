"""Connections to providers: HTTP/1.1, HTTP/2 and SMTP, pooled and guarded."""
