"""Integrity of what CloudTrail delivers: digest files, their chains and signatures, and the log files they name."""
