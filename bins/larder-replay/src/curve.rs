//! Miss-ratio curves as a picture: memory to the right (each doubling is as wide as any other), misses upwards.

use std::fmt::Write as _;

use serde_json::Value;

/// A picture of some lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What is shown, above the picture.
    pub title: String,
    /// The first six are told apart by colour and mark.
    pub lines: Vec<Line>,
}

/// One server or policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What the legend calls it.
    pub name: String,
    /// Memory in MiB and the miss ratio with it.
    pub points: Vec<(f64, f64)>,
}

impl Curve {
    /// The lines of a JSON array of objects with `line`, `memory_mib` and `miss_ratio`. Points of the same line make up that
    /// line, smallest memory first.
    ///
    /// # Errors
    /// A sentence: it is something else, or holds no point that can be drawn.
    pub fn parse(title: &str, json: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let points = value.as_array().ok_or("the points are no JSON array")?;
        let mut lines: Vec<Line> = Vec::new();
        for (index, point) in points.iter().enumerate() {
            let number = |name: &str| {
                let number = point.get(name).and_then(Value::as_f64);
                number.ok_or_else(|| format!("point {index} has no number `{name}`"))
            };
            let (memory, ratio) = (number("memory_mib")?, number("miss_ratio")?);
            if memory <= 0.0 || !(0.0..=1.0).contains(&ratio) {
                return Err(format!("point {index}, {ratio} at {memory} MiB, cannot be drawn"));
            }
            let name = point.get("line").and_then(Value::as_str);
            let name = name.ok_or_else(|| format!("point {index} has no text `line`"))?;
            match lines.iter_mut().find(|line| line.name == name) {
                Some(line) => line.points.push((memory, ratio)),
                None => lines.push(Line { name: name.to_owned(), points: vec![(memory, ratio)] }),
            }
        }
        for line in &mut lines {
            line.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        if lines.is_empty() {
            return Err("there is no point to draw".to_owned());
        }
        Ok(Self { title: title.to_owned(), lines })
    }

    /// The picture.
    #[must_use]
    pub fn svg(&self) -> String {
        let scale = Scale::of(&self.lines);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"13\" fill=\"#333\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
             <text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{}</text>\n",
            escaped(&self.title)
        );
        scale.draw(&mut svg);
        for (line, (colour, mark)) in self.lines.iter().zip(STYLES.iter().cycle()) {
            draw_line(&mut svg, line, &scale, colour, mark);
        }
        for (place, (line, (colour, mark))) in
            (0_u32..).zip(self.lines.iter().zip(STYLES.iter().cycle()))
        {
            let y = TOP + 10.0 + 20.0 * f64::from(place);
            let x = RIGHT - 130.0;
            draw_mark(&mut svg, x, y, colour, mark);
            let (x, y) = (x + 12.0, y + 4.5);
            let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\">{}</text>", escaped(&line.name));
        }
        svg + "</svg>\n"
    }
}

/// Where memory and ratios lie in the picture.
struct Scale {
    /// Logarithms of the smallest and the largest memory.
    memory: (f64, f64),
    ratio_max: f64,
    /// Memories with a label.
    ticks: Vec<f64>,
}

impl Scale {
    fn of(lines: &[Line]) -> Self {
        let mut ticks: Vec<f64> =
            lines.iter().flat_map(|line| &line.points).map(|(memory, _)| *memory).collect();
        ticks.sort_by(f64::total_cmp);
        // Labels that would lie over each other say nothing.
        ticks.dedup_by(|next, kept| *next < *kept * 1.15);
        let memories = lines.iter().flat_map(|line| &line.points).map(|(memory, _)| memory.ln());
        let low = memories.clone().fold(f64::INFINITY, f64::min);
        let high = memories.fold(f64::NEG_INFINITY, f64::max);
        let ratios = lines.iter().flat_map(|line| &line.points).map(|(_, ratio)| *ratio);
        let highest = ratios.fold(0.0, f64::max);
        let ratio_max = RATIO_STEPS.iter().map(|step| step * 5.0).find(|max| highest <= *max);
        Self { memory: (low, high.max(low + 0.1)), ratio_max: ratio_max.unwrap_or(1.0), ticks }
    }

    fn x(&self, memory: f64) -> f64 {
        let (low, high) = self.memory;
        rounded(LEFT + MARGIN + (memory.ln() - low) / (high - low) * (RIGHT - LEFT - 2.0 * MARGIN))
    }

    fn y(&self, ratio: f64) -> f64 {
        rounded(BOTTOM - ratio / self.ratio_max * (BOTTOM - TOP))
    }

    fn draw(&self, svg: &mut String) {
        for step in 0..=5 {
            let ratio = self.ratio_max * f64::from(step) / 5.0;
            let y = self.y(ratio);
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y}H{RIGHT}\" stroke=\"#ddd\"/>\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.5,
                rounded(ratio * 10.0) / 10.0
            );
        }
        for tick in &self.ticks {
            let x = self.x(*tick);
            let _ = writeln!(
                svg,
                "<path d=\"M{x} {BOTTOM}v5\" stroke=\"#999\"/>\
                 <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>",
                BOTTOM + 20.0
            );
        }
        let middle = f64::midpoint(LEFT, RIGHT);
        let _ = writeln!(
            svg,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">memory, MiB</text>\n\
             <text x=\"{LEFT}\" y=\"{}\">miss ratio</text>",
            HEIGHT - 10.0,
            TOP - 10.0
        );
    }
}

fn draw_line(svg: &mut String, line: &Line, scale: &Scale, colour: &str, mark: &str) {
    let places: Vec<(f64, f64)> =
        line.points.iter().map(|(memory, ratio)| (scale.x(*memory), scale.y(*ratio))).collect();
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{x} {y}")).collect();
    let path = path.join("L");
    let _ =
        writeln!(svg, "<path d=\"M{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>");
    for (x, y) in places {
        draw_mark(svg, x, y, colour, mark);
    }
}

fn draw_mark(svg: &mut String, x: f64, y: f64, colour: &str, mark: &str) {
    let _ = writeln!(svg, "<path d=\"M{x} {y}{mark}\" fill=\"{colour}\"/>");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// To a hundredth: more digits are not seen.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 624.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 340.0;
/// Between the frame and the outermost points.
const MARGIN: f64 = 20.0;

/// Fifths of the highest ratio that is shown.
const RATIO_STEPS: [f64; 7] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];

/// Colours that the colour-blind tell apart too, each with a mark: square, circle, diamond, triangle, cross, bar.
const STYLES: [(&str, &str); 6] = [
    ("#0072b2", "m-4 -4h8v8h-8z"),
    ("#d55e00", "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z"),
    ("#009e73", "m0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z"),
    ("#cc79a7", "m0 -5l5 9h-10z"),
    ("#e69f00", "m-1.5 -5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5v-3h3.5z"),
    ("#56b4e9", "m-5 -2h10v4h-10z"),
];

#[cfg(test)]
mod tests {
    use super::Curve;

    const POINTS: &str = r#"[
        {"line": "b<c", "memory_mib": 64, "miss_ratio": 0.3},
        {"line": "a", "memory_mib": 16, "miss_ratio": 0.42},
        {"line": "b<c", "memory_mib": 16, "miss_ratio": 0.4, "more": 1},
        {"line": "a", "memory_mib": 64, "miss_ratio": 0.21}]"#;

    #[test]
    fn points_become_lines() {
        let curve = Curve::parse("t", POINTS).unwrap();
        let names: Vec<&str> = curve.lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["b<c", "a"]);
        assert_eq!(curve.lines[0].points, [(16.0, 0.4), (64.0, 0.3)]);
    }

    #[test]
    fn the_picture_shows_every_point_where_it_belongs() {
        let svg = Curve::parse("a & b", POINTS).unwrap().svg();
        // Up to 0.5, of which 280 units are high; the smallest memory at the left margin, the largest at the right.
        assert!(svg.contains("M84 116L604 172"), "{svg}");
        assert!(svg.contains("M84 104.8L604 222.4"), "{svg}");
        assert!(svg.contains("a &amp; b") && svg.contains("b&lt;c"), "{svg}");
        assert!(svg.contains(">16</text>") && svg.contains(">64</text>"), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(Curve::parse("", r#"[{"line":"a","memory_mib":1,"miss_ratio":0}]"#).is_ok());
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let check = |json: &str, expected: &str| {
            let error = Curve::parse("t", json).expect_err(json);
            assert!(error.contains(expected), "{error}");
        };
        check("[", "EOF");
        check("{}", "no JSON array");
        check("[]", "no point to draw");
        check(r#"[{"line":"a","memory_mib":1}]"#, "point 0 has no number `miss_ratio`");
        check(r#"[{"memory_mib":1,"miss_ratio":0.1}]"#, "point 0 has no text `line`");
        check(r#"[{"line":"a","memory_mib":0,"miss_ratio":0.1}]"#, "cannot be drawn");
        check(r#"[{"line":"a","memory_mib":1,"miss_ratio":1.1}]"#, "cannot be drawn");
    }
}
