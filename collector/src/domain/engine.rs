//! Runs the host machines and the desk. (to come)
