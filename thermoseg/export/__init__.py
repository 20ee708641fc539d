"""Sessions as files for other programs: tables, video, pictures, and a stretch as a session."""
