"""Running it: settings, command line, the embedded broker, topic administration."""
