//! `[inventory]`: the table of operating systems' support, and which extended support was bought.

use super::section::Section;
use crate::domain::os_support::Table;

const FILE: &str = "the path of a table of operating systems";
const PRODUCT: &str = "products of the table, such as ubuntu";
/// Largest table, in bytes; ours has some kilobytes.
const FILE_BYTES: u64 = 1 << 20;
/// Most products.
const PRODUCTS: usize = 64;

/// Reads the section: our table, or that of the file.
pub(super) fn read(mut section: Section<'_, '_>) -> Table {
    let given = section.text("os_support", FILE, table);
    let table = given.unwrap_or_else(Table::built_in);
    let known = |name: &str| {
        let is_known = table.cycles.iter().any(|cycle| cycle.product == name);
        if is_known { Ok(name.to_owned()) } else { Err(PRODUCT.to_owned()) }
    };
    let contracts = section.texts("extended_support", PRODUCT, PRODUCTS, known).unwrap_or_default();
    section.finish();
    Table { contracts, ..table }
}

fn table(path: &str) -> Result<Table, String> {
    let unreadable = |why: String| format!("{FILE} ({why})");
    let size = std::fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if size > FILE_BYTES {
        return Err(unreadable(format!("it has {size} bytes, at most {FILE_BYTES} are read")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    Table::parse(&text).map_err(|error| unreadable(error.to_string()))
}
