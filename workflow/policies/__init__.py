"""The policies that come with ticketflow: `gosuslugi.yaml` is the default."""
