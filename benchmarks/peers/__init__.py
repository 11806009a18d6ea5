"""What others do, to compare with: networks and designs written from papers and layouts, and the usual way."""
