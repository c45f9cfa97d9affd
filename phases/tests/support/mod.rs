//! The world of tests: an overlay over an empty machine, a fixed clock, fixed keys, a recorder, a journal in memory.
//!
//! Reads the key pairs of `testdata/keys`; writes nothing. Jobs to run in it are in `jobs`.

pub(crate) mod files;
pub(crate) mod jobs;
pub(crate) mod properties;
pub(crate) mod renew;

use std::cell::{Cell, RefCell};

use crate::plan::{Journal, Phase, Plan, Selection, Step, Store, StoreError, Workflow};
use crate::problem::Problem;
use crate::world::{
    Clock, Entropy, Event, KeyAlgorithm, Overlay, Probe, Progress, Secret, Time, Wait, WaitError, World,
};

/// 2026-01-02T03:04:05Z: the moment at which all tests happen.
pub(crate) const NOW: Clock = Clock(1_767_323_045);

/// All ports of a test. Change `overlay.facts` and the like before the first use.
#[derive(Default)]
pub(crate) struct Bench {
    /// Host and cluster.
    pub(crate) overlay: Overlay<'static>,
    /// Random bytes and key pairs.
    pub(crate) entropy: FixedEntropy,
    /// Clock and waits.
    pub(crate) time: FixedTime,
    /// Notes and warnings, in order.
    pub(crate) recorder: Recorder,
    /// Lines of the journal.
    pub(crate) store: MemoryStore,
}

impl Bench {
    /// A world whose overlay was prepared.
    pub(crate) fn over(overlay: Overlay<'static>) -> Self {
        Self { overlay, ..Self::default() }
    }

    /// Does something in this world.
    pub(crate) fn within<R>(&self, work: impl FnOnce(&World<'_>) -> R) -> R {
        let journal = Journal::new(&self.store);
        let ports = (&self.entropy as &dyn Entropy, &self.recorder as &dyn Progress);
        work(&World::new(&self.overlay, (&self.overlay, &self.overlay), &self.time, ports, &journal))
    }

    /// Runs one row of a table, a phase or a whole group, without looking for what it needs.
    pub(crate) fn run<J>(&self, step: &Step<J>, job: &J) -> Result<(), Problem> {
        match step {
            Step::Group { steps, .. } => steps.iter().try_for_each(|step| self.run(step, job)),
            Step::Phase(phase) => match phase.verdict(job) {
                crate::plan::Verdict::Run => self.within(|world| phase.run(job, world)),
                crate::plan::Verdict::Skip(_) | crate::plan::Verdict::Foreign(_) => Ok(()),
            },
        }
    }

    /// Runs a phase with a journal of its own, and listens to what it says.
    pub(crate) fn heard<J>(&self, phase: &dyn Phase<J>, job: &J) -> (Result<(), Problem>, Heard) {
        let (heard, store) = (Heard::default(), MemoryStore::default());
        let journal = Journal::new(&store);
        let ports = (&self.entropy as &dyn Entropy, &heard as &dyn Progress);
        let outcome =
            phase.run(job, &World::new(&self.overlay, (&self.overlay, &self.overlay), &self.time, ports, &journal));
        (outcome, heard)
    }

    /// Plans and runs a workflow as the program does.
    pub(crate) fn run_workflow<J>(
        &self,
        workflow: &'static Workflow<J>,
        job: &J,
        only: Option<&str>,
    ) -> Result<(), Problem> {
        let selection = Selection { only: only.map(str::to_owned), ..Selection::default() };
        let plan: Plan<J> = workflow.plan(job, &selection)?;
        self.within(|world| crate::plan::run(&plan, job, world))
    }

    /// The text of a file as it is now.
    pub(crate) fn text(&self, path: &str) -> String {
        let written = self.overlay.written();
        let (content, _) = written.get(std::path::Path::new(path)).unwrap_or_else(|| panic!("{path} is not there"));
        String::from_utf8(content.bytes().to_vec()).unwrap()
    }

    /// The mode of a file as it is now.
    pub(crate) fn mode(&self, path: &str) -> u32 {
        self.overlay.written().get(std::path::Path::new(path)).unwrap_or_else(|| panic!("{path} is not there")).1
    }
}

/// Bytes that count up, and the keys of `testdata/keys` in turn.
#[derive(Default)]
pub(crate) struct FixedEntropy {
    drawn: Cell<u8>,
    rsa: Cell<usize>,
    ecdsa: Cell<usize>,
}

macro_rules! keys {
    ($($file:literal)*) => { [$(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/keys/", $file, ".pem"))),*] };
}

impl FixedEntropy {
    /// RSA-2048, in the form kubeadm writes.
    pub(crate) const RSA: [&'static str; 8] =
        keys!["rsa-2048-1" "rsa-2048-2" "rsa-2048-3" "rsa-2048-4" "rsa-2048-5" "rsa-2048-6" "rsa-2048-7" "rsa-2048-8"];
    /// RSA-2048 in PKCS#8, which kubeadm reads and does not write.
    pub(crate) const PKCS8: [&'static str; 1] = keys!["rsa-2048-8-pkcs8"];
    /// RSA-3072, RSA-4096 and ECDSA P-384, one each.
    pub(crate) const OTHERS: [&'static str; 3] = keys!["rsa-3072-1" "rsa-4096-1" "ecdsa-p384-1"];
    /// ECDSA P-256, in the form kubeadm writes.
    pub(crate) const ECDSA: [&'static str; 4] = keys!["ecdsa-p256-1" "ecdsa-p256-2" "ecdsa-p256-3" "ecdsa-p256-4"];
}

impl Entropy for FixedEntropy {
    fn bytes(&self, buffer: &mut [u8]) {
        for byte in buffer {
            self.drawn.set(self.drawn.get().wrapping_add(1));
            *byte = self.drawn.get();
        }
    }

    fn key_pem(&self, algorithm: KeyAlgorithm) -> Secret<String> {
        let next = |counter: &Cell<usize>, keys: &[&str]| {
            let key = keys[counter.get() % keys.len()];
            counter.set(counter.get() + 1);
            Secret::new(key.to_owned())
        };
        match algorithm {
            KeyAlgorithm::Rsa2048 => next(&self.rsa, &Self::RSA),
            KeyAlgorithm::EcdsaP256 => next(&self.ecdsa, &Self::ECDSA),
            KeyAlgorithm::Rsa3072 => Secret::new(Self::OTHERS[0].to_owned()),
            KeyAlgorithm::Rsa4096 => Secret::new(Self::OTHERS[1].to_owned()),
            KeyAlgorithm::EcdsaP384 => Secret::new(Self::OTHERS[2].to_owned()),
        }
    }
}

/// A clock that moves only while somebody waits.
pub(crate) struct FixedTime(Cell<Clock>);

impl FixedTime {
    /// Sets the clock.
    pub(crate) fn set(&self, now: Clock) {
        self.0.set(now);
    }
}

impl Default for FixedTime {
    fn default() -> Self {
        Self(Cell::new(NOW))
    }
}

impl Time for FixedTime {
    fn now(&self) -> Clock {
        self.0.get()
    }

    fn wait(&self, wait: &Wait<'_>, probe: &mut dyn FnMut() -> Result<Probe, Problem>) -> Result<(), WaitError> {
        let start = self.0.get();
        loop {
            match probe().map_err(WaitError::Hopeless)? {
                Probe::Yes => return Ok(()),
                Probe::NotYet(last) if self.0.get() >= start.plus(wait.within) => {
                    return Err(WaitError::TimeUp { last, after: wait.within });
                }
                Probe::NotYet(_) => {
                    let pause = wait.every.max(std::time::Duration::from_secs(1));
                    self.0.set(self.0.get().plus(pause));
                }
            }
        }
    }
}

/// Keeps notes and warnings.
#[derive(Default)]
pub(crate) struct Recorder(RefCell<Vec<String>>);

impl Recorder {
    /// `note: …` and `warning: …`, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

impl Progress for Recorder {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Note(text) => self.0.borrow_mut().push(format!("note: {text}")),
            Event::Warning(problem) => self.0.borrow_mut().push(format!("warning: {problem}")),
            _ => {}
        }
    }
}

/// What a phase gives to standard output, and of what it warns.
#[derive(Default)]
pub(crate) struct Heard {
    results: RefCell<Vec<String>>,
    warnings: RefCell<Vec<String>>,
}

impl Heard {
    /// Results, in order.
    pub(crate) fn results(&self) -> Vec<String> {
        self.results.borrow().clone()
    }

    /// Ids of the warnings, in order.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().clone()
    }
}

impl Progress for Heard {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Result(text) => self.results.borrow_mut().push(text.to_owned()),
            Event::Warning(problem) => self.warnings.borrow_mut().push(problem.id.clone()),
            _ => {}
        }
    }
}

/// A journal in memory.
#[derive(Default)]
pub(crate) struct MemoryStore(RefCell<Vec<String>>, RefCell<Option<String>>);

impl Store for MemoryStore {
    fn lines(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.0.borrow().clone())
    }

    fn append(&self, line: &str, _sync: bool) -> Result<(), StoreError> {
        self.0.borrow_mut().push(line.to_owned());
        Ok(())
    }

    fn replace(&self, lines: &[String]) -> Result<(), StoreError> {
        self.0.replace(lines.to_vec());
        Ok(())
    }

    fn job(&self) -> Result<Option<String>, StoreError> {
        Ok(self.1.borrow().clone())
    }

    fn keep_job(&self, job: Option<&str>) -> Result<(), StoreError> {
        self.1.replace(job.map(str::to_owned));
        Ok(())
    }
}
