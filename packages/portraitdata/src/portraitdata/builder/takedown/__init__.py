"""Taking photographs and people out of an index, its archives and the build it came from, for good."""
