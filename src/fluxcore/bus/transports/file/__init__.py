"""The bus in a folder: topics as logs, groups with positions that last; for any number of processes on one machine."""
