"""What `thermoseg COMMAND` reads and prints, one module for each command or a few alike."""
