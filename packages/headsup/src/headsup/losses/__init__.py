"""The terms of HeadsUp's objective (HeadsUp, Eq. 2-3), one a file.

Terms of faces take the aligned pairs of `headsup.losses.faces`. They are means over the faces of a batch; without a
face they are exactly zero, with a zero gradient, and still part of the graph, which data-parallel training needs.
"""
