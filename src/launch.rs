//! Launch: puts the real or the dry world together, then plan and run.
//!
//! Touches nothing before the plan is made. The first change takes the lock on the state folder and begins the journal.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kubestrap_phases::config::{Layout, NodeConfig, OnControlPlane, asks_for_dry_run};
use kubestrap_phases::plan::{
    Journal, KeptJob, LastRun, Plan, Resumed, RunHead, Selection, Sparing, Store, StoreError, UnfinishedRun, Verdict,
    Workflow, run,
};
use kubestrap_phases::problem::Problem;
use kubestrap_phases::workflows::RESET;
use kubestrap_phases::world::{
    API_CALL_LIMIT, Clock, Cluster, DryRun, Entropy, Etcd, Event, Host, HostError, KeyAlgorithm, Overlay, Presumed,
    Progress, Time, World,
};

use crate::cli::Shared;
use crate::cluster::{ApiServers, EtcdServers};
use crate::entropy::Real;
use crate::host::{JournalFile, Linux, Root};
use crate::report::Report;
use crate::time::{DryTime, Interrupt, RealTime};

/// One command's run: the real ports, and how to speak.
pub(crate) struct Session<'a> {
    report: &'a Report,
    dry: DryRun,
    host: Presumed<Linux>,
    servers: Presumed<ApiServers>,
    etcd: Presumed<EtcdServers>,
    time: RealTime<'a>,
    dry_time: DryTime<'a>,
    entropy: Real,
    journal_file: JournalFile,
    /// That of the node, which a look and a dry run ask; whoever is not root has one of their own beside it.
    node_journal: JournalFile,
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
        let root = Root::of(shared.rootfs.as_deref())?;
        let node_state = root.target(Path::new(Layout::STATE));
        let node_state =
            node_state.map_err(|source| HostError::Read { path: Layout::STATE.into(), source })?.into_owned();
        let state = own_state(shared, &root).unwrap_or_else(|| node_state.clone());
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
        let dry = DryRun::default();
        if shared.dry_run {
            dry.begin();
        }
        let host = Linux::new(&state).below(&root).with_environment(shared.environment.iter().cloned());
        Ok(Self {
            report,
            host: Presumed::over(host, &dry),
            servers: Presumed::over(ApiServers::new(&state, &root).map_err(no_runtime)?, &dry),
            etcd: Presumed::over(EtcdServers::new(&root).map_err(no_runtime)?, &dry),
            time: RealTime::new(report, interrupt),
            dry_time: DryTime::new(report),
            entropy: Real::default(),
            journal_file: JournalFile::new(&state),
            node_journal: JournalFile::new(&node_state),
            api_call_limit: API_CALL_LIMIT,
            dry,
        })
    }

    /// Is dry from the first look on when the file's document of this kind wants it so.
    pub(crate) fn obey_file(&self, config: Option<&Path>, kind: &str) {
        if config.is_some_and(|path| asks_for_dry_run(path, kind, self.host())) {
            self.dry.begin();
        }
    }

    /// Does what the file says about the run itself: whether it is dry, and how long API servers are waited for.
    pub(crate) fn obey(&mut self, node: &NodeConfig) {
        if node.is_dry_run {
            self.dry.begin();
        }
        self.api_call_limit = node.timeouts.api_call;
    }

    /// Whether nothing is to be changed.
    pub(crate) fn is_dry(&self) -> bool {
        self.dry.is_on()
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
        if self.dry.is_on() { &self.dry_time } else { &self.time }
    }

    /// What a dry run finds out; `None` in a real run.
    pub(crate) fn dry_run(&self) -> Option<&DryRun> {
        self.dry.is_on().then_some(&self.dry)
    }

    pub(crate) fn now(&self) -> Clock {
        self.time.now()
    }

    /// What a whole run of this command goes on with. A run of single phases goes on with nothing.
    pub(crate) fn resume(&self, command: &str, is_whole: bool) -> Result<Resumed, Problem> {
        if !is_whole {
            return Ok(Resumed::default());
        }
        match Resumed::look(command, &Journal::new(&self.journal_file)) {
            // Somebody who may not read it goes on with nothing, and is told by preflight, or by the first change.
            Err(problem) if problem.id == "journal" && !crate::host::is_root() => Ok(Resumed::default()),
            looked => looked,
        }
    }

    /// Plans and runs single phases or a small command; says how long it took.
    pub(crate) fn run<J>(&self, order: &Order<'_, J>) -> Result<Duration, Problem> {
        self.run_as(order, RunHead::part(order.workflow.name, self.now().0), None)
    }

    /// Plans and runs a whole workflow, which has to be finished or taken back once it has begun. Its job is kept until then.
    pub(crate) fn run_whole<J>(&self, order: &Order<'_, J>, job: Option<&KeptJob>) -> Result<Duration, Problem> {
        let head = RunHead::whole(order.workflow.name, self.now().0);
        self.run_as(order, head, job.map(|job| job.text().reveal().clone()))
    }

    fn run_as<J>(&self, order: &Order<'_, J>, head: RunHead, job: Option<String>) -> Result<Duration, Problem> {
        let started = Instant::now();
        let plan = order.workflow.plan(order.job, order.selection)?;
        if self.dry.is_on() {
            self.rehearse(order, &plan)?;
            return Ok(started.elapsed());
        }
        // A reset makes room: a full disk must not keep it from that.
        let sparing = Sparing::over(&self.journal_file);
        let is_reset = order.workflow.name == RESET.name;
        let journal = Journal::new(if is_reset { &sparing } else { &self.journal_file });
        let continues = self.announce(order, &head, &journal)?;
        let outcome = self.run_plan(order, &plan, (RunHead { continues, ..head }, job), &journal);
        let ended = self.end(&journal, outcome.as_ref().err());
        // A full disk fails both; the first failure says more.
        outcome.and(ended).map(|()| started.elapsed())
    }

    /// Takes back what a run has made: the workflow runs over that run's lines alone, which are gone once all is undone.
    pub(crate) fn run_back<J>(&self, order: &Order<'_, J>, last: &LastRun<'_>) -> Result<Duration, Problem> {
        let started = Instant::now();
        let plan = order.workflow.plan(order.job, order.selection)?;
        if self.dry.is_on() {
            self.rehearse(order, &plan)?;
            return Ok(started.elapsed());
        }
        let (head, journal) = (RunHead::whole(order.workflow.name, self.now().0), Journal::new(last));
        let continues = self.announce(order, &head, &journal)?;
        let outcome = self.run_plan(order, &plan, (RunHead { continues, ..head }, None), &journal);
        let ended = match &outcome {
            Ok(()) if last.is_all() => self.forget(),
            Ok(()) => last.drop_it(),
            Err(problem) => journal.end(Some(problem)),
        };
        outcome.and(ended).map(|()| started.elapsed())
    }

    /// The first line of what is told; whether an earlier run of the same workflow is gone on with.
    fn announce<J>(&self, order: &Order<'_, J>, head: &RunHead, journal: &Journal<'_>) -> Result<bool, Problem> {
        let unfinished = if head.whole { unfinished(journal)? } else { None };
        let unfinished = unfinished.filter(|run| run.command == head.command);
        let subject = with_what_stopped(order.subject, unfinished.as_ref());
        self.report.event(Event::WorkflowStarted { name: order.workflow.name, subject: &subject });
        Ok(unfinished.is_some())
    }

    fn run_plan<J>(
        &self,
        order: &Order<'_, J>,
        plan: &Plan<J>,
        (head, job): (RunHead, Option<String>),
        journal: &Journal<'_>,
    ) -> Result<(), Problem> {
        let cluster = (&self.servers as &dyn Cluster, &self.etcd as &dyn Etcd);
        let world = World::new(&self.host, cluster, &self.time, (&self.entropy, self.report), journal)
            .with_api_call_limit(self.api_call_limit);
        journal.begin(head, job);
        run(plan, order.job, &world)
    }

    /// The newest whole run that did not come to its end.
    pub(crate) fn unfinished(&self) -> Result<Option<UnfinishedRun>, Problem> {
        Journal::new(&self.journal_file).unfinished()
    }

    /// The journal of the node, or of whoever is not root.
    pub(crate) fn journal_file(&self) -> &JournalFile {
        &self.journal_file
    }

    /// Looks at the world with what decides in `phases`; takes no lock and begins no journal.
    pub(crate) fn look<T>(&self, work: impl FnOnce(&World<'_>) -> Result<T, Problem>) -> Result<T, Problem> {
        let journal = Journal::new(&self.node_journal);
        let cluster = (&self.servers as &dyn Cluster, &self.etcd as &dyn Etcd);
        work(&World::new(&self.host, cluster, &self.time, (&self.entropy, self.report), &journal))
    }

    /// Runs in memory, and ends with the list of what would be changed.
    fn rehearse<J>(&self, order: &Order<'_, J>, plan: &Plan<J>) -> Result<(), Problem> {
        let store = Forgetful { journal: &self.node_journal, dry: &self.dry };
        let journal = Journal::new(&store);
        self.announce(order, &RunHead::whole(order.workflow.name, self.now().0), &journal)?;
        self.dry.take_cluster_for_granted(order.workflow.name != RESET.name);
        let overlay = self.dry.furnish(Overlay::over(&self.host, &self.servers).with_etcd(&self.etcd));
        let ports = (&self.entropy as &dyn Entropy, self.report as &dyn Progress);
        let world = World::new(&overlay, (&overlay, &overlay), &self.dry_time, ports, &journal)
            .with_api_call_limit(self.api_call_limit)
            .dry(&self.dry);
        let outcome = run(plan, order.job, &world);
        self.report.rehearsed(order.workflow.name, &self.dry, outcome.is_ok());
        outcome
    }

    /// Ends the journal of a run; one that says nothing worth keeping is removed, so that a refused run leaves no trace.
    fn end(&self, journal: &Journal<'_>, failure: Option<&Problem>) -> Result<(), Problem> {
        journal.end(failure)?;
        if journal.has_nothing_to_undo()? && !self.journal_file.lines()?.is_empty() { self.forget() } else { Ok(()) }
    }

    /// Removes journal and kept copies: the last act of a reset.
    pub(crate) fn forget(&self) -> Result<(), Problem> {
        Ok(self.journal_file.forget()?)
    }

    /// Looks for the kubelet that is installed while other things go on.
    pub(crate) fn look_for_kubelet(&self) {
        self.host.real().ask_version_ahead("kubelet");
    }

    /// Starts making the key pairs that the phases of this order will need and are not there, while other things go on.
    pub(crate) fn make_keys_ahead<J: OnControlPlane>(&mut self, order: &Order<'_, J>) -> Result<(), Problem> {
        let plan = order.workflow.plan(order.job, order.selection)?;
        let running = plan.phases.iter().filter(|planned| planned.verdict == Verdict::Run);
        let mut count = 0;
        for made in running.flat_map(|planned| planned.phase.makes(order.job)).filter(|made| made.takes_key) {
            count += usize::from(self.host.stat(&made.path)?.is_none());
        }
        self.make_keys(order.job.cluster().key_algorithm, count);
        Ok(())
    }

    /// Starts making this many key pairs.
    pub(crate) fn make_keys(&mut self, algorithm: KeyAlgorithm, count: usize) {
        // One is made as fast by whoever needs it.
        if count > 1 {
            self.entropy = Real::with_keys_ahead(algorithm, count);
        }
    }
}

/// The state folder of somebody who is not root and changes a cluster from afar. What is made below another root is kept
/// there, by whomever.
fn own_state(shared: &Shared, root: &Root) -> Option<PathBuf> {
    if crate::host::is_root() || root.folder().is_some() { None } else { shared.own_state() }
}

/// The unfinished run. Somebody who may not read the journal goes on with nothing, and is told by preflight, or by the
/// first change.
fn unfinished(journal: &Journal<'_>) -> Result<Option<UnfinishedRun>, Problem> {
    match journal.unfinished() {
        Err(problem) if problem.id == "journal" && !crate::host::is_root() => Ok(None),
        read => read,
    }
}

/// The subject, and where the run stopped that is gone on with.
fn with_what_stopped(subject: &str, unfinished: Option<&UnfinishedRun>) -> String {
    match unfinished {
        Some(run) if !run.phase.is_empty() => format!(
            "{subject} · goes on with the run of {} that stopped in {} ({})",
            Clock(run.started).rfc3339(),
            run.phase,
            run.failure.as_ref().map_or("killed", |(id, _)| id),
        ),
        _ => subject.to_owned(),
    }
}

/// A dry run reads the journal, where it may, and writes none.
struct Forgetful<'a> {
    journal: &'a JournalFile,
    dry: &'a DryRun,
}

impl Store for Forgetful<'_> {
    fn lines(&self) -> Result<Vec<String>, StoreError> {
        self.journal.lines().or_else(|error| match error {
            StoreError::Failed { path, source } if source.kind() == ErrorKind::PermissionDenied => {
                self.dry.assume(format!("{path} may not be read: nothing on this machine is taken to be kubestrap's"));
                Ok(Vec::new())
            }
            error => Err(error),
        })
    }

    fn append(&self, _line: &str, _sync: bool) -> Result<(), StoreError> {
        Ok(())
    }

    fn replace(&self, _lines: &[String]) -> Result<(), StoreError> {
        Ok(())
    }

    fn job(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    fn keep_job(&self, _job: Option<&str>) -> Result<(), StoreError> {
        Ok(())
    }
}
