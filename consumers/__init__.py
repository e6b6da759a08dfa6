"""The shell that reads: the log, the engine on it, and everyone else who subscribes."""
