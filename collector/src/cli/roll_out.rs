//! `token progress`: how a roll-out goes.

use super::{
    CliError,
    commands::Desk,
    print::{self, Column},
};

const TOKENS: [Column; 6] = [
    ("token", "id"),
    ("kind", "kind"),
    ("enrolled", "enrolled"),
    ("uses left", "uses_left"),
    ("ends", "expires"),
    ("gives", "gives"),
];
const CAME: [Column; 4] = [("host", "host"), ("site", "site"), ("os", "os"), ("enrolled", "enrolled")];
const REFUSED: [Column; 6] = [
    ("last", "at"),
    ("from", "from"),
    ("calls itself", "name"),
    ("token", "token"),
    ("times", "times"),
    ("why", "why"),
];

impl Desk {
    /// All of it, table by table.
    pub(super) async fn roll_out(&self) -> Result<(), CliError> {
        let all = self.client.get("/roll-out").await?;
        if self.json {
            return print::json(&all);
        }
        let parts: [(&str, &str, &[Column]); 4] = [
            ("tokens", "Invited: tokens that still work", &TOKENS),
            ("waiting", "Waiting: let in with `muster-collector host activate NAME`", &CAME),
            ("unheard", "Enrolled and never heard: is the service running? `muster-agent doctor` there says", &CAME),
            ("refused", "Refused since the collector was started", &REFUSED),
        ];
        for (key, title, columns) in parts {
            if all[key].as_array().is_some_and(Vec::is_empty) {
                continue;
            }
            print::line(title)?;
            print::table(columns, &all[key])?;
            print::line("")?;
        }
        Ok(())
    }
}
