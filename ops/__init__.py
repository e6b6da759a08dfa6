"""Running it: settings, command line, the embedded broker, topic administration."""


class OperationError(Exception):
    """What a command could not do, as one sentence for a person; the command exits with status 1."""
