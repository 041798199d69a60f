"""The ISA-18.2 alarm lifecycle, its episodes and its journal."""
