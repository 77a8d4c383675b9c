"""Where the satellites are, how they point, and what pushes them."""
