"""Access-controlled doors: badges, locks, contacts and batteries, and how they are abused."""
