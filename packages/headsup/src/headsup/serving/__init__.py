"""``headsup serve``: a page on this machine on which photographs are restored. Starlette and uvicorn serve it."""
