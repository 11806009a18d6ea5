"""User studies: a page that asks people which of several pictures is best, and the win rates of their answers."""
