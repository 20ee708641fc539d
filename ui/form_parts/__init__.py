"""What forms are made of: kinds of fields, and a widget for each."""
