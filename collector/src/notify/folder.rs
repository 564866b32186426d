//! Files in somebody's directory: each appears whole or not at all, and none is ever changed. What is there already under
//! the same name with something else in it stays, and the new one is called `-2`, `-3` and so on.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tokio::task::JoinHandle;

use super::receiver::Sent;

/// A directory on another machine may hang; it is tried again later.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most versions of files of one name.
const VERSIONS: usize = 1_000;

/// A file to be: its end, such as `html`, and what is in it.
type Content = (&'static str, Vec<u8>);

/// Puts files into directories, and never waits for one twice at a time.
#[derive(Debug, Default)]
pub struct Folders {
    hanging: BTreeMap<PathBuf, JoinHandle<io::Result<Vec<String>>>>,
}

impl Folders {
    /// Puts these files under one name into a directory; says how they are called there. Doing it again changes nothing.
    pub async fn put(&mut self, directory: &Path, stem: &str, files: Vec<Content>) -> Sent {
        let named = |error: &str| Sent::Retry { error: format!("{}: {error}", directory.display()), after: None };
        let work = match self.hanging.remove(directory) {
            Some(hanging) if !hanging.is_finished() => {
                self.hanging.insert(directory.to_owned(), hanging);
                return named("it has not answered since the last try");
            }
            _ => {
                let (directory, stem) = (directory.to_owned(), stem.to_owned());
                tokio::task::spawn_blocking(move || put(&directory, &stem, &files))
            }
        };
        let mut work = work;
        match tokio::time::timeout(PATIENCE, &mut work).await {
            Err(_) => {
                self.hanging.insert(directory.to_owned(), work);
                named(&format!("it has not answered within {} s", PATIENCE.as_secs()))
            }
            Ok(Ok(Ok(names))) => Sent::Accepted { provider_id: Some(names.join(", ")) },
            Ok(Ok(Err(error))) => named(&error.to_string()),
            Ok(Err(_)) => named("the files could not be written: this is a bug"),
        }
    }
}

/// How a file of a name would be called that nothing is in the way of.
enum Place {
    /// Nothing is there.
    Free,
    /// It is there already, as it is to be.
    Same,
    /// Something else is there.
    Taken,
}

fn put(directory: &Path, stem: &str, files: &[Content]) -> io::Result<Vec<String>> {
    for version in 1..=VERSIONS {
        let stem = if version == 1 { stem.to_owned() } else { format!("{stem}-{version}") };
        let name = |end: &str| format!("{stem}.{end}");
        let places: io::Result<Vec<Place>> =
            files.iter().map(|(end, body)| place(&directory.join(name(end)), body)).collect();
        let places = places?;
        if places.iter().any(|place| matches!(place, Place::Taken)) {
            continue;
        }
        let mut raced = false;
        for ((end, body), place) in files.iter().zip(&places) {
            if matches!(place, Place::Free) {
                raced |= !write(directory, &name(end), body)?;
            }
        }
        if !raced {
            return Ok(files.iter().map(|(end, _)| name(end)).collect());
        }
    }
    Err(io::Error::other(format!("there are {VERSIONS} of {stem} already: move some away")))
}

fn place(path: &Path, body: &[u8]) -> io::Result<Place> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Place::Free),
        Err(error) => Err(error),
        Ok(meta) if !meta.is_file() || meta.len() != body.len() as u64 => Ok(Place::Taken),
        Ok(_) => Ok(if fs::read(path)? == body { Place::Same } else { Place::Taken }),
    }
}

/// Writes a file beside its place and moves it there once it is whole; false where something has come in between.
fn write(directory: &Path, name: &str, body: &[u8]) -> io::Result<bool> {
    let (path, beside) = (directory.join(name), directory.join(format!(".{name}.part")));
    let written = whole(directory, &beside, body).and_then(|()| into_place(&beside, &path));
    if !matches!(written, Ok(true)) {
        // It is nobody's file; one that stays is written over the next time.
        let _ = fs::remove_file(&beside);
    }
    let written = written?;
    File::open(directory)?.sync_all()?;
    Ok(written)
}

fn whole(directory: &Path, beside: &Path, body: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(beside)?;
    file.write_all(body)?;
    // Who may look into the directory may read what is delivered there, whatever the umask of a service.
    let lookers = fs::metadata(directory)?.permissions().mode() & 0o044;
    file.set_permissions(fs::Permissions::from_mode(0o600 | lookers))?;
    file.sync_all()
}

fn into_place(beside: &Path, path: &Path) -> io::Result<bool> {
    match renameat_with(CWD, beside, CWD, path, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::EXIST) => Ok(false),
        // File systems of other machines may not know how; a link refuses as well where something is there.
        Err(_) => match fs::hard_link(beside, path) {
            Ok(()) => fs::remove_file(beside).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    }

    fn files(html: &str, json: &str) -> Vec<Content> {
        vec![("html", html.into()), ("json", json.into())]
    }

    #[test]
    fn the_same_files_are_written_once_and_others_beside_them() {
        let home = tempfile::tempdir().unwrap();
        let put = |html: &str, json: &str| put(home.path(), "web-2026-10", &files(html, json)).unwrap().join(" ");
        assert_eq!(put("one", "1"), "web-2026-10.html web-2026-10.json");
        let written = fs::metadata(home.path().join("web-2026-10.html")).unwrap().modified().unwrap();
        assert_eq!(put("one", "1"), "web-2026-10.html web-2026-10.json");
        assert_eq!(fs::metadata(home.path().join("web-2026-10.html")).unwrap().modified().unwrap(), written);
        assert_eq!(put("one", "2"), "web-2026-10-2.html web-2026-10-2.json", "both, or they would not belong together");
        assert_eq!(put("two", "3"), "web-2026-10-3.html web-2026-10-3.json");
        assert_eq!(put("one", "2"), "web-2026-10-2.html web-2026-10-2.json");
        assert_eq!(names(home.path()).len(), 6, "{:?}", names(home.path()));
        assert_eq!(fs::read_to_string(home.path().join("web-2026-10.json")).unwrap(), "1");
    }

    #[test]
    fn what_a_crash_left_is_completed_and_nothing_is_followed_or_left_behind() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("web.html"), "one").unwrap();
        fs::write(home.path().join(".web.json.part"), "half of it, which is longer than the whole").unwrap();
        assert_eq!(put(home.path(), "web", &files("one", "1")).unwrap(), ["web.html", "web.json"]);
        assert_eq!(names(home.path()), ["web.html", "web.json"]);
        assert_eq!(fs::read_to_string(home.path().join("web.json")).unwrap(), "1");

        let elsewhere = home.path().join("elsewhere");
        fs::write(&elsewhere, "theirs").unwrap();
        std::os::unix::fs::symlink(&elsewhere, home.path().join("mail.html")).unwrap();
        assert_eq!(put(home.path(), "mail", &files("ours", "1")).unwrap(), ["mail-2.html", "mail-2.json"]);
        assert_eq!(fs::read_to_string(elsewhere).unwrap(), "theirs");
    }

    #[test]
    fn a_file_may_be_read_by_whoever_may_look_into_the_directory() {
        let home = tempfile::tempdir().unwrap();
        for (directory, file) in [(0o700, 0o600), (0o750, 0o640), (0o755, 0o644), (0o771, 0o640)] {
            fs::set_permissions(home.path(), fs::Permissions::from_mode(directory)).unwrap();
            let stem = format!("of-{directory:o}");
            put(home.path(), &stem, &files("x", "y")).unwrap();
            let mode = fs::metadata(home.path().join(format!("{stem}.html"))).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, file, "{directory:o}");
        }
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_said_and_tried_again() {
        let home = tempfile::tempdir().unwrap();
        let (mut folders, gone) = (Folders::default(), home.path().join("gone"));
        let sent = folders.put(&gone, "web", files("a", "b")).await;
        assert!(matches!(&sent, Sent::Retry { error, .. } if error.contains("gone: No such file")), "{sent:?}");
        fs::create_dir(&gone).unwrap();
        let sent = folders.put(&gone, "web", files("a", "b")).await;
        assert_eq!(sent, Sent::Accepted { provider_id: Some("web.html, web.json".into()) });
    }
}
