//! The workflows: which phases, in which order. This is the table of contents of the program.
