//! Launch: puts the real or the dry world together, then plan and run.
//!
//! Touches nothing before the plan is made. The first change takes the lock on the state folder and begins the journal.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kubestrap_phases::config::{Layout, NodeConfig, OnControlPlane};
use kubestrap_phases::plan::{Journal, Selection, Store, Workflow, run};
use kubestrap_phases::problem::Problem;
use kubestrap_phases::world::{
    API_CALL_LIMIT, Change, Clock, Cluster, Entropy, Etcd, Event, Host, KeyAlgorithm, Overlay, Progress as _, Time,
    World,
};

use crate::cli::Shared;
use crate::cluster::{ApiServers, EtcdServers};
use crate::entropy::Real;
use crate::host::{JournalFile, Linux};
use crate::report::{Output, Report, say};
use crate::time::{DryTime, Interrupt, RealTime};

/// One command's run: the real ports, and how to speak.
pub(crate) struct Session<'a> {
    shared: &'a Shared,
    report: &'a Report,
    host: Linux,
    servers: ApiServers,
    etcd: EtcdServers,
    time: RealTime<'a>,
    dry_time: DryTime<'a>,
    entropy: Real,
    journal_file: JournalFile,
    is_dry: bool,
    api_call_limit: Duration,
}

/// What to run.
pub(crate) struct Order<'a, J: 'static> {
    /// The table.
    pub(crate) workflow: &'static Workflow<J>,
    /// The job.
    pub(crate) job: &'a J,
    /// Which phases.
    pub(crate) selection: &'a Selection,
    /// What it is about, for the first line.
    pub(crate) subject: &'a str,
}

impl<'a> Session<'a> {
    /// Opens the ports; changes nothing.
    pub(crate) fn open(shared: &'a Shared, report: &'a Report) -> Result<Self, Problem> {
        let state = &state_folder(shared);
        let interrupt = Interrupt::by_signals().map_err(|error| {
            Problem::new("host-signals", "cannot listen to signals")
                .why(error.to_string())
                .fix("run the same command again")
        })?;
        let no_runtime = |error: std::io::Error| {
            Problem::new("host-threads", "cannot start the network runtime")
                .why(error.to_string())
                .fix("check the limits: ulimit -a")
        };
        Ok(Self {
            shared,
            report,
            host: Linux::new(state).with_environment(shared.environment.iter().cloned()),
            servers: ApiServers::new(state).map_err(no_runtime)?,
            etcd: EtcdServers::new().map_err(no_runtime)?,
            time: RealTime::new(report, interrupt),
            dry_time: DryTime::new(report),
            entropy: Real::default(),
            journal_file: JournalFile::new(state),
            is_dry: shared.dry_run,
            api_call_limit: API_CALL_LIMIT,
        })
    }

    /// Does what the file says about the run itself: whether it is dry, and how long API servers are waited for.
    pub(crate) fn obey(&mut self, node: &NodeConfig) {
        self.is_dry |= node.is_dry_run;
        self.api_call_limit = node.timeouts.api_call;
    }

    /// Whether nothing is to be changed.
    pub(crate) fn is_dry(&self) -> bool {
        self.is_dry
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &self.host
    }

    pub(crate) fn servers(&self) -> &dyn Cluster {
        &self.servers
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &self.entropy
    }

    pub(crate) fn time(&self) -> &dyn Time {
        &self.time
    }

    pub(crate) fn now(&self) -> Clock {
        self.time.now()
    }

    /// Plans and runs; says how long it took.
    pub(crate) fn run<J>(&self, order: &Order<'_, J>) -> Result<Duration, Problem> {
        let started = Instant::now();
        let plan = order.workflow.plan(order.job, order.selection)?;
        let subject = self.with_what_stopped(order.workflow.name, order.subject)?;
        self.report.event(Event::WorkflowStarted { name: order.workflow.name, subject: &subject });
        if self.is_dry {
            let overlay = Overlay::over(&self.host, &self.servers).with_etcd(&self.etcd);
            let store = Forgetful(&self.journal_file);
            let journal = Journal::new(&store);
            let world =
                World::new(&overlay, (&overlay, &overlay), &self.dry_time, (&self.entropy, self.report), &journal)
                    .with_api_call_limit(self.api_call_limit);
            run(&plan, order.job, &world)?;
            if matches!(self.shared.output, Output::Text | Output::Short) {
                show_changes(&overlay);
            }
            return Ok(started.elapsed());
        }
        let journal = Journal::new(&self.journal_file);
        let cluster = (&self.servers as &dyn Cluster, &self.etcd as &dyn Etcd);
        let world = World::new(&self.host, cluster, &self.time, (&self.entropy, self.report), &journal)
            .with_api_call_limit(self.api_call_limit);
        journal.begin(order.workflow.name, self.now().0);
        let outcome = run(&plan, order.job, &world);
        let ended = self.end(&journal, if outcome.is_ok() { "done" } else { "failed" });
        // A full disk fails both; the first failure says more.
        outcome.and(ended).map(|()| started.elapsed())
    }

    /// Looks at the world with what decides in `phases`; takes no lock and begins no journal.
    pub(crate) fn look<T>(&self, work: impl FnOnce(&World<'_>) -> Result<T, Problem>) -> Result<T, Problem> {
        let journal = Journal::new(&self.journal_file);
        let cluster = (&self.servers as &dyn Cluster, &self.etcd as &dyn Etcd);
        work(&World::new(&self.host, cluster, &self.time, (&self.entropy, self.report), &journal))
    }

    /// Ends the journal of a run; one that says nothing worth keeping is removed, so that a refused run leaves no trace.
    fn end(&self, journal: &Journal<'_>, outcome: &str) -> Result<(), Problem> {
        journal.end(outcome)?;
        if journal.has_nothing_to_undo()? && !self.journal_file.lines()?.is_empty() { self.forget() } else { Ok(()) }
    }

    /// The subject, and where an earlier run of the same command stopped that this one goes on with.
    fn with_what_stopped(&self, command: &str, subject: &str) -> Result<String, Problem> {
        let unfinished = Journal::new(&self.journal_file).unfinished()?;
        Ok(match unfinished.filter(|run| run.head.command == command && !run.phase.is_empty()) {
            Some(run) => format!(
                "{subject} · goes on with the run of {} that stopped in {}",
                Clock(run.head.started).rfc3339(),
                run.phase
            ),
            None => subject.to_owned(),
        })
    }

    /// Removes journal and kept copies: the last act of a reset.
    pub(crate) fn forget(&self) -> Result<(), Problem> {
        Ok(self.journal_file.forget()?)
    }

    /// Starts making this many key pairs while other things go on.
    pub(crate) fn make_keys(&mut self, algorithm: KeyAlgorithm, count: usize) {
        self.entropy = Real::with_keys_ahead(algorithm, count);
    }

    /// Starts making the key pairs that a control-plane node will need, while other things go on, unless this file of the
    /// certificate folder tells that they are there already.
    pub(crate) fn make_keys_ahead(
        &mut self,
        job: &dyn OnControlPlane,
        file: &str,
        pairs: usize,
    ) -> Result<(), Problem> {
        if self.host.stat(&job.node().layout.certificate(file))?.is_none() {
            self.make_keys(job.cluster().key_algorithm, pairs);
        }
        Ok(())
    }
}

/// A node's own, or that of somebody who is not root and changes a cluster from afar.
fn state_folder(shared: &Shared) -> PathBuf {
    let own = if crate::host::is_root() { None } else { shared.own_state() };
    own.unwrap_or_else(|| PathBuf::from(Layout::STATE))
}

/// A dry run reads the journal and writes none.
struct Forgetful<'a>(&'a JournalFile);

impl Store for Forgetful<'_> {
    fn lines(&self) -> Result<Vec<String>, kubestrap_phases::plan::StoreError> {
        self.0.lines()
    }

    fn append(&self, _line: &str, _sync: bool) -> Result<(), kubestrap_phases::plan::StoreError> {
        Ok(())
    }
}

fn show_changes(overlay: &Overlay<'_>) {
    let changes = overlay.changes();
    say(&format!("\nnothing was changed; {} changes would be made:", changes.len()));
    for change in &changes {
        crate::report::result(&change.summary());
        if let Change::File { content, mode, .. } = change
            && mode & 0o077 != 0
        {
            let text = String::from_utf8_lossy(content.bytes());
            crate::report::result(&text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"));
        }
    }
}
