"""The actor as an HTTP server: a port of its own, served outside the guest's thread."""
