//! A picture of curves, as SVG.

use std::fmt::Write as _;

/// Curves over the same steps.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) title: String,
    /// What a step is.
    pub(crate) across: &'static str,
    /// What is shown, from 0 to 1.
    pub(crate) up: &'static str,
    /// Steps where something begins, and what.
    pub(crate) marks: Vec<(usize, &'static str)>,
    pub(crate) curves: Vec<Curve>,
}

/// One curve.
#[derive(Debug, Clone)]
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    /// A value from 0 to 1 for each step.
    pub(crate) points: Vec<f64>,
}

impl Picture {
    /// The whole file.
    pub(crate) fn svg(&self) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
        );
        text(&mut svg, LEFT, 20.0, "start", &self.title);
        text(&mut svg, WIDTH - RIGHT, HEIGHT - 8.0, "end", self.across);
        text(&mut svg, LEFT, TOP - 8.0, "start", self.up);
        for tenth in 0..=10 {
            let value = f64::from(tenth) / 10.0;
            let y = y(value);
            line(&mut svg, (LEFT, y), (WIDTH - RIGHT, y), "#ddd");
            text(&mut svg, LEFT - 6.0, y + 4.0, "end", &format!("{value:.1}"));
        }
        let steps = self.curves.iter().map(|curve| curve.points.len()).max().unwrap_or(0);
        for &(step, name) in &self.marks {
            let x = x(step, steps);
            line(&mut svg, (x, TOP), (x, HEIGHT - BOTTOM), "#999");
            text(&mut svg, x + 4.0, HEIGHT - BOTTOM + 16.0, "start", name);
        }
        for (number, curve) in self.curves.iter().enumerate() {
            let color = COLORS[number % COLORS.len()];
            let points = curve.points.iter().enumerate();
            let points: Vec<String> = points
                .map(|(step, &value)| format!("{:.1},{:.1}", x(step, steps), y(value)))
                .collect();
            let _ = writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>",
                points.join(" ")
            );
            let place = u32::try_from(number).unwrap_or(0);
            let at = WIDTH - RIGHT - 120.0 * f64::from(place + 1);
            line(&mut svg, (at, 16.0), (at + 24.0, 16.0), color);
            text(&mut svg, at + 30.0, 20.0, "start", curve.name);
        }
        svg + "</svg>\n"
    }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), color: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{color}\"/>"
    );
}

#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
fn x(step: usize, steps: usize) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * step as f64 / steps.max(1) as f64
}

fn y(value: f64) -> f64 {
    HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value.clamp(0.0, 1.0)
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 45.0;
const RIGHT: f64 = 15.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 45.0;
/// Told apart by those who see no red or no green, too.
const COLORS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

#[cfg(test)]
mod tests {
    use super::{Curve, Picture};

    #[test]
    fn every_step_is_a_point() {
        let picture = Picture {
            title: "a < b".to_owned(),
            across: "steps",
            up: "ratio",
            marks: vec![(0, "first"), (2, "second")],
            curves: vec![Curve { name: "one", points: vec![0.0, 0.5, 1.0, 2.0] }],
        };
        let svg = picture.svg();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("a &lt; b") && svg.contains(">second</text>"));
        assert!(svg.contains("points=\"45.0,375.0 255.0,212.5 465.0,50.0 675.0,50.0\""), "{svg}");
    }
}
