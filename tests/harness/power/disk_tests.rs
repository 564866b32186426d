use std::path::Path;

use super::*;

/// Fixed luck: which names and pieces stay, how many changes count for a size.
struct Fixed {
    names: bool,
    sizes: usize,
    pieces: Vec<u64>,
    all: bool,
}

impl Luck for Fixed {
    fn names(&mut self, _op: usize) -> bool {
        self.names
    }
    fn size(&mut self, _ops: &[usize]) -> usize {
        self.sizes
    }
    fn piece(&mut self, _op: usize, at: u64, _length: usize) -> bool {
        self.all || self.pieces.contains(&at)
    }
    fn grain(&self) -> u64 {
        4
    }
}

fn nothing() -> Fixed {
    Fixed { names: false, sizes: 0, pieces: Vec::new(), all: false }
}

fn everything() -> Fixed {
    Fixed { names: true, sizes: usize::MAX, pieces: Vec::new(), all: true }
}

/// A disk after lines of a trace, each `from-to what`; a path of `/s/x` is written so that nobody has to count.
fn disk(lines: &[(u64, u64, &str, &str)]) -> Disk {
    let call = |(from_ns, to_ns, text, opened): &(u64, u64, &str, &str)| {
        let hex = |text: &str| text.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
        let (name, words) = text.split_once(' ').unwrap();
        let word = |word: &str| match word.split_once('<') {
            Some((number, path)) => format!("{number}<{}>", hex(path)),
            None if word.starts_with('/') || word.starts_with('"') => {
                format!("\"{}\"", hex(word.trim_start_matches('"')))
            }
            None => word.to_owned(),
        };
        let words: Vec<String> = words.split(' ').map(word).collect();
        let opened = Some(PathBuf::from(opened)).filter(|path| !path.as_os_str().is_empty());
        let length = if name.starts_with("pwrite") || name == "write" { words[2].parse().unwrap() } else { 0 };
        let answer = if opened.is_some() { 5 } else { length };
        Call { from_ns: *from_ns, to_ns: *to_ns, name: name.to_owned(), words, answer, opened }
    };
    let calls: Vec<Call> = lines.iter().map(call).collect();
    let mut disk = Disk::new(Path::new("/s"));
    disk.add(&calls).unwrap();
    disk
}

fn file(image: &Image, name: &str) -> Option<String> {
    image.files.get(Path::new(name)).map(|(_, bytes)| String::from_utf8_lossy(bytes).replace('\0', "0"))
}

const MADE: (u64, u64, &str, &str) = (10, 11, "openat -100<d /s/a O_RDWR|O_CREAT 0600", "/s/a");

#[test]
fn what_was_written_is_there_once_a_sync_that_began_after_it_has_ended_and_before_only_with_luck() {
    let disk = disk(&[
        MADE,
        (12, 13, "fsync 9</s", ""),
        (20, 24, "pwrite64 5</s/a \"abcdefgh 8 0", ""),
        (22, 30, "fsync 5</s/a", ""),
        (40, 50, "fdatasync 5</s/a", ""),
    ]);
    for (at_ns, least, most) in [
        (19, Some(""), Some("")),
        (20, Some(""), Some("abcdefgh")),
        // The first sync began before the write had ended.
        (35, Some(""), Some("abcdefgh")),
        (49, Some(""), Some("abcdefgh")),
        (50, Some("abcdefgh"), Some("abcdefgh")),
    ] {
        let left = |luck: &mut Fixed| file(&disk.left(at_ns, luck), "a");
        assert_eq!((left(&mut nothing()).as_deref(), left(&mut everything()).as_deref()), (least, most), "at {at_ns}");
    }
    assert_eq!((disk.open_at(19), disk.open_at(20), disk.open_at(49), disk.open_at(50)), (0, 1, 1, 0));
}

#[test]
fn a_name_is_there_once_its_directory_was_synced_whatever_became_of_the_file() {
    let disk = disk(&[
        MADE,
        (20, 21, "write 5</s/a \"abc 3", ""),
        (22, 23, "fsync 5</s/a", ""),
        (30, 31, "fsync 9</s", ""),
        (40, 41, "rename /s/a /s/b", ""),
        (50, 51, "fsync 9</s", ""),
        (60, 61, "unlink /s/b", ""),
    ]);
    let names = |at_ns: u64, luck: &mut Fixed| {
        disk.left(at_ns, luck).files.keys().map(|name| name.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(29, &mut nothing()), Vec::<String>::new(), "the file was synced, its directory was not");
    assert_eq!(names(29, &mut everything()), ["a"]);
    assert_eq!(names(31, &mut nothing()), ["a"]);
    assert_eq!((names(45, &mut nothing()), names(45, &mut everything())), (vec!["a".to_owned()], vec!["b".to_owned()]));
    assert_eq!((names(51, &mut nothing()), names(99, &mut nothing())), (vec!["b".to_owned()], vec!["b".to_owned()]));
    assert_eq!(names(99, &mut everything()), Vec::<String>::new());
    assert_eq!(file(&disk.left(51, &mut nothing()), "b").as_deref(), Some("abc"));
}

#[test]
fn a_write_tears_into_pieces_and_a_size_without_its_bytes_is_zeros() {
    let disk = disk(&[
        MADE,
        (12, 13, "fsync 9</s", ""),
        (14, 15, "pwrite64 5</s/a \"0123456789 10 0", ""),
        (16, 17, "fsync 5</s/a", ""),
        (20, 21, "pwrite64 5</s/a \"ABCDEFGH 8 6", ""),
    ]);
    let left = |luck: &mut Fixed| file(&disk.left(30, luck), "a").unwrap();
    // Pieces begin at multiples of 4: 6-8, 8-12, 12-14.
    assert_eq!(left(&mut Fixed { sizes: 1, pieces: vec![8], ..nothing() }), "01234567CDEF00");
    assert_eq!(left(&mut Fixed { sizes: 1, pieces: vec![6, 12], ..nothing() }), "012345AB8900GH");
    assert_eq!(left(&mut Fixed { sizes: 1, ..nothing() }), "01234567890000");
    assert_eq!(left(&mut Fixed { pieces: vec![6, 8, 12], ..nothing() }), "012345ABCD", "bytes without the size");
    assert_eq!(left(&mut nothing()), "0123456789");
}

#[test]
fn a_file_is_cut_and_grows_in_order_and_appending_follows_its_end() {
    let disk = disk(&[
        (10, 11, "openat -100<d /s/a O_RDWR|O_CREAT|O_APPEND 0600", "/s/a"),
        (12, 13, "write 5</s/a \"abcdef 6", ""),
        (14, 15, "ftruncate 5</s/a 2", ""),
        (16, 17, "write 5</s/a \"xy 2", ""),
        (18, 19, "fallocate 5</s/a 0 0 6", ""),
        (20, 21, "mkdir /s/d 0700", ""),
        (22, 23, "openat -100<d /s/d/b O_WRONLY|O_CREAT 0600", "/s/d/b"),
        (24, 25, "rename /s/d /s/e", ""),
        (26, 27, "openat -100<d /s/a O_WRONLY|O_TRUNC 0", "/s/a"),
    ]);
    assert_eq!(file(&disk.left(19, &mut everything()), "a").as_deref(), Some("abxy00"));
    let end = disk.left(99, &mut everything());
    assert_eq!((file(&end, "a").as_deref(), file(&end, "e/b").as_deref()), (Some(""), Some("")));
    assert_eq!(end.directories.keys().collect::<Vec<_>>(), [Path::new("e")]);
    assert_eq!(end.files[Path::new("e/b")].0, 0o600);
}

#[test]
fn what_is_not_modelled_is_an_error_and_what_lies_elsewhere_is_nobodys_business() {
    let call = |name: &str, words: &[&str], opened: Option<&str>| Call {
        from_ns: 1,
        to_ns: 2,
        name: name.to_owned(),
        words: words.iter().map(|&word| word.to_owned()).collect(),
        answer: 5,
        opened: opened.map(PathBuf::from),
    };
    let tried = |call: Call| Disk::new(Path::new("/s")).add(&[call]);
    assert!(tried(call("symlink", &["\"\"", "\"\\x2f\\x73\\x2f\\x61\""], None)).is_err());
    assert!(tried(call("msync", &["0x1", "3", "MS_SYNC"], None)).is_err());
    assert!(tried(call("sync", &[""], None)).is_err());
    assert!(tried(call("copy_file_range", &["5<\\x2f\\x73\\x2f\\x61>", "NULL", "6<\\x2f\\x74>"], None)).is_err());
    assert!(tried(call("openat", &["-100<d>", "\"\"", "O_RDWR"], Some("/s/never"))).is_err());
    assert!(tried(call("rename", &["\"\\x2f\\x74\"", "\"\\x2f\\x73\\x2f\\x61\""], None)).is_err());
    for fine in [
        call("copy_file_range", &["5<\\x2f\\x74\\x2f\\x61>", "NULL", "6<\\x2f\\x74>"], None),
        call("openat", &["-100<d>", "\"\"", "O_RDWR"], Some("/elsewhere")),
        call("openat", &["-100<d>", "\"\"", "O_RDWR"], Some("/s/state.db-shm")),
        call("write", &["1<\\x2f\\x64>", "\"\\x41\"", "1"], None),
    ] {
        tried(fine).unwrap();
    }
}
