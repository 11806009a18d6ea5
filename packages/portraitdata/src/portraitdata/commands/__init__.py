"""The commands of the ``portraitdata`` console script, one a file."""
