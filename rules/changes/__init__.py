"""Rules as versioned data: proposed, reviewed by somebody else, live, and rolled back in one step."""
