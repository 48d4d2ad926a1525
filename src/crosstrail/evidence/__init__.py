"""Evidence: original records as files, the manifest that says what they are, and the check of both."""
