//! (loopback tests to come)
