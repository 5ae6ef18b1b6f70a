//! Elementary functions with the same bits everywhere.
