"""One run: survey, resume, commit, summary; and what can be said of a finished one."""
