//! Samples of rounds, their medians and spreads, ratios between servers, and the tables that show them.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};

/// What one round of one server measured, in the order of [`FIGURES`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample([f64; FIGURES.len()]);

impl Sample {
    /// Reads what `larder-load --json` wrote.
    ///
    /// # Errors
    /// A sentence that names the field which is missing, or says that keys were.
    pub(super) fn parse(json: &str) -> Result<Self, String> {
        let report: Value = serde_json::from_str(json)
            .map_err(|error| format!("`larder-load` wrote no JSON: {error}"))?;
        // A miss costs less than a hit: a server that forgot its items would look fast.
        match report.get("misses").and_then(Value::as_u64) {
            Some(0) => {}
            Some(misses) => return Err(format!("{misses} items were gone: they do not fit")),
            None => return Err("`larder-load` wrote no `misses`".to_owned()),
        }
        let mut sample = [0.0; FIGURES.len()];
        for (value, figure) in sample.iter_mut().zip(FIGURES) {
            for field in figure.fields {
                let number = report.get(field).and_then(Value::as_f64);
                *value += number.ok_or_else(|| format!("`larder-load` wrote no `{field}`"))?;
            }
        }
        Ok(Self(sample))
    }
}

/// A figure of a report: the sum of some of its fields.
#[derive(Debug)]
pub(super) struct Figure {
    name: &'static str,
    fields: &'static [&'static str],
    decimals: usize,
    /// Whether a ratio between servers says something.
    is_compared: bool,
}

/// The median of some rounds, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    /// Of at least one value; else zeros.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        let median = match values.len() % 2 {
            1 => at(middle),
            _ => f64::midpoint(at(middle.saturating_sub(1)), at(middle)),
        };
        Self { median, min: at(0), max: at(values.len().saturating_sub(1)) }
    }

    fn json(self) -> Value {
        json!({ "median": self.median, "min": self.min, "max": self.max })
    }

    fn show(self, decimals: usize) -> String {
        let Self { median, min, max } = self;
        format!("{median:.decimals$} ({min:.decimals$}..{max:.decimals$})")
    }
}

/// All rounds of one shape.
#[derive(Debug)]
pub(super) struct Results {
    pub(super) shape: &'static str,
    /// CPU time a request that is to be reached, as a ratio of the first server's to the second's.
    pub(super) goal: f64,
    /// Servers with their samples; one sample a round.
    pub(super) servers: Vec<(&'static str, Vec<Sample>)>,
}

impl Results {
    fn spread(&self, server: usize, figure: usize) -> Spread {
        let samples = self.servers.get(server).map_or(&[][..], |(_, samples)| samples);
        Spread::of(samples.iter().map(|sample| sample.0[figure]).collect())
    }

    /// The first server's figure over the second's, round by round: what drifts from round to round cancels out.
    fn ratio(&self, figure: usize) -> Option<Spread> {
        let [(_, ours), (_, theirs)] = &self.servers[..] else { return None };
        let ratios: Vec<f64> = ours
            .iter()
            .zip(theirs)
            .filter(|(_, theirs)| theirs.0[figure] > 0.0)
            .map(|(ours, theirs)| ours.0[figure] / theirs.0[figure])
            .collect();
        (FIGURES[figure].is_compared && !ratios.is_empty()).then(|| Spread::of(ratios))
    }

    /// Cells of the table: figure, each server's, ratio. The ratio of CPU time stands beside its goal.
    fn rows(&self) -> Vec<Vec<String>> {
        let row = |(index, figure): (usize, &Figure)| {
            let mut cells = vec![figure.name.to_owned()];
            for server in 0..self.servers.len() {
                cells.push(self.spread(server, index).show(figure.decimals));
            }
            if self.servers.len() == 2 {
                let goal =
                    if index == CPU { format!(", goal {:.2}", self.goal) } else { String::new() };
                let ratio = self.ratio(index).map(|ratio| ratio.show(2) + &goal);
                cells.push(ratio.unwrap_or_default());
            }
            cells
        };
        FIGURES.iter().enumerate().map(row).collect()
    }

    fn titles(&self) -> Vec<String> {
        let mut titles = vec![self.shape.to_owned()];
        titles.extend(self.servers.iter().map(|(name, _)| (*name).to_owned()));
        if let [(ours, _), (theirs, _)] = &self.servers[..] {
            titles.push(format!("{ours}/{theirs}"));
        }
        titles
    }

    /// A table in Markdown.
    pub(super) fn markdown(&self) -> String {
        let titles = self.titles();
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = line(&titles) + &"|---".repeat(titles.len()) + "|\n";
        for row in self.rows() {
            text += &line(&row);
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let mut figures = serde_json::Map::new();
        for (index, figure) in FIGURES.iter().enumerate() {
            let mut of = serde_json::Map::new();
            for (server, (name, _)) in self.servers.iter().enumerate() {
                of.insert((*name).to_owned(), self.spread(server, index).json());
            }
            if let Some(ratio) = self.ratio(index) {
                of.insert("ratio".to_owned(), ratio.json());
            }
            figures.insert(figure.name.to_owned(), Value::Object(of));
        }
        json!({ "shape": self.shape, "goal": self.goal, "figures": figures })
    }
}

/// The table for a terminal.
impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in std::iter::once(self.titles()).chain(self.rows()) {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                let width = if column == 0 { 16 } else { 34 };
                write!(line, "{cell:<width$}")?;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Where CPU time stands among the figures.
const CPU: usize = 5;

/// The figures of a table, in the order of its rows. CPU times are microseconds a request.
pub(super) const FIGURES: [Figure; 8] = [
    figure("requests/s", &["requests_per_second"], 0, true),
    figure("p50 us", &["latency_p50_us"], 1, true),
    figure("p99 us", &["latency_p99_us"], 1, true),
    figure("user us", &["server_user_us"], 3, true),
    figure("system us", &["server_system_us"], 3, true),
    figure("cpu us", &["server_user_us", "server_system_us"], 3, true),
    figure("server busy", &["server_busy"], 2, false),
    figure("generator busy", &["generator_busy"], 2, false),
];

const fn figure(
    name: &'static str,
    fields: &'static [&'static str],
    decimals: usize,
    is_compared: bool,
) -> Figure {
    Figure { name, fields, decimals, is_compared }
}

#[cfg(test)]
mod tests {
    use super::{CPU, FIGURES, Results, Sample, Spread};

    fn sample(cpu: f64) -> Sample {
        let mut sample = [1000.0; FIGURES.len()];
        sample[CPU] = cpu;
        Sample(sample)
    }

    #[test]
    fn medians_are_in_the_middle() {
        let check = |values: &[f64], median| {
            assert_eq!(Spread::of(values.to_vec()).median.to_bits(), f64::to_bits(median));
        };
        check(&[5.0], 5.0);
        check(&[9.0, 1.0, 2.0], 2.0);
        check(&[4.0, 1.0, 2.0, 9.0], 3.0);
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]).show(1), "2.0 (1.0..3.0)");
    }

    #[test]
    fn samples_are_read_from_the_generators_json() {
        let json = r#"{"requests_per_second": 1.5, "latency_p50_us": 2, "latency_p99_us": 3,
            "server_user_us": 0.5, "server_system_us": 0.25, "server_busy": 0.9, "generator_busy": 0.5, "misses": 0}"#;
        let expected = Sample([1.5, 2.0, 3.0, 0.5, 0.25, 0.75, 0.9, 0.5]);
        assert_eq!(Sample::parse(json), Ok(expected));
        let missing = json.replace("server_user_us", "other");
        assert!(Sample::parse(&missing).is_err_and(|error| error.contains("`server_user_us`")));
        let gone = json.replace(r#""misses": 0"#, r#""misses": 7"#);
        assert!(Sample::parse(&gone).is_err_and(|error| error.contains("7 items were gone")));
        assert!(Sample::parse("no").is_err_and(|error| error.contains("no JSON")));
    }

    #[test]
    fn ratios_compare_within_a_round() {
        let ours = vec![sample(1.0), sample(4.0), sample(3.0)];
        let theirs = vec![sample(2.0), sample(8.0), sample(4.0)];
        let servers = vec![("larder", ours), ("memcached", theirs)];
        let results = Results { shape: "get-1x1", goal: 0.85, servers };
        let markdown = results.markdown();
        assert!(markdown.starts_with("| get-1x1 | larder | memcached | larder/memcached |\n|---"));
        assert!(markdown.contains(
            "| cpu us | 3.000 (1.000..4.000) | 4.000 (2.000..8.000) | 0.50 (0.50..0.75), goal 0.85 |"
        ));
        assert!(results.json()["figures"]["cpu us"]["ratio"]["median"] == 0.5);
        let alone = Results { servers: vec![("memcached", vec![sample(2.0)])], ..results };
        assert!(alone.markdown().contains("| cpu us | 2.000 (2.000..2.000) |\n"));
    }
}
