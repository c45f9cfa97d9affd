//! A whole series, as `e2e/bench` is told: what is measured in which order, and saved after every pair. Nodes for the next
//! measurement are made while nothing is measured.

use super::pair::{Half, Measured};
use super::process::Meter;
use super::results::{ALL, Figure, Results};
use super::small::TOOLS;
use super::subject::Bench;
use super::{control_plane, floor, machine, report, requests, small, timeline};
use crate::failure::Failure;
use crate::run::Run;
use crate::tool::Tool;
use crate::{logs, prepare, say};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const USAGE: &str = "\
usage: e2e bench [--pairs N] [--control-plane-pairs N] [--ready-pairs N] [--only FIGURE[,…]] [--out FOLDER]
--pairs: 7; --control-plane-pairs: 3, or as many as pairs where these are fewer; --ready-pairs: 3, in which Nodes and Pods
that become Ready are waited for, a minute and more after init; --out: bench in Cargo's target folder";

/// Left out unless it is asked for.
const EXTRA: Figure = Figure::InitWithoutPreflight;

#[derive(Debug)]
struct Options {
    pairs: usize,
    control_plane_pairs: usize,
    ready_pairs: usize,
    wants: BTreeSet<Figure>,
    out: PathBuf,
}

/// `e2e bench`.
pub fn bench(program: &Path, words: &[&str]) -> Result<(), Failure> {
    let options = Options::parse(words)?;
    let run = Run::begin(program, &prepare()?)?;
    let bench = Bench { run: &run, meter: Meter { program: program.to_owned() }, ready_pairs: options.ready_pairs };
    if machine::is_busy() {
        say("this machine is busy: what is measured now is worth nothing but as a trial");
    }
    let mut results = Results { machine: machine::facts(&bench), ..Results::default() };
    let outcome = series(&bench, &options, &mut results).and_then(|()| {
        results.machine["load-after"] = serde_json::json!(machine::load());
        report::save(&results, &options.out)
    });
    outcome.inspect_err(|failure| {
        let folder = logs::collect(&run, "bench", failure, None);
        say(&format!("logs are in {}", folder.display()));
        say(&format!("what was measured before is in {}", options.out.display()));
    })?;
    say(&format!("written: {}", options.out.join("bench.md").display()));
    Ok(())
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::new(why, USAGE);
        let wants = ALL.iter().map(|(figure, _)| *figure).filter(|figure| *figure != EXTRA).collect();
        let out = crate::target().join("bench");
        let mut options = Self { pairs: 7, control_plane_pairs: 3, ready_pairs: 3, wants, out };
        for flag in words.chunks(2) {
            let [name, value] = flag else { return Err(wrong(format!("{} needs a value", flag.join(" ")))) };
            let number = || value.parse().map_err(|_| wrong(format!("{name} needs a number, not {value}")));
            match *name {
                "--pairs" => options.pairs = number()?,
                "--control-plane-pairs" => options.control_plane_pairs = number()?,
                "--ready-pairs" => options.ready_pairs = number()?,
                "--only" => options.wants = value.split(',').map(Figure::parse).collect::<Result<_, _>>()?,
                "--out" => options.out = PathBuf::from(value),
                _ => return Err(wrong(format!("there is no flag {name}"))),
            }
        }
        options.control_plane_pairs = options.control_plane_pairs.min(options.pairs);
        Ok(options)
    }

    fn wants(&self, figure: Figure) -> bool {
        self.wants.contains(&figure)
    }
}

fn series(bench: &Bench<'_>, options: &Options, results: &mut Results) -> Result<(), Failure> {
    if options.wants(Figure::Binary) {
        small::binary(bench, results)?;
    }
    if options.wants(Figure::Help) {
        small::help(bench, results)?;
    }
    // These are not timed, and leave in memory what later nodes read.
    if options.wants(Figure::Requests) {
        requests::count(bench, results)?;
    }
    if options.wants(Figure::Timeline) {
        timeline::draw(bench, &options.out)?;
        if options.wants(Figure::ControlPlaneJoin) {
            timeline::draw_control_plane_join(bench, &options.out)?;
        }
    }
    if options.wants(Figure::Certs) {
        small::certs(bench, options.pairs, results)?;
    }
    report::save(results, &options.out)?;
    pairs(bench, options, results)?;
    if options.wants(Figure::ControlPlaneJoin) {
        for pair in 1..=options.control_plane_pairs {
            for tool in turn(pair) {
                control_plane::join(bench, tool, pair, results)?;
            }
            report::save(results, &options.out)?;
        }
    }
    Ok(())
}

/// Who goes first changes with every pair.
fn turn(pair: usize) -> [Tool; 2] {
    let [one, other] = TOOLS;
    if pair % 2 == 1 { [one, other] } else { [other, one] }
}

/// Init, joins and resets of both tools, and the floors.
fn pairs(bench: &Bench<'_>, options: &Options, results: &mut Results) -> Result<(), Failure> {
    let halves = [Figure::Init, Figure::JoinAtOnce, Figure::JoinLater, Figure::Reset, Figure::JoinFloor];
    let needs_halves = halves.iter().any(|figure| options.wants(*figure));
    for pair in 1..=options.pairs {
        let mut last: Option<Measured> = None;
        for tool in turn(pair).into_iter().filter(|_| needs_halves) {
            let half = Half::prepare(bench, tool, pair, &options.wants)?;
            // The one before must not be at work any more while this one is measured.
            if let Some(last) = last.take() {
                last.finish(bench, results)?;
            }
            last = Some(half.measure(bench, &options.wants, results)?);
        }
        let floor = if options.wants(Figure::Floor) { Some(floor::prepared(bench, pair)?) } else { None };
        if let Some(last) = last {
            last.finish(bench, results)?;
        }
        if let Some(node) = floor {
            floor::init(bench, pair, &node, results)?;
            node.destroy()?;
        }
        if options.wants(EXTRA) {
            super::pair::without_preflight(bench, pair, results)?;
        }
        report::save(results, &options.out)?;
    }
    Ok(())
}
