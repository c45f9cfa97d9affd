//! How the program speaks: living lines on a terminal, plain lines in a pipe, JSON or YAML on request.
//!
//! Results go to standard output, everything else to standard error. A closed terminal or pipe never ends a run: what
//! cannot be written is dropped. Only a result that cannot be given is a failure, told when all is done.

mod bars;
mod checks;
mod dry_run;
mod groups;
mod json;
mod outlet;
mod plain;
mod problem;

use std::cell::RefCell;
use std::io::{self, BufRead as _, IsTerminal as _};

use clap::ValueEnum;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use kubestrap_phases::preflight::Outcome;
use kubestrap_phases::problem::Problem;
use kubestrap_phases::world::{DryRun, Event, Progress};
use serde_json::Value;

use outlet::give;

/// Form of what is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Living lines on a terminal, plain lines elsewhere.
    Text,
    /// Answers as one JSON document; what happens as one JSON object per line.
    Json,
    /// The same as YAML documents.
    Yaml,
    /// Text; `version` says less then.
    Short,
}

impl Output {
    /// Reads the forms that every command knows.
    pub(crate) fn parser() -> impl TypedValueParser<Value = Self> {
        Self::parser_of(&[Self::Text, Self::Json, Self::Yaml])
    }

    /// Reads the forms of a command that knows others.
    pub(crate) fn parser_of(forms: &[Self]) -> impl TypedValueParser<Value = Self> + use<> {
        let names = forms.iter().filter_map(ValueEnum::to_possible_value);
        PossibleValuesParser::new(names)
            .map(|name| <Self as ValueEnum>::from_str(&name, false).expect("only the forms' names are let through"))
    }
}

/// One of the ways to speak.
pub(crate) struct Report {
    way: Way,
    /// Results wait for the end, so that they stand last.
    results: RefCell<Vec<String>>,
    /// Why a result could not be given.
    lost: RefCell<Option<io::Error>>,
}

enum Way {
    Bars(bars::Bars),
    Plain(plain::Plain),
    Json(json::Json),
}

impl Report {
    /// Chooses by what was asked for and by where standard error goes.
    pub(crate) fn new(output: Output, plain: bool) -> Self {
        let way = match output {
            Output::Json => Way::Json(json::Json::new(json::Form::Lines)),
            Output::Yaml => Way::Json(json::Json::new(json::Form::Documents)),
            Output::Text | Output::Short if plain || !io::stderr().is_terminal() => Way::Plain(plain::Plain::new()),
            Output::Text | Output::Short => Way::Bars(bars::Bars::new()),
        };
        Self { way, results: RefCell::default(), lost: RefCell::default() }
    }

    /// Tells the problem that ends the run.
    pub(crate) fn problem(&self, problem: &Problem) {
        match &self.way {
            Way::Json(json) => drop(json.problem(problem)),
            Way::Bars(_) => {
                self.pause();
                say(&problem::text(problem, problem::Paint::of_terminal()));
            }
            Way::Plain(_) => {
                self.pause();
                say(&problem::text(problem, problem::Paint::None));
            }
        }
    }

    /// Warns outside of any run.
    pub(crate) fn warning(&self, problem: &Problem) {
        match &self.way {
            Way::Json(json) => drop(json.event(Event::Warning(problem))),
            Way::Bars(_) | Way::Plain(_) => {
                say(&format!("warn  {problem}"));
                problem.fixes.iter().for_each(|fix| say(&format!("      fix: {fix}")));
            }
        }
    }

    /// Gives the answer of a command that only looks: as text for people, or as a value for programs.
    pub(crate) fn answer(&self, text: &str, value: &Value) {
        match &self.way {
            Way::Json(json) => self.keep(json.answer(value)),
            Way::Bars(_) | Way::Plain(_) => self.result(text),
        }
    }

    /// Whether what is told is read by people.
    pub(crate) fn is_for_people(&self) -> bool {
        !matches!(self.way, Way::Json(_))
    }

    /// Gives an answer that is several objects for a program: one after the other, as kubeadm does.
    pub(crate) fn answers(&self, text: impl FnOnce() -> String, values: impl Iterator<Item = Value>) {
        match &self.way {
            Way::Json(json) => self.keep(json.answers(values)),
            Way::Bars(_) | Way::Plain(_) => {
                let text = text();
                if !text.is_empty() {
                    self.result(&text);
                }
            }
        }
    }

    /// Tells a warning of a command that only looks; never on standard output, which belongs to the answer.
    pub(crate) fn aside(&self, warning: &Problem) {
        say(&problem::text(warning, problem::Paint::of_terminal()).replacen("error:", "warning:", 1));
    }

    /// Gives what the checks of preflight found: as a table for people, with marks and colours where they read it.
    pub(crate) fn checks(&self, outcomes: &[Outcome]) {
        let paint = match &self.way {
            Way::Bars(_) if io::stdout().is_terminal() => problem::Paint::of_terminal(),
            _ => problem::Paint::None,
        };
        let has_marks = matches!(self.way, Way::Bars(_)) && io::stdout().is_terminal();
        self.answer(&checks::text(outcomes, has_marks, paint), &checks::value(outcomes));
    }

    /// Gives what a dry run has found out: what it assumed, and the list of changes with their content. The list of one
    /// that ended with a problem is not complete.
    pub(crate) fn rehearsed(&self, command: &str, dry: &DryRun, is_complete: bool) {
        self.pause();
        match &self.way {
            Way::Json(json) => self.keep(json.rehearsed(command, dry, is_complete)),
            Way::Bars(_) | Way::Plain(_) => self.keep(dry_run::tell(command, dry, is_complete)),
        }
    }

    /// Ends what is being written, so that something else can be.
    fn pause(&self) {
        match &self.way {
            Way::Json(_) => {}
            Way::Bars(bars) => bars.pause(),
            Way::Plain(plain) => plain.pause(),
        }
    }

    /// Says the closing words, then gives the results.
    pub(crate) fn end(&self, closing: &str) {
        if let Way::Json(_) = &self.way {
            return;
        }
        self.pause();
        if !closing.is_empty() {
            say(closing);
        }
        for text in self.results.take() {
            self.result(&text);
        }
    }

    /// Gives a result on standard output.
    pub(crate) fn result(&self, text: &str) {
        self.keep(result(text));
    }

    fn keep(&self, given: io::Result<()>) {
        if let Err(error) = given {
            self.lost.borrow_mut().get_or_insert(error);
        }
    }

    /// Whether every result has been given: what somebody asked for and did not get is a failure, although all was done.
    pub(crate) fn is_given(&self) -> Result<(), Problem> {
        match self.lost.take() {
            None => Ok(()),
            Some(error) => Err(Problem::new("result-lost", "the result cannot be written to standard output")
                .why(error.to_string())
                .fix("run the same command again, with standard output open: what is done already stays as it is")),
        }
    }
}

impl Progress for Report {
    fn event(&self, event: Event<'_>) {
        if let (Event::Result(text), Way::Bars(_) | Way::Plain(_)) = (event, &self.way) {
            self.results.borrow_mut().push(text.to_owned());
        }
        match &self.way {
            Way::Bars(bars) => bars.event(event),
            Way::Plain(plain) => plain.event(event),
            Way::Json(json) => {
                let told = json.event(event);
                if matches!(event, Event::Result(_)) {
                    self.keep(told);
                }
            }
        }
    }
}

/// A line, or several, on standard error.
pub(crate) fn say(text: &str) {
    // Nobody is there to be told that nobody is there.
    let _ = give(io::stderr(), format!("{}\n", text.trim_end()).as_bytes());
}

/// Asks, and reads whether the answer is yes.
pub(crate) fn confirmed(question: &str) -> bool {
    say(question);
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// A result on standard output.
fn result(text: &str) -> io::Result<()> {
    give(io::stdout(), format!("{}\n", text.trim_end()).as_bytes())
}
