"""The TraderX operations runbook, executable: deploy, validate, gate. Imports no pytest."""
