"""What tests share: events, policies, and worlds in which histories happen."""
