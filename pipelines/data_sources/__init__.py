"""Where labelled customers come from: a file, DVC's remote, the public file, the package index, or an invented population."""
