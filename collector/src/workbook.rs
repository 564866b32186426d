//! Tables written as a workbook (Office Open XML, ECMA-376), which spreadsheets open. What hosts and people said stands in it as text:
//! nothing in it is a formula.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use crate::domain::sheet::{Book, Cell, Sheet};

/// Longest text of a cell, in characters: what Excel takes (32 767 units of UTF-16), halved, as one character may take two.
const CELL_CHARS: usize = 16_383;
/// Widest column that is made to fit its text, in pixels.
const COLUMN_PIXELS: u32 = 480;

/// Its bytes; the same tables of the same time are the same bytes.
///
/// # Errors
/// More than 1 048 575 rows, in words.
pub fn xlsx(book: &Book) -> Result<Vec<u8>, String> {
    written(book).map_err(|error| format!("this does not fit a workbook: {error}"))
}

fn written(book: &Book) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let made = ExcelDateTime::from_timestamp(book.made.ms().div_euclid(1_000))?;
    workbook.set_properties(&DocProperties::new().set_title(&book.title).set_creation_datetime(&made));
    for sheet in &book.sheets {
        fill(workbook.add_worksheet(), sheet)?;
    }
    workbook.save_to_buffer()
}

fn fill(page: &mut Worksheet, sheet: &Sheet) -> Result<(), XlsxError> {
    page.set_name(&sheet.name)?;
    let bold = Format::new().set_bold();
    for (column, heading) in (0_u16..).zip(&sheet.heading) {
        page.write_string_with_format(0, column, heading, &bold)?;
    }
    let last_row = u32::try_from(sheet.rows.len()).map_err(|_| XlsxError::RowColumnLimitError)?;
    for (row, cells) in (1_u32..).zip(&sheet.rows) {
        for (column, cell) in (0_u16..).zip(cells) {
            match cell {
                Cell::Empty => {}
                Cell::Text(text) => {
                    let text: String = text.chars().take(CELL_CHARS).collect();
                    page.write_string(row, column, text)?;
                }
                Cell::Number(number, decimals) => {
                    page.write_number_with_format(row, column, *number, &shown(*decimals))?;
                }
            }
        }
    }
    page.set_freeze_panes(1, 0)?;
    if let Some(last_column) = sheet.heading.len().checked_sub(1).and_then(|last| u16::try_from(last).ok()) {
        page.autofilter(0, 0, last_row, last_column)?;
    }
    page.set_autofit_max_width(COLUMN_PIXELS).autofit();
    Ok(())
}

/// Number formats as spreadsheets write them: `0`, `0.0000`.
fn shown(decimals: usize) -> Format {
    let point = if decimals == 0 { "" } else { "." };
    Format::new().set_num_format(format!("0{point}{}", "0".repeat(decimals)))
}
