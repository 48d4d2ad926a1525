"""What one configuration describes, and the same as one principal may see it."""
