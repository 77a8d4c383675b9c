"""The field's own methods of filling a gap, behind one interface."""
