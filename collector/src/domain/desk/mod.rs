//! The fleet: problems, incidents, cuts, pages. (to come)
