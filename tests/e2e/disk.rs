//! A full disk: both programs stay up, say so, and still page. Needs root for a small file system.

use std::io::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use muster_tests::process::{installed, run};
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, Webhook, eventually};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use tokio::process::Command;

use crate::s;

/// A file system of its own; unmounted when dropped. It lies below /dev, where no agent looks: the stories beside this one
/// shall not be paged for a disk that is full on purpose.
struct Small(tempfile::TempDir);

impl Small {
    /// Mounts one and lets `at` lead to it.
    async fn mount(at: &Path, size: &str) -> Self {
        let place = tempfile::TempDir::new_in("/dev/shm").expect("/dev/shm is there on every Debian");
        let options = format!("size={size},mode=0700");
        let said =
            run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "muster-test"]).arg(place.path())).await;
        assert_eq!(said.code, 0, "a small file system: {}", said.err);
        std::os::unix::fs::symlink(place.path(), at).expect("a link in a directory of our own");
        Self(place)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes until nothing more fits.
    fn fill(&self, name: &str) {
        let mut file = std::fs::File::create(self.file(name)).expect("there is room for a name");
        while file.write_all(&[0; 4096]).is_ok() {}
    }
}

impl Small {
    async fn remount(&self, how: &str) {
        let options = format!("remount,{how}");
        let said = run(Command::new("mount").args(["-o", &options]).arg(self.0.path())).await;
        assert_eq!(said.code, 0, "remounted {how}: {}", said.err);
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

fn free_bytes(at: &Path) -> u64 {
    rustix::fs::statvfs(at).map_or(0, |stat| stat.f_bavail * stat.f_frsize)
}

#[tokio::test]
async fn with_the_disk_full_both_stay_up_and_a_page_still_goes_out() {
    let hook = Webhook::start().await;
    let mut collector = Collector::prepare(&hook.receiver());
    let disk = Small::mount(&collector.state(), "64m").await;
    collector.run().await;
    let mut agent = Agent::up(&collector, "fast").await;

    disk.fill("filler");
    // The reserve is given back to the disk first; what it frees is taken too.
    let full = || async {
        disk.fill("more");
        (free_bytes(disk.0.path()) < 65_536).then_some(())
    };
    eventually("the disk is full", s(10), full).await;

    agent.kill().await;
    let opened = hook.wait("incident.opened", s(30)).await;
    assert_eq!(opened.body["data"]["host"], agent.name);
    assert_eq!(collector.get("/-/healthy").await.status, 200, "{}", collector.log());
    let log = collector.log();
    assert!(log.contains("space") || log.contains("full"), "it says so:\n{log}");

    std::fs::remove_file(disk.file("filler")).expect("the story's own file");
    let _ = std::fs::remove_file(disk.file("more"));
    agent.run();
    hook.wait("incident.resolved", s(60)).await;
}

#[tokio::test]
async fn with_the_agents_disk_full_it_stays_up_says_so_and_reports_on() {
    let collector = Collector::start("").await;
    let mut agent = Agent::new(None);
    let disk = Small::mount(&agent.state(), "2m").await;
    let said = agent.enrol(&collector.address(), &collector.token("fast").await).await;
    assert_eq!(said.code, 0, "{}", said.all());
    disk.fill("filler");
    agent.run();
    let up = || async { collector.hosts().await.into_iter().find(|host| host["state"] == "up") };
    let host = eventually("it is up all the same", s(20), up).await;
    let told = || async { Some(agent.log()).filter(|log| log.contains("No space") || log.contains("space")) };
    eventually("it says so", s(15), told).await;

    std::fs::remove_file(disk.file("filler")).expect("the story's own file");
    assert_eq!(agent.stop().await, 0, "{}", agent.log());
    agent.run();
    collector.host_is(host["id"].as_str().expect("an id"), "up", s(20)).await;
}

#[tokio::test]
async fn on_a_read_only_state_both_say_which_directory_and_leave_the_rest_alone() {
    let mut collector = Collector::prepare("");
    let disk = Small::mount(&collector.state(), "64m").await;
    collector.run().await;
    let mut agent = Agent::new(None);
    let agents = Small::mount(&agent.state(), "2m").await;
    let said = agent.enrol(&collector.address(), &collector.token("fast").await).await;
    assert_eq!(said.code, 0, "{}", said.all());

    agents.remount("ro").await;
    let said = run(agent.command().arg("run")).await;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.all().contains(&agent.state().display().to_string()), "{}", said.all());
    assert!(said.all().to_lowercase().contains("read-only"), "{}", said.all());
    assert_eq!(collector.get("/-/ready").await.status, 200);
    agents.remount("rw").await;

    assert_eq!(collector.stop().await, 0, "{}", collector.log());
    disk.remount("ro").await;
    let code = collector.spawn().ended(s(20)).await;
    assert_eq!(code, 1, "{}", collector.log());
    let log = collector.log();
    assert!(
        log.contains(&collector.state().display().to_string()) && log.to_lowercase().contains("read-only"),
        "{log}"
    );
    disk.remount("rw").await;
    collector.run().await;
    agent.run();
    let up = || async { collector.hosts().await.into_iter().find(|host| host["state"] == "up") };
    eventually("both go on where they were", s(30), up).await;
}

/// A journalling file system of its own that can break under those who use it; unmounted when dropped.
struct Fragile {
    place: tempfile::TempDir,
    image: PathBuf,
}

impl Fragile {
    /// Makes one and lets `at` lead to it.
    async fn mount(at: &Path, image: PathBuf) -> Self {
        std::fs::File::create(&image)
            .and_then(|file| file.set_len(16 << 20))
            .expect("a file in a directory of our own");
        let said = run(Command::new(installed("mkfs.ext4", "e2fsprogs")).arg("-q").arg(&image)).await;
        assert_eq!(said.code, 0, "{}", said.err);
        let place = tempfile::TempDir::new_in("/dev/shm").expect("/dev/shm is there on every Debian");
        std::os::unix::fs::symlink(place.path(), at).expect("a link in a directory of our own");
        let fragile = Self { place, image };
        fragile.mount_again().await;
        fragile
    }

    async fn mount_again(&self) {
        let mut command = Command::new("mount");
        command.args(["-o", "loop,errors=remount-ro"]).arg(&self.image).arg(self.place.path());
        let said = run(command.args(["-t", "ext4"])).await;
        assert_eq!(said.code, 0, "a loop device: {}", said.err);
    }

    /// What the kernel does when it finds the file system damaged: nothing may be written from now on.
    async fn break_down(&self) {
        let said = run(Command::new("findmnt").args(["-no", "SOURCE"]).arg(self.place.path())).await;
        let device = said.out.trim().rsplit('/').next().expect("a device has a name").to_owned();
        let trigger = format!("/sys/fs/ext4/{device}/trigger_fs_error");
        std::fs::write(&trigger, "a story\n").unwrap_or_else(|error| panic!("{trigger}: {error}"));
    }

    /// What a person does then. A copy is repaired: a story beside this one that has made itself a mount namespace keeps
    /// the broken one mounted there.
    async fn repair(&mut self) {
        let said = run(Command::new("umount").arg(self.place.path())).await;
        assert_eq!(said.code, 0, "{}", said.err);
        let copy = self.image.with_extension("repaired");
        std::fs::copy(&self.image, &copy).expect("a file in a directory of our own");
        self.image = copy;
        let said = run(Command::new(installed("fsck.ext4", "e2fsprogs")).arg("-fy").arg(&self.image)).await;
        assert!(said.code <= 1, "{}", said.all());
        self.mount_again().await;
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.place.path()).output();
    }
}

/// While the collector is away readings become a roll-up; waits until it has arrived.
async fn a_roll_up_arrives(collector: &mut Collector, what: &str) {
    let before = collector.facts("rollup").len();
    collector.kill().await;
    pass(s(3)).await;
    collector.run().await;
    let more = || async { (collector.facts("rollup").len() > before).then_some(()) };
    eventually(what, s(20), more).await;
}

async fn up_with_state_on_it(collector: &Collector, agent: &mut Agent) -> String {
    agent.configure("interval = \"1s\"");
    let said = agent.enrol(&collector.address(), &collector.token("fast").await).await;
    assert_eq!(said.code, 0, "{}", said.all());
    agent.run();
    let up = || async { collector.hosts().await.into_iter().find(|host| host["state"] == "up") };
    let host = eventually("it is up", s(20), up).await;
    host["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn with_its_disk_full_an_agent_delivers_records_from_memory_and_uses_the_disk_again() {
    let mut collector = Collector::start("").await;
    let mut agent = Agent::new(None);
    let disk = Small::mount(&agent.state(), "4m").await;
    let host = up_with_state_on_it(&collector, &mut agent).await;

    disk.fill("filler");
    a_roll_up_arrives(&mut collector, "with the disk full the roll-up arrives all the same").await;
    assert!(agent.log().contains("spool: the disk refuses"), "it says so:\n{}", agent.log());
    assert_eq!(agent.log().matches("WARN spool").count(), 1, "once:\n{}", agent.log());
    std::fs::remove_file(disk.file("filler")).expect("the story's own file");
    let healed = || async { agent.log().contains("the disk takes records again").then_some(()) };
    eventually("the disk is used again", s(45), healed).await;

    // What is on the disk outlives the agent.
    collector.kill().await;
    pass(s(3)).await;
    assert_eq!(agent.stop().await, 0, "{}", agent.log());
    let before = collector.facts("rollup").len();
    collector.run().await;
    agent.run();
    collector.host_is(&host, "up", s(30)).await;
    let more = || async { (collector.facts("rollup").len() > before).then_some(()) };
    eventually("what is on the disk arrives", s(20), more).await;
}

#[tokio::test]
async fn with_its_file_system_broken_under_it_an_agent_delivers_records_from_memory_until_it_is_repaired() {
    let mut collector = Collector::start("").await;
    let mut agent = Agent::new(None);
    let mut disk = Fragile::mount(&agent.state(), agent.home().join("image")).await;
    let host = up_with_state_on_it(&collector, &mut agent).await;

    disk.break_down().await;
    a_roll_up_arrives(&mut collector, "on a broken file system the roll-up arrives all the same").await;
    assert!(agent.log().contains("spool: the disk refuses"), "it says so:\n{}", agent.log());
    collector.host_is(&host, "up", s(5)).await;
    assert_eq!(agent.stop().await, 0, "{}", agent.log());

    disk.repair().await;
    agent.run();
    collector.host_is(&host, "up", s(30)).await;
    // What was sent from memory left no trace on the disk, so that its numbers are not known there: others are given, and
    // the history says why. Nothing is lost.
    let told = || async { collector.facts("gap").pop() };
    let gap = eventually("that the disk is behind is told", s(20), told).await;
    assert_eq!(gap["lost"], 0, "{gap}");
    assert!(gap["reason"].as_str().is_some_and(|why| why.contains("the disk refused")), "{gap}");
    a_roll_up_arrives(&mut collector, "repaired, records arrive").await;
    assert_eq!(collector.facts("gap").len(), 1, "{:?}", collector.facts("gap"));
}

/// A disk of its own that can fail: a loop device on memory that can be sealed. Unmounted when dropped.
struct Failing {
    medium: OwnedFd,
    place: tempfile::TempDir,
}

impl Failing {
    /// Makes one that is well and lets `at` lead to it. Without a journal, so that an error is told to who writes and
    /// nothing is remounted.
    async fn mount(at: &Path) -> Self {
        let medium = memfd_create("muster-story", MemfdFlags::ALLOW_SEALING).expect("memory as a file");
        ftruncate(&medium, 16 << 20).expect("memory as a file");
        let image = format!("/proc/{}/fd/{}", std::process::id(), medium.as_raw_fd());
        let said = run(Command::new(installed("mke2fs", "e2fsprogs")).args(["-q", "-F", "-t", "ext2", &image])).await;
        assert_eq!(said.code, 0, "{}", said.err);
        let place = tempfile::TempDir::new_in("/dev/shm").expect("/dev/shm is there on every Debian");
        let said = run(Command::new("mount").args(["-t", "ext2", "-o", "loop", &image]).arg(place.path())).await;
        assert_eq!(said.code, 0, "a loop device: {}", said.err);
        std::os::unix::fs::symlink(place.path(), at).expect("a link in a directory of our own");
        Self { medium, place }
    }

    /// From now on every write to the device ends with EIO: the memory refuses (memfd_create(2), F_SEAL_FUTURE_WRITE).
    fn break_down(&self) {
        fcntl_add_seals(&self.medium, SealFlags::FUTURE_WRITE).expect("it was made to be sealed");
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.place.path()).output();
    }
}

#[tokio::test]
async fn with_a_disk_that_answers_eio_an_agent_delivers_records_from_memory() {
    let mut collector = Collector::start("").await;
    let mut agent = Agent::new(None);
    let disk = Failing::mount(&agent.state()).await;
    let host = up_with_state_on_it(&collector, &mut agent).await;

    disk.break_down();
    a_roll_up_arrives(&mut collector, "with a disk that answers EIO the roll-up arrives all the same").await;
    let told = || async { agent.log().contains("spool: the disk refuses").then_some(()) };
    eventually("it says so", s(20), told).await;
    assert!(agent.log().contains("Input/output error (os error 5)"), "a real EIO:\n{}", agent.log());
    collector.host_is(&host, "up", s(10)).await;
    a_roll_up_arrives(&mut collector, "and the next one").await;
    assert!(collector.facts("gap").is_empty(), "nothing was lost: {:?}", collector.facts("gap"));
    assert_eq!(agent.stop().await, 0, "{}", agent.log());
}
