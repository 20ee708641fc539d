"""Every word that the window shows, one module for each room."""
