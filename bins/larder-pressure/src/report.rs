//! What a measurement found: tables, and goals that were reached or missed.

use std::fmt::Display;

use serde_json::{Value, json};

use crate::server::Program;
use crate::svg::Picture;

/// The result of one command.
#[derive(Debug, Default)]
pub struct Report {
    /// Machine, servers, command: without them figures mean nothing.
    head: Vec<String>,
    tables: Vec<Table>,
    checks: Vec<Check>,
    picture: Option<Picture>,
}

/// Rows of figures.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A goal, and whether it was reached.
#[derive(Debug)]
struct Check {
    text: String,
    passed: bool,
}

impl Report {
    /// An empty one of this command and these servers.
    #[must_use]
    pub fn new(command: &str, servers: &[Program]) -> Self {
        let mut head =
            vec![format!("command: {command}"), format!("machine: {}", crate::machine::describe())];
        let flags = crate::server::FLAGS.join(" ");
        head.extend(
            servers
                .iter()
                .map(|server| format!("server: {} ({}) {flags}", server.name, server.version())),
        );
        Self { head, ..Self::default() }
    }

    /// A line at the top.
    pub(crate) fn note(&mut self, line: impl Into<String>) {
        self.head.push(line.into());
    }

    pub(crate) fn push(&mut self, table: Table) {
        println!("\n{}", table.markdown());
        self.tables.push(table);
    }

    /// The picture that goes with it.
    pub(crate) fn draw(&mut self, picture: Picture) {
        self.picture = Some(picture);
    }

    /// Notes a goal.
    pub(crate) fn check(&mut self, passed: bool, text: impl Into<String>) {
        let check = Check { text: text.into(), passed };
        println!("{}", check.line());
        self.checks.push(check);
    }

    /// Goals that were reached, and those that were missed.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let passed = self.checks.iter().filter(|check| check.passed).count();
        (passed, self.checks.len() - passed)
    }

    /// The whole in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let head: String = self.head.iter().map(|line| format!("- {line}\n")).collect();
        let tables: String =
            self.tables.iter().map(|table| format!("\n{}", table.markdown())).collect();
        let checks: String =
            self.checks.iter().map(|check| format!("- {}\n", check.line())).collect();
        let checks = if checks.is_empty() { checks } else { format!("\n{checks}") };
        format!("{head}{tables}{checks}")
    }

    /// Its picture, if it has one, as SVG.
    #[must_use]
    pub fn svg(&self) -> Option<String> {
        self.picture.as_ref().map(Picture::svg)
    }

    /// The whole for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let tables: Vec<_> = self.tables.iter().map(Table::json).collect();
        let checks: Vec<_> = self
            .checks
            .iter()
            .map(|check| json!({ "goal": check.text, "reached": check.passed }))
            .collect();
        json!({ "run": self.head, "tables": tables, "goals": checks })
    }
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Self { title: title.into(), columns, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: &[&dyn Display]) {
        self.rows.push(cells.iter().map(|cell| cell.to_string()).collect());
    }

    fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        let rule = "|---".repeat(self.columns.len());
        format!("{}:\n\n{}{rule}|\n{rows}", self.title, line(&self.columns))
    }

    fn json(&self) -> Value {
        let row = |row: &Vec<String>| -> Value {
            let cells = self.columns.iter().cloned().zip(row.iter().map(|cell| json!(cell)));
            Value::Object(cells.collect())
        };
        json!({ "title": self.title, "rows": self.rows.iter().map(row).collect::<Vec<_>>() })
    }
}

impl Check {
    fn line(&self) -> String {
        let verdict = if self.passed { "ok" } else { "MISSED" };
        format!("{verdict}: {}", self.text)
    }
}

/// A number of bytes in MiB.
pub(crate) fn mebibytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    format!("{mebibytes:.1}")
}

/// One number over another, as a figure; 0 where there is no sense in it.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(crate) fn ratio(one: u64, other: u64) -> f64 {
    if other == 0 { 0.0 } else { one as f64 / other as f64 }
}

#[cfg(test)]
mod tests {
    use super::{Report, Table, mebibytes, ratio};

    #[test]
    fn a_report_is_the_same_in_both_forms() {
        let mut report = Report::default();
        report.note("command: x");
        let mut table = Table::new("bytes", &["value", "items"]);
        table.row(&[&32, &format!("{:.1}", 1.25)]);
        report.push(table);
        report.check(true, "a goal");
        report.check(false, "another");
        assert_eq!(report.counts(), (1, 1));
        let expected = "- command: x\n\nbytes:\n\n| value | items |\n|---|---|\n| 32 | 1.2 |\n\n\
            - ok: a goal\n- MISSED: another\n";
        assert_eq!(report.markdown(), expected);
        let json = report.json();
        assert_eq!(json["tables"][0]["rows"][0]["value"], "32");
        assert_eq!(json["goals"][1]["reached"], false);
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(mebibytes(3 << 19), "1.5");
        assert_eq!((ratio(1, 2).to_bits(), ratio(1, 0).to_bits()), (0.5_f64.to_bits(), 0));
    }
}
