"""The one-step restorer (HeadsUp, Section 2): its networks and their conditions."""
