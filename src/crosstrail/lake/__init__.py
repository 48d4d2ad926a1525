"""The embedded lake: one Iceberg table of audit events from all clouds, and what fills and reads it."""
