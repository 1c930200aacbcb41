"""From a submission to a report: measure each item, name the mistakes, say what was found."""
