"""Each method of compression against the ones it must beat: tables and plots."""
