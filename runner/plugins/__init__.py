"""Types of tasks, triggers, conditions and task runners: one file a family, found by walking."""
