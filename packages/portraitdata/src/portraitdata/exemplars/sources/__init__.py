"""Ways in which portraits lie on a disk, one a file; each becomes an `ExemplarIndex`."""
