"""Sea ice by its physics: what moves it, carries it, freezes and melts it."""
