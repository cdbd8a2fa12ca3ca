//! Tests longer than the code they test.
