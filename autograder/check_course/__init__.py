"""The grader is graded: stubs, solutions, alternatives, mistakes and mutants go through grading like any submission."""
