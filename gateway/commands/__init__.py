"""The safe write path: who may write what, a command's life, and who carries it out."""
