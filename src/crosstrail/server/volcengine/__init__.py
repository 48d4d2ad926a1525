"""`mcp-server-cloud-trail`: the three tools of Volcengine's own server over the same admission."""
