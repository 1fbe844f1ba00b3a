"""The pages of HER2 Review: they call her2core and draw; nothing is computed here."""
