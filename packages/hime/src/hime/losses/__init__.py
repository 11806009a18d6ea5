"""The terms of HIME's objective (HIME, Eq. 9-10), one a file."""
