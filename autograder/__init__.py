"""The engine: reads a course, runs submissions in a jail, judges them, names mistakes. It names no course itself."""
