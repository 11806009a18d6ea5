"""Progress of commands: how far they have come, how that is shown, and how much they say."""
