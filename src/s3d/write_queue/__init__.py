"""The write queue: a Backend that accepts changes durably on this machine and pushes them in the background."""
