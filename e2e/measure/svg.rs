//! A picture of lanes over a time axis, as SVG.

use std::fmt::Write as _;

const LEFT: f64 = 190.0;
const WIDTH: f64 = 760.0;
const RIGHT: f64 = 330.0;
const TOP: f64 = 74.0;
const LANE: f64 = 20.0;
const BAR: f64 = 13.0;

/// Seconds from the command's start are what all times are.
#[derive(Debug, Clone, Default)]
pub(super) struct Picture {
    pub(super) title: String,
    pub(super) lanes: Vec<Lane>,
    /// Lines from top to bottom.
    pub(super) moments: Vec<(f64, String)>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) bars: Vec<Bar>,
    /// Stands behind the last bar.
    pub(super) note: String,
    /// Whether it is the tool's own, or a component's.
    pub(super) is_own: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Bar {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) title: String,
}

impl Picture {
    pub(super) fn drawn(&self) -> String {
        let ends = self.lanes.iter().flat_map(|lane| &lane.bars).map(|bar| bar.to);
        let end = ends.chain(self.moments.iter().map(|(at, _)| *at)).fold(0.1, f64::max);
        let x = |at: f64| LEFT + at.clamp(0.0, end) / end * WIDTH;
        let height = self.top_of(self.lanes.len());
        let (all_width, all_height) = (LEFT + WIDTH + RIGHT, height + 34.0);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {all_width} {all_height}\" \
             font-family=\"sans-serif\" font-size=\"11\">\n\
             <rect width=\"{all_width}\" height=\"{all_height}\" fill=\"white\"/>\n\
             <text x=\"10\" y=\"20\" font-size=\"15\">{}</text>\n",
            escaped(&self.title)
        );
        let tick = tick_of(end);
        let mut at = 0.0;
        while at <= end {
            let _ = writeln!(
                svg,
                "<line x1=\"{0:.1}\" y1=\"{TOP}\" x2=\"{0:.1}\" y2=\"{height}\" stroke=\"#ddd\"/>\
                 <text x=\"{0:.1}\" y=\"{1:.1}\" text-anchor=\"middle\" fill=\"#666\">{2} s</text>",
                x(at),
                height + 15.0,
                trimmed(at)
            );
            at += tick;
        }
        for (number, lane) in self.lanes.iter().enumerate() {
            let y = self.top_of(number);
            drawn_lane(&mut svg, lane, y, &x);
        }
        // Labels stand left of their lines, the earliest lowest, so that no line crosses another's label.
        for (number, (at, text)) in self.moments.iter().rev().enumerate() {
            let y = 38.0 + (number % 3) as f64 * 12.0;
            let _ = writeln!(
                svg,
                "<line x1=\"{0:.1}\" y1=\"{1:.1}\" x2=\"{0:.1}\" y2=\"{height}\" stroke=\"#c33\" stroke-dasharray=\"3 3\"/>\
                 <text x=\"{2:.1}\" y=\"{1:.1}\" text-anchor=\"end\" fill=\"#c33\">{3} {at:.2} s</text>",
                x(*at),
                y,
                x(*at) - 3.0,
                escaped(text)
            );
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Picture {
    /// The components' lanes stand apart from the tool's own.
    fn top_of(&self, number: usize) -> f64 {
        let has_components_above = self.lanes.iter().take(number + 1).any(|lane| !lane.is_own);
        TOP + number as f64 * LANE + if has_components_above { LANE / 2.0 } else { 0.0 }
    }
}

fn drawn_lane(svg: &mut String, lane: &Lane, y: f64, x: &dyn Fn(f64) -> f64) {
    let middle = y + BAR - 2.0;
    let name = escaped(&lane.name);
    let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{middle:.1}\" text-anchor=\"end\">{name}</text>", LEFT - 8.0);
    let colours = if lane.is_own { ["#2a6fb0", "#5b97cf"] } else { ["#8aa34a", "#b5c77f"] };
    let mut last = 0.0;
    for (bar, colour) in lane.bars.iter().zip(colours.iter().cycle()) {
        // What is too short to be seen is a line.
        let width = (x(bar.to) - x(bar.from)).max(1.0);
        let _ = writeln!(
            svg,
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"><title>{}: {:.3} s, from {:.3} s</title></rect>",
            x(bar.from),
            y,
            escaped(&bar.title),
            bar.to - bar.from,
            bar.from
        );
        last = x(bar.from) + width;
    }
    let note = escaped(&lane.note);
    let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{middle:.1}\" fill=\"#333\">{note}</text>", last + 5.0);
}

/// So that there are five to twelve of them.
fn tick_of(end: f64) -> f64 {
    let ticks = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0];
    ticks.into_iter().find(|tick| end / tick <= 12.0).unwrap_or(60.0)
}

fn trimmed(at: f64) -> String {
    let text = format!("{at:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_lies_where_its_times_are() {
        let bar = Bar { from: 2.5, to: 5.0, title: "certs <ca>".into() };
        let lane = Lane { name: "certs".into(), bars: vec![bar], note: "2.50 s".into(), is_own: true };
        let picture = Picture { title: "a & b".into(), lanes: vec![lane], moments: vec![(10.0, "returned".into())] };
        let svg = picture.drawn();
        for part in [
            "a &amp; b",
            "<rect x=\"380.0\" y=\"74.0\" width=\"190.0\"",
            "<title>certs &lt;ca&gt;: 2.500 s, from 2.500 s</title>",
            "<line x1=\"950.0\"",
            ">returned 10.00 s</text>",
        ] {
            assert!(svg.contains(part), "{part} is not in\n{svg}");
        }
    }

    #[test]
    fn there_are_at_most_twelve_ticks() {
        for (end, tick) in [(0.4, 0.05), (2.0, 0.2), (11.8, 1.0), (12.5, 2.0), (100.0, 10.0)] {
            assert!((tick_of(end) - tick).abs() < 1e-9, "{end}");
        }
    }
}
