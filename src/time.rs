//! The clock, waits that can be interrupted, and the signals that interrupt them.
//!
//! The first SIGINT, SIGTERM or SIGHUP asks the run to stop: the change at hand is finished, the next wait ends. A second
//! SIGINT ends the program at once. A dry run looks once and does not wait.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kubestrap_phases::problem::{Exit, Problem};
use kubestrap_phases::world::{Clock, Event, Probe, Progress, Time, Wait, WaitError};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How soon an interrupt ends a pause.
const REACTION: Duration = Duration::from_millis(50);

/// Whether the user has asked the run to stop. All clones are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

/// That of this process, once it listens to signals.
static OF_PROCESS: OnceLock<Interrupt> = OnceLock::new();

/// Whether a signal has asked this process to stop.
pub(crate) fn is_stop_requested() -> bool {
    OF_PROCESS.get().is_some_and(Interrupt::is_requested)
}

/// What can be read from once a signal has asked this process to stop. Nobody takes it out, so that it stays so.
static STOP: OnceLock<UnixStream> = OnceLock::new();

/// For whoever waits for something else too; `None` where nobody listens to signals.
pub(crate) fn stop_signal() -> Option<UnixStream> {
    STOP.get().and_then(|stop| stop.try_clone().ok())
}

impl Interrupt {
    /// One that signals set. A signal that was ignored when the program was started, as under nohup, stays ignored.
    pub(crate) fn by_signals() -> io::Result<Self> {
        let interrupt = Self::default();
        let (stop, told) = UnixStream::pair()?;
        stop.set_nonblocking(true)?;
        let ignored = ignored_signals(&std::fs::read_to_string("/proc/self/status")?);
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            if ignored & (1 << (signal - 1)) != 0 {
                continue;
            }
            if signal == SIGINT {
                // Registered first, so that it runs first and finds the flag as the signal before has left it.
                let code = i32::from(Exit::Interrupted.code());
                signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&interrupt.0))?;
            }
            signal_hook::flag::register(signal, Arc::clone(&interrupt.0))?;
            signal_hook::low_level::pipe::register(signal, told.try_clone()?)?;
        }
        STOP.get_or_init(|| stop);
        Ok(OF_PROCESS.get_or_init(|| interrupt).clone())
    }

    /// Whether it was asked for.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The mask `SigIgn` of a process, bit 0 being signal 1.
fn ignored_signals(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// The system clock; waits for real.
pub(crate) struct RealTime<'a> {
    progress: &'a dyn Progress,
    interrupt: Interrupt,
}

impl<'a> RealTime<'a> {
    /// Tells the progress about each wait.
    pub(crate) fn new(progress: &'a dyn Progress, interrupt: Interrupt) -> Self {
        Self { progress, interrupt }
    }

    /// Sleeps in small steps, and not on when the user wants to stop.
    fn pause(&self, length: Duration) {
        let until = Instant::now() + length;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.interrupt.is_requested() {
                return;
            }
            std::thread::sleep(left.min(REACTION));
        }
    }
}

impl Time for RealTime<'_> {
    fn now(&self) -> Clock {
        now()
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.is_requested()
    }

    fn wait(&self, wait: &Wait<'_>, probe: &mut dyn FnMut() -> Result<Probe, Problem>) -> Result<(), WaitError> {
        let began = Instant::now();
        loop {
            if self.interrupt.is_requested() {
                return Err(WaitError::Interrupted);
            }
            let last = match probe().map_err(WaitError::Hopeless)? {
                Probe::Yes => return Ok(()),
                Probe::NotYet(last) => last,
            };
            let since = began.elapsed();
            self.progress.event(Event::Waiting { what: wait.what, since, within: wait.within, last: &last });
            if since >= wait.within {
                return Err(WaitError::TimeUp { last, after: since });
            }
            self.pause(wait.every.min(wait.within.saturating_sub(since)));
        }
    }
}

/// The system clock for a dry run: a wait is one look, and over.
pub(crate) struct DryTime<'a> {
    progress: &'a dyn Progress,
}

impl<'a> DryTime<'a> {
    /// Tells the progress about each wait that would be.
    pub(crate) fn new(progress: &'a dyn Progress) -> Self {
        Self { progress }
    }
}

impl Time for DryTime<'_> {
    fn now(&self) -> Clock {
        now()
    }

    /// The look is for what it brings: what is there already, and the changes that a probe makes.
    fn wait(&self, wait: &Wait<'_>, probe: &mut dyn FnMut() -> Result<Probe, Problem>) -> Result<(), WaitError> {
        if let Probe::NotYet(_) = probe().map_err(WaitError::Hopeless)? {
            let last = "a dry run does not wait";
            self.progress.event(Event::Waiting { what: wait.what, since: Duration::ZERO, within: wait.within, last });
        }
        Ok(())
    }
}

/// A clock before 1970 is taken as 1970.
fn now() -> Clock {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Clock(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[derive(Default)]
    struct Recorder(RefCell<Vec<String>>);

    impl Progress for Recorder {
        fn event(&self, event: Event<'_>) {
            if let Event::Waiting { what, last, .. } = event {
                self.0.borrow_mut().push(format!("{what}: {last}"));
            }
        }
    }

    fn a_wait(within: Duration) -> Wait<'static> {
        Wait { what: "the API server", within, every: Duration::from_millis(1) }
    }

    fn refused() -> Result<Probe, Problem> {
        Ok(Probe::NotYet("refused".to_owned()))
    }

    #[test]
    fn a_wait_looks_until_the_probe_says_yes_and_tells_each_look() {
        let recorder = Recorder::default();
        let mut looks = 0;
        let mut probe = || {
            looks += 1;
            if looks < 3 { Ok(Probe::NotYet(format!("look {looks}"))) } else { Ok(Probe::Yes) }
        };
        RealTime::new(&recorder, Interrupt::default()).wait(&a_wait(Duration::from_secs(60)), &mut probe).unwrap();
        assert_eq!(*recorder.0.borrow(), ["the API server: look 1", "the API server: look 2"]);
    }

    #[test]
    fn a_wait_that_takes_too_long_keeps_what_it_saw_last() {
        let recorder = Recorder::default();
        let time = RealTime::new(&recorder, Interrupt::default());
        let error = time.wait(&a_wait(Duration::ZERO), &mut refused).unwrap_err();
        assert!(matches!(&error, WaitError::TimeUp { last, .. } if last == "refused"), "{error:?}");
    }

    #[test]
    fn a_problem_of_the_probe_ends_the_wait() {
        let recorder = Recorder::default();
        let time = RealTime::new(&recorder, Interrupt::default());
        let error = time.wait(&a_wait(Duration::from_secs(60)), &mut || Err(Problem::new("x", "gone"))).unwrap_err();
        assert!(matches!(&error, WaitError::Hopeless(problem) if problem.what == "gone"), "{error:?}");
    }

    #[test]
    fn an_interrupt_ends_a_long_pause_and_is_seen_before_the_next_look() {
        let recorder = Recorder::default();
        let interrupt = Interrupt::default();
        let time = RealTime::new(&recorder, interrupt.clone());
        let hour = Duration::from_secs(3600);
        let error = time.wait(&Wait { what: "long", within: hour, every: hour }, &mut || {
            interrupt.0.store(true, Ordering::Relaxed);
            refused()
        });
        assert!(matches!(error, Err(WaitError::Interrupted)), "{error:?}");
        let error = time.wait(&a_wait(hour), &mut || panic!("looked at after the interrupt"));
        assert!(matches!(error, Err(WaitError::Interrupted)), "{error:?}");
    }

    #[test]
    fn a_signal_asks_for_the_interrupt_and_the_program_goes_on() {
        let interrupt = Interrupt::by_signals().unwrap();
        assert!(!interrupt.is_requested());
        nix::sys::signal::raise(nix::sys::signal::SIGTERM).unwrap();
        assert!(interrupt.is_requested());
    }

    #[test]
    fn signals_that_are_ignored_are_read_from_the_status() {
        let status = "Name:\tkubestrap\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignored_signals(status) & (1 << (SIGHUP - 1)), 1);
        assert_eq!(ignored_signals(status) & (1 << (SIGINT - 1)), 0);
    }

    #[test]
    fn a_dry_run_looks_once_and_does_not_wait() {
        let recorder = Recorder::default();
        let time = DryTime::new(&recorder);
        let mut looks = 0;
        let mut probe = || {
            looks += 1;
            refused()
        };
        time.wait(&a_wait(Duration::from_secs(240)), &mut probe).unwrap();
        assert_eq!(
            (looks, recorder.0.borrow().as_slice()),
            (1, &["the API server: a dry run does not wait".to_owned()][..])
        );
    }

    #[test]
    fn the_clock_is_in_this_century() {
        let recorder = Recorder::default();
        assert!(RealTime::new(&recorder, Interrupt::default()).now() > Clock(1_700_000_000));
        assert!(DryTime::new(&recorder).now() > Clock(1_700_000_000));
    }
}
