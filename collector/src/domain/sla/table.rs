//! A report in JSON summed up: lengths in whole seconds and percentages with some decimals, both cut off, never rounded up.

use serde_json::{Value, json};

use super::target::Ratio;
use crate::domain::{
    csv::safe_cell,
    sheet::{Book, Cell, Sheet},
    time::Timestamp,
};

/// Whose figure it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Of the report as a whole.
    Whole,
    /// Of each of its subjects.
    Subject,
    Both,
}

/// Headings and fields of [`summed_up`], in the order of both tables.
const FIGURES: [(&str, &str, Of); 21] = [
    ("agreement", "name", Of::Whole),
    ("period", "period", Of::Whole),
    ("target %", "target", Of::Whole),
    ("subject", "subject", Of::Subject),
    ("verdict", "verdict", Of::Both),
    ("availability %", "availability", Of::Both),
    ("amended verdict", "amended_verdict", Of::Both),
    ("amended %", "amended", Of::Both),
    ("coverage %", "coverage", Of::Whole),
    ("budget left s", "budget_left", Of::Whole),
    ("agreed s", "agreed", Of::Both),
    ("down s", "down", Of::Both),
    ("maintenance s", "maintenance", Of::Both),
    ("unreachable s", "unreachable", Of::Both),
    ("collector down s", "collector_down", Of::Both),
    ("unknown s", "unknown", Of::Both),
    ("outages", "outages", Of::Both),
    ("mtrs s", "mtrs", Of::Both),
    ("mttd s", "mttd", Of::Subject),
    ("mtta s", "mtta", Of::Subject),
    ("kind", "kind", Of::Subject),
];
/// Of an outage: heading and field.
const OUTAGES: [(&str, &str); 8] = [
    ("from", "from"),
    ("to", "to"),
    ("length s", "length_ms"),
    ("open", "open"),
    ("cause", "cause"),
    ("evidence", "evidence"),
    ("category", "category"),
    ("disputed", "disputed"),
];
/// Of planned work: heading and field.
const WORK: [(&str, &str); 6] = [
    ("from", "from"),
    ("to", "to"),
    ("window", "window"),
    ("reason", "reason"),
    ("entered afterwards", "entered_afterwards"),
    ("disregarded", "disregarded"),
];
/// Decimals of a percentage, as the field's tools show them.
const DECIMALS: usize = 4;

/// The columns of a table of subjects: heading and field of [`summed_up`].
#[must_use]
pub fn columns() -> Vec<(&'static str, &'static str)> {
    figures_of(Of::Subject)
}

fn figures_of(whose: Of) -> Vec<(&'static str, &'static str)> {
    let fits = FIGURES.into_iter().filter(|(.., of)| *of == whose || *of == Of::Both);
    fits.map(|(heading, field, _)| (heading, field)).collect()
}

/// The subjects of a report, summed up.
#[must_use]
pub fn rows(report: &Value) -> Vec<Value> {
    report["subjects"].as_array().map(Vec::as_slice).unwrap_or_default().iter().map(summed_up).collect()
}

/// The same for spreadsheets (RFC 4180), with the fields as heading.
#[must_use]
pub fn csv(report: &Value) -> String {
    let heading: Vec<&str> = columns().into_iter().map(|(_, field)| field).collect();
    let cell = |row: &Value, field: &str| match &row[field] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let cells = rows(report)
        .into_iter()
        .map(|row| heading.iter().map(|field| safe_cell(&cell(&row, field))).collect::<Vec<_>>());
    let first = heading.iter().map(|field| (*field).to_owned()).collect();
    let lines = std::iter::once(first).chain(cells).map(|cells| cells.join(","));
    lines.collect::<Vec<_>>().join("\r\n")
}

/// The same with what it comes to as a whole, the outages and the planned work on sheets of their own.
#[must_use]
pub fn book(report: &Value) -> Book {
    let whole = summed_up(report);
    let line = |(heading, field): (&str, &str)| vec![Cell::Text(heading.to_owned()), cell(&whole[field])];
    let figures = figures_of(Of::Whole).into_iter().map(line);
    let digest = vec![Cell::Text("digest".to_owned()), cell(&report["digest"])];
    let columns = columns();
    let subjects = rows(report).into_iter().map(|row| columns.iter().map(|(_, field)| cell(&row[*field])).collect());
    let sheets = [
        sheet("Summary", ["figure", "value"], figures.chain([digest]).collect()),
        sheet("Subjects", columns.iter().map(|(heading, _)| *heading), subjects.collect()),
        of_subjects("Outages", "outages", &OUTAGES, report),
        of_subjects("Planned work", "maintenance", &WORK, report),
    ];
    let title = [&report["name"], &report["period"]].map(|part| part.as_str().unwrap_or_default()).join(", ");
    // As of the end of what it is about: the same report is the same file, whoever writes it when.
    let end = report["to"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let made = Timestamp::from_ms(end.map_or(0, jiff::Timestamp::as_millisecond));
    Book { title, made, sheets: sheets.into() }
}

/// What each subject has a list of, with the subject before it.
fn of_subjects(name: &str, list: &str, columns: &[(&str, &str)], report: &Value) -> Sheet {
    let subjects = report["subjects"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let row = |subject: &Value, one: &Value| {
        let value = |field: &str| match (field, one[field].as_i64()) {
            ("length_ms", Some(ms)) => json!(ms.div_euclid(1000)),
            _ => one[field].clone(),
        };
        let cells = columns.iter().map(|(_, field)| cell(&value(field)));
        std::iter::once(cell(&subject["subject"])).chain(cells).collect::<Vec<_>>()
    };
    let rows = subjects.flat_map(|subject| {
        let of = subject[list].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        of.map(|one| row(subject, one)).collect::<Vec<_>>()
    });
    sheet(name, std::iter::once("subject").chain(columns.iter().map(|(heading, _)| *heading)), rows.collect())
}

fn sheet<'a>(name: &str, heading: impl IntoIterator<Item = &'a str>, rows: Vec<Vec<Cell>>) -> Sheet {
    Sheet { name: name.to_owned(), heading: heading.into_iter().map(str::to_owned).collect(), rows }
}

/// Percentages, which are texts with decimals, are numbers there.
fn cell(value: &Value) -> Cell {
    let percent = |text: &str| text.split_once('.').filter(|(_, decimals)| decimals.len() == DECIMALS).is_some();
    match value {
        Value::String(text) if percent(text) => {
            text.parse().map_or_else(|_| Cell::Text(text.clone()), |number| Cell::Number(number, DECIMALS))
        }
        Value::String(text) => Cell::Text(text.clone()),
        Value::Number(number) => number.as_f64().map_or(Cell::Empty, |number| Cell::Number(number, 0)),
        Value::Bool(holds) => Cell::Text(if *holds { "yes" } else { "no" }.to_owned()),
        _ => Cell::Empty,
    }
}

/// What is promised, as people write it: 90, 99.95.
#[must_use]
pub fn target(answer: &Value) -> String {
    answer["target"].as_f64().map_or_else(|| "-".into(), |percent| percent.to_string())
}

/// The figures of an answer in seconds and percent, cut off.
#[must_use]
pub fn summed_up(answer: &Value) -> Value {
    let seconds = |field: &str| answer[field].as_i64().map_or(Value::Null, |ms| json!(ms.div_euclid(1000)));
    let percent = |of: &Value, part: &str, whole: &str| {
        let ratio = of[part].as_i64().zip(of[whole].as_i64()).and_then(|(part, whole)| Ratio::of(part, whole));
        ratio.map_or(Value::Null, |ratio| Value::String(ratio.percent(DECIMALS)))
    };
    let amended = &answer["agreed"];
    let mean = |field: &str| answer["means"][field].as_i64().map(|ms| ms.div_euclid(1000));
    let to_serve = |field: &str| answer[field].as_i64().unwrap_or(0);
    let proven = to_serve("up_ms") + to_serve("down_ms");
    let whole = to_serve("window_ms") - to_serve("outside_hours_ms") - to_serve("maintenance_ms");
    json!({
        "name": answer["name"], "subject": answer["subject"], "kind": answer["kind"], "verdict": answer["verdict"],
        "target": target(answer), "period": answer["period"], "availability": percent(answer, "served_ms", "agreed_ms"),
        "coverage": Ratio::of(proven, whole).map(|ratio| ratio.percent(DECIMALS)),
        "budget_left": seconds("budget_left_ms"), "agreed": seconds("agreed_ms"), "down": seconds("down_ms"),
        "maintenance": seconds("maintenance_ms"), "unreachable": seconds("unreachable_ms"),
        "collector_down": seconds("collector_down_ms"), "unknown": seconds("unknown_ms"),
        "amended_verdict": amended["verdict"], "amended": percent(amended, "served_ms", "agreed_ms"),
        "outages": answer["means"]["outages"],
        "mtrs": mean("mtrs_ms"), "mttd": mean("mttd_ms"), "mtta": mean("mtta_ms"),
    })
}
