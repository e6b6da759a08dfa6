"""The shell that writes: records out of decisions, and a publisher for channels."""
