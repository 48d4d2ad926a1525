"""What of an installation works: each part of it looked at, with what was found and what to do about it."""
