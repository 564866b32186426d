use super::*;
use crate::probe::machine::Machine;

const CLIENT_TEXT: &str = "net 911 17 894 31\nrpc 88120345 1204 88121550\nproc3 22 0 7 2 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 9\n\
                           proc4 3 1 604 37\n";

fn client_of(text: &str) -> crate::probe::machine::Said {
    Machine::new(&[("proc/net/rpc/nfs", text)]).read(client)
}

#[test]
fn what_a_kernel_does_not_count_is_zero_and_lines_of_newer_ones_are_passed_over() {
    let said = client_of(&format!("{CLIENT_TEXT}future 1 2 x\n"));
    said.outcome.clone().unwrap();
    assert_eq!(said.value(r#"node_nfs_packets_total{protocol="tcp"}"#), 894.0);
    assert_eq!(said.value("node_nfs_rpc_retransmissions_total"), 1204.0);
    assert_eq!(said.value(r#"node_nfs_requests_total{method="GetAttr",proto="3"}"#), 7.0);
    assert_eq!(said.value(r#"node_nfs_requests_total{method="Commit",proto="3"}"#), 9.0);
    assert_eq!(said.value(r#"node_nfs_requests_total{method="Write",proto="4"}"#), 37.0);
    assert_eq!(said.value(r#"node_nfs_requests_total{method="Clone",proto="4"}"#), 0.0);
    assert_eq!(said.value(r#"node_nfs_requests_total{method="FsStat",proto="2"}"#), 0.0);
    assert_eq!(said.family("node_nfs_requests_total").len(), 18 + 22 + 59);
}

#[test]
fn a_line_that_contradicts_itself_fails_the_source_as_it_fails_node_exporters() {
    for (from, to) in [
        ("proc4 3 1 604 37", "proc4 4 1 604 37"),
        ("proc4 3 1 604 37", "proc4 "),
        ("proc3 22 0 7", "proc3 21 0"),
        ("proc3 22 0 7", "proc3 22 0 x"),
        ("net 911 17 894 31", "net 911 17"),
        ("rpc 88120345 1204", "rpc 88120345 -1"),
    ] {
        let said = client_of(&CLIENT_TEXT.replace(from, to));
        assert!(matches!(said.outcome, Err(ProbeError::Failed(_))), "{to}: {:?}", said.outcome);
        assert!(said.series.is_empty());
    }
    assert!(matches!(Machine::new(&[]).read(client).outcome, Err(ProbeError::Absent(_))));
}

/// RFC 7530, 16: READ is 25, VERIFY 37, WRITE 38, RELEASE_LOCKOWNER 39; SETCLIENTID and its confirmation, 35 and 36, lie
/// between.
#[test]
fn a_servers_operations_are_counted_by_their_numbers() {
    let operations: Vec<String> = (0..72).map(|operation| (1000 + operation).to_string()).collect();
    let text = format!("th 8 0 0.000 0.000\nproc4ops 72 {}\n", operations.join(" "));
    let said = Machine::new(&[("proc/net/rpc/nfsd", &text)]).read(server);
    said.outcome.clone().unwrap();
    for (method, number) in
        [("Access", 3), ("Read", 25), ("SetAttr", 34), ("Verify", 37), ("Write", 38), ("RelLockOwner", 39)]
    {
        let series = format!(r#"node_nfsd_requests_total{{method="{method}",proto="4"}}"#);
        assert_eq!(said.value(&series), 1000.0 + f64::from(number));
    }
    assert_eq!(said.value("node_nfsd_server_threads"), 8.0);
    assert_eq!(said.value(r#"node_nfsd_rpc_errors_total{error="auth"}"#), 0.0);
    assert!(!said.series.keys().any(|series| series.contains("Null")));
}
