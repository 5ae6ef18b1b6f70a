//! Noise by address.
