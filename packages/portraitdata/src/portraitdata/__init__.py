"""Portrait data: image files, MATLAB-convention resampling, exemplar sets and their loaders."""
