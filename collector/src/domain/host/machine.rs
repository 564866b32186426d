//! One host decided: liveness, findings, its ledger entries. (to come)
