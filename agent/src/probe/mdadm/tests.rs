use super::*;
use crate::probe::machine::Machine;

fn parsed(text: &str) -> Option<Array<'_>> {
    let mut lines = text.lines();
    let first = lines.next()?;
    parse(first, &lines.collect::<Vec<_>>())
}

#[test]
fn an_array_that_is_being_rebuilt_tells_how_far() {
    let array = parsed(
        "md1 : active raid5 sdd1[4](F) sdc1[2](S) sdb1[1] sda1[0]
      2929890816 blocks super 1.2 level 5, 512k chunk, algorithm 2 [4/3] [UUU_]
      [==>..................]  recovery = 12.6% (123074560/976630272) finish=102.4min speed=138911K/sec
      bitmap: 3/8 pages [12KB], 65536KB chunk",
    )
    .unwrap();
    assert_eq!((array.state, array.required, array.active), ("recovering", 4.0, 3.0));
    assert_eq!((array.failed, array.spare), (1.0, 1.0));
    assert_eq!((array.blocks, array.blocks_synced), (2_929_890_816.0, 123_074_560.0));
}

#[test]
fn what_waits_has_synced_nothing_and_what_reshapes_is_active() {
    let with = |progress: &str| format!("md0 : active raid1 sdb1[1] sda1[0]\n  100 blocks [2/2] [UU]\n{progress}");
    for (progress, state, synced) in [
        ("", "active", 100.0),
        ("      \tresync=DELAYED", "resync", 0.0),
        ("      \tresync=PENDING", "resync", 0.0),
        ("      [=>.]  check = 31.0% (31/100) finish=1min speed=1K/sec", "check", 31.0),
        ("      bitmap: 0/1 pages\n      [=>.]  resync = 7.0% (7/100) finish=1min speed=1K/sec", "resync", 7.0),
        ("      [=>.]  reshape = 7.0% (7/100) finish=1min speed=1K/sec", "active", 100.0),
        ("md1 : active raid1 check[0]", "active", 100.0),
    ] {
        let text = with(progress);
        let array = parsed(&text).unwrap();
        assert_eq!((array.state, array.blocks_synced), (state, synced), "{progress}");
    }
}

#[test]
fn a_broken_array_is_noted_and_the_others_are_said() {
    for broken in [
        "md0 : active",
        "md0 : active raid1 sda1[0]",
        "md0 : active raid1 sda1[0]\n      many blocks [2/2] [UU]",
        "md0 : active raid1 sda1[0]\n      100 blocks [2-2] [UU]",
        "md0 : active raid1 sda1[0]\n      100 blocks [x/2] [UU]",
        "md0 : active raid1 sda1[0]\n      100 blocks [1/1] [U]\n      recovery = ?",
    ] {
        let good = "md1 : active raid0 sdb1[0] sdc1[1]\n      200 blocks 64k chunks\n";
        let machine = Machine::new(&[(
            "proc/mdstat",
            &format!("Personalities : [raid1]\n{broken}\n\n{good}\nunused devices: <none>\n"),
        )]);
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        assert_eq!(said.noted(), ["mdadm/md0"], "{broken}");
        assert_eq!(said.family("node_md_blocks"), [200.0], "{broken}");
        assert_eq!(said.value(r#"node_md_disks{device="md1",state="active"}"#), 2.0);
    }
}
