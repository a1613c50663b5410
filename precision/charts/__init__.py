"""One Plotly figure a file: numbers first (`XInfo`), drawing second."""
