"""``headsup serve``: a page on this machine on which photographs are restored. Nothing beyond Python serves it."""
