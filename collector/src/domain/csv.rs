//! Comma-separated values as RFC 4180 and Excel write them: LF or CRLF, commas, semicolons or tabs, quotes, a mark of the
//! encoding, a first line `sep=;`.

/// A cell and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Without its quotes and without blanks around it.
    pub text: String,
    /// Line in the file, from 1.
    pub line: usize,
    /// Column of the table, from 1.
    pub column: usize,
}

/// What the file cannot be read for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Line, from 1.
    pub line: usize,
    /// Column of the table, from 1.
    pub column: usize,
    /// Why, and the remedy.
    pub why: String,
}

/// The text of a file's bytes: UTF-8 with or without its mark, or UTF-16 with one ("Unicode text").
///
/// # Errors
/// Where it is neither.
pub fn text(bytes: &[u8]) -> Result<String, Unreadable> {
    let unreadable = |line: usize| Unreadable {
        line,
        column: 1,
        why: "this is not UTF-8 text: save it as \"CSV UTF-8\"".to_owned(),
    };
    let wide = match bytes {
        [0xff, 0xfe, rest @ ..] => Some((rest, u16::from_le_bytes as fn([u8; 2]) -> u16)),
        [0xfe, 0xff, rest @ ..] => Some((rest, u16::from_be_bytes as fn([u8; 2]) -> u16)),
        _ => None,
    };
    if let Some((rest, read)) = wide {
        let units: Vec<u16> = rest.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        return String::from_utf16(&units).map_err(|_| unreadable(1));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            Err(unreadable(before.iter().filter(|byte| **byte == b'\n').count() + 1))
        }
    }
}

/// The rows of a table; empty lines are left out.
///
/// # Errors
/// A quote that does not end.
pub fn rows(text: &str) -> Result<Vec<Vec<Cell>>, Unreadable> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (separator, mut reader) = match told_separator(text) {
        Some((separator, rest)) => (separator, Reader { rest, line: 2 }),
        None => (guessed_separator(text), Reader { rest: text, line: 1 }),
    };
    let mut rows = Vec::new();
    while !reader.rest.is_empty() {
        let row = reader.row(separator)?;
        if row.iter().any(|cell| !cell.text.is_empty()) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// `sep=;` on the first line, as Excel understands it.
fn told_separator(text: &str) -> Option<(char, &str)> {
    let (first, rest) = text.split_once('\n')?;
    let told = first.trim_end_matches('\r').trim_matches('"').strip_prefix("sep=")?;
    let mut characters = told.chars();
    let separator = characters.next()?;
    characters.next().is_none().then_some((separator, rest))
}

/// The one that the heading has most of; Excel writes semicolons where the comma is for decimals.
fn guessed_separator(text: &str) -> char {
    let heading = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |separator: char| heading.matches(separator).count();
    // The last of equals is taken: a comma.
    [';', '\t', ','].into_iter().max_by_key(|separator| count(*separator)).unwrap_or(',')
}

/// A cell as a spreadsheet may open it: quoted where it has to be, and what would be read as a formula as text (OWASP's
/// advice on CSV injection: an apostrophe before it).
#[must_use]
pub fn safe_cell(text: &str) -> String {
    let number = text.parse::<f64>().is_ok();
    let formula = !number && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    match text.contains([',', ';', '\t', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    /// Reads a row with the end of its line.
    fn row(&mut self, separator: char) -> Result<Vec<Cell>, Unreadable> {
        let mut row = Vec::new();
        loop {
            let (line, column) = (self.line, row.len() + 1);
            let text = self.cell(separator, column)?;
            row.push(Cell { text: text.trim().to_owned(), line, column });
            if let Some(rest) = self.rest.strip_prefix(separator) {
                self.rest = rest;
                continue;
            }
            let end = ["\r\n", "\n", "\r"].into_iter().find_map(|end| self.rest.strip_prefix(end));
            self.rest = end.unwrap_or_default();
            self.line += 1;
            return Ok(row);
        }
    }

    /// Reads up to the separator or the line's end.
    fn cell(&mut self, separator: char, column: usize) -> Result<String, Unreadable> {
        let ends = |c: char| c == separator || c == '\n' || c == '\r';
        let Some(quoted) = self.rest.trim_start_matches(' ').strip_prefix('"') else {
            let end = self.rest.find(ends).unwrap_or(self.rest.len());
            let (cell, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Ok(cell.to_owned());
        };
        let (mut text, mut left, begun) = (String::new(), quoted, self.line);
        loop {
            let Some((before, after)) = left.split_once('"') else {
                let why = "a quote begins here and does not end: write two quotes for one inside a text".to_owned();
                return Err(Unreadable { line: begun, column, why });
            };
            text.push_str(before);
            self.line += before.matches('\n').count();
            let Some(more) = after.strip_prefix('"') else {
                left = after;
                break;
            };
            text.push('"');
            left = more;
        }
        // What stands between the quote and the separator belongs to nobody's format; it is kept.
        let end = left.find(ends).unwrap_or(left.len());
        let (tail, rest) = left.split_at(end);
        text.push_str(tail);
        self.rest = rest;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<Vec<String>> {
        rows(text).unwrap().into_iter().map(|row| row.into_iter().map(|cell| cell.text).collect()).collect()
    }

    #[test]
    fn what_excel_writes_reads_the_same_in_all_its_flavours() {
        let expected = vec![vec!["name", "site"], vec!["db-1", "Zürich, Süd"], vec!["db-2", ""]];
        let flavours = [
            "name,site\ndb-1,\"Zürich, Süd\"\ndb-2,\n",
            "\u{feff}name;site\r\ndb-1;Zürich, Süd\r\ndb-2;\r\n",
            "name\tsite\r\n\r\ndb-1\tZürich, Süd\r\ndb-2\t",
            "sep=|\r\nname|site\r\n\"db-1\"|\"Zürich, Süd\"\r\ndb-2|\r\n;;",
        ];
        for flavour in &flavours[..3] {
            assert_eq!(texts(flavour), expected, "{flavour:?}");
        }
        assert_eq!(texts(flavours[3])[..3], expected);
        let wide: Vec<u8> = flavours[1].encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(texts(&text(&wide).unwrap()), expected);
        assert_eq!(texts(&text(flavours[1].as_bytes()).unwrap()), expected);
    }

    #[test]
    fn a_quoted_cell_may_hold_lines_and_the_count_goes_on() {
        let rows = rows("name,note\na,\"one\ntwo \"\"quoted\"\"\"\nb,c").unwrap();
        assert_eq!(rows[1][1].text, "one\ntwo \"quoted\"");
        assert_eq!((rows[2][0].text.as_str(), rows[2][0].line, rows[2][1].column), ("b", 4, 2));
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_place() {
        let open = rows("name,note\na,\"never ends\nb,c").unwrap_err();
        assert_eq!((open.line, open.column), (2, 2));
        let latin = text(b"name\na\nZ\xfcrich").unwrap_err();
        assert_eq!(latin.line, 3);
        assert!(latin.why.contains("CSV UTF-8"), "{}", latin.why);
    }

    proptest! {
        #[test]
        fn whatever_is_written_with_quotes_is_read_again(
            table in proptest::collection::vec(proptest::collection::vec("[a-z;,\"\n\t]{0,4}x", 3), 1..5),
            end in proptest::sample::select(vec!["\n", "\r\n"]),
        ) {
            let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
            let line = |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(";") + end;
            let written: String = format!("sep=;{end}") + &table.iter().map(line).collect::<String>();
            let trimmed: Vec<Vec<String>> =
                table.iter().map(|row| row.iter().map(|cell| cell.trim().to_owned()).collect()).collect();
            prop_assert_eq!(texts(&written), trimmed);
        }

        #[test]
        fn no_text_makes_it_fall(text in "\\PC*|[\",;\r\n]{0,20}") {
            let cells = rows(&text).map_or(0, |rows| rows.iter().map(Vec::len).sum());
            prop_assert!(cells <= text.len() + 1, "{cells} cells of {} bytes", text.len());
        }
    }

    #[test]
    fn no_cell_is_taken_for_a_formula() {
        let cells = ["=1+1", "@x", "-5", "-x,\"y\"", "web 1", "+49"].map(safe_cell);
        assert_eq!(cells, ["'=1+1", "'@x", "-5", "\"'-x,\"\"y\"\"\"", "web 1", "+49"]);
    }
}
