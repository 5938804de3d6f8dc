"""The rows of the fault matrix, by the stage of a run that they hurt."""
