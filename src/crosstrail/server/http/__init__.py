"""The server over HTTP: application, middleware, connections, health."""
