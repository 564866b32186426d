//! The inventory of machines as GLPI takes it: a file for each in a directory, or a line for each.

use std::path::Path;

use muster_glpi::{Machine, Row, document};
use serde_json::Value;

use super::super::{CliError, print};

/// Characters of a host's name in its file's.
const NAME_CHARS: usize = 80;

/// Where the documents go.
pub(super) struct Places<'a> {
    directory: Option<&'a Path>,
    /// It is the only one: written out for people.
    is_one: bool,
    written: usize,
    /// Machines that have told nothing.
    silent: usize,
}

impl<'a> Places<'a> {
    /// Into a directory, which is made, or else to standard output.
    pub(super) fn new(directory: Option<&'a Path>, is_one: bool) -> Result<Self, CliError> {
        if let Some(directory) = directory {
            std::fs::create_dir_all(directory).map_err(|error| {
                let why = "for GLPI --output is a directory, with a file for each machine";
                CliError::Failed(format!("{} cannot be made: {error}: {why}", directory.display()))
            })?;
        }
        Ok(Self { directory, is_one, written: 0, silent: 0 })
    }

    /// The next machine, as the API tells it.
    pub(super) fn put(&mut self, told: &Value) -> Result<(), CliError> {
        let Some(document) = of(told) else {
            self.silent += 1;
            return Ok(());
        };
        self.written += 1;
        match self.directory {
            Some(directory) => print::file(&directory.join(file_name(told)), format!("{document:#}\n").as_bytes()),
            None if self.is_one => print::json(&document),
            None => print::line(&document.to_string()),
        }
    }

    /// Says what was left out.
    pub(super) fn end(self) -> Result<(), CliError> {
        if self.silent > 0 {
            print::warning(&format!("{} told no inventory and were left out; {} written", self.silent, self.written));
        }
        if self.written == 0 {
            return Err(CliError::Failed("no machine has told an inventory yet".into()));
        }
        Ok(())
    }
}

/// A machine's document; none: it has told nothing.
fn of(told: &Value) -> Option<Value> {
    let sections = told["sections"].as_object().filter(|sections| !sections.is_empty())?;
    let mut machine = Machine { name: told["host"].as_str()?, ..Machine::default() };
    for (name, section) in sections {
        let rows = section["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
        let rows = rows.iter().map(|row| {
            let fields = row.as_object().into_iter().flatten();
            // The rows of a whole host have no keys here; what they are made of is among the fields.
            Row { key: "", fields: fields.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect() }
        });
        machine.sections.insert(name, rows.collect());
    }
    Some(document(&machine))
}

/// `web-3_0190a1b2-....json`: names may be alike but for signs that no file should have.
fn file_name(told: &Value) -> String {
    let plain = |sign: char| if sign.is_ascii_alphanumeric() || sign == '-' { sign } else { '_' };
    let text = |field: &str| told[field].as_str().unwrap_or_default().chars().map(plain);
    let (name, id): (String, String) = (text("host").take(NAME_CHARS).collect(), text("host_id").collect());
    format!("{name}_{id}.json")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(name: &str) -> Value {
        json!({ "host": name, "host_id": "0190-1", "sections": {
            "system": { "status": "complete", "rows": [{ "manufacturer": "Acme", "model": "M-1", "serial": "S1" }] },
            "packages": { "status": "complete", "rows": [
                { "manager": "dpkg", "name": "bash", "version": "5.2-1", "architecture": "amd64" }] } } })
    }

    #[test]
    fn a_machine_is_told_as_glpi_names_it_and_one_without_inventory_is_not() {
        let found = of(&told("web-3")).unwrap();
        assert_eq!(found["deviceid"], "web-3-1970-01-01-00-00-00");
        assert_eq!(found["content"]["bios"], json!({ "smanufacturer": "Acme", "smodel": "M-1", "ssn": "S1" }));
        let bash = json!([{ "name": "bash", "version": "5.2-1", "arch": "amd64", "from": "deb" }]);
        assert_eq!(found["content"]["softwares"], bash);
        assert_eq!(of(&json!({ "host": "web-4", "sections": {} })), None);
    }

    #[test]
    fn each_machine_has_a_file_and_no_name_leads_out_of_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("glpi");
        let mut places = Places::new(Some(&place), false).unwrap();
        places.put(&told("../../etc/cron.d/x")).unwrap();
        places.put(&json!({ "host": "web-4", "sections": {} })).unwrap();
        places.end().unwrap();
        let files: Vec<_> = std::fs::read_dir(&place).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, ["______etc_cron_d_x_0190-1.json"]);
        let text = std::fs::read(place.join(&files[0])).unwrap();
        let document: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(document["content"]["hardware"]["name"], "../../etc/cron.d/x");
        std::fs::write(directory.path().join("file"), "").unwrap();
        assert!(Places::new(Some(&directory.path().join("file")), false).is_err());
    }
}
